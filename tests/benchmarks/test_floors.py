"""Every floor does what its workload does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.floor_worker import connect
from benchmarks.floors import FLOORS, floor
from benchmarks.host import Host
from benchmarks.workloads import WORKLOADS, workload
from tests.benchmarks.test_workloads import SMALL

WITH_FLOOR = [row for row in SMALL if floor(row.values[0])]


@pytest.mark.parametrize(
    ("name", "size", "operations", "answer", "checked"), WITH_FLOOR
)
def test_answers(dsn, name, size, operations, answer, checked):
    """A floor comes to the answer of the workload, and leaves the same rows."""
    small = replace(workload(name), size=size, operations=operations)
    host, connection = Host(dsn, small, rounds=1), connect(dsn)
    try:
        small.prepare(host)
        small.before(host, 0)
        floor(name).before(connection, host, 0)
        assert floor(name).run(connection, host, 0) == answer
        assert small.check is None or small.check(host, 0) == checked
    finally:
        connection.close()
        host.room.close()
        host.close()


def test_all_have_one():
    """Only what threads do at the same time has no floor."""
    alone = [each.name for each in WORKLOADS if each.clients == 1]
    assert [each.name for each in FLOORS] == alone
