"""Allotting: which places claims get, without a place ever being taken twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libres.domain.allotting import Allotment
from libres.domain.judging import Match
from libres.domain.places import place_resources
from libres.modules.errors import AlreadyReservedError
from tests.domain.grid import cells
from tests.domain.making import HALL, ROOM, at, master, quick, span, within

THREE = list(place_resources(ROOM, 3))


def match(start, end, busy=(), **values):
    """Somebody asks for a time of that Monday; *busy* are numbers of places."""
    values.setdefault("quota", 3)
    taken = frozenset(THREE[number].bytes for number in busy)
    return Match((at(start), at(end)), master(**values), taken)


def numbers(claims):
    """Which places the claims are about."""
    return [THREE.index(claim.place.resource) for claim in claims]


class TestTake:
    @pytest.mark.parametrize(
        ("busy", "quota", "expected"),
        [
            pytest.param([], 1, [0], id="the master first"),
            pytest.param([], 3, [0, 1, 2], id="all of them"),
            pytest.param([0], 1, [1], id="the first mirror"),
            pytest.param([1], 2, [0, 2], id="around one that is busy"),
        ],
    )
    def test_order(self, busy, quota, expected):
        """Places are filled in their order."""
        claims = Allotment().take(match("8:00", "9:00", busy), quota, source_id=7)
        assert numbers(claims) == expected
        assert {claim.source_id for claim in claims} == {7}

    def test_slots(self):
        """A claim has the slots that were asked for, on the raster."""
        (claim,) = Allotment().take(match("8:20", "8:40"), 1, source_id=1)
        assert list(claim.slots) == [span("8:15", "8:30"), span("8:30", "8:45")]

    def test_as_a_whole(self):
        """What is not partly available is claimed from end to end."""
        asked = match("8:20", "8:40", partly_available=False)
        (claim,) = Allotment().take(asked, 1, source_id=1)
        assert list(claim.slots) == [span("8:00", "18:00")]

    @pytest.mark.parametrize(
        ("second", "expected"),
        [
            pytest.param(("8:00", "9:00"), [1], id="the same time: the next place"),
            pytest.param(("8:45", "9:30"), [1], id="partly the same time"),
            pytest.param(("9:00", "10:00"), [0], id="touching: the same place"),
            pytest.param(("8:55", "9:30"), [1], id="the same step of the raster"),
        ],
    )
    def test_remembers(self, second, expected):
        """What was handed out is not free any more."""
        allotment = Allotment()
        allotment.take(match("8:00", "9:00"), 1, source_id=1)
        assert numbers(allotment.take(match(*second), 1, source_id=2)) == expected

    def test_other_masters(self):
        """Claims on one resource take nothing of another, nor of another time."""
        allotment = Allotment()
        allotment.take(match("8:00", "9:00"), 3, source_id=1)
        other = Match((at("8:00"), at("9:00")), master(resource=HALL))
        later = Match((at("19:00"), at("20:00")), master("19:00", "20:00"))
        assert len(allotment.take(other, 1, source_id=2)) == 1
        assert len(allotment.take(later, 1, source_id=3)) == 1

    def test_too_few(self):
        """Without enough places nothing is claimed, and the error says why."""
        allotment = Allotment()
        with pytest.raises(AlreadyReservedError) as caught:
            allotment.take(match("8:00", "9:00", busy=[1]), 3, source_id=1)
        assert (caught.value.quota, caught.value.free) == (3, 2)
        assert (caught.value.start, caught.value.end) == (at("8:00"), at("9:00"))
        assert allotment.claims == []
        assert len(allotment.take(match("8:00", "9:00"), 3, source_id=2)) == 3

    def test_all_claims(self):
        """All that was handed out is known, in order."""
        allotment = Allotment()
        first = allotment.take(match("8:00", "9:00"), 2, source_id=1)
        second = allotment.take(match("10:00", "11:00"), 1, source_id=2)
        assert allotment.claims == [*first, *second]

    def test_owned_by(self):
        """A claim may be made over to the record that it was planned for."""
        (claim,) = Allotment().take(match("8:00", "9:00"), 1, source_id=0)
        other = claim.owned_by(42)
        assert (other.source_id, claim.source_id) == (42, 0)
        assert (other.place, other.slots) == (claim.place, claim.slots)


class TestTakeAll:
    def test_every_place(self):
        """Every place is claimed at once."""
        claims = Allotment().take_all(match("8:00", "9:00"), source_id=1)
        assert numbers(claims) == [0, 1, 2]

    def test_unless_all_are_free(self):
        """If one is busy, none is claimed."""
        with pytest.raises(AlreadyReservedError):
            Allotment().take_all(match("8:00", "9:00", busy=[2]), source_id=1)

    def test_unless_all_are_left(self):
        """If one was handed out before, none is claimed."""
        allotment = Allotment()
        allotment.take(match("8:00", "9:00"), 1, source_id=1)
        with pytest.raises(AlreadyReservedError):
            allotment.take_all(match("8:45", "10:00"), source_id=2)


class Ledger:
    """The slow truth: for each place, the cells of five minutes that are taken."""

    def __init__(self, whole):
        self.whole = whole
        self.taken = [set() for _ in range(whole.quota)]

    def wanted(self, asked):
        """The cells of the slots that are touched: all, unless partly available."""
        mine = cells(self.whole.span.start, self.whole.span.end)
        touched = set(cells(asked.start, asked.end))
        size = self.whole.raster // 5 if self.whole.partly_available else len(mine)
        steps = [mine[i : i + size] for i in range(0, len(mine), size)]
        return {c for step in steps if touched.intersection(step) for c in step}

    def take(self, asked, quota):
        """The numbers of the first free places, now taken; None if too few."""
        wanted = self.wanted(asked)
        free = [n for n, taken in enumerate(self.taken) if taken.isdisjoint(wanted)]
        if len(free) < quota:
            return None
        for number in free[:quota]:
            self.taken[number] |= wanted
        return free[:quota]


@st.composite
def days(draw):
    """A master of a day, and who asks for what: (asked, quota) in a row."""
    whole = master(
        raster=draw(st.sampled_from([5, 15, 60])),
        quota=draw(st.integers(1, 4)),
        partly_available=draw(st.booleans()),
    )
    asks = st.tuples(within(whole.span), st.integers(1, whole.quota))
    asked = draw(st.lists(asks, min_size=1, max_size=10))
    return whole, [each for each in asked if each[0].overlaps(whole.span)]


def outcome(allotment, asked, quota, number):
    """The claims of one ask, or None if they were refused."""
    try:
        return allotment.take(asked, quota, number)
    except AlreadyReservedError:
        return None


@quick
@given(days(), st.integers(0, 10))
def test_brute_force(drawn, stored):
    """Row by row the same places as on the grid, whatever was stored before.

    The first *stored* claims are slots in the database, known as busy places only.
    """
    whole, asks = drawn
    resources = list(place_resources(whole.resource, whole.quota))
    ledger, allotment = Ledger(whole), Allotment()
    rows = []
    for asked, quota in asks[:stored]:
        rows += [(n, asked) for n in ledger.take(asked, quota) or []]
    for number, (asked, quota) in enumerate(asks[stored:]):
        wanted = ledger.wanted(asked)
        busy = {resources[n].bytes for n, row in rows if ledger.wanted(row) & wanted}
        found = Match((asked.start, asked.end), whole, frozenset(busy))
        claims = outcome(allotment, found, quota, number)
        places = claims and [resources.index(c.place.resource) for c in claims]
        assert places == ledger.take(asked, quota)


@quick
@given(days())
def test_never_twice(drawn):
    """No slot of any place is ever claimed by two."""
    whole, asks = drawn
    allotment = Allotment()
    for number, (asked, quota) in enumerate(asks):
        found = Match((asked.start, asked.end), whole)
        outcome(allotment, found, quota, number)
    keys = [
        (claim.place.resource, cell)
        for claim in allotment.claims
        for slot in claim.slots
        for cell in cells(slot.start, slot.end)
    ]
    assert len(set(keys)) == len(keys)
