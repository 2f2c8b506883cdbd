"""Undoes a change by a new one."""

from __future__ import annotations

from typing import Any, NoReturn


def revert(
    context: Any, position: int, reason: Any, scheduler: Any = None
) -> NoReturn:
    raise NotImplementedError
