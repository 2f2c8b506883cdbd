"""`libres check` from the outside."""

# ruff: noqa: DTZ001 - naive times are in the zone of the scheduler

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from libres.cli import main

if TYPE_CHECKING:
    from click.testing import Result

    from libres.db.scheduler import Scheduler

EIGHT, NINE, TEN = (datetime(2030, 5, 6, hour) for hour in (8, 9, 10))

damaged = pytest.mark.damaged("the command is to find something")


def check(dsn: str, *arguments: str, answer: str = "") -> Result:
    """Run the command as in a wide terminal."""
    result = CliRunner().invoke(
        main, ["check", "--dsn", dsn, *arguments], input=answer, env={"COLUMNS": "200"}
    )
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def booked(scheduler: Scheduler) -> Scheduler:
    """A resource with a reservation."""
    scheduler.allocate((EIGHT, TEN), partly_available=True, raster=60)
    scheduler.book("a@example.org", (EIGHT, NINE))
    scheduler.commit()
    return scheduler


def orphan(scheduler: Scheduler) -> None:
    """Leave a slot that is nobody's, which can be mended."""
    scheduler.session.execute(
        text(
            "INSERT INTO reserved_slots SELECT resource, start + interval '1 hour', "
            "\"end\" + interval '1 hour', allocation_id, source_type, "
            "gen_random_uuid(), 0, created FROM reserved_slots"
        )
    )
    scheduler.commit()


def lose_a_slot(scheduler: Scheduler) -> None:
    """Take away what a reservation holds, which nobody but a person can mend."""
    scheduler.session.execute(text("DELETE FROM reserved_slots"))
    scheduler.commit()


def slots(scheduler: Scheduler) -> int:
    """Count the slots that are stored now."""
    scheduler.rollback()
    return scheduler.managed_reserved_slots().count()


def test_clean(dsn: str, booked: Scheduler) -> None:
    """There is nothing to say, and the status is 0."""
    booked.rollback()
    result = check(dsn)
    assert (result.exit_code, result.stdout) == (0, "Nothing is wrong.\n")


@damaged
def test_findings(dsn: str, booked: Scheduler) -> None:
    """Each finding has a sentence, its rows and a remedy; nothing is changed."""
    orphan(booked)
    result = check(dsn)
    assert result.exit_code == 1
    assert "slot-without-owner: A slot has no reservation" in result.stdout
    assert str(booked.resource) in result.stdout
    assert "2030-05-06 07:00:00Z" in result.stdout
    assert "libres check --repair mends this" in result.stdout
    assert "1 finding with 1 row; --repair mends 1 of them." in result.stdout
    assert slots(booked) == 2


