"""Tells of an optional room whose tables are not there, instead of failing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError

from libres.context.drivers import sqlstate
from libres.web.errors import NotSetUp

UNDEFINED: Final = frozenset({"42P01", "42883"})
"""What PostgreSQL says of a table, or a function, that is not there."""


@contextmanager
def room(name: str) -> Iterator[None]:
    """Call a room of the library. Raises NotSetUp if its tables are not there."""
    try:
        yield
    except DBAPIError as error:
        if sqlstate(error) in UNDEFINED:
            raise NotSetUp(room=name) from error
        raise
