"""Places: the master first, then its mirrors; gaps are closed in this order."""

from __future__ import annotations

from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libres.domain.places import (
    closed_gaps,
    free_places,
    mirror_resources,
    place_resources,
    total_quota,
)
from libres.domain.spans import Span
from tests.domain.making import HALL, ROOM, at, master, quick, span

SEVEN = list(place_resources(ROOM, 7))


class TestResources:
    def test_derived(self):
        """A mirror's resource is derived from the master's and its number."""
        assert mirror_resources(ROOM, 3) == [uuid5(ROOM, "1"), uuid5(ROOM, "2")]

    @pytest.mark.parametrize("quota", [1, 0], ids=["one place", "no place"])
    def test_none(self, quota):
        """A single place has no mirrors."""
        assert mirror_resources(ROOM, quota) == []

    def test_known(self):
        """The resource of a mirror never changes: rows of Libres 1.x have it."""
        room = UUID("49326ef9-fbc0-4ac0-9508-b0bbd75d42f7")
        assert mirror_resources(room, 2) == [
            UUID("a33aa510-2ad8-56c5-a9db-cbf03276ffde")
        ]

    @quick
    @given(st.integers(1, 300))
    def test_all(self, quota):
        """So many places have as many resources, the master's first."""
        numbered = (uuid5(ROOM, str(number)) for number in range(1, quota))
        assert list(place_resources(ROOM, quota)) == [ROOM, *numbered]

    def test_two_masters(self):
        """Two masters have no place in common."""
        others = set(place_resources(HALL, 50))
        assert others.isdisjoint(place_resources(ROOM, 50))


class TestPlaces:
    def test_order(self):
        """The places of a master are known before they are records."""
        first, *mirrors = free_places(master(quota=3))
        assert first.is_master
        assert not any(place.is_master for place in mirrors)
        assert [each.resource for each in [first, *mirrors]] == SEVEN[:3]

    def test_key(self):
        """A place is known by its resource and the start of its master."""
        (place,) = free_places(master())
        assert place.key == (ROOM, at("8:00"))

    @pytest.mark.parametrize(
        ("busy", "expected"),
        [
            pytest.param([], [0, 1, 2, 3], id="all are free"),
            pytest.param([0, 2], [1, 3], id="in order"),
            pytest.param([0], [1, 2, 3], id="mirrors only"),
            pytest.param([0, 1, 2, 3], [], id="none"),
            pytest.param([5, 6], [0, 1, 2, 3], id="strangers do not count"),
        ],
    )
    def test_free(self, busy, expected):
        """Free places come in the order of the places."""
        found = free_places(master(quota=4), {SEVEN[n].bytes for n in busy})
        assert [place.resource for place in found] == [SEVEN[n] for n in expected]

    def test_lazy(self):
        """Places are named as they are needed, however many there are."""
        found = free_places(master(quota=2**31 - 1), {ROOM.bytes})
        assert next(found).resource == SEVEN[1]

    def test_total(self):
        """The places of several allocations add up."""
        assert total_quota([master(quota=2), master(quota=5)]) == 7
        assert total_quota([]) == 0

    def test_rasterized(self):
        """A range is snapped to the raster of the allocation."""
        asked = at("8:07"), at("8:52")
        assert master(raster=30).rasterized(asked) == span("8:00", "9:00")

    def test_slots(self):
        """The slots of a place are those of its master."""
        assert len(master(raster=60).slots()) == 10
        assert len(master(raster=60).slots(span("9:00", "11:00"))) == 2
        assert len(master(partly_available=False).slots(span("9:00", "9:05"))) == 1


def shifted_back(resources, occupied):
    """Each occupied one moves back by the number of free ones before it."""
    return {
        resource: resources[at - sum(r not in occupied for r in resources[:at])]
        if resource in occupied
        else None
        for at, resource in enumerate(resources)
    }


class TestClosedGaps:
    def test_example(self):
        """Three, four and six are free: five moves to three, seven to four."""
        one, two, three, four, five, six, seven = SEVEN
        assert closed_gaps(SEVEN, {one, two, five, seven}) == {
            one: one,
            two: two,
            three: None,
            four: None,
            five: three,
            six: None,
            seven: four,
        }

    @quick
    @given(st.integers(1, 12), st.sets(st.integers(0, 11)))
    def test_brute_force(self, quota, numbers):
        """It is what counting the free places before each says."""
        resources = list(place_resources(ROOM, quota))
        occupied = {resources[n] for n in numbers if n < quota}
        assert closed_gaps(resources, occupied) == shifted_back(resources, occupied)

    @quick
    @given(st.integers(1, 12), st.sets(st.integers(0, 11)))
    def test_permutation(self, quota, numbers):
        """Every claim keeps a place of its own, and no gap is left before it."""
        resources = list(place_resources(ROOM, quota))
        occupied = {resources[n] for n in numbers if n < quota}
        targets = closed_gaps(resources, occupied)
        assert list(targets) == resources
        assert {old for old, new in targets.items() if new} == occupied
        moved = [new for new in targets.values() if new]
        assert moved == resources[: len(occupied)]

    @quick
    @given(st.integers(1, 12), st.sets(st.integers(0, 11)))
    def test_twice(self, quota, numbers):
        """Once closed, there is nothing to close."""
        resources = list(place_resources(ROOM, quota))
        occupied = {resources[n] for n in numbers if n < quota}
        once = {new for new in closed_gaps(resources, occupied).values() if new}
        again = closed_gaps(resources, once)
        assert all(new in (None, old) for old, new in again.items())

    def test_nothing(self):
        """No places, no moves."""
        assert closed_gaps([], set()) == {}


def test_span_of_a_place():
    """Two masters of one resource differ in the key of their places."""
    early, late = master("8:00", "9:00"), master("9:00", "10:00")
    assert isinstance(early.span, Span)
    keys = {place.key for each in (early, late) for place in free_places(each)}
    assert len(keys) == 2
