"""The public helpers: mirrors' resources, dates of any shape, valid lengths."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libres.modules.utils import (
    flatten,
    generate_uuids,
    is_valid_reservation_length,
    pairs,
)
from tests.domain.making import ROOM, local, quick

ZURICH = "Europe/Zurich"


class TestGenerateUuids:
    @pytest.mark.parametrize(
        ("quota", "expected"),
        [
            pytest.param(1, [], id="the master alone"),
            pytest.param(0, [], id="none"),
            pytest.param(3, [uuid5(ROOM, "1"), uuid5(ROOM, "2")], id="two mirrors"),
        ],
    )
    def test_table(self, quota, expected):
        """Each mirror's uuid is derived from the master's."""
        assert generate_uuids(ROOM, quota) == expected

    def test_any_uuid(self):
        """Any uuid will do."""
        assert generate_uuids(UUID(int=0), 2) == [uuid5(UUID(int=0), "1")]


class TestFlatten:
    @pytest.mark.parametrize(
        ("nested", "expected"),
        [
            pytest.param([], [], id="nothing"),
            pytest.param([1, [2, [3, (4,)]], {5}], [1, 2, 3, 4, 5], id="any depth"),
            pytest.param(["ab", ["cd"], b"ef"], ["ab", "cd", b"ef"], id="texts"),
            pytest.param(((n, n) for n in range(2)), [0, 0, 1, 1], id="a generator"),
            pytest.param([[], [[]]], [], id="nested nothing"),
            pytest.param({"a": 1}, ["a"], id="the keys of a dict"),
            pytest.param([None, [None]], [None, None], id="what is no iterable"),
        ],
    )
    def test_table(self, nested, expected):
        """Any nesting is flattened, texts stay whole."""
        assert list(flatten(nested)) == expected

    @quick
    @given(st.lists(st.recursive(st.integers(0, 9), st.lists, max_leaves=20)))
    def test_order(self, nested):
        """The order is that in which it is printed."""
        printed = [int(each) for each in str(nested) if each.isdigit()]
        assert list(flatten(nested)) == printed


class TestPairs:
    @pytest.mark.parametrize(
        "dates",
        [
            pytest.param([(1, 2), (3, 4)], id="pairs"),
            pytest.param((1, 2, 3, 4), id="flat"),
            pytest.param([1, 2, (3, 4)], id="both"),
            pytest.param(iter([(1, 2), (3, 4)]), id="an iterator"),
            pytest.param([[(1, 2)], [[(3, 4)]]], id="nested"),
            pytest.param((1, 2, 3, 4, 5), id="an odd last one is dropped"),
        ],
    )
    def test_table(self, dates):
        """Dates of any shape become pairs."""
        assert list(pairs(dates)) == [(1, 2), (3, 4)]

    @pytest.mark.parametrize("dates", [(), [()], [1]], ids=str)
    def test_none(self, dates):
        """Fewer than two are no pair."""
        assert list(pairs(dates)) == []

    @quick
    @given(st.lists(st.tuples(st.integers(), st.integers())))
    def test_identity(self, some):
        """Pairs stay the pairs they are, flat or not."""
        assert list(pairs(some)) == some
        assert list(pairs([item for pair in some for item in pair])) == some

    def test_lazy(self):
        """What is not asked for is not looked at."""

        def dates():
            yield 1, 2
            raise AssertionError

        assert next(pairs(dates())) == (1, 2)


class TestLength:
    @pytest.mark.parametrize(
        ("start", "end", "expected"),
        [
            pytest.param("2014-01-01 00:00", "2014-01-02 00:00", True, id="whole day"),
            pytest.param(
                "2014-01-01 00:00", "2014-01-01 23:59:59.999999", True, id="stored"
            ),
            pytest.param("2014-01-01 01:00", "2014-01-02 01:00", False, id="at one"),
            pytest.param("2016-10-29 00:00", "2016-10-30 00:00", True, id="the eve"),
            pytest.param("2016-10-30 00:00", "2016-10-31 00:00", True, id="25 hours"),
            pytest.param(
                "2016-10-29 01:00", "2016-10-30 01:00", False, id="eve, at one"
            ),
        ],
    )
    def test_table(self, start, end, expected):
        """The examples of the contract, positional and by keyword."""
        first, last = local(start), local(end)
        assert is_valid_reservation_length(first, last, ZURICH) is expected
        assert (
            is_valid_reservation_length(start=first, end=last, timezone=ZURICH)
            is expected
        )

    @pytest.mark.parametrize("zone", ["UTC", ZURICH, "America/New_York"])
    def test_extremes(self, zone):
        """Years at the ends of the calendar have days like any other."""
        for year in (2, 9998):
            start = datetime(year, 6, 1)  # noqa: DTZ001 - a naive time of the zone
            assert is_valid_reservation_length(start, start.replace(day=2), zone)
