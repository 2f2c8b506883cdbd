"""`libres demo` from the outside, on a database of its own."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click
import pytest
from click.testing import CliRunner

from libres.cli import centre, main, serving
from libres.cli.centre import open_centre
from libres.cli.centre.acts import MEETING_ROOM, NURSERY, RESOURCES, Stage
from libres.cli.centre.house import TUTORS, House, furnish
from libres.cli.centre.telling import Teller, listening
from libres.cli.centre.week import Week
from libres.cli.commands import COMMANDS
from libres.cli.database import Database
from libres.cli.terminal import console
from libres.context.registry import create_default_registry
from libres.modules import events
from libres.occupancy import Occupancy
from libres.timetable import Timetable
from libres.version import __version__
from libres.waiting import WaitingList
from libres.web.directory import Directory
from libres.web.keys import Keys
from tests.cli.schedules import BERLIN
from tests.cli.serving import serving as process

if TYPE_CHECKING:
    from collections.abc import Callable

    from libres.context.core import Context
    from libres.db.scheduler import Scheduler
    from tests.fixtures.clock import Clock


def run(*arguments: str, columns: int = 80) -> str:
    result = CliRunner().invoke(
        main, arguments, env={"COLUMNS": str(columns)}, catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.stdout


def chart(output: str, title: str) -> list[str]:
    """Cut the chart of a resource out of the output of the demo."""
    lines = output.split("The week, ")[1].splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(title))
    return lines[first : lines.index("", first)]


def test_version() -> None:
    """The version is that of the package."""
    assert run("--version") == f"libres, version {__version__}\n"


def test_every_command_has_help() -> None:
    """The group lists all commands, and each of them explains itself."""
    listed = run("--help")
    for command in COMMANDS:
        assert command.name is not None
        assert command.name in listed
        assert run(command.name, "-h").startswith(f"Usage: main {command.name}")


def test_it_runs_as_a_module() -> None:
    """`python -m libres.cli` is the same command."""
    command = [sys.executable, "-m", "libres.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own command
    assert done.stdout == f"libres, version {__version__}\n"


def test_the_story(dsn: str) -> None:
    """What happens is told, with events and with the messages of refusals."""
    output = run("demo", "--no-serve", "--dsn", dsn, columns=200)
    assert "book Monday and Wednesday, 9:00 to 10:30, for ada@example.org" in output
    assert "event 2 made, 2 approved, after the commit: mail to ada" in output
    assert "refused AlreadyReservedError: Not enough free places" in output
    assert "refused QuotaOverLimit" in output
    assert "3 are waiting for Monday" in output
    assert "event 2 denied" in output
    assert "event 1 removed, 1 made, time changed from 13:00 to" in output


def test_a_week_of_every_resource(dsn: str) -> None:
    """Free, reserved, blocked and taken elsewhere can be told apart when piped."""
    output = run("demo", "--no-serve", "--dsn", dsn)
    assert "\x1b" not in output
    [_title, _scale, monday, tuesday, *_rest] = chart(output, "Meeting room")
    assert re.fullmatch(r"Mon \d\d  ····██████·{30} {18}85 % free", monday)
    assert re.fullmatch(r"Tue \d\d  ·{28}███████····· {18}82 % free", tuesday)
    assert chart(output, "Music studio")[6][8:40].strip() == "╬" * 12 + "·" * 12
    assert "▒▒▒▒▒▒▒▒▒▒  40 % free" in chart(output, "Concert")[3]
    assert "▚▚▚▚▚▚" in chart(output, "Hall")[2]
    assert "██████" in chart(output, "North half")[2]
    assert "▚" not in chart(output, "South half")[2]
    assert chart(output, "Nursery")[2].endswith(" 0 % free")


@pytest.mark.parametrize("columns", [60, 120])
def test_every_width(columns: int, dsn: str) -> None:
    """No line is wider than the terminal, and no resource is missing."""
    output = run("demo", "--no-serve", "--dsn", dsn, columns=columns)
    assert max(map(len, output.splitlines())) <= columns
    assert all(f"\n{each.name}" in output for each in RESOURCES)


def test_it_can_be_run_again(dsn: str) -> None:
    """The second run shows what the first one did."""
    assert run("demo", "--no-serve", "--dsn", dsn) == run(
        "demo", "--no-serve", "--dsn", dsn
    )


def test_other_contexts_keep_what_they_hold(
    dsn: str, scheduler_factory: Callable[..., Scheduler]
) -> None:
    """A resource of the same name in another context is another resource."""
    room = scheduler_factory("Meeting room", "Europe/Berlin")
    room.allocate((at(9), at(10)))
    room.book("someone@example.org", (at(9), at(10)))
    room.commit()
    run("demo", "--no-serve", "--dsn", dsn)
    run("demo", "--no-serve", "--dsn", dsn)
    assert room.managed_reservations().count() == 1
    assert room.managed_reserved_slots().count() == 1


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Zurich", date(2026, 3, 25)),
        ("Europe/Zurich", date(2026, 10, 25)),
        ("America/Santiago", date(2026, 9, 6)),
        ("Australia/Lord_Howe", date(2026, 10, 4)),
    ],
    ids=["spring", "autumn", "no midnight", "half an hour"],
)
def test_weeks_with_a_transition(
    zone: str, day: date, context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo can be run in any week of any zone."""
    open_centre(Database(context, "a test"), ZoneInfo(zone), day)
    assert "South half" in capsys.readouterr().out


def test_the_listeners_are_gone_afterwards(dsn: str) -> None:
    """The lists of events are global; the demo leaves them as they were."""
    run("demo", "--no-serve", "--dsn", dsn)
    lists = [getattr(events, name) for name in events.__all__ if name != "Event"]
    assert not any(lists)
    assert not any(each.committed for each in lists)


