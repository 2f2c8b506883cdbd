"""Who did not come, who left, when it was too full: rules about values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from uuid import UUID, uuid4

import pytest

from libres.domain.spans import Span
from libres.occupancy import judging
from libres.occupancy.algebra import Calibration, Passage, in_order
from libres.occupancy.judging import Judged, Reserved, Seen

SPACE = UUID(int=1)
GRACE = EMPTY = timedelta(minutes=15)


def at(clock):
    """A moment of a day, by the clock."""
    return datetime.fromisoformat(f"2018-02-24T{clock}+00:00").astimezone(UTC)


def span(start, end):
    """A time of that day."""
    return Span(at(start), at(end))


def reserved(start="12:00", end="13:00", **more):
    """A reservation of a partly available allocation, on a raster of 15 minutes."""
    values = {
        "id": 1,
        "token": uuid4(),
        "resource": UUID(int=2),
        "type": "generic",
        "email": "late@example.org",
        "quota": 1,
        "span": span(start, end),
        "timezone": "UTC",
        "raster": 15,
        "is_partly": True,
    }
    return Reserved(**{**values, **more})


def seen(*items, before=0, silent=(), policy="raw"):
    """What a space tells: +1 or -1 by the clock, ``=`` and a number if calibrated."""
    passages = [Passage(at(clock), what) for clock, what in items if what in (1, -1)]
    told = [
        Calibration(at(clock), int(what[1:]))
        for clock, what in items
        if isinstance(what, str)
    ]
    silences = [span(*each) for each in silent]
    return Seen(SPACE, before, in_order(passages, told), silences, policy)


IN, OUT = 1, -1


class TestNoShow:
    @pytest.mark.parametrize(
        ("known", "expected"),
        [
            pytest.param(seen(), "no_show", id="nobody"),
            pytest.param(seen(before=1), None, id="inside all the time"),
            pytest.param(seen(before=-2), "no_show", id="below zero is nobody"),
            pytest.param(seen(("12:07", IN)), None, id="came in time"),
            pytest.param(seen(("12:00", IN)), None, id="came exactly at the start"),
            pytest.param(seen(("12:15", IN)), None, id="came in the last moment"),
            pytest.param(seen(("12:16", IN)), "no_show", id="came too late"),
            pytest.param(
                seen(("12:07", IN), before=-3), None, id="came, though miscounted"
            ),
            pytest.param(seen(("12:07", OUT)), None, id="who leaves was there"),
            pytest.param(
                seen(("11:50", OUT), before=1), "no_show", id="left before the start"
            ),
            pytest.param(
                seen(("12:00", OUT), before=1), "no_show", id="left at the start"
            ),
            pytest.param(seen(("12:05", "=4")), None, id="somebody counted them"),
            pytest.param(seen(("12:05", "=0")), "no_show", id="somebody saw nobody"),
            pytest.param(
                seen(silent=[("12:05", "12:06")]), "unknown", id="a sensor was silent"
            ),
            pytest.param(
                seen(silent=[("11:00", "12:00"), ("12:15", "13:00")]),
                "no_show",
                id="silent before and after",
            ),
            pytest.param(
                seen(("12:07", IN), silent=[("12:00", "12:05")]),
                None,
                id="came, though silent",
            ),
        ],
    )
    def test_seen(self, known, expected):
        """Nobody inside, nobody passing, and sensors that would have told."""
        found = judging.no_show(GRACE)(reserved(), [known], at("12:20"))
        assert (found and found.kind) == expected

    @pytest.mark.parametrize(
        ("known", "kept"),
        [
            pytest.param(seen(), None, id="nobody"),
            pytest.param(seen(("12:16", IN)), "came_later", id="came"),
            pytest.param(
                seen(("12:16", IN), ("12:17", OUT)), "came_later", id="came and left"
            ),
            pytest.param(
                seen(silent=[("12:16", "12:18")]), "silent", id="may have come"
            ),
        ],
    )
    def test_since(self, known, kept):
        """Who comes too late is not thrown out, nor who may have come."""
        found = judging.no_show(GRACE)(reserved(), [known], at("12:20"))
        assert (found.kind, found.kept) == ("no_show", kept)

    def test_not_yet(self):
        """Before the grace is over nothing is said; exactly then it is."""
        rule = judging.no_show(GRACE)
        assert rule(reserved(), [seen()], at("12:14")) is None
        assert rule(reserved(), [seen()], at("12:15")).during == span("12:00", "12:15")

    def test_short(self):
        """Who comes when it is over is not waited for."""
        found = judging.no_show(GRACE)(
            reserved(end="12:05"), [seen(("12:06", IN))], at("12:20")
        )
        assert found.during == span("12:00", "12:05")

    @pytest.mark.parametrize(
        ("clock", "expected"),
        [
            pytest.param("10:59", "no_show", id="long before"),
            pytest.param("11:00", None, id="an hour before"),
            pytest.param("12:15", None, id="in the last moment"),
            pytest.param("12:16", "no_show", id="too late"),
        ],
    )
    def test_check_in(self, clock, expected):
        """Who said to be there is there."""
        told = reserved(check_ins=[at(clock)])
        found = judging.no_show(GRACE)(told, [seen()], at("12:20"))
        assert (found and found.kind) == expected

    def test_several_spaces(self):
        """Whoever is in one of them has come; silence in one is enough to not know."""
        rule = judging.no_show(GRACE)
        silent = seen(silent=[("12:00", "12:30")])
        assert rule(reserved(), [silent, seen(("12:05", IN))], at("12:20")) is None
        assert rule(reserved(), [seen(), silent], at("12:20")).kind == "unknown"


class TestEndedEarly:
    @pytest.mark.parametrize(
        ("known", "clock", "left"),
        [
            pytest.param(
                seen(("12:00", IN), ("12:20", OUT)), "12:35", "12:20", id="left"
            ),
            pytest.param(
                seen(("12:00", IN), ("12:20", OUT)), "12:34", None, id="too soon"
            ),
            pytest.param(
                seen(("12:00", IN), ("12:40", OUT)), "14:00", "12:40", id="it is over"
            ),
            pytest.param(
                seen(("12:00", IN), ("12:50", OUT)), "14:00", None, id="not early"
            ),
            pytest.param(seen(), "12:40", None, id="nobody ever came"),
            pytest.param(seen(before=1), "12:40", None, id="still inside"),
            pytest.param(
                seen(("12:10", OUT), before=1), "12:40", "12:10", id="was inside before"
            ),
            pytest.param(
                seen(("12:10", IN), before=-3), "12:40", "12:10", id="miscounted"
            ),
            pytest.param(
                seen(("12:10", IN), ("12:30", "=0")), "12:50", "12:30", id="reset"
            ),
            pytest.param(
                seen(("12:00", IN), ("12:20", OUT), ("12:25", IN), ("12:25", OUT)),
                "12:45",
                "12:25",
                id="looked in again",
            ),
        ],
    )
    def test_seen(self, known, clock, left):
        """It was used, and is empty since."""
        found = judging.ended_early(EMPTY)(reserved(), [known], at(clock))
        assert (found and found.during) == (left and span(left, "13:00"))

    def test_silent(self):
        """Somebody may have come in unseen."""
        known = seen(("12:00", IN), ("12:20", OUT), silent=[("12:30", "12:35")])
        found = judging.ended_early(EMPTY)(reserved(), [known], at("12:50"))
        assert found.kind == "unknown"
        assert found.evidence["instead_of"] == "ended_early"

    def test_check_in(self):
        """Who the sensors do not see cannot be seen to leave."""
        told = reserved(check_ins=[at("12:00")])
        assert judging.ended_early(EMPTY)(told, [seen()], at("12:50")) is None
        again = reserved(check_ins=[at("12:30")])
        known = seen(("12:00", IN), ("12:20", OUT))
        rule = judging.ended_early(EMPTY)
        assert rule(again, [known], at("12:40")) is None
        assert rule(again, [known], at("12:45")).during.start == at("12:30")


class TestSpaces:
    def test_over_capacity(self):
        """From the one who is too many until somebody leaves; silence is left out."""
        known = seen(
            *(("12:00", IN), ("12:10", IN), ("12:20", IN), ("12:50", OUT)),
            silent=[("12:30", "12:40")],
        )
        found = judging.over_capacity(known, span("12:00", "13:00"), 2)
        assert [each.during for each in found] == [
            span("12:20", "12:30"),
            span("12:40", "12:50"),
        ]
        assert found[0].evidence == {"highest": 3, "capacity": 2}

    def test_unbooked(self):
        """Somebody is inside, longer than a moment, and nobody has reserved."""
        known = seen(("12:02", IN), ("12:50", OUT), ("12:55", IN), ("12:56", OUT))
        found = judging.unbooked(
            known,
            span("12:00", "13:00"),
            [span("12:15", "12:30")],
            timedelta(minutes=5),
        )
        assert [each.during for each in found] == [
            span("12:02", "12:15"),
            span("12:30", "12:50"),
        ]

    @pytest.mark.parametrize(
        ("known", "expected"),
        [
            pytest.param([], ("10:00", "11:00"), id="new"),
            pytest.param([("09:00", "10:00")], ("09:00", "11:00"), id="goes on"),
            pytest.param([("09:00", "12:00")], ("09:00", "12:00"), id="known"),
            pytest.param([("11:00", "12:00")], ("11:00", "12:00"), id="known after"),
            pytest.param([("08:00", "09:00")], ("10:00", "11:00"), id="another"),
        ],
    )
    def test_continued(self, known, expected):
        """What touches something known is the same."""
        found = Judged("unbooked", SPACE, span("10:00", "11:00"), {})
        touched = judging.continued(found, [span(*each) for each in known])
        assert touched.during == span(*expected)


class TestRest:
    @pytest.mark.parametrize(
        ("clock", "start"),
        [
            pytest.param("12:15", "12:15", id="on the raster"),
            pytest.param("12:15:01", "12:30", id="a slot that has begun stays"),
            pytest.param("12:20", "12:30", id="between"),
            pytest.param("12:45", "12:45", id="the last slot"),
            pytest.param("12:46", None, id="the last slot has begun"),
            pytest.param("14:00", None, id="it is over"),
        ],
    )
    def test_begun(self, clock, start):
        """Whole slots that have not begun are given back."""
        found = Judged("no_show", SPACE, span("12:00", "12:15"), {}, reserved())
        rest = judging.rest_of(found, at(clock), is_exempt=False)
        assert rest.span == (start and span(start, "13:00"))
        assert rest.kept == (None if start else "begun")

    @pytest.mark.parametrize(
        ("options", "is_exempt", "since", "kept"),
        [
            pytest.param({}, True, None, "exempt", id="exempt"),
            pytest.param({}, False, "came_later", "came_later", id="somebody is there"),
            pytest.param(
                {"is_partly": False}, False, None, "not_partly_available", id="whole"
            ),
            pytest.param({"quota": 2}, False, None, "several_places", id="several"),
        ],
    )
    def test_kept(self, options, is_exempt, since, kept):
        """The reason is told."""
        found = Judged(
            "no_show",
            SPACE,
            span("12:00", "12:15"),
            {},
            reserved(**options),
            since,
        )
        assert judging.rest_of(found, at("12:15"), is_exempt=is_exempt).kept == kept


class TestLevels:
    @pytest.mark.parametrize("seed", range(20))
    def test_minutes(self, seed):
        """The count of each part is that of each moment in it."""
        chance = Random(seed)  # noqa: S311 - nothing is secret
        clocks = [f"12:{chance.randrange(60):02}" for _ in range(chance.randrange(30))]
        known = seen(
            *((clock, chance.choice((IN, OUT))) for clock in clocks),
            before=chance.randrange(-2, 3),
            policy=chance.choice(("raw", "saturate")),
        )
        levels = known.levels(span("12:10", "12:50"))
        assert levels[0].span.start == at("12:10")
        assert levels[-1].span.end == at("12:50")
        for one, other in pairwise(levels):
            assert one.span.end == other.span.start
        for minute in range(10, 50):
            moment = at(f"12:{minute}")
            (level,) = [e for e in levels if e.span.start <= moment < e.span.end]
            assert level.count == known.count_at(moment)

    def test_places(self):
        """What ends makes room for what begins at the same moment."""
        booked = [
            reserved("10:00", "11:00", quota=2),
            reserved("11:00", "12:00", quota=3),
            reserved("11:30", "12:30", quota=1),
        ]
        assert judging.most_places(booked, span("09:00", "13:00")) == 4
        assert judging.most_places(booked, span("10:00", "11:30")) == 3
        assert judging.most_places([], span("10:00", "11:30")) == 0
