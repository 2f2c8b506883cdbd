"""Reads what callers ask about: windows, names, tags, lengths; says what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date as Date
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from libres.domain.days import DISTANT_FUTURE, DISTANT_PAST, UTC, check_timezone, to_utc
from libres.domain.spans import Span
from libres.modules.errors import NotTimezoneAware
from libres.modules.rasterizer import Raster, checked_raster
from libres.timetable.errors import InvalidSubject, InvalidWindow

MOST_WINDOWS = 100
"""Of one question."""

LONGEST_WINDOW = timedelta(days=3660)

LONGEST_NAME = 255
"""Characters."""

MARGIN = timedelta(days=2)

Window: TypeAlias = Span | tuple[datetime, datetime]


def window_of(start: object, end: object, timezone: str | None = None) -> Span:
    """Read one window. Raises InvalidWindow, NotTimezoneAware."""
    span = Span(_moment(start, timezone), _moment(end, timezone))
    if span.is_empty:
        raise InvalidWindow(start=span.start.isoformat(), end=span.end.isoformat())
    if span.duration > LONGEST_WINDOW:
        message = f"A window lasts ten years at most, not {span.duration.days} days."
        raise InvalidWindow(message)
    return span


def _moment(moment: object, timezone: str | None) -> datetime:
    if not isinstance(moment, datetime):
        message = f"A window has two datetimes, not {moment!r}."
        raise InvalidWindow(message)
    if moment.utcoffset() is None and timezone is None:
        raise NotTimezoneAware(date=moment)
    try:
        found = to_utc(moment, "UTC" if timezone is None else check_timezone(timezone))
    except OverflowError:
        found = DISTANT_PAST
    if not DISTANT_PAST + MARGIN <= found <= DISTANT_FUTURE - MARGIN:
        message = f"{moment.isoformat()} lies outside of the years 1 to 9999."
        raise InvalidWindow(message)
    return found.astimezone(UTC)


def windows_of(
    windows: object, raster: Raster | None, timezone: str | None = None
) -> list[Span]:
    """Read one window or several, rounded outwards to the raster.

    Raises InvalidWindow, also without any, and NotTimezoneAware.
    """
    found = [_outward(window_of(*each, timezone), raster) for each in _pairs(windows)]
    if not found:
        message = "Pass at least one window, (start, end)."
        raise InvalidWindow(message)
    if len(found) > MOST_WINDOWS:
        message = f"One question has {MOST_WINDOWS} windows at most, not {len(found)}."
        raise InvalidWindow(message)
    return found


def _pairs(windows: object) -> list[tuple[Any, Any]]:
    if isinstance(windows, Span):
        return [(windows.start, windows.end)]
    if isinstance(windows, tuple) and len(windows) == 2 and _is_end(windows[0]):
        return [windows]
    if isinstance(windows, str | bytes) or not isinstance(windows, Iterable):
        message = f"Pass (start, end) or several of those, not {windows!r}."
        raise InvalidWindow(message)
    return [_pair(each) for each in windows]


def _is_end(value: object) -> bool:
    return not isinstance(value, Sequence | Span)


def _pair(window: object) -> tuple[Any, Any]:
    if isinstance(window, Span):
        return window.start, window.end
    if not isinstance(window, tuple | list) or len(window) != 2:
        message = f"A window is (start, end), not {window!r}."
        raise InvalidWindow(message)
    return window[0], window[1]


def _outward(span: Span, raster: Raster | None) -> Span:
    if raster is None:
        return span
    return Span.rasterized(span.start, span.end, checked_raster(raster))


# Lengths ------------------------------------------------------------------------------


def length_of(value: object, name: str) -> timedelta:
    """Return a length itself. Raises InvalidWindow unless it is above zero."""
    if not isinstance(value, timedelta) or value <= timedelta():
        message = f"{name} is a timedelta above zero, not {value!r}."
        raise InvalidWindow(message)
    return value


def number_of(value: object, name: str, least: int = 1) -> int:
    """Return a whole number itself. Raises InvalidWindow unless it is large enough."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        message = f"{name} is a whole number of at least {least}, not {value!r}."
        raise InvalidWindow(message)
    return value


def share_of(value: object) -> float:
    """Return a share itself. Raises InvalidWindow unless it is above 0, at most 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"fraction is a number, not {value!r}."
        raise InvalidWindow(message)
    if not 0 < value <= 1:
        message = f"fraction is above 0 and at most 1, not {value}."
        raise InvalidWindow(message)
    return float(value)


def day_of(value: object) -> Date:
    """Return a day itself. Raises InvalidWindow for anything but a date."""
    if isinstance(value, datetime) or not isinstance(value, Date):
        message = f"A day is a date, not {value!r}."
        raise InvalidWindow(message)
    return value


# Names --------------------------------------------------------------------------------


def name_of(value: object) -> str:
    """Return a name, trimmed. Raises InvalidSubject unless it can be stored."""
    if not isinstance(value, str):
        message = f"The name of a subject is a text, not {value!r}."
        raise InvalidSubject(message)
    name = value.strip()
    if not name or len(name) > LONGEST_NAME or "\x00" in name or not _is_text(name):
        message = (
            f"The name of a subject has 1 to {LONGEST_NAME} characters, and no NUL: "
            f"{value[:60]!r} has {len(name)}."
        )
        raise InvalidSubject(message)
    return name


def _is_text(name: str) -> bool:
    """Tell whether it can be written as UTF-8: half of a surrogate pair cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def names_of(values: object) -> list[str]:
    """Read names: each once, in their order."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        message = f"Pass a list of names, not {values!r}."
        raise InvalidSubject(message)
    return list(dict.fromkeys(map(name_of, values)))


def tags_of(values: object) -> list[str]:
    """Read tags, each once, sorted. Raises InvalidSubject unless they are texts."""
    if values is None:
        return []
    if isinstance(values, str) or not isinstance(values, Iterable):
        message = f"Tags are a list of texts, not {values!r}."
        raise InvalidSubject(message)
    return sorted(set(map(name_of, values)))
