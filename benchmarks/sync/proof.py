"""Proves that a reader of the feed misses nothing, while readers by time and by number,
who read beside it, do.

Writers change rows that count, with pauses between their statements; some roll back,
some keep their transactions open for long. What they have committed they remember.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from benchmarks.sync.tables import Counter
from libres.context.core import Context
from libres.sync import Sync

ROWS: Final = 40

ROLLED_BACK: Final = 0.15
LONG: Final = 0.04
"""Shares of the transactions."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change as the feed tells it."""

    position: int
    xid: int
    tx_end: bool
    relation: str
    key: str
    before: dict[str, Any] | None
    after: dict[str, Any]

    @property
    def counts(self) -> bool:
        """Tell whether it is a change of a row that counts, which was there before."""
        return self.relation == COUNTERS and self.before is not None


@dataclass(slots=True)
class Proof:
    """What was written, and what the readers have seen of it."""

    committed: set[int] = field(default_factory=set)
    """The events of committed transactions."""

    counted: int = 0
    """The changes of rows that count, in committed transactions."""

    rolled_back: int = 0
    by_time: set[int] = field(default_factory=set)
    by_number: set[int] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    """Seconds from the return of a COMMIT until the reader of the feed has it."""

    values: dict[str, int] = field(default_factory=dict)
    """What the rows that count have come to."""

    @property
    def lost(self) -> int:
        """Count the committed changes that the reader of the feed has not seen."""
        events = {int(each.key) for each in self.changes if each.relation == EVENTS}
        counted = sum(each.counts for each in self.changes)
        return len(self.committed - events) + self.counted - counted

    @property
    def invented(self) -> int:
        """Count the events in the feed that were never committed."""
        events = {int(each.key) for each in self.changes if each.relation == EVENTS}
        return len(events - self.committed)

    @property
    def gaps(self) -> int:
        """Count the positions that do not follow on the one before."""
        numbers = [0, *(each.position for each in self.changes)]
        return sum(after != before + 1 for before, after in pairwise(numbers))

    @property
    def disorder(self) -> int:
        """Count the changes of a row that do not begin where the one before ended."""
        last: dict[str, int] = defaultdict(int)
        wrong = 0
        for each in self.changes:
            if each.counts:
                assert each.before is not None  # noqa: S101 - it is an update
                wrong += each.before["value"] != last[each.key]
                last[each.key] = each.after["value"]
        return wrong + sum(last[key] != value for key, value in self.values.items())

    @property
    def torn(self) -> int:
        """Count the transactions whose changes are not together, or have no end."""
        seen: set[int] = set()
        wrong = 0
        for first, then in pairwise([*self.changes, None]):
            assert first is not None  # noqa: S101 - only the last one is
            ends = then is None or then.xid != first.xid
            wrong += first.tx_end is not ends or first.xid in seen
            if ends:
                seen.add(first.xid)
        return wrong


COUNTERS: Final = "proof_counters"
EVENTS: Final = "proof_events"


def prove(
    context: Context,
    *,
    writers: int = 8,
    transactions: int = 150,
    pause: float = 0.004,
    long: float = 0.3,
    seed: int = 1,
    told: Callable[[int], object] = lambda _done: None,
) -> Proof:
    """Let writers write and readers read; return what came of it.

    Each writer makes as many *transactions*, which takes as long as it takes; *pause*
    and *long* are the longest pause between two statements, and that of the few long
    transactions, in seconds.
    """
    engine = create_engine(context.get_setting("dsn"), poolclass=NullPool)
    with engine.begin() as connection:
        rows = [{"id": number} for number in range(1, ROWS + 1)]
        connection.execute(Counter.__table__.insert(), rows)  # type: ignore[attr-defined]
    proof, ended = Proof(), threading.Event()
    board = Board(proof)
    with ThreadPoolExecutor(writers + 3) as pool:
        readers = [
            pool.submit(_read_feed, context, engine, board, ended),
            pool.submit(_read_as_applications_do, engine, proof, ended),
            pool.submit(_number, context, ended),
        ]
        chances = [random.Random(f"{seed}/{each}") for each in range(writers)]  # noqa: S311 - chance, not a secret
        plans = [Plan(each, transactions, pause, long) for each in chances]
        for done in pool.map(lambda plan: _write(engine, board, plan), plans):
            told(done)
        ended.set()
        for each in readers:
            each.result()
    with engine.connect() as connection:
        values = connection.execute(text(f"SELECT id, value FROM {COUNTERS}"))  # noqa: S608 - a constant
        proof.values = {str(key): value for key, value in values}
    return proof


