"""Erases values and their salts on request, and nothing else."""

from __future__ import annotations

from typing import Any, NoReturn


def erase(context: Any, model: Any, key: Any, fields: Any, reason: str) -> NoReturn:
    raise NotImplementedError
