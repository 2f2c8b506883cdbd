"""Switches guards off: constraints in the database of a test, code within a racer."""

from __future__ import annotations

import builtins
import re
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from libres.context import outcome, transactions
from libres.db.operations import writing

if TYPE_CHECKING:
    from collections.abc import Iterator

DROP_SLOT_KEY = "ALTER TABLE reserved_slots DROP CONSTRAINT reserved_slots_pkey"
DROP_PLACE_KEY = "ALTER TABLE allocations DROP CONSTRAINT resource_start_ix"
DROP_REFERENCE = (
    "ALTER TABLE reserved_slots DROP CONSTRAINT reserved_slots_allocation_id_fkey"
)
DROP_REQUEST_KEY = (
    "ALTER TABLE reservation_idempotency_keys "
    "DROP CONSTRAINT reservation_idempotency_keys_pkey"
)

_CLAIM = re.compile(r"\s+ON CONFLICT .*?(?=\s+RETURNING)", re.DOTALL)
_ORDER = re.compile(r"\s+ORDER BY [^()]*?(?=\s+(?:RETURNING|ON CONFLICT)|\s*$)")


@contextmanager
def unsorted() -> Iterator[None]:
    """Insert in the order in which things were asked for."""
    event.listen(Engine, "before_cursor_execute", _without_order, retval=True)
    try:
        with patch.object(writing, "sorted", _as_it_is, create=True):
            yield
    finally:
        event.remove(Engine, "before_cursor_execute", _without_order)


def _as_it_is(values: Any, **options: Any) -> list[Any]:
    # Places: their key. What is returned to callers is sorted by a function.
    return builtins.sorted(values, **options) if options else list(values)


def _without_order(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any
) -> tuple[str, Any]:
    if statement.startswith("INSERT INTO reserved_slots"):
        statement = _ORDER.sub("", statement)
    return statement, parameters


@contextmanager
def unclaimed() -> Iterator[None]:
    """Store keys of requests as if a key had no meaning for PostgreSQL."""
    event.listen(Engine, "before_cursor_execute", _without_claim, retval=True)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", _without_claim)


def _without_claim(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any
) -> tuple[str, Any]:
    if statement.startswith("INSERT INTO reservation_idempotency_keys"):
        statement = _CLAIM.sub("", statement)
    return statement, parameters


@contextmanager
def without_verdict_on_keys() -> Iterator[None]:
    """Take a duplicate key for an error like any other."""
    with patch.object(transactions, "TAKEN_MEANWHILE", frozenset()):
        yield


@contextmanager
def without_savepoints() -> Iterator[None]:
    """Let what is refused half-way stay in the transaction."""
    with patch.object(Session, "begin_nested", lambda _: nullcontext()):
        yield


@contextmanager
def without_look_at_the_status() -> Iterator[None]:
    """Commit without a word that would tell that the transaction was aborted."""
    with (
        patch.object(transactions, "_assert_not_aborted", lambda _: None),
        patch.object(outcome.Witness, "note", lambda *_: None),
    ):
        yield


@contextmanager
def without_question() -> Iterator[None]:
    """Take a COMMIT that nobody has answered for one that has failed."""
    with patch.object(outcome.Witness, "find_out", lambda *_: "undone"):
        yield
