"""Looks whether what was noted is as it was."""

from __future__ import annotations

from typing import Any, NoReturn


def verify(context: Any, told: Any, anchors: Any) -> NoReturn:
    raise NotImplementedError
