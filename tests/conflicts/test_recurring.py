"""Proposals that repeat on the clock of a zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from libres.conflicts import OPEN, InvalidClaim, Proposal
from libres.conflicts.recurring import recurring
from libres.modules.errors import Misuse
from tests.conflicts.times import SOURCE, TRUCK, at, wish

ZURICH = ZoneInfo("Europe/Zurich")


def weekly(start, end, rule, **more):
    """Repeat a time of Zurich."""
    proposal = Proposal(resource=TRUCK, during=(start, end))
    return recurring(proposal, rule, "Europe/Zurich", **more)


def local(proposals):
    """Start and end on the clock of Zurich."""
    return [
        tuple(
            f"{end.astimezone(ZURICH):%d.%m. %H:%M}"
            for end in (each.during.start, each.during.end)
        )
        for each in proposals
    ]


class TestRecurring:
    def test_stays_on_the_clock(self):
        """Nine o'clock stays nine o'clock when the clocks are moved."""
        start = datetime(2026, 3, 23, 9, tzinfo=ZURICH)
        found = weekly(start, start.replace(hour=10), "FREQ=WEEKLY;COUNT=2")
        assert local(found) == [
            ("23.03. 09:00", "23.03. 10:00"),
            ("30.03. 09:00", "30.03. 10:00"),
        ]
        assert found[0].during.start.hour != found[1].during.start.hour

    @pytest.mark.parametrize(
        ("doubtful", "time"), [("earlier", "01:30"), ("later", "03:30")]
    )
    def test_skipped_hour(self, doubtful, time):
        """A time that does not exist is read as it was said."""
        start = datetime(2026, 3, 22, 2, 30, tzinfo=ZURICH)
        found = weekly(
            start, start.replace(hour=4), "FREQ=WEEKLY;COUNT=2", doubtful=doubtful
        )
        assert local(found)[1] == (f"29.03. {time}", "29.03. 04:30")

    def test_until(self):
        """What starts at the end or later is left out."""
        found = recurring(wish(9, 10), "FREQ=DAILY", "UTC", until=at(9, day=3))
        assert [each.during.start for each in found] == [at(9), at(9, day=2)]

    def test_parts(self):
        """The repeats of a record are parts of it."""
        proposal = wish(9, 10, source=SOURCE, source_id=1, part=5)
        found = recurring(proposal, "FREQ=DAILY;COUNT=3", "UTC")
        assert [each.part for each in found] == [5, 6, 7]

    def test_claimed(self, claims):
        """All of them can be claimed at once."""
        proposal = wish(9, 10, source=SOURCE, source_id=1)
        found = recurring(proposal, "FREQ=DAILY;COUNT=30", "UTC")
        assert claims.put_many(found).created == 30

    @pytest.mark.parametrize(
        "rule",
        [
            "FREQ=SECONDLY",
            "FREQ=DAILY",
            "",
            "FREQ=NEVER",
            "9 o'clock",
            None,
            "X" * 2000,
        ],
    )
    def test_bad_rules(self, rule):
        """Rules that are none, or never end, are refused in words."""
        with pytest.raises(InvalidClaim, match="rule"):
            recurring(wish(), rule, "UTC")

    def test_nothing_to_repeat(self):
        """A rule that has no time says so."""
        with pytest.raises(InvalidClaim, match="no time"):
            recurring(wish(), "FREQ=DAILY", "UTC", until=at(0))

    def test_without_end(self):
        """What has no end cannot be repeated."""
        proposal = Proposal(resource=TRUCK, during=(at(9), OPEN))
        with pytest.raises(InvalidClaim, match="without an end"):
            recurring(proposal, "FREQ=DAILY;COUNT=2", "UTC")

    def test_unknown_zone(self):
        """A zone has a name."""
        with pytest.raises(Misuse, match="timezone"):
            recurring(wish(), "FREQ=DAILY;COUNT=2", "Mars")
