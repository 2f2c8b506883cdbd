"""Records what sensors send: in any order, as late and as often as it comes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

from libres.db.models.timestamp import TimestampMixin
from libres.db.passing import fetch
from libres.occupancy import statements
from libres.occupancy.readings import FIRST, Reading, Unreadable, read_csv, reading_of
from libres.occupancy.statements import array_of
from libres.occupancy.steps import bucket_of
from libres.occupancy.tallying import Hour, recount

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

BATCH: Final = 5000
"""Events per statement, and rows of a file that are committed at once: the more there
are, the fewer times is an hour counted anew. One statement writes in one order, several
would not: hence a transaction has one, where it can be repeated."""

FUTURE: Final = timedelta(minutes=5)
"""How far ahead the clock of a sensor may be."""

ATTEMPTS: Final = 30
"""How often a batch is tried: others may count in the same spaces."""

MOST_REFUSED: Final = 1000
"""Refused rows of a file that are listed; all are counted."""

Outcome = Literal[
    "counted", "duplicate", "unassigned", "unknown_sensor", "quarantined", "invalid"
]
"""What became of an event: it counts, it was there already, its sensor hangs nowhere at
that time, there is no such sensor, its moment or sensor cannot be trusted, or it is no
event at all."""

Progress = Callable[[int], object]
"""Is told how many rows have been read."""


@dataclass(slots=True)
class Recorded:
    """What became of events, in their order, and how often that happened."""

    outcomes: list[Outcome] = field(default_factory=list)
    refused: list[Unreadable] = field(default_factory=list)
    """What is no event, or of no sensor, and why."""

    @property
    def totals(self) -> Counter[Outcome]:
        """How often each outcome occurred."""
        return Counter(self.outcomes)


@dataclass(slots=True)
class Loaded:
    """What became of the rows of a file."""

    read: int = 0
    inserted: int = 0
    duplicates: int = 0
    unknown: int = 0
    invalid: int = 0
    unassigned: int = 0
    """Of the inserted: not counted, as their sensor hung nowhere at that time."""

    quarantined: int = 0
    """Of the inserted: not counted, as their moment or sensor cannot be trusted."""

    refused: list[Unreadable] = field(default_factory=list)
    """The first 1,000 rows that are invalid or of an unknown sensor, and why."""

    def add(self, made: Recorded) -> None:
        """Count one more batch."""
        totals = made.totals
        stored = totals["counted"] + totals["unassigned"] + totals["quarantined"]
        self.read += len(made.outcomes)
        self.inserted += stored
        self.duplicates += totals["duplicate"]
        self.unknown += totals["unknown_sensor"]
        self.invalid += totals["invalid"]
        self.unassigned += totals["unassigned"]
        self.quarantined += totals["quarantined"]
        room = MOST_REFUSED - len(self.refused)
        self.refused += made.refused[: max(room, 0)]


def record(
    context: Context,
    session: Session,
    events: Iterable[object],
    source: str,
    retention: timedelta | None,
) -> Recorded:
    """Record events, batch by batch, in the transaction of the session."""
    readings = (reading_of(event, line) for line, event in enumerate(events, 1))
    return _record(context, session, readings, source, retention)


def load_csv(
    context: Context,
    session_of: Callable[[], Session],
    stream: Iterable[str | bytes],
    source: str,
    retention: timedelta | None,
    atomic: bool,
    progress: Progress | None,
) -> Loaded:
    """Record a file as it is read: a transaction for each batch, or one for all."""
    if atomic:
        return _load_at_once(context, session_of(), stream, source, retention, progress)
    loaded = Loaded()
    for batch in _batches(read_csv(stream)):

        def act(batch: Sequence[Reading | Unreadable] = batch) -> Recorded:
            return _record(context, session_of(), batch, source, retention)

        loaded.add(context.transaction(act, attempts=ATTEMPTS))
        if progress:
            progress(loaded.read)
    return loaded


def _load_at_once(
    context: Context,
    session: Session,
    stream: Iterable[str | bytes],
    source: str,
    retention: timedelta | None,
    progress: Progress | None,
) -> Loaded:
    """Record all of a file or, if any row is refused, none of it."""
    loaded = Loaded()
    with session.begin_nested() as savepoint:
        for batch in _batches(read_csv(stream)):
            loaded.add(_record(context, session, batch, source, retention))
            if progress:
                progress(loaded.read)
        if loaded.invalid or loaded.unknown:
            savepoint.rollback()
            loaded.inserted = loaded.unassigned = loaded.quarantined = 0
    return loaded


def _batches(
    readings: Iterable[Reading | Unreadable],
) -> Iterator[list[Reading | Unreadable]]:
    rest = iter(readings)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _record(
    context: Context,
    session: Session,
    events: Iterable[Reading | Unreadable],
    source: str,
    retention: timedelta | None,
) -> Recorded:
    """Store events, batch by batch; then count their hours anew, all at once."""
    made, heard = Recorded(), _Heard()
    for batch in _batches(events):
        readings = [each for each in batch if isinstance(each, Reading)]
        stored = _stored(context, session, readings, source, retention)
        heard.add(readings, stored)
        position = 0
        for each in batch:
            position += isinstance(each, Reading)
            _judge(made, each, stored.get(position))
    recount(context, session, heard.hours(context, session))
    return made


def _judge(made: Recorded, event: Reading | Unreadable, row: Any) -> None:
    """Note what became of one event."""
    if isinstance(event, Unreadable):
        made.outcomes.append("invalid")
        made.refused.append(event)
    elif row is None:
        made.outcomes.append("unknown_sensor")
        reason = f"There is no sensor {event.sensor!r}: add it first."
        made.refused.append(Unreadable(event.line or 0, reason))
    else:
        made.outcomes.append("duplicate" if row.is_duplicate else row.state)


def _stored(
    context: Context,
    session: Session,
    readings: Sequence[Reading],
    source: str,
    retention: timedelta | None,
) -> dict[int, Any]:
    """Store readings; return what became of each, by its position from 1."""
    if not readings:
        return {}
    now = TimestampMixin.timestamp()
    values = {
        "context": context.name,
        "source": source,
        "codes": [each.sensor for each in readings],
        "moments": array_of(each.moment for each in readings),
        "directions": array_of(each.direction for each in readings),
        "seqs": array_of(each.seq for each in readings),
        "latest": now + FUTURE,
        "earliest": FIRST if retention is None else now - retention,
    }
    rows = fetch(session, statements.recording(), values)
    return {row.position: row for row in rows}


class _Heard:
    """What is new: which sensors were heard when, and what they count in."""

    def __init__(self) -> None:
        self._sensors: dict[str, datetime] = {}
        """When each was heard last, by code."""

        self._hours: dict[UUID, set[datetime]] = defaultdict(set)
        """The hours in which somebody passed, by doorway."""

    def add(self, readings: Sequence[Reading], stored: Mapping[int, Any]) -> None:
        """Note what is new of a batch."""
        for position, row in stored.items():
            if row.is_duplicate or row.state == "quarantined":
                continue
            reading = readings[position - 1]
            known = self._sensors.get(reading.sensor)
            if known is None or known < reading.moment:
                self._sensors[reading.sensor] = reading.moment
            if row.state == "counted":
                self._hours[row.doorway].add(bucket_of(reading.moment, "hour"))

    def hours(self, context: Context, session: Session) -> Iterator[Hour]:
        """Note when the sensors were heard; tell which hours of which spaces are to be
        counted anew."""
        if not self._sensors:
            return
        values = {
            "context": context.name,
            "codes": list(self._sensors),
            "moments": array_of(self._sensors.values()),
            "doorways": array_of(self._hours),
        }
        for row in fetch(session, statements.hearing(), values):
            for hour in self._hours[row.doorway]:
                yield row.space, hour


def sign_alive(
    context: Context, session: Session, codes: Sequence[str], moment: datetime
) -> list[str]:
    """Note that sensors are alive; return the codes of those that are there."""
    values = {"context": context.name, "codes": list(codes), "ts": moment}
    return [row.code for row in fetch(session, statements.signing(), values)]
