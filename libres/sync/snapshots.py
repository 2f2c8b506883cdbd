"""Reads the rows of a model as they are now, in pages by their keys.

The feed goes on from a position that was taken before: what changes while the pages are
read comes again from there, with a higher version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, and_, cast, func, literal, select, true, tuple_

from libres.db.passing import fetch
from libres.sync.filters import filter_of
from libres.sync.models import SyncPending, SyncVersion
from libres.sync.tenancy import owned_by

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

    from libres.sync.registry import SyncModel
    from libres.sync.values import Member


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is now, with what Python holds of it."""

    key: tuple[Any, ...]
    values: Mapping[str, Any]
    version: int


def rows(
    session: Session,
    context: str,
    member: Member,
    model: SyncModel,
    after: object,
    most: int,
) -> list[Row]:
    """Return the first rows that a member sees behind an id, ordered by their keys.

    *after* is an id as clients know it; None: from the first one on. One statement.
    """
    last = None if after is None else model.read_id(after)
    query = statement(context, member, model, last, most)
    size = len(model.key)
    return [
        Row(
            tuple(row[:size]),
            dict(zip(model.fields, row[size:-1], strict=True)),
            row[-1],
        )
        for row in fetch(session, query, {})
    ]


def statement(
    context: str,
    member: Member,
    model: SyncModel,
    last: tuple[Any, ...] | None,
    most: int,
) -> Select[Any]:
    """What does a member see of a model behind a key, and in which version?"""
    page = _page(context, member, model, last, most).subquery("page")
    keys = [page.c[f"key_{number}"] for number in range(len(model.key))]
    match = [literal(context), literal(model.relation), _key_text(keys)]
    numbered = SyncVersion.__table__.alias("numbered")
    pending = _pending(match)
    version = func.greatest(
        func.coalesce(numbered.c.version, 0), func.coalesce(pending.c.version, 0)
    )
    fields = [page.c[f"field_{number}"] for number in range(len(model.fields))]
    is_its = and_(*(a == b for a, b in zip(_place(numbered), match, strict=True)))
    source = page.outerjoin(numbered, is_its).outerjoin(pending, true())
    return select(*keys, *fields, version).select_from(source).order_by(*keys)


def _page(
    context: str,
    member: Member,
    model: SyncModel,
    last: tuple[Any, ...] | None,
    most: int,
) -> Select[Any]:
    keys = [each.column for each in model.key]
    shown = [
        *(column.label(f"key_{number}") for number, column in enumerate(keys)),
        *(
            field.column.label(f"field_{number}")
            for number, field in enumerate(model.fields.values())
        ),
    ]
    match = _visible(context, member, model)
    if last is not None:
        match.append(tuple_(*keys) > tuple_(*_passed(keys, last)))
    return select(*shown).where(*match).order_by(*keys).limit(most)


def _visible(context: str, member: Member, model: SyncModel) -> list[Any]:
    match = [owned_by(model, member.organization.reference, context)]
    if model.where is not None:
        match.append(model.where)
    bound = filter_of(model, member)
    if bound is not None:
        match.append(bound.sql())
    return match


def _passed(keys: list[Any], values: tuple[Any, ...]) -> list[ColumnElement[Any]]:
    return [
        literal(value, column.type) for column, value in zip(keys, values, strict=True)
    ]


def _pending(match: list[Any]) -> Any:
    """What of a row is not numbered yet is newer than what is."""
    table = SyncPending.__table__
    found = select(func.max(table.c.seq).label("version"))
    its = [a == b for a, b in zip(_place(table), match, strict=True)]
    return found.where(*its).lateral("pending")


def _place(table: Any) -> list[Any]:
    return [table.c.context, table.c.relation, table.c.key]


def _key_text(keys: list[Any]) -> ColumnElement[str]:
    """Write a key as the feed does."""
    texts = [cast(each, Text) for each in keys]
    if len(texts) == 1:
        return texts[0]
    return cast(func.jsonb_build_array(*texts), Text)
