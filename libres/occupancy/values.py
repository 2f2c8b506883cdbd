"""Checks what callers pass: names, moments, numbers; pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final, get_args

from libres.domain.spans import Span
from libres.occupancy.algebra import Policy
from libres.occupancy.errors import InvalidMoment, InvalidPlace
from libres.occupancy.readings import FIRST, LAST, LONGEST_SENSOR, is_storable

LONGEST_NAME: Final = 500
HIGHEST: Final = 10**9
"""People, of which the difference of two counts still fits into an integer."""

LONGEST_TIME: Final = timedelta(days=36_600)
"""A hundred years: moments that long ago can still be stored."""


def name_of(value: object, longest: int = LONGEST_NAME) -> str:
    """Check a name. Raises InvalidPlace."""
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        reason = f"A name is a text of 1 to {longest} characters, not {value!r:.60}."
        raise InvalidPlace(reason)
    if "\0" in value or not value.isprintable():
        reason = f"A name has printable characters only, not {value!r:.60}."
        raise InvalidPlace(reason)
    return value


def code_of(value: object) -> str:
    """Check the code of a sensor. Raises InvalidPlace."""
    code = name_of(value, LONGEST_SENSOR)
    if code != code.strip():
        reason = f"A code has no blanks around it, as readings have none: {code!r:.60}."
        raise InvalidPlace(reason)
    return code


def note_of(value: object, name: str) -> str | None:
    """Check what somebody wrote, or nothing. Raises InvalidPlace."""
    if value is not None and not (isinstance(value, str) and is_storable(value)):
        reason = f"{name} is a text without NUL and surrogates, not {value!r:.60}."
        raise InvalidPlace(reason)
    return value


def flag_of(value: object, name: str) -> bool:
    """Check a yes or no. Raises InvalidPlace."""
    if not isinstance(value, bool):
        reason = f"{name} is True or False, not {value!r:.60}."
        raise InvalidPlace(reason)
    return value


def moment_of(value: object) -> datetime:
    """Read an aware moment, in UTC. Raises InvalidMoment."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        message = f"A moment is a datetime with a timezone, not {value!r:.60}."
        raise InvalidMoment(message)
    try:
        moment = value.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        message = f"The moment {value!r:.60} is too far away."
        raise InvalidMoment(message) from error
    if not FIRST <= moment < LAST:
        message = f"A moment lies from {FIRST.year} to {LAST.year - 1}, not {moment}."
        raise InvalidMoment(message)
    return moment


def span_of(start: object, end: object) -> Span:
    """Read a time from one moment to another. Raises InvalidMoment."""
    span = Span(moment_of(start), moment_of(end))
    if span.is_empty:
        message = f"The end {end} does not lie after the start {start}."
        raise InvalidMoment(message)
    return span


def length_of(value: object, name: str) -> timedelta:
    """Check a duration. Raises InvalidMoment."""
    if not isinstance(value, timedelta) or not timedelta() < value <= LONGEST_TIME:
        expected = "a timedelta above zero, of a hundred years at most"
        message = f"{name} is {expected}, not {value!r:.60}."
        raise InvalidMoment(message)
    return value


def number_of(value: object, name: str) -> int:
    """Check a number of people. Raises InvalidPlace."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= HIGHEST:  # type: ignore[operator]
        reason = f"{name} is a whole number from 0 to {HIGHEST}, not {value!r:.60}."
        raise InvalidPlace(reason)
    return value  # type: ignore[return-value]


def sign_of(value: object) -> int:
    """Check which way a sensor looks. Raises InvalidPlace."""
    if isinstance(value, bool) or value not in (1, -1):
        reason = f"sign is +1 (positive leads to side A) or -1, not {value!r:.60}."
        raise InvalidPlace(reason)
    return int(value)


def policy_of(value: object) -> Policy:
    """Check a policy. Raises InvalidPlace."""
    if value not in get_args(Policy):
        reason = f"policy is {', '.join(get_args(Policy))}, not {value!r:.60}."
        raise InvalidPlace(reason)
    return value  # type: ignore[return-value]


def time_of(value: object, name: str) -> time:
    """Check a local time of day. Raises InvalidPlace."""
    if not isinstance(value, time) or value.tzinfo is not None:
        reason = f"{name} is a time of day without a timezone, not {value!r:.60}."
        raise InvalidPlace(reason)
    return value
