"""`libres timetable` from the outside."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from libres import timetable
from libres.cli import main
from libres.db import new_scheduler
from tests.timetable.conftest import at, opened

EIGHT, NINE, TEN = (f"2015-11-14T{hour:02}:00+00:00" for hour in (8, 9, 10))
DAY = ("--from", "2015-11-14T00:00+00:00", "--to", "2015-11-15T00:00+00:00")


@pytest.fixture
def table(context):
    """John is free from 8 to 14, but for 9 to 10; Sara from 10 to 11."""
    made = timetable.setup(context)
    opened(made, "John", (8, 14))
    opened(made, "Sara", (10, 11))
    new_scheduler(context, "John", "UTC").book("ada@example.org", (at(9), at(10)))
    made.commit()
    return made


@pytest.fixture
def run(dsn):
    """Give a function that runs a command of the group."""

    def run(command, *arguments, context="test", width="100"):
        line = ["timetable", command, "--dsn", dsn, "--context", context, *arguments]
        result = CliRunner().invoke(main, line, env={"COLUMNS": width})
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


class TestAsking:
    def test_free(self, table, run):
        """When somebody is free."""
        assert run("free", "John", *DAY).output.splitlines() == [
            "2015-11-14T08:00:00+00:00 to 2015-11-14T09:00:00+00:00",
            "2015-11-14T10:00:00+00:00 to 2015-11-14T14:00:00+00:00",
        ]
        assert len(json.loads(run("free", "John", *DAY, "--json").output)) == 2
        assert len(run("free", "John", *DAY, "--min", "90").output.splitlines()) == 1

    def test_who(self, table, run):
        """Who is free."""
        window = ("--window", TEN, "2015-11-14T11:00+00:00")
        assert run("who", *window).output.splitlines() == ["John", "Sara"]
        assert run("who", *window, "--count").output == "2\n"
        assert run("who", *window, "--among", "Sara").output == "Sara\n"
        assert run("who", *window, "--window", EIGHT, NINE).output == "John\n"
        assert run("who", "--window", EIGHT, TEN).output == ""
        assert run("who", "--window", EIGHT, TEN, "--duration", "60").output == "John\n"

    def test_draw(self, table, run):
        """Their days are drawn."""
        drawn = run(
            "who", "--window", EIGHT, NINE, "--draw", "--timezone", "UTC"
        ).output
        line = next(each for each in drawn.splitlines() if each.startswith("Sat 14"))
        assert "█" in line
        assert "·" in line

    def test_common(self, table, run):
        """When all are free."""
        found = run("common", "John", "Sara", *DAY).output
        assert found == (
            "2015-11-14T10:00:00+00:00 to 2015-11-14T11:00:00+00:00: John, Sara\n"
        )
        assert (
            run("common", "John", "Sara", *DAY, "--min", "90").output == "Not at all.\n"
        )

    def test_next(self, table, run):
        """The next times."""
        found = run("next", "Sara", "--duration", "30", "--after", EIGHT, "-n", "3")
        assert [line[11:16] for line in found.output.splitlines()] == ["10:00", "10:30"]

    def test_other_context(self, table, run):
        """Another context has subjects of its own."""
        assert run("who", "--window", EIGHT, NINE, context="other").output == ""

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("free", "Jon", *DAY), "No subject of this context"),
            (("free", "John", "--from", "9 o'clock", "--to", TEN), "not a time"),
            (("free", "John", "--from", TEN, "--to", NINE), "the end after the start"),
            (
                ("who", "--window", NINE, "2015-11-14T10:00"),
                "not a time with an offset",
            ),
            (("who", "--window", NINE, TEN, "--fraction", "7"), "fraction is above 0"),
            (("heatmap", *DAY, "--step", "7"), "Invalid value"),
            (("rebuild-cache",), "not cached"),
        ],
    )
    def test_bad_questions(self, table, run, arguments, says):
        """What makes no sense is refused in words."""
        result = run(*arguments)
        assert result.exit_code != 0
        assert says in " ".join(result.output.split())


class TestHeatmap:
    def test_terminal(self, table, run):
        """It is drawn here."""
        drawn = run("heatmap", *DAY, "--timezone", "UTC").output
        assert "Sat 14 Nov" in drawn
        assert "█" in drawn

    def test_svg(self, table, run, tmp_path):
        """Or as a file."""
        file = tmp_path / "heat.svg"
        assert run("heatmap", *DAY, "--svg", str(file)).exit_code == 0
        assert ET.parse(file).getroot().tag.endswith("svg")  # noqa: S314


class TestOpening:
    def test_set_up(self, dsn, context, run):
        """From nothing to an answer."""
        assert run("setup").exit_code == 0
        assert run("add", "Ann", "--timezone", "UTC", "--tag", "piano").exit_code == 0
        assert run("open", "Ann", "--from", EIGHT, "--to", TEN).output == "Opened 1.\n"
        assert run("who", "--window", EIGHT, NINE, "--tag", "piano").output == "Ann\n"

    def test_load(self, table, run, tmp_path):
        """A CSV file; who is not there is added."""
        file = tmp_path / "open.csv"
        file.write_text(
            "name,start,end,timezone,tags\n"
            "Ann,2015-11-14T08:00,2015-11-14T09:00,UTC,piano French\n"
            "Bob,2015-11-14T08:00,2015-11-14T09:00,,\n"
            "Sara,2015-11-14T11:00+00:00,2015-11-14T12:00+00:00,,\n"
        )
        result = run("load", str(file), "--timezone", "UTC")
        assert result.output.splitlines()[-1] == "Opened 3 of 3 subjects."
        window = ("--window", EIGHT, NINE)
        assert run("who", *window, "--tag", "French").output == "Ann\n"

    def test_resumed(self, table, run, tmp_path):
        """What was opened before the interruption is skipped, the rest opened."""
        file = tmp_path / "open.csv"
        lines = [
            f"{name},2015-11-14T08:00,2015-11-14T09:00\n" for name in ("Ann", "Bob")
        ]
        file.write_text("name,start,end\n" + lines[0])
        run("load", str(file), "--timezone", "UTC", "--resume")
        file.write_text("name,start,end\n" + "".join(lines))
        result = run("load", str(file), "--timezone", "UTC", "--resume")
        assert result.output.splitlines()[-1] == "Opened 1 of 2 subjects."
        window = ("--window", EIGHT, NINE)
        assert run("who", *window, "--among", "Bob").output == "Bob\n"

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("name,start\n", "no column end"),
            ("name,start,end\nAnn,eight,nine\n", "line 2: 'eight' is not a time"),
            ("name,start,end\n,2015-11-14T08:00,2015-11-14T09:00\n", "name is missing"),
            (
                "name,start,end\nAnn,2015-11-14T09:00,2015-11-14T08:00\n",
                "after the start",
            ),
            (
                "name,start,end\nJohn,2015-11-14T09:00,2015-11-14T20:00\n",
                "allocated from",
            ),
        ],
    )
    def test_bad_files(self, table, run, tmp_path, text, says):
        """A bad line is named, and nothing is opened."""
        file = tmp_path / "open.csv"
        file.write_text(text)
        result = run("load", str(file), "--timezone", "UTC")
        assert result.exit_code != 0
        assert says in " ".join(result.output.split())
        assert [each.name for each in table.subjects()] == ["John", "Sara"]

    def test_hours(self, table, run):
        """Weekly hours are shown, and allocated ahead."""
        from datetime import date, time  # noqa: PLC0415 - names of this test alone

        table.set_hours(["Sara"], [timetable.Weekly(0, time(8), time(9))])
        day = timetable.SpecialDay(date(2030, 1, 1), date(2030, 1, 1), "off")
        table.add_exceptions(["Sara"], [day])
        table.commit()
        shown = run("hours", "Sara").output
        assert "Mon" in shown
        assert "08:00" in shown
        assert "off" in shown
        assert run("extend", "--days", "7").output.splitlines()[-1] == (
            "Opened 1, took back 0."
        )


class TestCache:
    def test_cache(self, table, run):
        """Switched on, compared, made anew, switched off."""
        assert run("cache").output.splitlines()[-1] == "3 free times are cached."
        assert run("verify-cache").output == "All is well.\n"
        assert run("rebuild-cache").exit_code == 0
        assert run("uncache").output == "Nothing is cached.\n"

    def test_wrong(self, table, run):
        """A difference is told."""
        from sqlalchemy import text  # noqa: PLC0415 - one test needs it

        table.cache()
        table.session.execute(text("DELETE FROM timetable_free"))
        table.commit()
        result = run("verify-cache")
        assert result.exit_code == 1
        assert "missing: John, 2015-11-14T08:00" in result.output


class TestExchange:
    def test_exchange(self, table, run, tmp_path):
        """What is exported can be imported."""
        assert (
            run("export", "Sara", *DAY).output.splitlines()[1].startswith("Sara,2015")
        )
        file = tmp_path / "john.ics"
        file.write_text(run("export", "John", *DAY, "--ics", "--busy").output)
        assert "BEGIN:VEVENT" in file.read_text()
        assert run("import", "Sara", str(file), *DAY).output == "1 busy times.\n"

    def test_broken(self, table, run, tmp_path):
        """What is no calendar is refused."""
        file = tmp_path / "x.ics"
        file.write_text("hello")
        result = run("import", "Sara", str(file), *DAY)
        assert result.exit_code != 0
        assert "cannot be read as an iCalendar" in " ".join(result.output.split())
