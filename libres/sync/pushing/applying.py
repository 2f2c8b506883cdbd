"""Writes items in chunks, each in a savepoint; of a bad one what is good stays.

A chunk that fails is halved until those are found that are to blame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from libres.modules.errors import LibresError
from libres.sync.plain_rows import PLAIN_ROWS, Undo
from libres.sync.pushing.refusing import is_of_an_item, refused

if TYPE_CHECKING:
    from libres.sync.handlers import Handler, Item, Outcome, Work
    from libres.sync.registry import SyncModel


def handler_of(model: SyncModel) -> Handler:
    """Return what writes the rows of a model."""
    found: Handler = PLAIN_ROWS if model.handler is None else model.handler
    return found


def apply(work: Work, items: Sequence[Item]) -> dict[int, Outcome]:
    """Write items of one model and operation, each of another row; return what became
    of them by their index."""
    found: dict[int, Outcome] = {}
    if items:
        handler = handler_of(items[0].model)
        for chunk in _chunks(items, handler.batch):
            found |= _applied(work, handler, chunk)
    return found


def _chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _applied(
    work: Work, handler: Handler, items: Sequence[Item]
) -> Mapping[int, Outcome]:
    """Write a chunk, what cannot be written left out."""
    if not items:
        return {}
    try:
        with work.session.begin_nested():
            outcomes = handler.write(work, items)
            work.session.flush()
    except Undo as undo:
        rest = [each for each in items if each.index not in undo.refused]
        return {**undo.refused, **_applied(work, handler, rest)}
    except (DBAPIError, LibresError) as error:
        if not is_of_an_item(error):
            raise
        if len(items) == 1:
            return {items[0].index: refused(items[0], error)}
        return _halved(work, handler, items)
    return {i.index: each for i, each in zip(items, outcomes, strict=True)}


def _halved(
    work: Work, handler: Handler, items: Sequence[Item]
) -> Mapping[int, Outcome]:
    middle = len(items) // 2
    first = _applied(work, handler, items[:middle])
    return {**first, **_applied(work, handler, items[middle:])}
