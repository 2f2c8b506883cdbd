"""Asks for claims by conditions that are added one after the other."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import DateTime, and_, func, or_, select, tuple_
from sqlalchemy import cast as as_type
from sqlalchemy.dialects.postgresql import JSONB

from libres.conflicts import statements
from libres.conflicts.claim import Claim
from libres.conflicts.errors import EmptyQuery, IncompleteQuestion, InvalidClaim
from libres.conflicts.keys import resource_key
from libres.conflicts.models import ConflictClaim
from libres.conflicts.values import (
    Bounds,
    Doubtful,
    Moment,
    Number,
    NumericSpan,
    Open,
    Period,
    dims_of,
    id_of,
    name_of,
    period_of,
    span_of,
    whole_of,
)
from libres.db.models.timestamp import TimestampMixin

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from libres.context.core import Context

MOST_RESOURCES: Final = 100
"""Resources that one query may name."""

LARGEST_PAGE: Final = 1000

Missing = Literal["collide", "ignore"]
"""What a claim without a span does to a question that has one."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some claims, and where to go on."""

    claims: list[Claim]
    next: str | None
    """What to pass as *after* for the next page; None: this was the last one."""


@dataclass(frozen=True, slots=True)
class ClaimQuery:
    """A question about the claims of a context. Each condition gives a new query.

    Claims come by start, those without one first, then by id. Expired ones never come.
    """

    context: Context
    session: Session
    conditions: tuple[ColumnElement[bool], ...] = ()
    leaves_out: tuple[ColumnElement[bool], ...] = ()
    said: frozenset[str] = frozenset()

    # Conditions -----------------------------------------------------------------------

    def resource(self, *resources: str) -> ClaimQuery:
        """Ask for claims of one of these resources.

        Raises IncompleteQuestion without any, InvalidClaim for more than 100.
        """
        if not resources:
            message = "Name at least one resource."
            raise IncompleteQuestion(message)
        if len(resources) > MOST_RESOURCES:
            message = f"A query may name {MOST_RESOURCES} resources at most."
            raise InvalidClaim(message)
        keys = dict.fromkeys(resource_key(self.context, each) for each in resources)
        own = [statements.is_of(self.context.name, key) for key in keys]
        return self._with("resource", or_(*own))

    def during(
        self,
        start: Moment | None,
        end: Moment | None,
        *,
        timezone: str | None = None,
        doubtful: Doubtful = "refuse",
    ) -> ClaimQuery:
        """Ask for claims that overlap a time, touching is not enough; OPEN for no end.

        Raises IncompleteQuestion if an end is None, InvalidClaim if it does not end
        after it starts, NotTimezoneAware for naive ends without a *timezone*.
        """
        period = period_of((start, end), timezone, doubtful)
        return self._with("during", _overlaps(period))

    def span(
        self,
        lower: Number | Open | None,
        upper: Number | Open | None,
        *,
        bounds: Bounds = "[]",
        missing: Missing = "collide",
    ) -> ClaimQuery:
        """Ask for claims that overlap a span of numbers; OPEN for no end.

        A claim that says no span has all of it, unless *missing* is ``ignore``.
        """
        span = span_of((lower, upper), bounds)
        assert span is not None  # noqa: S101 - as a tuple was given
        found: ColumnElement[bool] = ConflictClaim.span.op("&&")(_numbers(span))
        if checked_missing(missing) == "ignore":
            found = and_(found, ConflictClaim.span_given)
        return self._with("span", found)

    def dims(self, **pairs: Any) -> ClaimQuery:
        """Ask for claims that have all these pairs. Raises IncompleteQuestion without
        any."""
        if not pairs:
            message = "Name at least one pair."
            raise IncompleteQuestion(message)
        wanted = as_type(dims_of(pairs), JSONB)
        return self._with("dims", ConflictClaim.dims.op("@>")(wanted))

    def source(self, source: str) -> ClaimQuery:
        """Ask for claims of one source."""
        own = ConflictClaim.source == name_of(source, "source")
        return self._with("source", own)

    def without(self, source: str, source_id: object) -> ClaimQuery:
        """Leave out a record, as that which is being changed."""
        record = and_(
            ConflictClaim.source == name_of(source, "source"),
            ConflictClaim.source_id == id_of(source_id),
        )
        return replace(self, leaves_out=(*self.leaves_out, ~record))

    def _with(self, name: str, condition: ColumnElement[bool]) -> ClaimQuery:
        if name in self.said:
            message = f"{name}() was said already: ask twice, or say it in one."
            raise InvalidClaim(message)
        return replace(
            self,
            conditions=(*self.conditions, condition),
            said=self.said | {name},
        )

    # Answers --------------------------------------------------------------------------

    def all(self) -> list[Claim]:
        """Return all claims. Raises EmptyQuery without a condition, as all answers."""
        return self._claims(self._ordered())

    def first(self) -> Claim | None:
        """Return the first claim, or None."""
        return next(iter(self._claims(self._ordered().limit(1))), None)

    def exists(self) -> bool:
        """Tell whether there is a claim."""
        return bool(self._scalar(select(self._found(ConflictClaim.id).exists())))

    def count(self) -> int:
        """Return the number of claims."""
        return int(self._scalar(self._found(func.count())))

    def page(self, limit: int = 100, after: str | None = None) -> Page:
        """Return *limit* claims at most (1 to 1,000), *after* those of another page.

        Raises InvalidClaim if *after* is not what a page has said.
        """
        if whole_of(limit, "limit", least=1) > LARGEST_PAGE:
            message = f"A page has {LARGEST_PAGE} claims at most, not {limit}."
            raise InvalidClaim(message)
        query = self._ordered().limit(limit + 1)
        if after is not None:
            place = tuple_(statements.STARTS, ConflictClaim.id)
            query = query.where(place > tuple_(*_place(after)))
        claims = self._claims(query)
        more = len(claims) > limit
        return Page(claims[:limit], _cursor(claims[limit - 1]) if more else None)

    def _found(self, *columns: Any) -> Any:
        if not self.conditions:
            raise EmptyQuery
        own = ConflictClaim.context == self.context.name
        counts = statements.counts(TimestampMixin.timestamp())
        return (
            select(*columns)
            .select_from(ConflictClaim)
            .where(own, *self.conditions, *self.leaves_out, counts)
        )

    def _ordered(self) -> Any:
        return self._found(*statements.COLUMNS).order_by(*statements.ORDER)

    def _claims(self, query: Any) -> list[Claim]:
        rows = statements.fetch(self.session, query, {})
        return list(map(statements.claim_of, rows))

    def _scalar(self, query: Any) -> Any:
        return statements.fetch(self.session, query, {})[0][0]