@dataclass(frozen=True, slots=True)
class Plan:
    """What a writer does."""

    chance: random.Random
    transactions: int
    pause: float
    long: float


@dataclass(slots=True)
class Board:
    """Where writers note what they have committed, and when."""

    proof: Proof
    lock: threading.Lock = field(default_factory=threading.Lock)
    times: dict[int, float] = field(default_factory=dict)

    def note(self, event: int, counted: int, *, committed: bool) -> None:
        """Note the end of a transaction."""
        with self.lock:
            if not committed:
                self.proof.rolled_back += 1
                return
            self.times[event] = time.perf_counter()
            self.proof.committed.add(event)
            self.proof.counted += counted

    def seen(self, events: Sequence[int]) -> None:
        """Note how long it took until events were seen; what came before the COMMIT
        returned took no time."""
        now = time.perf_counter()
        with self.lock:
            for each in events:
                self.proof.lags.append(max(0.0, now - self.times.get(each, now)))


# Writing ------------------------------------------------------------------------------

_EVENT: Final = text(f"INSERT INTO {EVENTS} DEFAULT VALUES RETURNING id")  # noqa: S608 - a constant
_COUNT: Final = text(f"UPDATE {COUNTERS} SET value = value + 1 WHERE id = :id")  # noqa: S608 - a constant


def _write(engine: Engine, board: Board, plan: Plan) -> int:
    chance = plan.chance
    with engine.connect() as connection:
        for _each in range(plan.transactions):
            rows = sorted(chance.sample(range(1, ROWS + 1), chance.randint(0, 3)))
            event = _transaction(connection, plan, rows)
            committed = chance.random() >= ROLLED_BACK
            if committed:
                connection.commit()
            else:
                connection.rollback()
            board.note(event, len(rows), committed=committed)
            time.sleep(chance.uniform(0, plan.pause))
    return plan.transactions


def _transaction(connection: Connection, plan: Plan, rows: Sequence[int]) -> int:
    """Write an event, and count in rows, in their order: so there is no deadlock."""
    event = int(connection.execute(_EVENT).scalar_one())
    for row in rows:
        time.sleep(plan.chance.uniform(0, plan.pause))
        connection.execute(_COUNT, {"id": row})
    is_long = plan.chance.random() < LONG
    time.sleep(plan.chance.uniform(0, plan.long if is_long else plan.pause))
    return event


# Reading ------------------------------------------------------------------------------

_FEED: Final = text("""\
SELECT position, xid, tx_end, relation, key, before, after FROM sync_changes
WHERE context = :context AND position > :position ORDER BY position LIMIT 500
""")


def _read_feed(
    context: Context, engine: Engine, board: Board, ended: threading.Event
) -> None:
    """Read by position until all has been read."""
    sync, position = Sync(context), 0
    while True:
        last_round = ended.is_set()
        sync.number()
        with engine.connect() as connection:
            found = list(_pages(connection, context.name, position))
        position = found[-1].position if found else position
        board.proof.changes += found
        board.seen([int(each.key) for each in found if each.relation == EVENTS])
        if last_round:
            return
        time.sleep(0.005)


def _number(context: Context, ended: threading.Event) -> None:
    """Number beside the reader, as a worker does."""
    sync = Sync(context)
    while not ended.is_set():
        sync.number()
        time.sleep(0.001)


def _pages(connection: Connection, context: str, position: int) -> Iterator[Change]:
    while True:
        values = {"context": context, "position": position}
        rows = connection.execute(_FEED, values).all()
        yield from (Change(*row) for row in rows)
        if not rows:
            return
        position = rows[-1].position


def _read_as_applications_do(
    engine: Engine, proof: Proof, ended: threading.Event
) -> None:
    """Read what was saved since the last time that was seen; and what has a higher
    number than the last one that was seen."""
    newest: Any = "-infinity"
    highest = 0
    while True:
        last_round = ended.is_set()
        with engine.connect() as connection:
            for number, saved in connection.execute(_BY_TIME, {"since": newest}):
                proof.by_time.add(number)
                newest = saved
            for (number,) in connection.execute(_BY_NUMBER, {"since": highest}):
                proof.by_number.add(number)
                highest = number
        if last_round:
            return
        time.sleep(0.005)


_BY_TIME: Final = text(
    f"SELECT id, saved FROM {EVENTS} WHERE saved > :since ORDER BY saved"  # noqa: S608 - a constant
)
_BY_NUMBER: Final = text(f"SELECT id FROM {EVENTS} WHERE id > :since ORDER BY id")  # noqa: S608 - a constant
