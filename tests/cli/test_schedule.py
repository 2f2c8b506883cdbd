"""`libres demo --schedule FILE` from the outside, on a database of its own."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from rich.console import Console
from sqlalchemy.exc import OperationalError

from libres.cli import main, schedule
from libres.cli.commands.demo import SCHEDULE
from libres.cli.schedule import load_schedule
from libres.cli.schedule.booking import book_schedule, scheduler_of
from libres.cli.schedule.reading import EXAMPLE, parse_schedule
from libres.context.registry import create_default_registry
from libres.db.models import Allocation, Reservation, ReservedSlot
from tests.cli.schedules import BERLIN, Session, congress, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from libres.context.core import Context

FAHRPLAN = Path(__file__).parents[2].parent / "shared" / "data" / "31c3-fahrplan.csv"


@pytest.fixture
def stored(dsn: str) -> Iterator[Context]:
    """Give the context in which the command stores schedules."""
    context = create_default_registry().register_context(SCHEDULE)
    context.set_setting("dsn", dsn)
    yield context
    context.get_service("session_provider").stop_service()


def load(
    dsn: str, file: Path, *options: str, status: int = 0, columns: int = 80
) -> str:
    result = CliRunner().invoke(
        main,
        ["demo", "--dsn", dsn, "--schedule", str(file), *options],
        env={"COLUMNS": str(columns)},
        catch_exceptions=False,
    )
    assert result.exit_code == status, result.output
    return result.output


class SerializationFailure(Exception):
    """What a driver raises when another transaction got in the way."""

    sqlstate = "40001"


def counts(context: Context) -> tuple[int, int, int]:
    """Count allocations, reservations and slots."""
    session = context.get_service("session_provider").session()
    found = [session.query(m).count() for m in (Allocation, Reservation, ReservedSlot)]
    session.rollback()
    return found[0], found[1], found[2]


def test_a_congress_is_booked_completely(
    dsn: str, stored: Context, tmp_path: Path
) -> None:
    """A day of a room is one allocation, a row is one reservation with its title."""
    output = load(dsn, write(tmp_path / "congress.csv", congress()))
    assert "16 booked, none refused" in output
    assert counts(stored)[:2] == (4, 16)
    room = scheduler_of(stored, "Saal 1", BERLIN)
    [first, second] = room.managed_allocations().order_by(Allocation._start)
    assert first.partly_available
    assert first.raster == 5
    assert f"{first.display_start():%d %H:%M}" == "27 11:30"
    assert f"{first.display_end():%d %H:%M}" == "28 02:15"
    assert f"{second.display_start():%d %H:%M}" == "28 11:30"
    [opening] = room.reservations_by_allocation(first.id).filter(
        Reservation.start == first.start
    )
    assert opening.data == {"title": "Talk at 690", "event_id": "7"}
    assert opening.email == "speaker@example.org"
    assert opening.status == "approved"


def test_how_much_is_taken_is_drawn_per_room_and_day(dsn: str, tmp_path: Path) -> None:
    """330 of 885 minutes are taken, and the small hours end the line."""
    output = load(dsn, write(tmp_path / "congress.csv", congress()))
    lines = output.splitlines()
    assert lines[0].split() == ["Saal", "1", "37", "%", "taken"]
    assert lines[1].split() == ["11", "13", "15", "17", "19", "21", "23", "01"]
    assert re.fullmatch(r"Sat 27 Dec  ▐██▌███▌·+█{7}·+█{4} +37 % taken", lines[2])
    assert lines[3].startswith("Sun 28 Dec")
    assert lines[5].startswith("Saal 2")


def test_loaded_twice_nothing_is_doubled(
    dsn: str, stored: Context, tmp_path: Path
) -> None:
    """The second time all rows are refused, and nothing else changes."""
    file = write(tmp_path / "congress.csv", congress())
    charts = load(dsn, file).split("\n\n16 booked")[0]
    before = counts(stored)
    output = load(dsn, file)
    assert output.startswith(charts)
    assert "none booked, 16 refused as already reserved" in output
    assert "16 of them were loaded before" in output
    assert counts(stored) == before


def test_a_changed_schedule_books_what_is_new(
    dsn: str, stored: Context, tmp_path: Path
) -> None:
    """What collides is listed; a day that begins earlier grows."""
    rows = list(congress(rooms=1, days=1))
    load(dsn, write(tmp_path / "first.csv", rows))
    early = Session("Saal 1", 0, 600, 60, "Early")
    rival = Session("Saal 1", 0, 720, 30, "Rival")
    other = Session("Saal 2", 0, 720, 30, "Other room")
    output = load(dsn, write(tmp_path / "next.csv", [*rows, early, rival, other]))
    assert "2 booked, 5 refused as already reserved" in output
    assert "4 of them were loaded before" in output
    assert "line 7: Saal 1, Sat 27 Dec 12:00-12:30, Rival: already reserved" in output
    [allocation] = scheduler_of(stored, "Saal 1", BERLIN).managed_allocations()
    assert f"{allocation.display_start():%H:%M}" == "10:00"
    assert f"{allocation.display_end():%H:%M}" == "02:15"


def test_at_most_ten_refused_rows_are_listed(dsn: str, tmp_path: Path) -> None:
    """A file with other titles for the same times does not flood the terminal."""
    rows = list(congress())
    load(dsn, write(tmp_path / "first.csv", rows))
    renamed = [
        replace(row, title="[bold]\x1b[31mLonger than " + "x" * 80) for row in rows
    ]
    output = load(dsn, write(tmp_path / "next.csv", renamed))
    listed = [line for line in output.splitlines() if line.startswith("line ")]
    assert len(listed) == 10
    assert "… and 6 more" in output
    assert "\x1b" not in output
    assert "[bold]" in listed[0]


def test_a_row_between_two_allocations_is_refused_with_its_reason(
    dsn: str, stored: Context, tmp_path: Path
) -> None:
    """Days that were allocated apart stay apart."""
    first = [Session("Hall", 0, 600, 60, "a"), Session("Hall", 1, 600, 60, "b")]
    load(dsn, write(tmp_path / "first.csv", first))
    bridge = [Session("Hall", 0, 630, 1439, "c")]
    output = load(dsn, write(tmp_path / "next.csv", bridge))
    assert "none booked, 1 refused" in output
    assert counts(stored)[:2] == (2, 2)


def test_bad_rows_store_nothing_and_are_all_listed(
    dsn: str, stored: Context, tmp_path: Path
) -> None:
    """Good rows among the bad ones are not booked either."""
    rows = list(congress(rooms=1, days=1))
    file = write(tmp_path / "bad.csv", [*rows, "Hall,tomorrow,x,y,z", "alone", *rows])
    output = load(dsn, file, status=1)
    assert output.splitlines() == [
        "Error: bad.csv: 2 rows are bad, so nothing was stored.",
        f"  line 6 start is 'tomorrow', which is not a time such as {EXAMPLE}",
        "  line 7 has 1 columns instead of 5",
    ]
    assert counts(stored) == (0, 0, 0)


def test_a_file_that_cannot_be_read(dsn: str, tmp_path: Path) -> None:
    """Missing files and folders are refused before anything else."""
    assert "does not exist" in load(dsn, tmp_path / "missing.csv", status=2)
    assert "is a directory" in load(dsn, tmp_path, status=2)


def test_a_schedule_without_sessions(dsn: str, stored: Context, tmp_path: Path) -> None:
    """That is no error."""
    assert "no sessions" in load(dsn, write(tmp_path / "empty.csv", []))
    assert counts(stored) == (0, 0, 0)


def test_the_zone_of_a_room_stays(dsn: str, stored: Context, tmp_path: Path) -> None:
    """A scheduler's zone must never change; the message names the one to use."""
    file = write(tmp_path / "congress.csv", congress(rooms=1))
    load(dsn, file)
    before = counts(stored)
    output = load(dsn, file, "--timezone", "Asia/Tokyo", status=1)
    assert "another --timezone" in output
    assert "Saal 1 is in Europe/Berlin" in output
    assert counts(stored) == before


