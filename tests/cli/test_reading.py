"""What `parse_schedule` takes, and what it says about what it does not take."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from libres.cli.schedule.reading import BadRow, BadScheduleError, Row, parse_schedule

BERLIN = ZoneInfo("Europe/Berlin")
HEADER = "room,start,end,title"
GOOD = "Hall,2014-12-27T11:00:00+01:00,2014-12-27T12:00:00+01:00,Opening"


def parse(*lines: str) -> tuple[Row, ...]:
    return parse_schedule("\n".join(lines).encode(), BERLIN)


def bad_rows(content: bytes) -> tuple[BadRow, ...]:
    with pytest.raises(BadScheduleError) as caught:
        parse_schedule(content, BERLIN)
    return caught.value.rows


def test_a_row_keeps_its_line_its_times_and_the_rest_as_data() -> None:
    """Columns that are not room, start or end become data, unchanged."""
    [row] = parse(f"{HEADER},id", f"{GOOD} ,42")
    assert (row.line, row.room, row.title) == (2, "Hall", "Opening ")
    assert row.end - row.start == timedelta(hours=1)
    assert row.data == {"title": "Opening ", "id": "42"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (f"{HEADER}\n{GOOD}\n".encode(), "the plain case"),
        (f"{HEADER}\n{GOOD}".encode(), "no newline at the end"),
        (f"\ufeff{HEADER}\n{GOOD}\n".encode(), "a byte order mark"),
        (f"{HEADER}\r\n{GOOD}\r\n".encode(), "newlines of Windows"),
        (f"{HEADER}\r{GOOD}\r".encode(), "newlines of old Macs"),
        (f"\n{HEADER}\n\n{GOOD}\n\n".encode(), "empty lines"),
        (f"{HEADER}\n{GOOD}\n,,,\n , ,,\n".encode(), "rows without content"),
        (f" Room, START ,end,Title\n{GOOD}\n".encode(), "names in other letters"),
        (f"{HEADER},\n{GOOD},\n".encode(), "a column without a name"),
        (
            b"title,end,start,room\n" + b",".join(reversed(GOOD.encode().split(b","))),
            "another order of the columns",
        ),
        (
            f"{HEADER}\nHall,2014-12-27T10:00Z,20141227T120000+0100,Opening\n".encode(),
            "other forms of ISO 8601",
        ),
    ],
)
def test_forms_of_the_same_schedule(content: bytes, why: str) -> None:
    """Spreadsheets write CSV in many ways; all of these say the same."""
    [row] = parse_schedule(content, BERLIN)
    assert (row.room, row.start.isoformat(), row.title) != ("", "", ""), why
    assert row.room == "Hall"
    assert row.title == "Opening"
    assert row.start.timestamp() == 1419674400


@pytest.mark.parametrize(
    "content", [b"room,start,end,title\n", b"room,start,end,title"]
)
def test_a_header_alone_is_an_empty_schedule(content: bytes) -> None:
    """A schedule without sessions is sound."""
    assert parse_schedule(content, BERLIN) == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "Hall,2014-12-27T11:00+01:00,2014-12-27T12:00+01:00",
            "3 columns instead of 4",
        ),
        (f"{GOOD},more", "5 columns instead of 4"),
        ("alone", "1 columns instead of 4"),
        (",2014-12-27T11:00+01:00,2014-12-27T12:00+01:00,x", "names no room"),
        ("  ,2014-12-27T11:00+01:00,2014-12-27T12:00+01:00,x", "names no room"),
        (
            "Hall,2014-12-27T11:00,2014-12-27T12:00+01:00,x",
            "start is '2014-12-27T11:00'",
        ),
        ("Hall,2014-12-27T11:00+01:00,2014-12-27T12:00,x", "without an offset"),
        ("Hall,2014-12-27,2014-12-28,x", "without an offset"),
        ("Hall,tomorrow,2014-12-27T12:00+01:00,x", "not a time such as 2014-12-27T11"),
        ("Hall,2014-13-27T11:00+01:00,2014-12-27T12:00+01:00,x", "not a time such as"),
        ("Hall,,2014-12-27T12:00+01:00,x", "start is ''"),
        ("Hall,0214-12-27T11:00+01:00,2014-12-27T12:00+01:00,x", "looks mistyped"),
        ("Hall,0001-01-01T00:00+14:00,2014-12-27T12:00+01:00,x", "looks mistyped"),
        ("Hall,9999-12-31T23:00-12:00,9999-12-31T23:30-12:00,x", "looks mistyped"),
        (
            "Hall,2014-12-27T11:00+01:00,2014-12-27T10:00+01:00,x",
            "ends before it starts",
        ),
        (
            "Hall,2014-12-27T11:00+01:00,2014-12-27T11:30+02:00,x",
            "ends before it starts",
        ),
        ("Hall,2014-12-27T11:00+01:00,2014-12-27T11:00+01:00,x", "less than 5 minutes"),
        ("Hall,2014-12-27T11:00+01:00,2014-12-27T11:04+01:00,x", "less than 5 minutes"),
        ("Hall,2014-12-27T11:00+01:00,2014-12-28T11:00+01:00,x", "24 hours or more"),
        ("Hall,2014-12-27T11:00+01:00,2015-12-27T11:00+01:00,x", "24 hours or more"),
        (f"{GOOD}\0", "NUL"),
        ('Hall,2014-12-27T11:00+01:00,2014-12-27T12:00+01:00,"x"y', "is not CSV"),
    ],
)
def test_bad_rows_say_why(line: str, reason: str) -> None:
    """The line between two good ones is the only one that is told."""
    [bad] = bad_rows(f"{HEADER}\n{GOOD}\n{line}\n{GOOD}".encode())
    assert bad.line == 3
    assert reason in bad.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no column room or start or end or title"),
        (b"\n\n", "no column room or start or end or title"),
        (b"room,start,end\n", "no column title"),
        (b"room;start;end;title\n", "with commas"),
        (b"room,start,end,title,room\n", "the column room twice"),
        (b"room,start,end,title\0\n", "NUL"),
        (b"ro\xfcm,start,end,title\n", "not UTF-8"),
        (HEADER.encode("utf-16"), "UTF-16"),
        (b'"room,start,end,title\n', "not CSV"),
    ],
)
def test_bad_headers_say_why(content: bytes, reason: str) -> None:
    """Without its columns, nothing can be said about the rows."""
    [bad] = bad_rows(content)
    assert reason in bad.reason


def test_every_bad_row_is_told_with_its_line() -> None:
    """Lines are those of the file, whatever is quoted, empty or undecodable."""
    long = GOOD.replace("Opening", '"Open\ning"')
    latin = GOOD.replace("Opening", "Eröffnung").encode("latin-1")
    lines = [HEADER.encode(), long.encode(), b"", b"x,y", latin, GOOD.encode(), b'"z']
    assert [bad.line for bad in bad_rows(b"\n".join(lines))] == [5, 6, 8]


def test_a_whole_day_of_25_hours_is_one_row() -> None:
    """What may be reserved at once may be a row: the library's own rule."""
    [row] = parse(
        HEADER, "Hall,2014-10-26T00:00:00+02:00,2014-10-27T00:00:00+01:00,Camp"
    )
    assert row.end - row.start == timedelta(hours=25)
