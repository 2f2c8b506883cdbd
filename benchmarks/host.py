"""What a workload uses of the library it measures: the same code for each of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import DBAPIError

from benchmarks.dates import ZONE
from libres.context.registry import create_default_registry
from libres.db import new_scheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from benchmarks.workload import Workload
    from libres.db.scheduler import Scheduler

T = TypeVar("T")

GUEST = "guest@example.org"

CONFLICTS = frozenset({"40001", "40P01", "23505"})
"""Serialization failure, deadlock, and a key that somebody else has just taken."""


class Host:
    """An application of one database that carries out one workload.

    *rounds* is how many there will be, the warm-up included.
    """

    def __init__(self, dsn: str, workload: Workload, rounds: int) -> None:
        self.workload = workload
        self.rounds = rounds
        self.kept: dict[str, Any] = {}
        """What ``before`` has looked up for ``run``."""
        self.laps: list[float] = []
        """Seconds of the single operations of this round, if the workload asks."""
        self._attempts: list[None] = []
        self._successes: list[None] = []
        self._context = create_default_registry().register_context("benchmarks")
        self._context.set_setting("dsn", dsn)

    @property
    def size(self) -> int:
        """How large the operation is."""
        return self.workload.size

    @property
    def operations(self) -> int:
        """How many operations a round makes."""
        return self.workload.operations

    @property
    def room(self) -> Scheduler:
        """The resource of the workload, if one is all it needs."""
        return self.scheduler(self.workload.name)

    def scheduler(self, name: str, blocking: Collection[str] = ()) -> Scheduler:
        """Make the scheduler of a resource."""
        return new_scheduler(self._context, name, ZONE, blocking_names=blocking)

    def numbers(self, number: int) -> range:
        """Count the operations of a round on from those of the rounds before it."""
        return range(number * self.operations, (number + 1) * self.operations)

    @property
    def all_numbers(self) -> range:
        """Count the operations of all rounds."""
        return range(self.rounds * self.operations)

    def commit(self) -> None:
        """Commit the session of this thread."""
        self.room.commit()

    def lap(self, operate: Callable[[], T]) -> T:
        """Time a single operation within a round."""
        began = time.perf_counter()
        result = operate()
        self.laps.append(time.perf_counter() - began)
        return result

    def in_transaction(self, scheduler: Scheduler, operate: Callable[[], T]) -> T:
        """Operate and commit, again and again if others are in the way.

        This library does so by itself; for an older one we do what its applications
        did, without a limit.
        """

        def attempt() -> T:
            self._attempts.append(None)
            return operate()

        if hasattr(scheduler, "transaction"):
            result = scheduler.transaction(attempt)
        else:
            result = _insist(scheduler, attempt)
        self._successes.append(None)
        return result

    def aborts(self) -> int:
        """Say how many transactions were in vain since this was asked last."""
        found = len(self._attempts) - len(self._successes)
        self._attempts.clear()
        self._successes.clear()
        return found

    def connect(self) -> None:
        """Make the first connection, which asks the server for its version."""
        self.room.session.connection()
        self.commit()

    def set_up(self) -> None:
        """Create the tables."""
        self.room.setup_database()
        self.commit()

    def close(self) -> None:
        """Let go of the connections."""
        self._context.get_service("session_provider").stop_service()


def _insist(scheduler: Scheduler, attempt: Callable[[], T]) -> T:
    while True:
        try:
            result = attempt()
            scheduler.commit()
        except DBAPIError as error:
            scheduler.rollback()
            if getattr(error.orig, "pgcode", None) not in CONFLICTS:
                raise
        else:
            return result
