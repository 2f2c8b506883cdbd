"""What a claim is made of: times with open ends, numeric spans, names, pairs.

Takes what callers write, gives values that cannot be wrong, or says what is wrong.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final, Literal, TypeAlias, cast
from uuid import UUID

from libres.conflicts.errors import IncompleteQuestion, InvalidClaim
from libres.domain.days import UTC, check_timezone, shifts, to_utc, to_zone
from libres.domain.spans import Span
from libres.modules.errors import NotTimezoneAware

SEPARATOR: Final = "\x1f"
"""Stands between the parts of a key; no name may hold it."""

LONGEST_NAME: Final = 255
"""Bytes in UTF-8; what is longer does not fit into the index."""

FIRST: Final = datetime(1, 1, 2, tzinfo=UTC)
LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)
"""What can be shown in every zone."""

MARGIN: Final = timedelta(days=2)

LARGEST_PART: Final = 2**31 - 1
MOST_DIGITS: Final = 100
LARGEST_DIMS: Final = 10_000
"""Characters of the key/value pairs as JSON."""


class Open(Enum):
    """The end of a range that has no end."""

    OPEN = "open"

    def __repr__(self) -> str:
        return "OPEN"


OPEN: Final = Open.OPEN
"""Says on purpose that a range has no end here; None would be a mistake."""

Moment: TypeAlias = datetime | Literal[Open.OPEN]
Number: TypeAlias = int | float | Decimal
Doubtful: TypeAlias = Literal["refuse", "earlier", "later"]
"""What to do with local times that are none or two moments."""

Bounds: TypeAlias = Literal["[]", "[)", "(]", "()"]

BOUNDS: Final = ("[]", "[)", "(]", "()")


@dataclass(frozen=True, slots=True)
class Period:
    """The time from *start* until just before *end*, aware; None is without end.

    Raises InvalidClaim unless it ends after it starts, NotTimezoneAware for naive ends.
    """

    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            moment = getattr(self, name)
            object.__setattr__(self, name, None if moment is None else _utc(moment))
        if self.start is not None and self.end is not None and self.end <= self.start:
            message = (
                f"A time must end after it starts, but this one starts at "
                f"{self.start.isoformat()} and ends at {self.end.isoformat()}."
            )
            raise InvalidClaim(message)

    @property
    def is_always(self) -> bool:
        """Whether both ends are open."""
        return self.start is None and self.end is None

    def widened(self, before: timedelta, after: timedelta) -> Period:
        """Return it with time added at both ends; a negative one takes it away."""
        start = None if self.start is None else _moved(self.start, -before)
        end = None if self.end is None else _moved(self.end, after)
        return Period(start, end)

    def overlaps(self, other: Period) -> bool:
        """Tell whether both have time in common; touching is not enough."""
        return _begins_before(self, other) and _begins_before(other, self)

    def overlap(self, other: Period) -> Period | None:
        """Return the time both have in common, None if there is none."""
        if not self.overlaps(other):
            return None
        starts = [each.start for each in (self, other) if each.start is not None]
        ends = [each.end for each in (self, other) if each.end is not None]
        return Period(max(starts, default=None), min(ends, default=None))

    def __str__(self) -> str:
        start = "ever since" if self.start is None else self.start.isoformat()
        end = "for ever" if self.end is None else self.end.isoformat()
        return f"{start} to {end}"


def _begins_before(one: Period, other: Period) -> bool:
    return one.start is None or other.end is None or one.start < other.end


def _utc(moment: object) -> datetime:
    if not isinstance(moment, datetime):
        message = f"A time is a datetime, not the {type(moment).__name__} {moment!r}."
        raise InvalidClaim(message)
    if moment.utcoffset() is None:
        raise NotTimezoneAware(date=moment)
    return _within_reach(moment)


def _within_reach(moment: datetime) -> datetime:
    try:
        found = moment.astimezone(UTC)
    except OverflowError:
        found = None
    if found is None or not FIRST <= found <= LAST:
        message = (
            f"The time {moment.isoformat()} lies outside of the years 1 to 9999: use "
            f"OPEN for a range that has no end."
        )
        raise InvalidClaim(message)
    return found


def _moved(moment: datetime, by: timedelta) -> datetime:
    try:
        return _within_reach(moment + by)
    except OverflowError:
        message = f"The buffer {by} around {moment.isoformat()} is too long."
        raise InvalidClaim(message) from None


ALWAYS: Final = Period()

During: TypeAlias = Period | Span | tuple[Moment, Moment]
"""What may be passed as a time."""


def period_of(
    during: object, timezone: str | None = None, doubtful: Doubtful = "refuse"
) -> Period:
    """Read a time: a Period, a Span, or a tuple of two ends, OPEN for none.

    Naive ends are wall-clock times of *timezone*. Where clocks are moved some are two
    moments, and some none: those are refused, or *doubtful* says which reading is
    meant. Raises IncompleteQuestion if an end is None.
    """
    if isinstance(during, Period):
        return during
    if isinstance(during, Span):
        return Period(during.start, during.end)
    if not isinstance(during, (tuple, list)) or len(during) != 2:
        message = (
            f"A time needs a start and an end, (start, end), but got {during!r}: use "
            f"OPEN for an end that is open."
        )
        raise IncompleteQuestion(message)
    start, end = (_end_of(end, timezone, doubtful) for end in during)
    return Period(start, end)


def _end_of(end: Any, timezone: str | None, doubtful: Doubtful) -> datetime | None:
    if end is OPEN:
        return None
    if end is None:
        message = (
            "One end of the time is missing: give both, or OPEN for one that is open."
        )
        raise IncompleteQuestion(message)
    if timezone is None or not isinstance(end, datetime) or end.utcoffset() is not None:
        return cast(datetime, end)
    return _local(end, check_timezone(timezone), doubtful)


def _local(wall: datetime, timezone: str, doubtful: Doubtful) -> datetime:
    readings = _readings(wall, timezone)
    if readings is None:
        return to_utc(wall, timezone)
    if doubtful in ("earlier", "later"):
        return min(readings) if doubtful == "earlier" else max(readings)
    message = (
        f"The local time {wall.isoformat()} does not exist in {timezone}, or exists "
        f"twice, as the clocks are moved then: pass an aware datetime, or say "
        f"doubtful='earlier' or 'later'."
    )
    raise InvalidClaim(message)


def _readings(wall: datetime, timezone: str) -> tuple[datetime, datetime] | None:
    """Read a local time with the offsets before and after a change of clocks.

    None if no clock was moved over it.
    """
    read = wall.replace(tzinfo=UTC)
    if not FIRST + MARGIN <= read <= LAST - MARGIN:
        return None
    for shift in shifts(Span(read - MARGIN, read + MARGIN), timezone):
        after = to_zone(shift.at, timezone).utcoffset() or timedelta()
        before = after - shift.amount
        clock = sorted((shift.at + before, shift.at + after))
        if clock[0] <= read < clock[1]:
            return read - before, read - after
    return None


@dataclass(frozen=True, slots=True)
class NumericSpan:
    """Numbers from *lower* to *upper*; None is without end; *bounds* tell which of the
    ends belong to it."""

    lower: Decimal | None
    upper: Decimal | None
    bounds: Bounds = "[]"

    def __post_init__(self) -> None:
        if self.bounds not in BOUNDS:
            message = f"bounds are one of {', '.join(BOUNDS)}, not {self.bounds!r}."
            raise InvalidClaim(message)
        object.__setattr__(self, "lower", _number(self.lower))
        object.__setattr__(self, "upper", _number(self.upper))
        if self._is_empty():
            message = (
                f"A span must hold at least one number, but {self} holds none: put the "
                f"lower end first."
            )
            raise InvalidClaim(message)

    def _is_empty(self) -> bool:
        if self.lower is None or self.upper is None:
            return False
        is_point = self.lower == self.upper
        return self.lower > self.upper or (is_point and self.bounds != "[]")

    @property
    def lower_inclusive(self) -> bool:
        """Whether the lower end belongs to it; an open one does not."""
        return self.lower is not None and self.bounds[0] == "["

    @property
    def upper_inclusive(self) -> bool:
        """Whether the upper end belongs to it; an open one does not."""
        return self.upper is not None and self.bounds[1] == "]"

    def __str__(self) -> str:
        lower = "" if self.lower is None else self.lower
        upper = "" if self.upper is None else self.upper
        return f"{self.bounds[0]}{lower},{upper}{self.bounds[1]}"


Numbers: TypeAlias = NumericSpan | tuple[Number | Open, Number | Open]
"""What may be passed as a span."""


def _number(value: object) -> Decimal | None:
    if value is None or value is OPEN:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        message = f"The ends of a span are numbers, not {value!r}."
        raise InvalidClaim(message)
    try:
        number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    except (InvalidOperation, ValueError):
        number = Decimal("NaN")
    if not number.is_finite() or number.adjusted() > MOST_DIGITS:
        message = (
            f"The ends of a span are finite numbers of at most {MOST_DIGITS} digits, "
            f"not {str(value)[:40]}: use OPEN for a span without an end."
        )
        raise InvalidClaim(message)
    if number.as_tuple().exponent < -MOST_DIGITS:  # type: ignore[operator]  # is finite
        message = f"A number may have {MOST_DIGITS} decimals at most."
        raise InvalidClaim(message)
    return number


def span_of(span: object, bounds: Bounds = "[]") -> NumericSpan | None:
    """Read a numeric span: None, a NumericSpan, or a tuple of two ends, OPEN for none.

    Raises IncompleteQuestion if an end is None, InvalidClaim if it holds no number.
    """
    if span is None or isinstance(span, NumericSpan):
        return span
    if not isinstance(span, (tuple, list)) or len(span) != 2 or None in span:
        message = (
            f"A span needs a lower and an upper end, (lower, upper), but got {span!r}: "
            f"use OPEN for an end that is open."
        )
        raise IncompleteQuestion(message)
    return NumericSpan(_number(span[0]), _number(span[1]), bounds)


def name_of(value: object, what: str) -> str:
    """Read a name: trimmed, in the composed form of Unicode (NFC); also a UUID.

    Raises IncompleteQuestion if it is missing or blank, InvalidClaim if it is too long
    or cannot be stored.
    """
    if value is None:
        message = f"The {what} is missing."
        raise IncompleteQuestion(message)
    if isinstance(value, UUID):
        return str(value)
    if not isinstance(value, str):
        message = f"The {what} is a text, not the {type(value).__name__} {value!r}."
        raise InvalidClaim(message)
    found = unicodedata.normalize("NFC", value.strip())
    if not found:
        message = f"The {what} is empty."
        raise IncompleteQuestion(message)
    return _storable(found, what)


def _storable(text: str, what: str) -> str:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        size = -1
    if size < 0 or "\0" in text or SEPARATOR in text:
        message = f"The {what} {text[:40]!r} holds characters that cannot be stored."
        raise InvalidClaim(message)
    if size > LONGEST_NAME:
        message = f"The {what} is longer than {LONGEST_NAME} bytes ({size}, in UTF-8)."
        raise InvalidClaim(message)
    return text


def id_of(value: object, what: str = "id of the source") -> str:
    """Read an id: a text, a whole number or a UUID, never None or its text.

    Raises as `name_of` does.
    """
    if isinstance(value, bool) or value is None or isinstance(value, float):
        message = f"The {what} is missing: {value!r} is none."
        raise IncompleteQuestion(message)
    found = name_of(str(value), what)
    if found == "None":
        message = f"The {what} is the text 'None': flush the object first."
        raise IncompleteQuestion(message)
    return found


def text_of(value: object, what: str) -> str | None:
    """Read a text for people, or None. Raises InvalidClaim if it cannot be stored."""
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > LARGEST_DIMS or "\0" in value:
        message = f"The {what} is a text of at most {LARGEST_DIMS} characters."
        raise InvalidClaim(message)
    try:
        value.encode()
    except UnicodeEncodeError:
        message = f"The {what} holds characters that cannot be stored."
        raise InvalidClaim(message) from None
    return value


def whole_of(value: object, what: str, least: int = 0) -> int:
    """Read a whole number from *least* on. Raises InvalidClaim for anything else."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not least <= cast(int, value) <= LARGEST_PART:
        message = (
            f"The {what} is a whole number from {least} to {LARGEST_PART}, not "
            f"{str(value)[:40]}."
        )
        raise InvalidClaim(message)
    return cast(int, value)


def buffer_of(value: object, what: str) -> timedelta:
    """Read a time before or after a booking. Raises InvalidClaim if it is negative."""
    if not isinstance(value, timedelta) or value < timedelta():
        message = (
            f"The buffer {what} is a timedelta that is not negative, not {value!r}."
        )
        raise InvalidClaim(message)
    return value


def dims_of(dims: object) -> dict[str, Any] | None:
    """Read key/value pairs. Raises InvalidClaim unless JSON can hold them."""
    if dims is None:
        return None
    if not isinstance(dims, Mapping) or not all(isinstance(key, str) for key in dims):
        message = f"dims are pairs of a text and a value, not {dims!r}."
        raise InvalidClaim(message)
    try:
        written = json.dumps(dict(dims), allow_nan=False, ensure_ascii=False)
        written.encode()
    except (TypeError, ValueError, RecursionError) as error:
        message = f"dims hold what JSON cannot hold: {error}."
        raise InvalidClaim(message) from None
    if len(written) > LARGEST_DIMS or "\\u0000" in written:
        message = (
            f"dims are at most {LARGEST_DIMS} characters of JSON, without the "
            f"character NUL."
        )
        raise InvalidClaim(message)
    return dict(dims)
