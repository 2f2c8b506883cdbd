"""Reads a schedule from a CSV file: every row is sound, or all that are not are told.

Pure: bytes in, rows out. What a row needs is decided here; whether its room is still
free is decided by the database.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, NoReturn

from libres.modules.utils import is_valid_reservation_length

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

COLUMNS = ("room", "start", "end", "title")
"""What the first line has to name; further columns are kept as data of the row."""

SHORTEST = timedelta(minutes=5)
YEARS = range(1900, 2200)

EXAMPLE = "2014-12-27T11:00:00+01:00"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Row:
    """A session: the line it begins on, its room, its times, title and the rest."""

    line: int
    room: str
    start: datetime
    end: datetime
    data: Mapping[str, str] = field(compare=False)

    @property
    def title(self) -> str:
        """What takes place."""
        return self.data["title"]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that cannot be used, and why."""

    line: int
    reason: str


class BadScheduleError(ValueError):
    """The schedule has rows that cannot be used: correct them and load it again."""

    def __init__(self, rows: Sequence[BadRow]) -> None:
        super().__init__(self.__doc__)
        self.rows = tuple(rows)


class _BadValueError(ValueError):
    """A value cannot be used; its message says why."""


@dataclass(frozen=True, slots=True)
class _Record:
    """The cells of a row as they stand in the file."""

    line: int
    cells: tuple[str, ...]


def parse_schedule(content: bytes, zone: ZoneInfo) -> tuple[Row, ...]:
    """Return the rows of a file in the order of the file.

    It is UTF-8, with or without a byte order mark, and has commas; the columns may
    have any order; lines without content are skipped. A row lasts from five minutes
    to less than 24 hours, or one whole day in *zone*.

    Raises BadScheduleError with every bad row of the file.
    """
    header, *records = _records(content)
    if isinstance(header, BadRow):
        raise BadScheduleError([header])
    names = _names(header)
    rows = [_row(record, names, zone) for record in records]
    if bad := [row for row in rows if isinstance(row, BadRow)]:
        raise BadScheduleError(bad)
    return tuple(row for row in rows if isinstance(row, Row))


def _records(content: bytes) -> list[_Record | BadRow]:
    """Split a file into rows; the first one is the header, if need be an empty one."""
    if content.startswith(UTF_16):
        return [BadRow(1, "is UTF-16: save the file as UTF-8")]
    # What is not UTF-8 survives as surrogates, so that its line can be named.
    text = content.decode("utf-8-sig", errors="surrogateescape")
    return list(_split(text)) or [_Record(1, ())]


def _split(text: str) -> Iterator[_Record | BadRow]:
    """Yield every row with content; one the csv module cannot read is a bad one."""
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    line = 1
    while True:
        try:
            cells = tuple(next(reader))
            if any(map(str.strip, cells)):
                yield _Record(line, cells)
        except csv.Error as error:
            yield BadRow(line, f"is not CSV: {error}")
        except StopIteration:
            return
        line = reader.line_num + 1


def _names(header: _Record) -> tuple[str, ...]:
    """Return the names of the columns.

    Raises BadScheduleError if one is missing, or one occurs twice.
    """
    try:
        _check_text(header)
        names = tuple(cell.strip().lower() for cell in header.cells)
        _check_names(names)
    except _BadValueError as error:
        raise BadScheduleError([BadRow(header.line, str(error))]) from error
    return names


def _check_names(names: Sequence[str]) -> None:
    if missing := [name for name in COLUMNS if name not in names]:
        wanted = f"the first line has to name {', '.join(COLUMNS)}, with commas"
        _refuse(f"has no column {' or '.join(missing)}: {wanted}")
    if twice := [name for name in names if name and names.count(name) > 1]:
        _refuse(f"has the column {twice[0]} twice")


def _row(
    record: _Record | BadRow, names: Sequence[str], zone: ZoneInfo
) -> Row | BadRow:
    if isinstance(record, BadRow):
        return record
    try:
        return _checked_row(record, names, zone)
    except _BadValueError as error:
        return BadRow(record.line, str(error))


def _checked_row(record: _Record, names: Sequence[str], zone: ZoneInfo) -> Row:
    _check_text(record)
    if len(record.cells) != len(names):
        _refuse(f"has {len(record.cells)} columns instead of {len(names)}")
    cells = dict(zip(names, record.cells, strict=True))
    room = cells.pop("room").strip()
    if not room:
        _refuse("names no room")
    start, end = (_moment(name, cells.pop(name).strip()) for name in ("start", "end"))
    _check_length(start, end, zone)
    data = {name: cell for name, cell in cells.items() if name}
    return Row(record.line, room, start, end, data)


def _check_text(record: _Record) -> None:
    text = "".join(record.cells)
    if "\0" in text:
        _refuse("holds a NUL character, which cannot be stored")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        _refuse("is not UTF-8: save the file as UTF-8")


def _moment(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _refuse(f"{name} is {text!r}, which is not a time such as {EXAMPLE}")
    if moment.utcoffset() is None:
        _refuse(f"{name} is {text!r}, without an offset: write it like {EXAMPLE}")
    if moment.year not in YEARS:
        _refuse(f"{name} is {text!r}, and the year looks mistyped")
    return moment


def _check_length(start: datetime, end: datetime, zone: ZoneInfo) -> None:
    if end < start:
        _refuse(f"ends before it starts: {start} to {end}")
    if end - start < SHORTEST:
        _refuse("lasts less than 5 minutes")
    if not is_valid_reservation_length(start, end, str(zone)):
        _refuse("lasts 24 hours or more: divide it into several rows")


def _refuse(reason: str) -> NoReturn:
    raise _BadValueError(reason)