def test_an_error_in_the_middle_leaves_nothing_behind(
    stored: Context, tmp_path: Path
) -> None:
    """One transaction holds the whole file."""
    file = write(tmp_path / "congress.csv", congress())
    rows = parse_schedule(file.read_bytes(), BERLIN)

    def fail(done: int) -> None:
        if done == len(rows) - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        book_schedule(stored, BERLIN, rows, fail)
    assert counts(stored) == (0, 0, 0)


def test_a_conflict_starts_the_file_again(stored: Context, tmp_path: Path) -> None:
    """Another transaction in the way is no reason to lose or to double a row."""
    file = write(tmp_path / "congress.csv", congress(rooms=1, days=1))
    rows = parse_schedule(file.read_bytes(), BERLIN)
    conflict = OperationalError("", {}, SerializationFailure())
    told: list[int] = []

    def collide_once(done: int) -> None:
        told.append(done)
        if told == [1, 2]:
            raise conflict

    loaded = book_schedule(stored, BERLIN, rows, collide_once)
    assert told == [1, 2, 1, 2, 3, 4]
    assert len(loaded.booked) == 4
    assert counts(stored)[:2] == (1, 4)


def test_room_names_are_text_and_nothing_else(dsn: str, tmp_path: Path) -> None:
    """Markup, control letters and wide letters are shown, not obeyed."""
    rows = [
        Session(name, 0, 600, 60, "x")
        for name in ("[red]会議室[/red]", "\x1b[2J", ":smile:", "'; DROP TABLE x; --")
    ]
    output = load(dsn, write(tmp_path / "odd.csv", rows))
    assert "4 booked" in output
    assert "[red]会議室[/red]" in output
    assert ":smile:" in output
    assert "\x1b" not in output


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        # 4:30 and 2:30 of 9:00 hours
        (
            "2014-03-29T22:00+01:00,2014-03-30T03:30+02:00",
            "2014-03-30T05:30+02:00,2014-03-30T08:00+02:00",
            "78 % taken",
        ),
        # 5:30 and 2:30 of 11:00 hours
        (
            "2014-10-25T22:00+02:00,2014-10-26T02:30+01:00",
            "2014-10-26T05:30+01:00,2014-10-26T08:00+01:00",
            "73 % taken",
        ),
    ],
    ids=["spring", "autumn"],
)
def test_nights_with_a_transition(
    first: str, second: str, taken: str, dsn: str, tmp_path: Path
) -> None:
    """Percentages are those of real time, also where an hour is missing or doubled."""
    lines = [f"Hall,{first},a,1", f"Hall,{second},b,2"]
    output = load(dsn, write(tmp_path / "night.csv", lines))
    assert "2 booked, none refused" in output
    assert output.count(taken) == 2


