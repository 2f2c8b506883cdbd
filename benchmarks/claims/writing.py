"""Times writing: under the guard and without it, tracked and not tracked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from psycopg import Connection as Raw
from sqlalchemy import (
    Connection,
    DateTime,
    Engine,
    Identity,
    insert,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.claims.asking import HOUR, START
from benchmarks.claims.filling import UNGUARDED
from benchmarks.claims.measuring import Times, alternated
from libres.conflicts import ClaimMapping, Claims

ROWS = 2000
"""Of a bulk insert or a COPY."""

ROOMS = 200


class Base(DeclarativeBase):
    """That of a host."""


class Tracked(Base):
    """A booking that is tracked."""

    __tablename__ = "tracked_bookings"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    room: Mapped[str]
    starts: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ends: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Untracked(Base):
    """A booking that is not."""

    __tablename__ = "untracked_bookings"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    room: Mapped[str]
    starts: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ends: Mapped[datetime] = mapped_column(DateTime(timezone=True))


INSERT = """\
INSERT INTO {table} (context, source, source_id, resource, during)
VALUES ('bench', 'bench.Single', :id, :resource, tstzrange(:start, :end))"""


def guarded(engine: Engine, rounds: int) -> dict[str, Times]:
    """Time single inserts, each with its COMMIT, with the guard and without."""
    with engine.begin() as connection:
        connection.execute(text(UNGUARDED))
        connection.execute(
            text(
                "INSERT INTO unguarded (context, source, source_id, "
                "resource, during) SELECT context, source, source_id, resource, during "
                "FROM conflict_claims"
            )
        )

    def into(table: str) -> Callable[[int], object]:
        statement = text(INSERT.format(table=table))

        def act(number: int) -> object:
            start = START.replace(year=2030) + number * HOUR
            values = {
                "id": str(number),
                "resource": f"room {number % ROOMS}",
                "start": start,
                "end": start + HOUR,
            }
            with engine.begin() as connection:
                return connection.execute(statement, values)

        return act

    names = {"guarded": "conflict_claims", "unguarded": "unguarded"}
    return alternated({name: into(table) for name, table in names.items()}, rounds)


def tracking(
    claims: Claims, engine: Engine, rounds: int
) -> dict[str, dict[str, Times]]:
    """Time the ways to insert, tracked and not tracked; every one with its COMMIT."""
    Base.metadata.create_all(claims.session.connection())
    claims.track(
        Tracked,
        ClaimMapping(resource=Tracked.room, start=Tracked.starts, end=Tracked.ends),
    )
    claims.commit()
    taken = {}
    for name, (act, count) in WAYS.items():
        times = alternated(
            {
                "not tracked": partial(act, engine, Untracked),
                "tracked": partial(act, engine, Tracked),
            },
            rounds if count == 1 else max(rounds // 20, 5),
        )
        taken[name] = times
        with engine.begin() as connection:
            connection.execute(text("TRUNCATE tracked_bookings, untracked_bookings"))
    return taken


def _rows(turn: int, count: int) -> list[dict[str, object]]:
    first = turn * count
    return [
        {
            "room": f"hall {number % ROOMS}",
            "starts": START + (number // ROOMS) * HOUR,
            "ends": START + (number // ROOMS + 1) * HOUR,
        }
        for number in range(first, first + count)
    ]


def _flush(engine: Engine, model: type[Base], turn: int) -> None:
    with Session(engine) as session:
        session.add(model(**_rows(turn, 1)[0]))
        session.commit()


def _core(engine: Engine, model: type[Base], turn: int) -> None:
    with engine.begin() as connection:
        connection.execute(insert(model.__table__), _rows(turn, 1))  # type: ignore[arg-type]


def _bulk(engine: Engine, model: type[Base], turn: int) -> None:
    with Session(engine) as session:
        session.execute(insert(model), _rows(turn, ROWS))
        session.commit()


def _copy(engine: Engine, model: type[Base], turn: int) -> None:
    with engine.begin() as connection:
        _copied(connection, str(model.__tablename__), _rows(turn, ROWS))


def _copied(connection: Connection, table: str, rows: list[dict[str, object]]) -> None:
    raw = connection.connection.driver_connection
    assert isinstance(raw, Raw)  # noqa: S101 - this benchmark names the driver
    sql = f"COPY {table} (room, starts, ends) FROM STDIN"
    with raw.cursor() as cursor, cursor.copy(sql.encode()) as copy:
        for row in rows:
            copy.write_row(tuple(row.values()))


WAYS: dict[str, tuple[Callable[[Engine, type[Base], int], None], int]] = {
    "one, ORM flush": (_flush, 1),
    "one, Core": (_core, 1),
    f"{ROWS:,}, ORM bulk": (_bulk, ROWS),
    f"{ROWS:,}, COPY": (_copy, ROWS),
}
