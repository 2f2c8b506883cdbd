"""Kills at random: clients, backends, the server."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import psycopg2

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from benchmarks.databases import Databases
    from benchmarks.soak.clients import Clients
    from benchmarks.soak.server import OwnServer

DATABASE: Final = "soak"

BACKENDS: Final = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND pid != pg_backend_pid()
    ORDER BY pid
"""


@dataclass(slots=True)
class Killer:
    """Chooses who is next; *server* is None if it is not ours."""

    random: Random
    clients: Clients
    databases: Databases
    server: OwnServer | None
    kills_server: bool
    kills: Counter[str] = field(default_factory=Counter)

    def kill(self) -> str:
        """Kill somebody and say who it was."""
        ways = self._ways()
        [name] = self.random.choices(
            list(ways), [weight for weight, _ in ways.values()]
        )
        ways[name][1]()
        self.kills[name] += 1
        return name

    def pause(self) -> float:
        """Draw the seconds until the next one."""
        return self.random.uniform(0.5, 2.5)

    def _ways(self) -> dict[str, tuple[int, Callable[[], None]]]:
        ways: dict[str, tuple[int, Callable[[], None]]] = {
            "clients killed": (6, lambda: self.clients.kill(self.random)),
            "backends ended": (6, self._end_backend),
        }
        if self.server is not None:
            ways["backends killed"] = (1, self._kill_backend)
        if self.server is not None and self.kills_server:
            ways["server killed"] = (1, self.server.kill)
        return ways

    def _end_backend(self) -> None:
        for process in self._some_backend():
            sql = f"SELECT pg_terminate_backend({process})"
            with suppress(psycopg2.OperationalError):  # the server is recovering
                self.databases.execute(DATABASE, sql)

    def _kill_backend(self) -> None:
        for process in self._some_backend():
            if self.server is not None:
                self.server.kill_backend(process)

    def _some_backend(self) -> list[int]:
        """Choose one; none if nobody is connected, or the server is recovering."""
        try:
            rows = self.databases.execute(DATABASE, BACKENDS)
        except psycopg2.OperationalError:
            return []
        return self.random.sample([each for (each,) in rows], min(1, len(rows)))
