"""A schema per test, in one database: that is fast, and no schema is named anywhere."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from libres.db import migrations
from libres.db.operations.setting_up import create_missing
from tests.migrations.catalogue import catalogue, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from tests.migrations.shapes import Shape

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Adopted:
    """A schema that was upgraded, and the rows from before."""

    engine: Engine
    rows: dict[str, list[dict[str, Any]]]
    state: migrations.State


@contextmanager
def schemas(dsn: str) -> Iterator[Callable[..., Engine]]:
    """Give a function that makes schemas, and close their engines at the end."""
    whole, engines = create_engine(dsn, poolclass=NullPool), []

    def make(shape: Shape | None = None, path: str = "{}") -> Engine:
        name = f"tenant_{next(_numbers)}"
        with whole.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")
        options = f"-csearch_path={path.format(name)}"
        url = make_url(dsn).update_query_dict({"options": options})
        engines.append(create_engine(url))
        if shape:
            with engines[-1].begin() as connection:
                connection.exec_driver_sql(shape.sql())
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture(scope="package")
def place(database_factory: Callable[[], str]) -> str:
    """The database of these tests."""
    return database_factory()


@pytest.fixture
def make(place: str) -> Iterator[Callable[..., Engine]]:
    """Give a function that makes a schema, of a shape or empty, and its engine."""
    with schemas(place) as make:
        yield make


@pytest.fixture(scope="package")
def adopted(place: str) -> Iterator[Callable[[Shape], Adopted]]:
    """Give a function that upgrades a shape, once for all who only look."""
    with schemas(place) as make:

        @cache
        def adopt(shape: Shape) -> Adopted:
            engine = make(shape)
            with engine.connect() as connection:
                rows = rows_of(connection)
            return Adopted(engine, rows, migrations.upgrade(engine))

        yield adopt


@pytest.fixture(scope="package")
def fresh(place: str) -> dict[str, list[str]]:
    """The catalogue of a schema that setup_database has filled."""
    with schemas(place) as make, make().begin() as connection:
        create_missing(connection)
        return catalogue(connection)
