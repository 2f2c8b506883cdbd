"""Every workload does what its title says, made small."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.host import Host
from benchmarks.workloads import WORKLOADS, UnknownWorkloadError, workload

SMALL = [
    # name, size, operations, answer of the run, answer of the check
    pytest.param("allocate-year", 7, 2, 14, None, id="two weeks"),
    pytest.param("allocate-20000", 50, 1, 50, None, id="more than two days"),
    pytest.param("reserve-hour", 1, 3, 12, 12, id="quarters"),
    pytest.param("reserve-day", 23, 2, 552, 552, id="steps of five minutes"),
    pytest.param("sell-60-of-500", 5, 3, 3, 3, id="three of five places"),
    pytest.param("sell-4990th", 12, 1, 1, 12, id="the twelfth place of 22"),
    pytest.param("reserve-group", 3, 2, 6, 6, id="two groups"),
    pytest.param("reserve-50-dates", 4, 2, 8, 8, id="twice four dates"),
    pytest.param("availability-year", 14, 1, 58.333333, None, id="15 of 36 quarters"),
    pytest.param("availability-by-day", 14, 1, [14, 816.6667], None, id="by day"),
    pytest.param("calendar-month", 3, 2, [6, 350.0, 36], None, id="two pages"),
    pytest.param(
        "search-year",
        14,
        1,
        [4, "2030-01-02", "2030-01-14"],
        None,
        id="two weeks' days",
    ),
    # On three odd days somebody is there from 14 to 14:30 anyway.
    pytest.param("calendar-blocking", 3, 2, [6, 233.3333, 36], None, id="less is left"),
    pytest.param("remove-three-hours", 3, 2, 2, [0, 0, 0], id="all is gone"),
    pytest.param("change-time", 1, 2, 2, [2, 0, 10], id="longer by a quarter"),
    pytest.param("block-month", 2, 1, 2, [0, 2, 100], id="all places of two days"),
    pytest.param("threads-own", 2, 4, 16, None, id="two threads"),
    pytest.param("threads-one", 2, 4, 16, None, id="two threads on one"),
]


@pytest.mark.parametrize(("name", "size", "operations", "answer", "checked"), SMALL)
def test_answers(dsn, name, size, operations, answer, checked):
    """A small round finds what was prepared, and comes to the expected answer."""
    small = replace(workload(name), size=size, operations=operations)
    host = Host(dsn, small, rounds=1)
    try:
        small.prepare(host)
        small.before(host, 0)
        assert small.run(host, 0) == answer
        assert small.check is None or small.check(host, 0) == checked
    finally:
        host.room.close()
        host.close()


def test_all_are_tested():
    """A new workload gets a row."""
    assert [row.values[0] for row in SMALL] == [each.name for each in WORKLOADS]


def test_unknown():
    """An unknown name is refused, and the known ones are listed."""
    with pytest.raises(UnknownWorkloadError, match=r"'nonsense'.*reserve-hour"):
        workload("nonsense")