def test_only_the_events_of_the_own_context_are_told(
    scheduler: Scheduler, capsys: pytest.CaptureFixture[str]
) -> None:
    """What others do in the same process is not part of the story."""
    stranger = create_default_registry().register_context("stranger")
    with listening(Teller(stranger, console())):
        scheduler.allocate((at(9), at(10)))
    assert capsys.readouterr().out == ""


def test_events_that_do_not_fit_begin_a_new_line(
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They are told beside each other, as far as the terminal goes."""
    monkeypatch.setenv("COLUMNS", "30")
    teller = Teller(context, console())
    for what in ("one made", "one approved", "one removed"):
        teller.event(what)
    teller.end()
    assert capsys.readouterr().out.splitlines() == [
        "   event one made",
        "         one approved",
        "         one removed",
    ]


def test_a_refusal_that_does_not_come_is_an_error(
    scheduler: Scheduler, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo never shows a library that lets a double booking pass."""
    teller = Teller(scheduler.context, console())
    with pytest.raises(click.ClickException, match="should have been refused"):
        teller.refused(scheduler.allocate, "an hour", (at(9), at(10)))
    assert "allocate an hour" in capsys.readouterr().out


def test_two_demos_at_once_end_in_a_sentence(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that loses says why, and what to do."""

    def lose(stage: Stage) -> None:
        stage.scheduler(MEETING_ROOM).allocate([(at(9), at(10)), (at(9), at(10))])

    monkeypatch.setattr(centre, "ACTS", (lose,))
    with pytest.raises(click.ClickException, match="another demo") as caught:
        open_centre(Database(context, "a test"), BERLIN, date(2030, 1, 7))
    assert caught.value.exit_code == 1


def test_a_pipe_that_is_closed_early(dsn: str) -> None:
    """`libres demo | head` ends without a traceback."""
    command = (
        f"{sys.executable} -m libres.cli demo --no-serve --dsn '{dsn}' | head -n 1"
    )
    done = subprocess.run(  # noqa: S602 - our own command
        command, shell=True, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("A small community centre")
    assert "Traceback" not in done.stderr


def at(hour: int) -> datetime:
    return datetime(2030, 1, 7, hour, tzinfo=BERLIN)


# On the web ---------------------------------------------------------------------------

NOON = datetime(2026, 11, 25, 12, tzinfo=BERLIN)


def furnished(context: Context, clock: Clock, now: datetime = NOON) -> str:
    """The centre, as it is found at a moment; returns the key."""
    clock.now = now
    open_centre(Database(context, "a test"), BERLIN, now.date())
    serving.set_up(context)
    return furnish(House(context, Week.of(now.date(), BERLIN), now))


def test_the_centre_is_furnished(context: Context, clock: Clock) -> None:
    """There are titles, tutors, people, and some who wait."""
    key = furnished(context, clock)
    house = House(context, Week.of(NOON.date(), BERLIN), NOON)
    with context.read_only():
        shown = [place.name for place in Directory(context).all()]
        assert shown == [each.name for each in RESOURCES]
        assert len(Timetable(context).subjects(tags=["tutor"])) == len(TUTORS)
        nursery = house.scheduler(NURSERY)
        assert len(WaitingList(context).entries(nursery)) == 2
        pending = nursery.managed_reservations().filter_by(status="pending")
        assert {each.email for each in pending} == {
            "cleo@example.org",
            "eva@example.org",
        }
        assert 0 < Occupancy(context).count("Community centre", NOON).count < 60
        holder = Keys(context).holder(key)
        assert holder is not None
        assert holder.scopes >= {"manage"}


def test_furnishing_again(context: Context, clock: Clock) -> None:
    """A second run shows the same, and the key of the first one opens nothing."""
    first = furnished(context, clock)
    with context.read_only():
        before = Occupancy(context).count("Community centre", NOON).count
    second = furnished(context, clock)
    with context.read_only():
        assert Occupancy(context).count("Community centre", NOON).count == before
        assert Keys(context).holder(first) is None
        assert Keys(context).holder(second) is not None


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(datetime(2026, 11, 23, 0, 30, tzinfo=BERLIN), id="Monday, early"),
        pytest.param(datetime(2026, 10, 25, 23, 30, tzinfo=BERLIN), id="Sunday, late"),
        pytest.param(datetime(2027, 3, 26, 12, tzinfo=BERLIN), id="before the change"),
    ],
)
def test_furnished_on_any_day(context: Context, clock: Clock, now: datetime) -> None:
    """It can be run before anybody has come, and when the week is over."""
    assert furnished(context, clock, now)


def test_the_pages_are_served(empty_dsn: str) -> None:
    """The demo says where the pages are and how to sign in; Ctrl-C ends it."""
    with process("demo", "--dsn", empty_dsn) as served:
        key = served.wait_for(r"\n(libres_\S+)\n")[1]
        assert key
        assert served.get("/health")[0] == 200
        status, body = served.get("/resources")
        assert status == 200
        assert "Pottery course" in body
        assert served.end(signal.SIGINT) == (0, "Ended.\n")
    assert "The week, " in served.said


def test_the_pages_on_a_port(dsn: str) -> None:
    """A port that is taken is told in a sentence."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        arguments = ["demo", "--dsn", dsn, "--port", str(port)]
        result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert f"Nobody can listen on 127.0.0.1:{port}" in result.output


def test_without_the_web(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra it keeps to the terminal, and says what is missing."""
    monkeypatch.setattr(serving, "NEEDED", ("libres_is_not_here",))
    output = run("demo", "--dsn", dsn)
    assert "South half" in output
    assert output.endswith("pip install 'libres[web]'.\n")
