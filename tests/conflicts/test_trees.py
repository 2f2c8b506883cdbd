"""Resources that consist of others: who has the whole has the parts."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from libres.conflicts import ConflictError, InvalidClaim
from libres.conflicts.models import ConflictClaim
from tests.conflicts.times import SOURCE, booked, hours, wish
from tests.fixtures.statements import counted


@pytest.fixture
def building(claims):
    """Claims of a building A with the rooms A1 and A2; A1 has a corner."""
    for resource, within in (("A1", "A"), ("A2", "A"), ("A1 corner", "A1")):
        claims.arrange(resource, within=within)
    return claims


def taken(claims, resource):
    """The records that have claimed a resource."""
    query = select(ConflictClaim.source_id).where(ConflictClaim.resource == resource)
    return sorted(claims.session.scalars(query))


def refused(act, *values, **more):
    """Call it, and return whom it met."""
    with pytest.raises(ConflictError) as caught:
        act(*values, **more)
    return [claim.source_id for claim in caught.value.conflicts]


class TestClaiming:
    def test_whole_takes_parts(self, building):
        """Who has the building keeps others out of its rooms."""
        building.put(SOURCE, 1, "A", hours(9, 10))
        assert refused(building.put, SOURCE, 2, "A2", hours(9, 10)) == ["1"]
        assert refused(building.put, SOURCE, 2, "A1 corner", hours(9, 10)) == ["1"]

    def test_part_keeps_the_whole(self, building):
        """Who has a room keeps others from the whole building."""
        building.put(SOURCE, 1, "A1 corner", hours(9, 10))
        assert refused(building.put, SOURCE, 2, "A", hours(9, 10)) == ["1"]
        assert refused(building.put, SOURCE, 2, "A1", hours(9, 10)) == ["1"]

    def test_parts_are_apart(self, building):
        """Two rooms are two resources."""
        building.put(SOURCE, 1, "A1", hours(9, 10))
        building.put(SOURCE, 2, "A2", hours(9, 10))

    def test_counts_records(self, building):
        """What is written for the parts is not counted."""
        assert building.put_many([booked(1, resource="A")]).created == 1
        assert building.put_many([booked(1, resource="A")]).unchanged == 1
        assert building.drop(SOURCE, 1) == 1
        assert taken(building, "A2") == []

    def test_moved_in_time(self, building):
        """The parts move with the whole."""
        building.put(SOURCE, 1, "A", hours(9, 10))
        building.put(SOURCE, 1, "A", hours(12, 13))
        building.put(SOURCE, 2, "A2", hours(9, 10))
        assert refused(building.put, SOURCE, 3, "A2", hours(12, 13)) == ["1"]

    def test_moved_to_another_resource(self, building):
        """What the old resource consists of is given back."""
        building.put(SOURCE, 1, "A", hours(9, 10))
        building.put(SOURCE, 1, "B", hours(9, 10))
        assert taken(building, "A") == taken(building, "A1 corner") == []
        assert taken(building, "B") == ["1"]

    def test_moved_to_a_part(self, building):
        """A record that takes less is not in its own way."""
        building.put(SOURCE, 1, "A", hours(9, 10))
        building.put(SOURCE, 1, "A1", hours(9, 10))
        assert taken(building, "A1") == taken(building, "A1 corner") == ["1"]
        assert taken(building, "A") == taken(building, "A2") == []

    def test_refused_move_keeps_all(self, building):
        """What could not be had changes nothing of what one has."""
        building.put(SOURCE, 1, "A", hours(9, 10))
        building.put(SOURCE, 2, "B", hours(9, 10))
        refused(building.put, SOURCE, 1, "B", hours(9, 10))
        assert taken(building, "A1 corner") == ["1"]

    def test_parts_of_a_record(self, building):
        """The parts of one record do not take each other's rows."""
        building.put(SOURCE, 1, "A1", hours(9, 10), part=0)
        building.put(SOURCE, 1, "A1", hours(11, 12), part=1)
        assert taken(building, "A1 corner") == ["1", "1"]

    def test_capacity(self, building):
        """Places of the whole are places of the parts."""
        building.claim(wish(resource="A", capacity=2))
        building.claim(wish(resource="A", capacity=2))
        with pytest.raises(ConflictError):
            building.claim(wish(resource="A2", capacity=2))

    @pytest.mark.parametrize("number", [1, 50])
    def test_statements(self, building, number):
        """A tree costs no further statement."""
        rows = [booked(n, n, n + 1, "A") for n in range(number)]
        with counted(building.session) as statements:
            building.put_many(rows)
        assert len(statements) == 3


class TestArranging:
    def test_claims_of_the_whole_reach_a_new_part(self, building):
        """A room that is added is taken by who has the building already."""
        building.put(SOURCE, 1, "A", hours(9, 10))
        building.arrange("A3 desk", within="A3")
        building.arrange("A3", within="A")
        assert taken(building, "A3") == taken(building, "A3 desk") == ["1"]

    def test_refuses_a_part_that_is_taken(self, building):
        """A room that others have at the time of the whole cannot be added."""
        building.put(SOURCE, 1, "A", hours(9, 10))
        building.put(SOURCE, 2, "A3", hours(9, 10))
        assert refused(building.arrange, "A3", within="A") == ["2"]
        assert building.parts_of("A") == ["A1", "A1 corner", "A2"]

    def test_moves(self, building):
        """A room that moves to another building leaves the claims of the old one."""
        building.put(SOURCE, 1, "A", hours(9, 10))
        building.put(SOURCE, 2, "B", hours(9, 10))
        building.arrange("A1", within="B")
        assert taken(building, "A1") == taken(building, "A1 corner") == ["2"]

    def test_keeps_claims_within(self, building):
        """What was claimed within the part that moves stays as it is."""
        building.put(SOURCE, 1, "A1", hours(9, 10))
        building.arrange("A1", within="B")
        assert taken(building, "A1 corner") == ["1"]

    def test_detach(self, building):
        """A part that is none any more is free."""
        building.put(SOURCE, 1, "A", hours(9, 10))
        assert building.detach("A1")
        assert taken(building, "A1") == taken(building, "A1 corner") == []
        assert not building.detach("A1")

    @pytest.mark.parametrize("within", ["A", "A1", "A1 corner"])
    def test_no_loops(self, building, within):
        """A whole cannot be a part of its parts, or of itself."""
        with pytest.raises(InvalidClaim, match="no loops"):
            building.arrange("A", within=within)

    def test_parts_of(self, building):
        """Parts are listed at all depths."""
        assert building.parts_of("A") == ["A1", "A1 corner", "A2"]
        assert building.parts_of("A2") == []