@damaged
def test_json(dsn: str, booked: Scheduler) -> None:
    """Programs get all of it, and nothing else."""
    orphan(booked)
    result = check(dsn, "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    [finding] = told["findings"]
    assert finding["check"] == "slot-without-owner"
    assert (finding["level"], finding["repairable"]) == ("error", True)
    [row] = finding["rows"]
    assert row["resource"] == str(booked.resource)
    assert row["start"] == "2030-05-06T07:00:00+00:00"
    assert told["repaired"] == []


@damaged
def test_many_rows(dsn: str, scheduler: Scheduler) -> None:
    """A table is short, JSON is complete."""
    scheduler.allocate((EIGHT, TEN), partly_available=True, raster=5)
    scheduler.book("a@example.org", (EIGHT, TEN))
    scheduler.session.execute(text("DELETE FROM reservations"))
    scheduler.commit()
    assert "… and 4 more; --json shows all." in check(dsn).stdout
    [finding] = json.loads(check(dsn, "--json").stdout)["findings"]
    assert len(finding["rows"]) == 24


def test_repair(dsn: str, booked: Scheduler) -> None:
    """What can be mended is shown, then mended, and the status is 0."""
    orphan(booked)
    result = check(dsn, "--repair", answer="y\n")
    assert "Mend 1 as said above?" in result.stdout
    assert result.stdout.endswith("1 mended. Nothing is wrong.\n")
    assert result.exit_code == 0
    assert slots(booked) == 1


@damaged
def test_repair_declined(dsn: str, booked: Scheduler) -> None:
    """Without a yes nothing happens."""
    orphan(booked)
    for answer in ("n\n", "\n"):
        assert check(dsn, "--repair", answer=answer).exit_code == 1
    assert slots(booked) == 2


@damaged
def test_repair_leaves_decisions(dsn: str, booked: Scheduler) -> None:
    """What needs a decision stays, and there is nothing to be asked."""
    lose_a_slot(booked)
    result = check(dsn, "--repair")
    assert result.exit_code == 1
    assert "Mend" not in result.stdout
    assert "reservation-without-slots" in result.stdout


def test_repair_for_programs(dsn: str, booked: Scheduler) -> None:
    """What was mended is told, too."""
    orphan(booked)
    result = check(dsn, "--repair", "--yes", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told["findings"] == []
    assert [each["check"] for each in told["repaired"]] == ["slot-without-owner"]


def test_a_notice(dsn: str, scheduler: Scheduler) -> None:
    """A notice is shown, but nothing is wrong."""
    scheduler.allocate((EIGHT, TEN))
    scheduler.reserve("a@example.org", (EIGHT, TEN), session_id=uuid4())
    scheduler.session.execute(text("UPDATE reservations SET created = '2020-01-01'"))
    scheduler.commit()
    result = check(dsn)
    assert result.exit_code == 0
    assert "expired-session (a notice):" in result.stdout


@damaged
def test_resources(dsn: str, booked: Scheduler) -> None:
    """Only some resources are looked at, by name or by UUID."""
    lose_a_slot(booked)
    named = ("--context", "test", "--resource")
    assert check(dsn, *named, "room").exit_code == 1
    assert check(dsn, *named, "another").exit_code == 0
    assert check(dsn, *named, "another", "--resource", "room").exit_code == 1
    assert check(dsn, "--resource", str(booked.resource)).exit_code == 1
    assert check(dsn, "--resource", str(uuid4())).exit_code == 0


@damaged
def test_a_context_alone(dsn: str, booked: Scheduler) -> None:
    """Names are not stored: nothing is left out, and that is said."""
    lose_a_slot(booked)
    result = check(dsn, "--context", "elsewhere")
    assert result.exit_code == 1
    assert "everything in it is checked" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resource", "room"], "'room' is not a UUID"),
        (["--json", "--repair"], "add --yes"),
        (["--nonsense"], "No such option"),
    ],
)
def test_bad_usage(dsn: str, arguments: list[str], said: str) -> None:
    """The status says that nothing was looked at."""
    result = check(dsn, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_no_tables(empty_dsn: str) -> None:
    """A database without tables is told in words, and stays without."""
    for _ in range(2):
        result = check(empty_dsn)
        assert result.exit_code == 2
        assert "Tables of libres are missing in this database" in result.stderr


@damaged
def test_an_old_database(dsn: str, booked: Scheduler) -> None:
    """What can be checked is, and the rest is told."""
    statement = "ALTER TABLE reserved_slots DROP source_id, DROP source_type"
    booked.session.execute(text(statement))
    booked.session.execute(
        text("UPDATE allocations SET _end = _end - interval '1 day'")
    )
    booked.commit()
    result = check(dsn)
    assert result.exit_code == 1
    assert "reserved_slots.source_id, reserved_slots.source_type" in result.stdout
    assert "Run libres db upgrade" in result.stdout


def test_no_server() -> None:
    """The password is not repeated."""
    result = check("postgresql://u:secret@127.0.0.1:1/x")
    assert result.exit_code == 2
    assert "refused" in result.stderr
    assert "secret" not in result.output


@damaged
def test_a_strange_database(dsn: str, booked: Scheduler) -> None:
    """What the server refuses is said in its words, without the statement."""
    booked.session.execute(text("ALTER TABLE allocations RENAME _end TO finish"))
    booked.commit()
    result = check(dsn)
    assert result.exit_code == 2
    assert "_end does not exist" in result.stderr
    assert "SELECT" not in result.stderr
