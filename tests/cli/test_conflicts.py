"""`libres conflicts` from the outside."""

from __future__ import annotations

import csv
import io
import json

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from libres import conflicts
from libres.cli import main
from libres.conflicts import ClaimMapping
from tests.conflicts.times import SOURCE, TRUCK, hours
from tests.conflicts.tracking.host import Base, Booking, Equipment

NINE, TEN = "2025-12-01T09:00+00:00", "2025-12-01T10:00+00:00"


@pytest.fixture
def claims(context):
    """Claims of the context 'test'; a truck is taken from 9 to 10."""
    claims = conflicts.setup(context)
    claims.put(SOURCE, 1, TRUCK, hours(9, 10), label="=cmd()")
    claims.commit()
    return claims


@pytest.fixture
def run(dsn):
    """Give a function that runs a command of the group."""

    def run(command, *arguments, context="test"):
        line = ["conflicts", command, "--dsn", dsn, "--context", context, *arguments]
        result = CliRunner().invoke(main, line, env={"COLUMNS": "200"})
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


class TestCheck:
    def test_free(self, claims, run):
        """It says that it is free, and nothing is wrong."""
        result = run("check", "Room 201", NINE, TEN)
        assert (result.exit_code, result.output) == (0, "It is free.\n")

    def test_taken(self, claims, run):
        """It says who has it, for how long, and what is free instead."""
        result = run("check", TRUCK, "2025-12-01T09:30+00:00", TEN)
        assert result.exit_code == 1
        assert "0:30:00" in result.output
        assert "=cmd()" in result.output

    def test_without(self, claims, run):
        """A record can be left out."""
        assert run("check", TRUCK, NINE, TEN, "--without", SOURCE, "1").exit_code == 0

    def test_json(self, claims, run):
        """As JSON, for programs."""
        (found,) = json.loads(run("check", TRUCK, NINE, TEN, "--json").output)
        assert found["source_object_id"] == "1"

    def test_other_context(self, claims, run):
        """Another context has claims of its own."""
        assert run("check", TRUCK, NINE, TEN, context="other").exit_code == 0

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ((TRUCK, "9 o'clock", TEN), "not a time with an offset"),
            ((TRUCK, "2025-12-01T09:00", TEN), "not a time with an offset"),
            ((TRUCK, TEN, NINE), "end after it starts"),
            ((TRUCK, NINE, NINE), "end after it starts"),
            ((" ", NINE, TEN), "resource is empty"),
            ((TRUCK, NINE, TEN, "--span", "2", "1"), "lower end first"),
        ],
    )
    def test_bad_questions(self, claims, run, arguments, says):
        """A question that makes no sense is refused in words, and never free."""
        result = run("check", *arguments)
        assert result.exit_code != 0
        assert says in " ".join(result.output.split())
        assert "It is free" not in result.output


class TestExport:
    def test_csv(self, claims, run):
        """All claims, and no formulas."""
        claims.put(SOURCE, 2, "Other", hours(11, 12), span=(1, 2))
        claims.commit()
        rows = list(csv.DictReader(io.StringIO(run("export").output)))
        assert [row["resource"] for row in rows] == [TRUCK, "Other"]
        assert rows[0]["label"] == "'=cmd()"
        assert (rows[1]["lower"], rows[1]["bounds"]) == ("1", "[]")

    def test_conditions(self, claims, run):
        """Of one resource, or of a time."""
        assert len(run("export", "--resource", TRUCK).output.splitlines()) == 2
        assert len(run("export", "--resource", "x").output.splitlines()) == 1
        assert len(run("export", "--from", TEN).output.splitlines()) == 1
        assert len(run("export", "--to", NINE).output.splitlines()) == 1


class TestVerify:
    @pytest.fixture
    def tracked(self, claims):
        """Bookings of a host are tracked; one claim is lost."""
        Base.metadata.create_all(claims.session.connection())
        starts, ends = hours(12, 13)
        claims.session.add(Equipment(serial="T"))
        claims.session.flush()
        claims.session.add(Booking(equipment_id=1, starts=starts, ends=ends))
        claims.session.flush()
        claims.track(
            Booking,
            ClaimMapping(resource="T", start=Booking.starts, end=Booking.ends),
        )
        claims.session.execute(
            text("DELETE FROM conflict_claims WHERE source = 'tests.Booking'")
        )
        claims.commit()
        return claims

    def test_all_is_well(self, claims, run):
        """It says so."""
        assert run("verify").output == "All is well.\n"

    def test_finds_and_repairs(self, tracked, run):
        """What is missing is named, then made anew."""
        result = run("verify")
        assert result.exit_code == 1
        assert result.output.startswith("missing: tests.Booking 1.")
        assert run("verify", "--repair").exit_code == 0
        assert run("verify", "tests.Booking").output == "All is well.\n"

    def test_rebuild(self, tracked, run):
        """All claims of a source are made anew."""
        assert run("rebuild", "tests.Booking").output.endswith("1 claims.\n")

    @pytest.mark.parametrize("command", ["verify", "rebuild"])
    def test_unknown(self, claims, run, command):
        """What is not tracked is said in words."""
        result = run(command, "nothing")
        assert result.exit_code == 1
        assert "not tracked" in result.output

    def test_setup(self, dsn, run, scheduler):
        """A database gets its claims by a command, the mirror included."""
        scheduler.allocate(hours(9, 17), partly_available=True)
        scheduler.book("a@example.org", hours(9, 10))
        scheduler.commit()
        assert run("setup", "--mirror").output == "Claims are set up.\n"
        assert run("check", str(scheduler.resource), NINE, TEN).exit_code == 1
        assert run("verify").output == "All is well.\n"