def test_the_congress_of_2014(dsn: str, stored: Context) -> None:
    """138 sessions in four rooms on four days; loaded twice, none is doubled."""
    if not FAHRPLAN.exists():
        pytest.skip("the schedule of 31C3 is not beside the repository")
    assert "138 booked, none refused" in load(dsn, FAHRPLAN)
    before = counts(stored)
    assert before[:2] == (16, 138)
    assert "138 refused as already reserved" in load(dsn, FAHRPLAN)
    assert counts(stored) == before
    with FAHRPLAN.open(encoding="utf-8", newline="") as file:
        titles = sorted(row["title"] for row in csv.DictReader(file))
    session = stored.get_service("session_provider").session()
    found = session.query(Reservation.data["title"].astext)
    assert sorted(title for (title,) in found) == titles


def test_a_terminal_sees_the_progress(
    stored: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar counts the rows on the terminal, and is wiped away when it is full."""
    paper = StringIO()
    terminal = Console(file=paper, force_terminal=True, width=80)
    monkeypatch.setattr(schedule, "console", lambda **_: terminal)
    file = write(tmp_path / "congress.csv", congress(rooms=1, days=1))
    load_schedule(stored, BERLIN, parse_schedule(file.read_bytes(), BERLIN))
    assert "Booking" in paper.getvalue()
    assert "4/4" in paper.getvalue()


def test_a_pipe_sees_no_progress(dsn: str, tmp_path: Path) -> None:
    """Where there is no terminal, there is nothing but the report."""
    file = write(tmp_path / "congress.csv", congress(rooms=1, days=1))
    assert "Booking" not in load(dsn, file)
