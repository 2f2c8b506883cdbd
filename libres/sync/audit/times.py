"""Tells how rows were at a moment, and in what they differ."""

from __future__ import annotations

from typing import Any, NoReturn


def as_of(context: Any, model: Any, key: Any, time: Any) -> NoReturn:
    raise NotImplementedError


def diff(context: Any, model: Any, key: Any, first: Any, second: Any) -> NoReturn:
    raise NotImplementedError
