"""Lets racers meet: all at once, or one while another stands before a statement."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

import psycopg
from sqlalchemy import make_url

from tests.fixtures.races import Outcome
from tests.races.racers import Deed, Held, Racer, Stop, Task, until
from tests.races.stage import Stage, stage_on

if TYPE_CHECKING:
    from collections.abc import Sequence

News: TypeAlias = Held | Outcome | None
"""None: nothing yet."""

_numbers = count(1)


class Pool:
    """Racers that are started when they are needed and stay for the next race."""

    def __init__(self) -> None:
        self._racers: list[Racer] = []

    def __getitem__(self, number: int) -> Racer:
        while len(self._racers) <= number:
            self._racers.append(Racer())
        if not self._racers[number].process.is_alive():
            self._racers[number] = Racer()
        return self._racers[number]

    def end(self) -> None:
        """End all of them."""
        for racer in self._racers:
            racer.end()


@dataclass(frozen=True, slots=True)
class Meeting:
    """What came of a race; *at* says where the one that was to stop has stopped."""

    outcomes: tuple[Outcome, ...]
    at: str | None = None

    @property
    def errors(self) -> tuple[str | None, ...]:
        """The types of the errors, None for a success, in the order of the deeds."""
        return tuple(outcome.error for outcome in self.outcomes)


class Arena:
    """A database where races take place."""

    def __init__(self, pool: Pool, dsn: str, **options: Any) -> None:
        """Take *options* for every task, see `Task`."""
        self._pool = pool
        self.dsn = dsn
        self._options = options
        self.database = psycopg.connect(libpq(dsn), autocommit=True)

    def new_stage(self) -> Stage:
        """Make a stage that nobody has used, on a connection of this process."""
        return stage_on(self.dsn, str(next(_numbers)))

    def together(
        self, stage: Stage, deeds: Sequence[Deed], stop: Stop = "write"
    ) -> Meeting:
        """Let all of them stop (by default: before they write), then go on at once."""
        racers = self.start(stage, deeds, stop)
        news = [self._held_or_blocked(racer) for racer in racers]
        for racer, told in zip(racers, news, strict=True):
            if isinstance(told, Held):
                racer.go_on()
        return Meeting(self._finish(racers, news))

    def interrupted(
        self, stage: Stage, deeds: Sequence[Deed], first: int, stop: Stop
    ) -> Meeting:
        """Let one of two stop, and the other one run in between, as far as it can."""
        racers = [self._pool[number] for number in range(2)]
        tasks = [self._task(stage, deed) for deed in deeds]
        racers[first].start(replace(tasks[first], stop=stop))
        news: list[News] = [None, None]
        news[first] = racers[first].news()
        at = getattr(news[first], "at", None)
        other = 1 - first
        racers[other].start(tasks[other])
        news[other] = self._held_or_blocked(racers[other])
        if at is not None:
            racers[first].go_on()
        return Meeting(self._finish(racers, news), at)

    def start(
        self, stage: Stage, deeds: Sequence[Deed], stop: Stop | None = None
    ) -> list[Racer]:
        """Start all of them, each in a racer of its own."""
        racers = [self._pool[number] for number in range(len(deeds))]
        for racer, deed in zip(racers, deeds, strict=True):
            racer.start(replace(self._task(stage, deed), stop=stop))
        return racers

    def end(self, racers: Sequence[Racer]) -> Meeting:
        """Wait for all that were started."""
        return Meeting(self._finish(racers, [None] * len(racers)))

    def connections(self) -> int:
        """Count the connections to the database."""
        [[connected]] = self.database.execute(_CONNECTED).fetchall()
        return int(connected)

    def waiting(self) -> int:
        """Count the connections that wait for a lock."""
        [[waiting]] = self.database.execute(_WAITING).fetchall()
        return int(waiting)

    def close(self) -> None:
        """Close the connection of this process."""
        self.database.close()
        self.new_stage().context.get_service("session_provider").stop_service()

    def _task(self, stage: Stage, deed: Deed) -> Task:
        return Task(self.dsn, stage.name, deed, **self._options)

    def _held_or_blocked(self, racer: Racer) -> News:
        """Wait for news; None if it waits for a lock of another one instead."""
        until(lambda: racer.has_news(0.01) or self.waiting() > 0, "nobody moves", 0.0)
        return racer.news() if racer.has_news() else None

    @staticmethod
    def _finish(racers: Sequence[Racer], news: Sequence[News]) -> tuple[Outcome, ...]:
        """Let everybody go on who stops late, until all are done."""
        latest = list(news)
        while not all(isinstance(each, Outcome) for each in latest):
            for number in told_by(racers, latest):
                latest[number] = told = racers[number].news()
                if isinstance(told, Held):
                    racers[number].go_on()
        return tuple(each for each in latest if isinstance(each, Outcome))


def told_by(racers: Sequence[Racer], news: Sequence[News]) -> list[int]:
    """Wait until one of those who are not done has news, and number those who have."""
    running = [n for n, each in enumerate(news) if not isinstance(each, Outcome)]
    until(lambda: any(racers[n].has_news() for n in running), "nobody ends")
    return [number for number in running if racers[number].has_news()]


_CONNECTED = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
"""

_WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def libpq(dsn: str) -> str:
    """Read a URL of SQLAlchemy and write it as libpq understands it."""
    url = make_url(dsn).set(drivername="postgresql")
    return url.render_as_string(hide_password=False)
