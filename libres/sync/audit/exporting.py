"""Writes changes as lines of JSON, with all that proves them."""

from __future__ import annotations

from typing import Any, NoReturn


def export(context: Any, file: Any, asked: Any) -> NoReturn:
    raise NotImplementedError
