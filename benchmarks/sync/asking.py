"""What is measured: pushing, pulling, polling, noting changes, signing in, the lag."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event, func, insert, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from benchmarks.sync.tables import CUSTOMER, TENANT, Customer, Unwatched
from libres.context.core import Context
from libres.sync import Sync, members
from libres.sync.devices import Devices
from libres.sync.models import SyncPending
from libres.sync.values import ALL, Member

PASSWORD: Final = "correct horse battery"  # noqa: S105 - of a benchmark

PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast something went."""

    name: str
    count: int
    seconds: float
    statements: int | None = None
    """The most of them in one request; None: not counted."""

    @property
    def per_second(self) -> float:
        """Return how many were done in a second."""
        return self.count / self.seconds


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, in seconds."""

    name: str
    half: float
    late: float
    """Half of all, and 95 of 100, took no longer."""

    @classmethod
    def of(cls, name: str, seconds: list[float]) -> Spread:
        """Sum up single times."""
        return cls(name, median(seconds), quantiles(seconds, n=20)[-1])


@contextmanager
def counting(engine: Engine) -> Iterator[list[int]]:
    """Count the statements that an engine executes."""
    counted = [0]

    def count(*_: Any) -> None:
        counted[0] += 1

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield counted
    finally:
        event.remove(engine, "before_cursor_execute", count)


def people(context: Context) -> Member:
    """Add an organisation with a member who may do all, and return them."""
    sync = Sync(context)
    acme = sync.organizations.add("Acme", "acme", reference=TENANT)
    role = sync.roles.add("all", "All")
    user = sync.users.add("john", PASSWORD)
    sync.memberships.add(user, acme, role)
    for model in sync.registry:
        sync.permissions.set(acme, role, model.name, ALL)
    sync.commit()
    found = members.load(context, user.id, acme.id, None)
    assert found is not None  # noqa: S101 - they have just been added
    sync.session.rollback()
    return found


# Pushing ------------------------------------------------------------------------------


def new(count: int) -> list[dict[str, Any]]:
    """Return items that create rows."""
    return [_item(name=f"customer {each}", age=each % 90) for each in range(count)]


def changed(context: Context, count: int) -> list[dict[str, Any]]:
    """Return items that change so many rows, with their versions."""
    session = Sync(context).session
    ids = [each for (each,) in session.query(Customer.id).limit(count)]
    session.rollback()
    grown = random.Random(1)  # noqa: S311 - chance, not a secret
    return [_item(id=each, age=grown.randint(100, 10**6)) for each in ids]


def mixed(context: Context, count: int) -> list[dict[str, Any]]:
    """Return items that change and create in turn."""
    pairs = zip(new(count // 2), changed(context, count // 2), strict=True)
    return [each for pair in pairs for each in pair]


def partly_bad(count: int) -> list[dict[str, Any]]:
    """Return items of which one in a hundred cannot be stored: the database says so."""
    items = new(count)
    for each in items[50::100]:
        each["name"] = "x" * 60
    return items


def _item(**fields: Any) -> dict[str, Any]:
    return {"_model": CUSTOMER, **fields}


def push(
    context: Context,
    member: Member,
    name: str,
    items: list[dict[str, Any]],
    rounds: int,
) -> Rate:
    """Push the same items some times; of new ones there are more each time."""
    sync = Sync(context)
    engine: Any = sync.session.get_bind()
    most, spent = 0, 0.0
    for _each in range(rounds):
        with counting(engine) as counted:
            began = perf_counter()
            sync.push(member, {"data": items})
            spent += perf_counter() - began
        most = max(most, counted[0])
    return Rate(name, rounds * len(items), spent, most)


# Pulling ------------------------------------------------------------------------------


def pull(context: Context, member: Member, name: str, cursor: str | None) -> Rate:
    """Pull all there is after a place, page by page."""
    sync = Sync(context)
    body: dict[str, Any] = {"batch_size": PAGE}
    body |= {"cursor": cursor} if cursor else {"models": {CUSTOMER: None}}
    count, most, began, more = 0, 0, perf_counter(), True
    engine: Any = sync.session.get_bind()
    while more:
        with counting(engine) as counted:
            answer = sync.pull(member, body).body
        most = max(most, counted[0])
        count += len(answer["data"]) + len(answer["deleted"])
        more, body = (
            answer["has_more"],
            {"cursor": answer["cursor"], "batch_size": PAGE},
        )
    return Rate(name, count, perf_counter() - began, most)


def end_of(context: Context, member: Member) -> str:
    """Return the cursor of who has all."""
    sync, body = Sync(context), {"models": {CUSTOMER: None}, "batch_size": PAGE}
    while True:
        answer = sync.pull(member, body).body
        body = {"cursor": answer["cursor"], "batch_size": PAGE}
        if not answer["has_more"]:
            return str(answer["cursor"])


def poll(context: Context, member: Member, devices: int) -> list[Spread]:
    """Let devices ask in turn, as requests do: token, limit, rights, and no news."""
    sync = Sync(context)
    tokens = []
    for number in range(devices):
        added = Devices(context).add(member.user, member.organization, f"d{number}")
        sync.commit()
        tokens.append(sync.sign_in_device(added.key).access)
        sync.commit()
    cursor = end_of(context, member)
    took, pulled = [], []
    for token in [*tokens, *tokens]:
        began = perf_counter()
        with context.read_only():
            asking = sync.authenticate(token)
        sync.count(asking)
        known = perf_counter()
        answer = sync.pull(asking, {"cursor": cursor, "batch_size": PAGE}).body
        took.append(perf_counter() - began)
        pulled.append(perf_counter() - known)
        assert not answer["data"]  # noqa: S101 - else it is not what is measured
    # The first time each device confirms what it has, which is written down.
    name = f"poll of {devices} devices, no news"
    return [
        Spread.of(f"{name}, with token, rights and limit", took[devices:]),
        Spread.of(f"{name}, the pull alone", pulled[devices:]),
    ]


def sign_in(context: Context, rounds: int) -> Spread:
    """Sign in by password: what takes time is scrypt, and is meant to."""
    sync, took = Sync(context), []
    for _each in range(rounds):
        began = perf_counter()
        sync.sign_in("john", PASSWORD)
        sync.commit()
        took.append(perf_counter() - began)
    return Spread.of("sign in by password", took)


# Noting changes -----------------------------------------------------------------------


def noting(dsn: str, rounds: int) -> dict[str, Spread]:
    """Compare single writes without anybody who notes them, with triggers, and with
    events of the session, in turn: each an INSERT and its COMMIT."""
    engine = create_engine(dsn, poolclass=NullPool)
    took: dict[str, list[float]] = {"none": [], "trigger": [], "session events": []}
    acts: dict[str, Callable[[Session, int], None]] = {
        "none": _plain,
        "trigger": _noted,
        "session events": _told,
    }
    with Session(engine) as session:
        for number in range(rounds + 20):
            for name, act in acts.items():
                began = perf_counter()
                act(session, number)
                session.commit()
                if number >= 20:
                    took[name].append(perf_counter() - began)
    return {name: Spread.of(name, seconds) for name, seconds in took.items()}


def _plain(session: Session, number: int) -> None:
    session.add(Unwatched(tenant=TENANT, name=f"n{number}", age=number))


def _noted(session: Session, number: int) -> None:
    session.add(Customer(tenant=TENANT, name=f"n{number}", age=number))


def _told(session: Session, number: int) -> None:
    """Note by the session what a trigger would note: a second statement."""
    row = Unwatched(tenant=TENANT, name=f"n{number}", age=number)
    session.add(row)
    session.flush()
    image = {"id": row.id, "tenant": TENANT, "name": row.name, "age": row.age}
    session.execute(
        insert(SyncPending).values(
            context="bench",
            xid=1,
            relation="bench_unwatched",
            key=str(row.id),
            operation="insert",
            after=image | {"department": None},
            tenant=TENANT,
            actor="john",
            at=func.now(),
        )
    )


# The lag ------------------------------------------------------------------------------

_INSERT: Final = text("INSERT INTO proof_events DEFAULT VALUES RETURNING id")

_NUMBERED: Final = text(
    "SELECT key, position FROM sync_changes "
    "WHERE context = :context AND position > :position "
    "AND relation = 'proof_events' ORDER BY position"
)
_POSITION: Final = text(
    "SELECT coalesce(max(position), 0) FROM sync_feeds WHERE context = :context"
)


def lag(context: Context, writers: int, events: int) -> Spread:
    """Let writers write while a worker numbers; measure from the return of a COMMIT
    until a reader has the change."""
    engine = create_engine(context.get_setting("dsn"), poolclass=NullPool)
    sync, stop = Sync(context), threading.Event()
    sync.number()
    with engine.connect() as connection:
        begun = int(
            connection.execute(_POSITION, {"context": context.name}).scalar_one()
        )
    committed: dict[int, float] = {}
    worker = threading.Thread(target=sync.work, args=(stop,), kwargs={"interval": 0.01})
    worker.start()
    each = events // writers
    threads = [
        threading.Thread(target=_write, args=(engine, each, number, committed))
        for number in range(writers)
    ]
    for thread in threads:
        thread.start()
    took = _read(context, engine, begun, each * writers, committed)
    for thread in threads:
        thread.join()
    stop.set()
    worker.join()
    return Spread.of(f"lag, {writers} writers", took)


def _write(engine: Engine, count: int, seed: int, committed: dict[int, float]) -> None:
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    with engine.connect() as connection:
        for _each in range(count):
            key = int(connection.execute(_INSERT).scalar_one())
            connection.commit()
            committed[key] = perf_counter()
            threading.Event().wait(chance.uniform(0, 0.05))


def _read(
    context: Context,
    engine: Engine,
    position: int,
    count: int,
    committed: dict[int, float],
) -> list[float]:
    """Read by position; what was numbered before its COMMIT returned took no time."""
    took: list[float] = []
    with engine.connect() as connection:
        while len(took) < count:
            values = {"context": context.name, "position": position}
            rows = connection.execute(_NUMBERED, values).all()
            connection.rollback()
            now = perf_counter()
            position = rows[-1].position if rows else position
            took += [max(0.0, now - committed.get(int(row.key), now)) for row in rows]
            threading.Event().wait(0.002)
    return took
