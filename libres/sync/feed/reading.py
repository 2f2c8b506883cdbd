"""Reads the feed for one organisation: its own changes, and those of shared models.

Three ranges of indexes, each in order, merged: changes of others are not even touched.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from sqlalchemy import BigInteger, Integer, Text, bindparam, cast, select, text
from sqlalchemy import union_all as union

from libres.db.passing import fetch, passed_array
from libres.sync.feed import halving
from libres.sync.models import SyncChange
from libres.sync.models.columns import MOMENT
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Executable, Select
    from sqlalchemy.orm import Session

    from libres.context.core import Context
    from libres.sync.registry import Image


# How far it has got -------------------------------------------------------------------


class Head(NamedTuple):
    """How far a feed has got."""

    position: int
    numbered: datetime
    """When that was; now, if nothing was ever numbered."""

    kept: int
    """Changes up to this number are not kept any more."""


HEAD: Final = text("""\
SELECT coalesce(position, 0), coalesce(numbered, now()), coalesce(kept, 0)
FROM (SELECT set_config('libres.organization', :reference, true)) AS told
LEFT JOIN sync_feeds ON context = :context
""").bindparams(
    bindparam("context", type_=Text()), bindparam("reference", type_=Text())
)
"""Tells row-level security for whom it reads, too, without a statement of its own."""


def head(session: Session, context: str, reference: str) -> Head:
    """Return how far the feed has got, and read for an organisation from now on. One
    statement."""
    values = {"context": context, "reference": reference}
    return Head._make(fetch(session, HEAD, values)[0])


POSITION_AT: Final = text(
    """\
WITH RECURSIVE halved (kept, low, high) AS (
    SELECT kept, kept, position FROM sync_feeds WHERE context = :context
    UNION ALL
{step}
)
SELECT low, low = kept AND kept > 0 AS is_lost FROM halved WHERE low = high
""".format(step=halving.STEP.format(kept="kept,", before="<= :moment"))
).bindparams(bindparam("context", type_=Text()), bindparam("moment", type_=MOMENT))


def position_at(context: Context, moment: datetime) -> int | None:
    """Return the last position that was numbered at a moment, or before; None: that is
    not kept any more.

    One statement, in a transaction apart: changes of others are looked at as well,
    which row-level security hides from a member.
    """
    with apart(context) as connection:
        values = {"context": context.name, "moment": moment}
        found = connection.execute(POSITION_AT, values).one_or_none()
    if found is None:
        return 0
    return None if found.is_lost else int(found.low)


# Changes ------------------------------------------------------------------------------


class Change(NamedTuple):
    """A change of the feed; images as text."""

    position: int
    xid: int
    seq: int
    relation: str
    key: str
    before: str | None
    after: str | None
    tenant: str | None
    tenant_before: str | None
    numbered: datetime

    def image_before(self, reference: str) -> Image | None:
        """Return the row before; None: there was none, or it was somebody else's."""
        owner = self.tenant if self.tenant_before is None else self.tenant_before
        return _image(self.before, owner, reference)

    def image_after(self, reference: str) -> Image | None:
        """Return the row after; None: there is none, or it is somebody else's."""
        return _image(self.after, self.tenant, reference)


class Exact(float):
    """A number of an image that still knows how PostgreSQL wrote it: ``12.50``."""

    __slots__ = ("_text",)

    def __new__(cls, value: str) -> Self:
        """Read a number."""
        made = super().__new__(cls, value)
        made._text = value
        return made

    _text: str

    def __str__(self) -> str:
        return self._text


def _image(image: str | None, owner: str | None, reference: str) -> Image | None:
    if image is None or owner not in {None, reference}:
        return None
    read: Image = json.loads(image, parse_float=Exact)
    return read


def changes(
    session: Session,
    context: str,
    reference: str,
    relations: Collection[str],
    after: int,
    since: datetime,
    most: int,
) -> list[Change]:
    """Return the next changes of some tables after a position, for an organisation.

    *since* is a moment before which nothing after that position was numbered: older
    partitions are left out. One statement.
    """
    values = {
        "context": context,
        "reference": reference,
        "relations": sorted(relations),
        "after": after,
        "since": since,
        "most": most,
    }
    return [Change._make(row) for row in fetch(session, changes_after(), values)]


_TABLE: Final[Any] = SyncChange.__table__
_MOST: Final = bindparam("most", type_=Integer())


@cache
def changes_after() -> Executable:
    """What has changed for an organisation, what was taken from it, what is shared?"""
    reference = bindparam("reference", type_=Text())
    found = union(
        _range(_TABLE.c.tenant, _TABLE.c.tenant == reference),
        _range(_TABLE.c.tenant_before, _TABLE.c.tenant_before == reference),
        _range(_TABLE.c.tenant, _TABLE.c.tenant.is_(None)),
    ).subquery("found")
    return select(found).order_by(found.c.position).limit(_MOST)


def _range(owner: ColumnElement[Any], match: ColumnElement[bool]) -> Select[Any]:
    """Read a part of an index: ordered by all of it, since PostgreSQL does not see that
    what IS NULL is all the same."""
    after = bindparam("after", type_=BigInteger())
    relations: Any = passed_array("relations", Text())
    found = select(*_columns()).where(
        _TABLE.c.context == bindparam("context", type_=Text()),
        match,
        _TABLE.c.position > after,
        _TABLE.c.numbered >= bindparam("since", type_=MOMENT),
        _TABLE.c.relation == relations.any_(),
    )
    ordered = found.order_by(owner, _TABLE.c.position).limit(_MOST)
    return select(ordered.subquery())


def _columns() -> list[Any]:
    images = {"before", "after"}
    return [
        cast(_TABLE.c[name], Text).label(name) if name in images else _TABLE.c[name]
        for name in Change._fields
    ]
