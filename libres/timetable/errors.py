"""What can go wrong with timetables, one class per situation.

As in `libres.modules.errors`, the docstring of a class is its message::

    LibresError
    ├── InvalidWindow
    ├── InvalidCalendar (of `libres.timetable.calendars`)
    ├── InvalidSubject
    ├── NotCached
    └── UnknownSubject

    Misuse
    └── InvalidHours (of `libres.timetable.hours`)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from libres.modules.errors import LibresError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("InvalidSubject", "InvalidWindow", "NotCached", "UnknownSubject")


class InvalidWindow(LibresError):
    """This is no window to look at: pass (start, end), both aware or with a timezone,
    the end after the start."""


class InvalidSubject(LibresError):
    """This is no subject: a name is a short text that is not empty, tags are texts, and
    the timezone has a name such as 'Europe/Zurich'."""


class NotCached(LibresError):
    """Free times of this context are not cached: switch that on with cache()."""


class UnknownSubject(LibresError):
    """No subject of this context has this name: add it first."""

    names: list[str]

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names=list(names))