def _overlaps(period: Period) -> ColumnElement[bool]:
    moments = (_moment(period.start), _moment(period.end))
    found: ColumnElement[bool] = ConflictClaim.during.op("&&")(func.tstzrange(*moments))
    return found


def _moment(moment: Any) -> ColumnElement[Any]:
    return as_type(moment, DateTime(timezone=True))


def _numbers(span: NumericSpan) -> ColumnElement[Any]:
    return func.numrange(span.lower, span.upper, span.bounds)


def checked_missing(missing: object) -> object:
    """Return what was said itself. Raises InvalidClaim unless it can be said."""
    if missing not in ("collide", "ignore"):
        message = f"missing is 'collide' or 'ignore', not {missing!r}."
        raise InvalidClaim(message)
    return missing


# Pages --------------------------------------------------------------------------------


def _cursor(claim: Claim) -> str:
    start = claim.blocked.start
    place = f"{'' if start is None else start.isoformat()} {claim.id}"
    return base64.urlsafe_b64encode(place.encode()).decode()


def _place(cursor: object) -> Sequence[Any]:
    try:
        if not isinstance(cursor, str):
            raise TypeError
        start, number = (
            base64.b64decode(cursor, b"-_", validate=True).decode().split(" ")
        )
        moment = datetime.fromisoformat(start) if start else None
        found = _id(int(number))
    except (TypeError, ValueError, binascii.Error) as error:
        message = f"{str(cursor)[:60]!r} is no place in a list: pass Page.next."
        raise InvalidClaim(message) from error
    begin = "-infinity" if moment is None else moment.isoformat()
    return as_type(begin, DateTime(timezone=True)), found


def _id(number: int) -> int:
    """Return an id that fits. Raises ValueError for one that cannot exist."""
    if not 0 <= number < 2**63:
        raise ValueError
    return number
