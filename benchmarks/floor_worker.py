"""Carries out the floor of one workload: as a worker does, but by hand-written SQL.

This library only prepares and checks, untimed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg2

from benchmarks.floors import floor
from benchmarks.worker import Worker, checked, serve, timed

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from benchmarks.floor import Floor

ISOLATION = "-c default_transaction_isolation=serializable"


class NoFloorError(LookupError):
    """There is no floor for this workload."""


class FloorWorker(Worker):
    """One workload and its floor."""

    floor: Floor
    connection: Connection

    def open(self, request: dict[str, Any]) -> dict[str, Any]:
        """Connect to a database. Raises NoFloorError."""
        found = floor(request["workload"])
        if found is None:
            raise NoFloorError(request["workload"])
        self.floor = found
        self.connection = connect(request["dsn"])
        return super().open(request)

    def round(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run one round; its statements are not counted, as there is one each."""
        number, host, connection = request["number"], self.host, self.connection
        host.workload.before(host, number)
        self.floor.before(connection, host, number)
        seconds, answer = timed(partial(self.floor.run, connection, host, number))
        return {
            "seconds": seconds,
            "answer": [answer, checked(host, number)],
            "statements": None,
            "aborts": 0,
            "laps": [],
        }


def connect(dsn: str) -> Connection:
    """Connect so that each statement is a transaction, SERIALIZABLE as the library's.

    So an operation needs neither BEGIN nor COMMIT, which is the fewest round trips.
    """
    plain = dsn.replace("postgresql+psycopg2://", "postgresql://", 1)
    connection = psycopg2.connect(plain, options=ISOLATION)
    connection.autocommit = True
    return connection


def main() -> None:
    """Measure a floor."""
    serve(FloorWorker())
