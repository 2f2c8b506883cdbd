"""The SQL of claims that more than one verb needs."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Text,
    and_,
    cast,
    func,
    or_,
    text,
)

from libres.conflicts.claim import Claim
from libres.conflicts.models import ConflictClaim
from libres.conflicts.values import NumericSpan, Period
from libres.domain.days import UTC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Executable, Row
    from sqlalchemy.dialects.postgresql import Range
    from sqlalchemy.orm import Session

BIND: Final = {"mapper": ConflictClaim.__mapper__}
"""Hosts may keep the tables of different models in different databases."""

COLUMNS: Final = (
    ConflictClaim.id,
    ConflictClaim.source,
    ConflictClaim.source_id,
    ConflictClaim.part,
    ConflictClaim.resource,
    ConflictClaim.during,
    ConflictClaim.span,
    ConflictClaim.span_given,
    ConflictClaim.dims,
    ConflictClaim.exclusive,
    ConflictClaim.capacity,
    ConflictClaim.places,
    ConflictClaim.tentative,
    ConflictClaim.expires,
    ConflictClaim.before,
    ConflictClaim.after,
    ConflictClaim.label,
    ConflictClaim.url,
    ConflictClaim.named,
    ConflictClaim.of_part,
)
"""What `claim_of` reads."""


STARTS: Final = func.coalesce(
    func.lower(ConflictClaim.during), text("'-infinity'::timestamptz")
)
"""When a claim starts; those that have always been there come first."""

ORDER: Final = (STARTS, ConflictClaim.id)


def is_of(context: Any, resource: Any) -> ColumnElement[bool]:
    """Does a claim have a resource? As `models.is_of`."""
    names = cast(context, Text), cast(resource, Text)
    return and_(
        ConflictClaim.hash == func.conflict_hash(*names),
        ConflictClaim.context == names[0],
        ConflictClaim.resource == names[1],
    )


def counts(now: Any) -> ColumnElement[bool]:
    """Has a claim not expired yet?"""
    return or_(ConflictClaim.expires.is_(None), ConflictClaim.expires > now)


def claim_of(row: Row[Any]) -> Claim:
    """Read a row of `COLUMNS`."""
    return Claim(
        id=row.id,
        source=row.source,
        source_id=row.source_id,
        part=row.part,
        resource=row.resource,
        blocked=period_of(row.during),
        span=span_of(row.span) if row.span_given else None,
        dims=row.dims,
        exclusive=row.exclusive,
        capacity=row.capacity,
        places=row.places,
        tentative=row.tentative,
        expires=_moment(row.expires),
        before=row.before,
        after=row.after,
        label=row.label,
        url=row.url,
        named=row.named,
        of_part=row.of_part,
    )


def period_of(during: Range[datetime]) -> Period:
    """Read a range of times."""
    return Period(_moment(during.lower), _moment(during.upper))


def _moment(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


def span_of(span: Range[Decimal]) -> NumericSpan | None:
    """Read a range of numbers; None if it holds all of them."""
    if span.lower is None and span.upper is None:
        return None
    return NumericSpan(span.lower, span.upper, span.bounds)


def fetch(
    session: Session, statement: Executable, parameters: Mapping[str, Any]
) -> list[Row[Any]]:
    """Run a statement that gives plain values; flushes before, as a query does."""
    if session.autoflush:
        session.flush()
    return list(session.execute(statement, parameters, bind_arguments=BIND))


def run(session: Session, statement: Executable, values: Any = None) -> None:
    """Run a statement that gives nothing."""
    session.execute(statement, values, bind_arguments=BIND)
