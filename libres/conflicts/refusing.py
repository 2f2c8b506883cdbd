"""Turns what the guard says into an error that names those who were first.

The guard sees rows that the own snapshot does not show, as it must. At SERIALIZABLE
nothing is to be known of such a row but what the guard says; and the column
`ConflictClaim.turn` is made so that it says whose claim it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Boolean,
    DateTime,
    Text,
    and_,
    bindparam,
    cast,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import NUMRANGE, TSTZRANGE
from sqlalchemy.exc import DBAPIError

from libres.conflicts import statements
from libres.conflicts.claim import Claim
from libres.conflicts.errors import ConflictError
from libres.conflicts.models import CAPACITY, GUARD, ConflictClaim
from libres.context.drivers import driver_error

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

_RANGE: Final = r'[\[(](?:"[^"]*"|[^,"\])]*),(?:"[^"]*"|[^,"\])]*)[\])]'

_ROW: Final = re.compile(
    f"=\\({_RANGE}, (?P<during>{_RANGE}), (?P<span>{_RANGE}), "
    '\\["?[^\x1f]*\x1f[^\x1f]*\x1f(?:!\\d+)?"?,"?[^\x1f]*\x1f(?P<resource>[^\x1f]*)\x1f'
    "(?P<kind>[!~])(?P<id>\\d+)\x1f(?P<source>[^\x1f]+)\x1f"
    "(?P<source_id>[^\x1f]+)\x1f(?P<part>-?\\d+)"
)
"""Finds a row in what the guard says; in every language, as only names are words."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the guard has named it; ranges are written as PostgreSQL does."""

    id: int
    source: str
    source_id: str
    part: int
    resource: str
    during: str
    span: str
    has_capacity: bool

    @classmethod
    def found(cls, match: re.Match[str]) -> Row:
        """Read what `_ROW` has found."""
        return cls(
            id=int(match["id"]),
            source=_unquoted(match["source"]),
            source_id=_unquoted(match["source_id"]),
            part=int(match["part"]),
            resource=_unquoted(match["resource"]),
            during=match["during"],
            span=match["span"],
            has_capacity=match["kind"] == "!",
        )


def _unquoted(text: str) -> str:
    """Undo what PostgreSQL does to quotes and backslashes within a range."""
    return text.replace('""', '"').replace("\\\\", "\\")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the guard refused, and because of what."""

    refused: Row
    winner: Row | None
    """Whose claim it met; None if there were not enough places."""

    @property
    def meets_alone(self) -> bool:
        """Whether claims that want to be alone may be in the way."""
        return self.winner is not None

    @property
    def meets_counted(self) -> bool:
        """Whether claims with a capacity may be in the way."""
        return self.winner is None or not self.refused.has_capacity


def refusal_of(error: DBAPIError) -> Refusal | None:
    """Read an error of the guard, or None if it is another one."""
    diagnosis: Any = getattr(driver_error(error), "diag", None)
    constraint = getattr(diagnosis, "constraint_name", None)
    if constraint not in (GUARD, CAPACITY):
        return None
    rows = map(Row.found, _ROW.finditer(diagnosis.message_detail or ""))
    refused = next(rows, None)
    return None if refused is None else Refusal(refused, next(rows, None))


@contextmanager
def translated(session: Session, context: str, now: datetime) -> Iterator[None]:
    """Run a block in a savepoint; raise ConflictError for what the guard refuses.

    The savepoint is rolled back then, so the session can be used on.
    """
    try:
        with session.begin_nested():
            yield
    except DBAPIError as error:
        refusal = refusal_of(error)
        if refusal is None:
            raise
        found = winners(session, context, refusal, now)
        raise ConflictError(found, refusal.refused) from error


def winners(
    session: Session, context: str, refusal: Refusal, now: datetime
) -> list[Claim]:
    """Load whom a refused row has met, by start; last what is not seen yet."""
    found = _seen(session, context, refusal, now)
    winner = refusal.winner
    if winner is None or winner.id in {claim.id for claim in found}:
        return found
    return [*found, _told(session, winner)]


def _seen(
    session: Session, context: str, refusal: Refusal, now: datetime
) -> list[Claim]:
    refused = refusal.refused
    values = {
        "context": context,
        "resource": refused.resource,
        "during": refused.during,
        "span": refused.span,
        "meets_alone": refusal.meets_alone,
        "meets_counted": refusal.meets_counted,
        "now": now,
    }
    rows = map(statements.claim_of, statements.fetch(session, _meeting(), values))
    own = (refused.source, refused.source_id, refused.part)
    return [claim for claim in rows if claim.identity != own]


@cache
def _meeting() -> Any:
    """Which claims does a row meet, as far as the own snapshot shows them?"""
    is_alone = ConflictClaim.capacity.is_(None)
    return (
        select(*statements.COLUMNS)
        .where(
            statements.is_of(bindparam("context"), bindparam("resource")),
            ConflictClaim.during.op("&&")(_range("during", TSTZRANGE())),
            ConflictClaim.span.op("&&")(_range("span", NUMRANGE())),
            ConflictClaim.exclusive,
            statements.counts(bindparam("now", type_=DateTime(timezone=True))),
            or_(
                and_(is_alone, bindparam("meets_alone", type_=Boolean())),
                and_(not_(is_alone), bindparam("meets_counted", type_=Boolean())),
            ),
        )
        .order_by(*statements.ORDER)
    )


def _range(name: str, kind: Any) -> ColumnElement[Any]:
    return cast(cast(bindparam(name), Text), kind)


def _told(session: Session, row: Row) -> Claim:
    """Make a claim of what the guard has told, as the row cannot be seen."""
    ranges = select(
        _range("during", TSTZRANGE()).label("during"),
        _range("span", NUMRANGE()).label("span"),
    )
    values = {"during": row.during, "span": row.span}
    (read,) = statements.fetch(session, ranges, values)
    return Claim(
        id=row.id,
        source=row.source,
        source_id=row.source_id,
        part=row.part,
        resource=row.resource,
        blocked=statements.period_of(read.during),
        span=statements.span_of(read.span),
    )
