"""What can go wrong with occupancy, one class per situation.

As in `libres.modules.errors`, the docstring of a class is its message::

    LibresError
    ├── AlreadyWatched
    ├── InvalidMoment
    ├── InvalidPlace
    ├── UnknownPlace
    └── UnreadableFile
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from libres.modules.errors import LibresError

__all__ = (
    "AlreadyWatched",
    "InvalidMoment",
    "InvalidPlace",
    "UnknownPlace",
    "UnreadableFile",
)


class AlreadyWatched(LibresError):
    """Another sensor hangs above this doorway at that time: unassign it first, or make
    the doorway one of several sensors."""


class InvalidMoment(LibresError):
    """This is no moment, or no time: pass aware datetimes, the end after the start."""


class InvalidPlace(LibresError):
    """This space, doorway or sensor cannot be: the message says why."""

    reason: str

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class UnknownPlace(LibresError):
    """No space, doorway or sensor of this context has this name: add it first."""

    kind: str
    """``space``, ``doorway`` or ``sensor``."""

    names: list[Any]

    def __init__(self, kind: str, names: Sequence[Any]) -> None:
        super().__init__(kind=kind, names=list(names))


class UnreadableFile(LibresError):
    """This is no file of readings: it is CSV in UTF-8, and its first line names the
    columns timestamp, direction and dpu_id, each once, and perhaps seq."""

    line: int
    """Where reading ended; what is wrong is there, or in what follows."""

    reason: str

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line=line, reason=reason)
