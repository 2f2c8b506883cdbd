"""Reads what sensors send, one event or a CSV file, and says what is wrong with it.

Which sensors there are, and whether a reading is late or was sent before, is not known
here: that is decided where it is recorded.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from libres.modules.errors import insist
from libres.occupancy.errors import UnreadableFile

LONGEST_SENSOR: Final = 128
"""Characters of its code."""

HIGHEST_SEQ: Final = 2**63 - 1

LONGEST_SHOWN: Final = 40
"""Characters of a wrong value that a reason repeats."""

FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""Readings are from the first moment on, and before the last one."""

SENSOR_KEYS: Final = ("dpu_id", "sensor")
"""What an event, or the header of a file, may call the sensor."""

DIRECTIONS: Final = {"1": 1, "+1": 1, "-1": -1}

A_MOMENT: Final = (
    "The timestamp is a time that exists, in ISO 8601 with its zone, as "
    "2018-02-24T08:45:21.893Z"
)
A_YEAR: Final = f"The timestamp is of the years {FIRST.year} to {LAST.year - 1}"
A_DIRECTION: Final = "The direction is 1 or -1"
A_SENSOR: Final = (
    f"The code of the sensor is a text of 1 to {LONGEST_SENSOR} characters, without "
    "NUL and surrogates"
)
A_SEQ: Final = f"The seq is a whole number from 0 to {HIGHEST_SEQ}"
AN_EVENT: Final = "An event is an object with timestamp, direction and dpu_id"


@dataclass(frozen=True, slots=True)
class Reading:
    """Somebody walked beneath a sensor."""

    sensor: str
    """Its code."""

    moment: datetime
    """In UTC."""

    direction: int
    """1 towards the front side of the sensor, -1 the other way."""

    seq: int | None = None
    """The number that the sensor gave it; None: the sensor does not number."""

    line: int | None = None
    """Where it is in the file or list that it came in; None: it came alone."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What is no reading, and why."""

    line: int
    reason: str


class _Wrong(ValueError):
    """Something is not what is expected; the message says it."""

    @classmethod
    def instead(cls, expected: str, value: object) -> _Wrong:
        """Make one that says what is expected, and what is there instead."""
        is_missing = value is None or (isinstance(value, str) and not value.strip())
        found = "but it is missing" if is_missing else f"not {_shown(value)}"
        return cls(f"{expected}, {found}.")


Values: TypeAlias = tuple[object, object, object, object]
"""Timestamp, direction, sensor and seq, as they were sent."""


# One event ----------------------------------------------------------------------------


def reading_of(event: object, position: int) -> Reading | Unreadable:
    """Read a mapping as JSON has it, or check a Reading that was made elsewhere.

    The mapping has timestamp, direction, dpu_id or sensor, and perhaps seq; what else
    it has does not matter. *position* is the line, unless a Reading has one already.
    """
    if isinstance(event, Reading) and event.line is not None:
        position = event.line
    try:
        return _read(_values(event), position)
    except _Wrong as wrong:
        return Unreadable(position, str(wrong))


def _values(event: object) -> Values:
    if isinstance(event, Reading):
        return event.moment, event.direction, event.sensor, event.seq
    if not isinstance(event, Mapping):
        raise _Wrong.instead(AN_EVENT, event)
    timestamp, direction, seq = map(event.get, ("timestamp", "direction", "seq"))
    return timestamp, direction, _named(event), seq


def _named(event: Mapping[str, object]) -> object:
    """Return what an event calls its sensor; two names would be a guess."""
    names = [event[key] for key in SENSOR_KEYS if event.get(key) is not None]
    if len(set(map(_sensor, names))) > 1:
        expected = f"The sensor is {_shown(names[0])}, as dpu_id says"
        raise _Wrong.instead(expected, names[1])
    return names[0] if names else None


def _read(values: Values, line: int) -> Reading:
    timestamp, direction, sensor, seq = values
    return Reading(
        _sensor(sensor), _moment(timestamp), _direction(direction), _seq(seq), line
    )


def _moment(value: object) -> datetime:
    found = _parsed(value) if isinstance(value, str) else value
    if not isinstance(found, datetime) or found.tzinfo is None:
        raise _Wrong.instead(A_MOMENT, value)
    moment = found if found.tzinfo is UTC else _in_utc(found)
    if not FIRST <= moment < LAST:
        raise _Wrong.instead(A_YEAR, value)
    return moment


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise _Wrong.instead(A_MOMENT, text) from error


def _in_utc(moment: datetime) -> datetime:
    """Convert it. Raises _Wrong if its zone has no offset, or it is out of range."""
    if moment.utcoffset() is None:
        raise _Wrong.instead(A_MOMENT, moment)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise _Wrong.instead(A_YEAR, moment) from error


def _direction(value: object) -> int:
    found = DIRECTIONS.get(value.strip()) if isinstance(value, str) else _whole(value)
    if found not in (1, -1):
        raise _Wrong.instead(A_DIRECTION, value)
    return found


