"""Where races take place: resources of their own, on a database that races share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from libres.context.registry import create_default_registry
from libres.context.session import SessionProvider
from libres.db.scheduler import Scheduler

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from libres.context.core import Context

DAY = datetime.fromisoformat("2030-05-06")
"""A Monday without a clock change, naive: in the zone of the scheduler."""


def hours(start: float, end: float, day: int = 0) -> tuple[datetime, datetime]:
    """Make a range of hours of that Monday, or of one *day* days later."""
    midnight = DAY + timedelta(days=day)
    return midnight + timedelta(hours=start), midnight + timedelta(hours=end)


@dataclass(frozen=True)
class Stage:
    """The schedulers of one race; their resources belong to no other race."""

    context: Context
    name: str

    def scheduler(self, what: str, *blocking: str) -> Scheduler:
        """Make a scheduler, and name those that block it."""
        names = [self._full(each) for each in blocking]
        return Scheduler(self.context, self._full(what), "Europe/Zurich", names)

    @property
    def room(self) -> Scheduler:
        """The room that most races are about."""
        return self.scheduler("room")

    @property
    def engine(self) -> Engine:
        """The engine of the process."""
        engine: Engine = self.context.get_service("session_provider").engine
        return engine

    def _full(self, what: str) -> str:
        return f"{what} of {self.name}"


def stage_on(dsn: str, name: str, isolation: str | None = None) -> Stage:
    """Make a stage; all of a process share their connections per database."""
    return Stage(_context(dsn, isolation), name)


@cache
def _context(dsn: str, isolation: str | None) -> Context:
    context = create_default_registry().register_context("races")
    context.set_setting("dsn", dsn)
    if isolation is not None:
        context.set_service("session_provider", _Lowered(isolation), cache=True)
    return context


class _Lowered:
    """Makes session providers that are not SERIALIZABLE."""

    def __init__(self, isolation: str) -> None:
        self._config = {"execution_options": {"isolation_level": isolation}}

    def __call__(self, context: Context) -> Any:
        return SessionProvider(context.get_setting("dsn"), self._config)
