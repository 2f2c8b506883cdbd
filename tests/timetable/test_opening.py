"""What open and close do to allocations, with the checks of the core."""

from __future__ import annotations

from datetime import timedelta

import pytest

from libres.db import new_scheduler
from libres.modules.errors import Misuse
from libres.timetable import InvalidSubject, InvalidWindow, UnknownSubject
from tests.fixtures.statements import counted
from tests.timetable.conftest import at, opened, span

MAIL = "ada@example.org"


def allocated(table, name):
    """What is allocated of a subject."""
    room = new_scheduler(table.context, name, "UTC")
    rows = room.managed_allocations().all()
    return sorted((each.display_start(), each.display_end()) for each in rows)


def ends(*pair):
    """The two ends of a span of hours."""
    found = span(*pair)
    return found.start, found.end


class TestOpen:
    def test_scheduler(self, table):
        """A scheduler of that name reserves it at once."""
        opened(table, "John", (8, 14))
        room = new_scheduler(table.context, "John", "UTC")
        room.book(MAIL, ends(8, 9))
        assert table.free("John", at(0), at(24)) == [span(9, 14)]

    def test_many(self, table):
        """All subjects get all spans, in a fixed number of statements."""
        names = [f"name {number}" for number in range(50)]
        table.add(*names, timezone="UTC")
        with counted(table.session) as statements:
            written = table.open(names, [ends(8, 10), ends(12, 14)])
        assert written == 100
        assert len(statements) == 4  # two of them for the savepoint

    def test_raster(self, table):
        """Ends are rounded outwards."""
        opened(table, "John", ((8, 10), (9, 40)))
        assert allocated(table, "John") == [ends(8, (9, 45))]

    @pytest.mark.parametrize(
        "other",
        [(8, 14), (9, 10), (7, (8, 15)), ((13, 45), 15), (7, 15)],
        ids=["same", "within", "start", "end", "around"],
    )
    def test_overlap(self, people, other):
        """What overlaps is refused with its place, and nothing is written."""
        with pytest.raises(InvalidWindow, match=r"John is allocated from .*T08:00"):
            people.open(["Sara", "John"], [ends(*other), ends(20, 21)])
        assert allocated(people, "John") == [ends(8, 14)]

    @pytest.mark.parametrize("other", [(7, 8), (14, 15)], ids=["before", "after"])
    def test_touching(self, people, other):
        """What touches is not in the way."""
        assert people.open(["John"], [ends(*other)]) == 1

    def test_skip_overlapping(self, people):
        """What is in the way may be left out."""
        spans = [ends(8, 9), ends(15, 16)]
        assert people.open(["John"], spans, skip_overlapping=True) == 1

    def test_overlap_each_other(self, people):
        """Spans of one call must not overlap each other."""
        with pytest.raises(InvalidWindow, match="overlap each other"):
            people.open(["John"], [ends(15, 17), ends(16, 18)])

    def test_nothing(self, people):
        """Nothing to open is nothing to do."""
        assert people.open(["John"], []) == 0
        assert people.open([], [ends(15, 16)]) == 0

    def test_progress(self, people):
        """Long work tells how far it is."""
        told = []
        people.open(
            ["John", "Sara"], [ends(15, 16)], progress=lambda *at: told.append(at)
        )
        assert told == [(2, 2)]

    @pytest.mark.parametrize(
        ("values", "error"),
        [
            ({"names": "John"}, InvalidSubject),
            ({"names": ["Jon"]}, UnknownSubject),
            ({"spans": [ends(10, 9)]}, InvalidWindow),
            ({"spans": None}, InvalidWindow),
            ({"spans": "10-11"}, InvalidWindow),
            ({"raster": 7}, Misuse),
            ({"quota": 0}, Misuse),
        ],
    )
    def test_bad_values(self, people, values, error):
        """Each is an error, and nothing is written."""
        wanted = {"names": ["John"], "spans": [ends(20, 21)], **values}
        with pytest.raises(error):
            people.open(**wanted)
        assert allocated(people, "John") == [ends(8, 14)]


class TestClose:
    @pytest.mark.parametrize(
        ("closed", "left"),
        [
            pytest.param((8, 14), [], id="all"),
            pytest.param((7, 15), [], id="more"),
            pytest.param((7, 9), [(9, 14)], id="start"),
            pytest.param((13, 15), [(8, 13)], id="end"),
            pytest.param((10, 11), [(8, 10), (11, 14)], id="within"),
            pytest.param((14, 15), [(8, 14)], id="touching"),
        ],
    )
    def test_left(self, people, closed, left):
        """What is left of an allocation."""
        people.close(["John"], [ends(*closed)])
        assert allocated(people, "John") == [ends(*each) for each in left]

    def test_several(self, people):
        """Several spans at once, of several subjects."""
        made = people.close(["John", "Sara"], [ends(9, 10), ends((10, 30), 12)])
        assert (made.cut, made.kept) == (2, [])
        assert allocated(people, "John") == [
            ends(8, 9),
            ends(10, (10, 30)),
            ends(12, 14),
        ]
        assert allocated(people, "Sara") == [ends(10, (10, 30))]

    @pytest.mark.parametrize("approve", [True, False])
    def test_held(self, people, approve):
        """What somebody holds or waits for stays, and is told."""
        room = new_scheduler(people.context, "John", "UTC")
        token = room.reserve(MAIL, ends(8, 9))
        if approve:
            room.approve_reservations(token)
        made = people.close(["John"], [ends(12, 14)])
        assert (made.cut, made.kept) == (0, [("John", span(8, 14))])
        assert allocated(people, "John") == [ends(8, 14)]

    def test_blocked(self, people):
        """What is blocked stays."""
        new_scheduler(people.context, "John", "UTC").add_blocker(ends(8, 9))
        assert people.close(["John"], [ends(12, 14)]).kept

    def test_mirrors(self, table):
        """Places that once were taken go with it."""
        opened(table, "hall", (8, 10), quota=3)
        hall = new_scheduler(table.context, "hall", "UTC")
        tokens = [hall.book(MAIL, ends(8, 9))[0].token for _ in range(3)]
        for token in tokens:
            hall.remove_reservation(token)
        table.close(["hall"], [ends(8, 9)])
        assert allocated(table, "hall") == [ends(9, 10)]
        hall.book(MAIL, ends(9, 10), quota=3)
        assert table.free("hall", at(0), at(24)) == []

    def test_reserved_afterwards(self, people):
        """What is left can be reserved."""
        people.close(["John"], [ends(10, 11)])
        room = new_scheduler(people.context, "John", "UTC")
        room.book(MAIL, ends(12, 13))
        assert people.free("John", at(0), at(24)) == [
            span(8, 10),
            span(11, 12),
            span(13, 14),
        ]


class TestBookFirst:
    def test_first(self, people):
        """The first time at which somebody is free, by start and name."""
        window = at(10), at(14)
        made = [
            people.book_first(["Sara", "John"], timedelta(hours=1), window, MAIL)
            for _ in range(2)
        ]
        assert [(each.subject.name, each.span) for each in made] == [
            ("John", span(10, 11)),
            ("Sara", span(10, 11)),
        ]
        assert made[0].reservations[0].status == "approved"