def _sensor(value: object) -> str:
    code = value.strip() if isinstance(value, str) else ""
    if not 0 < len(code) <= LONGEST_SENSOR or not is_storable(code):
        raise _Wrong.instead(A_SENSOR, value)
    return code


def is_storable(text: str) -> bool:
    """Tell whether PostgreSQL takes it: no NUL, no half of a surrogate pair."""
    if "\x00" in text:
        return False
    return text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text)


def _seq(value: object) -> int | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    found = _written(value) if isinstance(value, str) else _whole(value)
    if found is None or not 0 <= found <= HIGHEST_SEQ:
        raise _Wrong.instead(A_SEQ, value)
    return found


def _written(text: str) -> int | None:
    """Read digits; int() alone would also take 1_000, and any script."""
    digits = text.strip()
    is_number = digits.isascii() and digits.isdigit()
    return int(digits) if is_number and len(digits) <= len(str(HIGHEST_SEQ)) else None


def _whole(value: object) -> int | None:
    """Return a whole number itself; True and 1.0 are equal to one, and none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _shown(value: object) -> str:
    """Show what was sent, short, and on one line."""
    if isinstance(value, str):
        if len(value) <= LONGEST_SHOWN:
            return repr(value)
        return f"{value[:LONGEST_SHOWN]!r}… ({len(value)} characters)"
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int) and abs(value) < 10**LONGEST_SHOWN:
        return str(value)
    return f"a value of type {type(value).__name__}"


# Files --------------------------------------------------------------------------------


def read_csv(stream: Iterable[str | bytes]) -> Iterator[Reading | Unreadable]:
    """Read a file, or its lines: the header now, the rows as they are asked for.

    The header names timestamp, direction, dpu_id or sensor, and perhaps seq, in any
    order; what else it names does not matter. Lines are numbered from 1. A value never
    runs over lines, so a wrong row costs no other one.

    Raises UnreadableFile for a wrong header, and where the text is not UTF-8.
    """
    insist(
        not isinstance(stream, str | bytes),
        "Pass a file that is open, or its lines, not its text.",
    )
    lines = _lines(stream)
    splitter = _Splitter()
    header = _header(lines, splitter)
    return _rows(lines, splitter, header)


def _lines(stream: Iterable[str | bytes]) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, and their numbers."""
    number = 1
    try:
        for number, line in enumerate(stream, 1):
            text = line.decode() if isinstance(line, bytes) else line
            if text.strip():
                yield number, text
    except UnicodeDecodeError as error:
        raise UnreadableFile(number, f"not UTF-8: {error.reason}") from error


class _Splitter:
    """Splits one line at a time: a quote left open must not swallow the next ones."""

    def __init__(self) -> None:
        self._line: str | None = None
        self._reader = csv.reader(self, strict=True, skipinitialspace=True)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line, self._line = self._line, None
        if line is None:
            raise StopIteration
        return line

    def cells(self, line: str) -> list[str]:
        """Return the values of a line. Raises csv.Error if its quotes are wrong."""
        self._line = line
        return next(self._reader)


@dataclass(frozen=True, slots=True)
class _Header:
    """How many columns there are, and which of them matter."""

    width: int
    timestamp: int
    direction: int
    sensor: int
    seq: int | None

    def values(self, cells: Sequence[str]) -> Values:
        """Pick the values of a row. Raises _Wrong if it is longer or shorter."""
        if len(cells) != self.width:
            expected = f"The row has {self.width} values, as the header"
            raise _Wrong.instead(expected, len(cells))
        return (
            cells[self.timestamp],
            cells[self.direction],
            cells[self.sensor],
            None if self.seq is None else cells[self.seq],
        )


def _header(lines: Iterator[tuple[int, str]], splitter: _Splitter) -> _Header:
    number, line = next(lines, (1, ""))
    try:
        cells = splitter.cells(line.removeprefix("\ufeff"))
        names = [cell.strip().lower() for cell in cells]
        return _Header(
            len(names),
            _place(names, "timestamp"),
            _place(names, "direction"),
            _place(names, *SENSOR_KEYS),
            _place(names, "seq") if "seq" in names else None,
        )
    except (csv.Error, _Wrong) as error:
        raise UnreadableFile(number, str(error)) from error


def _place(names: Sequence[str], *wanted: str) -> int:
    found = [at for at, name in enumerate(names) if name in wanted]
    if len(found) != 1:
        many = "more than one" if found else "no"
        message = f"{many} column {wanted[0]} in {_shown(', '.join(names))}"
        raise _Wrong(message)
    return found[0]


def _rows(
    lines: Iterator[tuple[int, str]], splitter: _Splitter, header: _Header
) -> Iterator[Reading | Unreadable]:
    for number, line in lines:
        try:
            yield _read(header.values(splitter.cells(line)), number)
        except _Wrong as wrong:
            yield Unreadable(number, str(wrong))
        except csv.Error as error:
            yield Unreadable(number, f"The row is not CSV: {error}.")
