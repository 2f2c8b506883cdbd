"""Lets a role of its own own what was noted."""

from __future__ import annotations

from typing import Any, NoReturn


def protect(connection: Any, owner: str, role: str) -> NoReturn:
    raise NotImplementedError
