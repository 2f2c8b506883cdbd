"""How a heatmap is drawn."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import StringIO
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from libres.cli.heat import heat_lines
from libres.modules.errors import Misuse
from libres.timetable.heatmap import Heat, rows, to_svg
from tests.timetable.conftest import at

STEP = timedelta(minutes=60)
SVG = "{http://www.w3.org/2000/svg}"


def heat(*counts, start=None, step=STEP):
    """A heatmap from the example's midnight on."""
    return Heat(at(0) if start is None else start, step, counts)


def tooltips(made, zone="UTC", **more):
    """What the cells of a drawing say."""
    root = ET.fromstring(to_svg(made, zone, title="x", **more))  # noqa: S314
    return [each.findtext(f"{SVG}title") for each in root.iter(f"{SVG}rect")][1:-6]


class TestSVG:
    def test_cells(self):
        """Steps of the same count are one cell."""
        assert tooltips(heat(3, 3, 5, 0)) == [
            "Sat 14 Nov 00:00 to 02:00: 3 free",
            "Sat 14 Nov 02:00 to 03:00: 5 free",
            "Sat 14 Nov 03:00 to 04:00: 0 free",
        ]

    def test_days(self):
        """A row for each local day."""
        found = rows(heat(*[1] * 30), "America/New_York")
        assert [row.label for row in found] == [
            "Fri 13 Nov",
            "Sat 14 Nov",
            "Sun 15 Nov",
        ]

    def test_hour_that_is_missing(self):
        """It is a gap."""
        start = datetime(2026, 3, 28, 23, tzinfo=ZoneInfo("UTC"))
        (row,) = rows(heat(*[1] * 23, start=start), "Europe/Zurich")
        assert [(cell.begin, cell.end) for cell in row.cells] == [(0, 120), (180, 1440)]

    def test_hour_that_is_there_twice(self):
        """Both counts are told, and the lower one is drawn."""
        start = datetime(2026, 10, 24, 22, tzinfo=ZoneInfo("UTC"))
        counts = [1, 1, 5, 3, *[1] * 21]
        (row,) = rows(heat(*counts, start=start), "Europe/Zurich")
        assert row.cells[1].words == "02:00 to 03:00: 5 and 3 free"
        assert row.cells[1].count == 3

    def test_hostile_title(self):
        """A title is text."""
        title = "</title><script>alert('x')</script>&\""
        root = ET.fromstring(to_svg(heat(1), "UTC", title=title))  # noqa: S314
        assert root.findtext(f"{SVG}title") == title
        assert root.find(f".//{SVG}script") is None

    def test_nobody(self):
        """Nobody free at all can be drawn."""
        assert tooltips(heat(0, 0)) == ["Sat 14 Nov 00:00 to 02:00: 0 free"]

    def test_many(self):
        """Thousands of steps."""
        assert len(tooltips(heat(*range(5000)))) == 5000

    @pytest.mark.parametrize("zone", ["UTC", "Mars/Base"])
    def test_mistakes(self, zone):
        """No steps and unknown zones are errors."""
        counts = () if zone == "UTC" else (1,)
        with pytest.raises(Misuse):
            to_svg(heat(*counts), zone, title="x")


class TestTerminal:
    def drawn(self, made, width=80):
        """The lines of a drawing."""
        file = StringIO()
        Console(file=file, width=width).print(heat_lines(made, "UTC", width))
        return file.getvalue().splitlines()

    def test_levels(self):
        """The more are free, the darker."""
        lines = self.drawn(heat(0, 1, 2, 3, 4, *[0] * 19))
        assert lines[1] == f"Sat 14 Nov ··░░▒▒▓▓██{'·' * 38}"
        assert " ".join(lines[2:]).split() == [
            *("·", "0", "░", "up", "to", "1", "▒", "up", "to", "2"),
            *("▓", "up", "to", "3", "█", "up", "to", "4"),
            *("free,", "columns", "of", "30", "minutes"),
        ]

    @pytest.mark.parametrize(
        ("most", "legend"),
        [
            pytest.param(1, "· 0  █ up to 1", id="signs that stand for nothing"),
            pytest.param(3, "· 0  ▒ up to 1  ▓ up to 2  █ up to 3", id="rounded"),
            pytest.param(8, "· 0  ░ up to 2  ▒ up to 4  ▓ up to 6  █ up to 8", id="8"),
        ],
    )
    def test_legend(self, most, legend):
        """The legend says which counts are drawn by a sign."""
        *_, drawn, said = self.drawn(heat(*range(most + 1)), width=100)
        assert said.strip().startswith(f"{legend} free")
        shown = drawn[11::3]
        for each in legend.split("  "):
            sign, _, number = each.partition(" ")
            assert shown[int(number.split()[-1])] == sign

    def test_lowest(self):
        """A column shows its lowest count."""
        quarters = heat(4, 0, 4, 4, step=timedelta(minutes=15))
        assert self.drawn(quarters)[1] == "Sat 14 Nov ·█"

    @pytest.mark.parametrize("width", [20, 40, 107, 300])
    def test_width(self, width):
        """It fits, if it can."""
        lines = self.drawn(heat(*[1] * 24), width)
        assert all(len(line) <= max(width, 23) for line in lines[1:2])


def test_counts(people):
    """Who is free during the whole step counts."""
    found = people.heatmap(at(7, 45), at(11, 15), 30)
    assert found.start == at(7, 30)
    assert found.counts == (0, 1, 1, 1, 1, 2, 2, 1)
