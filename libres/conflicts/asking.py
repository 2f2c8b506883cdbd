"""Answers whether proposals are free, why not, and what is free instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from libres.conflicts import rules, statements
from libres.conflicts.asking_statements import (
    busy,
    checking,
    checking_parameters,
    counting,
)
from libres.conflicts.claim import NO_TIME, Claim, Proposal
from libres.conflicts.errors import InvalidClaim
from libres.conflicts.passing import batches, read_proposal
from libres.conflicts.query import Missing, checked_missing
from libres.conflicts.values import Period, period_of, whole_of
from libres.db.models.timestamp import TimestampMixin

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

HORIZON: Final = timedelta(days=14)
"""How far to look for something that is free, in both directions."""

MOST_SUGGESTIONS: Final = 100

ASK_SCHEDULER: Final = "conflicts_ask_scheduler"
"""The setting of a context that makes questions count what its schedulers have
reserved, though it is not mirrored; default: False."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is in the way of one proposal of several."""

    index: int
    """Which proposal, from 0."""

    conflicts: list[Claim]
    """The claims in its way, by start."""

    within: list[int]
    """The other proposals in its way, by their index; empty if it was not asked."""

    @property
    def is_free(self) -> bool:
        """Whether nothing is in its way."""
        return not self.conflicts and not self.within


@dataclass(frozen=True, slots=True)
class Metrics:
    """How many claims a source has."""

    source: str
    claims: int
    exclusive: int
    tentative: int
    expired: int
    """Those that count for nothing any more, and may be dropped."""

    counted: int
    """Those with a capacity."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found for one proposal: claims, and the keys it is about."""

    proposal: Proposal
    keys: list[str]
    claims: list[Claim]

    @property
    def conflicts(self) -> list[Claim]:
        met = rules.in_the_way(self.proposal, self.claims)
        return rules.without_repeats(met)


# Is it free? --------------------------------------------------------------------------


def check(
    context: Context, session: Session, proposal: Proposal, missing: Missing
) -> list[Claim]:
    """Return the claims in the way of one proposal."""
    (found,) = _look(context, session, [read_proposal(proposal)], missing)
    return found.conflicts


def check_many(
    context: Context,
    session: Session,
    proposals: Iterable[Proposal | Mapping[str, Any]],
    within: bool,
    missing: Missing,
) -> list[Answer]:
    """Return what is in the way of each proposal, in their order."""
    asked = [read_proposal(each) for each in proposals]
    found = list(_look(context, session, asked, missing))
    others: list[list[int]] = [[] for _ in found]
    if within:
        others = rules.within([(each.proposal, each.keys) for each in found])
    return [
        Answer(index, each.conflicts, met)
        for index, (each, met) in enumerate(zip(found, others, strict=True))
    ]


def explain(
    context: Context, session: Session, proposal: Proposal, missing: Missing
) -> list[rules.Hit]:
    """Return where each claim in the way overlaps a proposal."""
    met = check(context, session, proposal, missing)
    return [rules.hit(proposal, claim) for claim in met]


def matrix(
    context: Context,
    session: Session,
    proposals: Iterable[Proposal | Mapping[str, Any]],
) -> list[list[bool]]:
    """Return which of several proposals collide, with claims on the diagonal."""
    answers = check_many(context, session, proposals, within=True, missing="collide")
    size = range(len(answers))
    return [
        [
            bool(answer.conflicts) if other == answer.index else other in answer.within
            for other in size
        ]
        for answer in answers
    ]


def _look(
    context: Context, session: Session, asked: Sequence[Proposal], missing: Missing
) -> Iterator[_Found]:
    checked_missing(missing)
    now = TimestampMixin.timestamp()
    for some in batches(asked):
        values = checking_parameters(context, some, missing, now)
        rows = statements.fetch(session, checking(_asks_scheduler(context)), values)
        found = [_Found(each, [], []) for each in some]
        for row in rows:
            each = found[row.position - 1]
            each.keys.append(row.asked)
            if row.id is not None:
                each.claims.append(statements.claim_of(row))
        yield from found


def _asks_scheduler(context: Context) -> bool:
    return context.get_setting(ASK_SCHEDULER) is True


# What is free? ------------------------------------------------------------------------


def free_between(
    context: Context,
    session: Session,
    resource: str,
    during: object,
    timezone: str | None,
    min_length: timedelta | None,
) -> list[Period]:
    """Return the gaps of a resource."""
    _check_length(min_length)
    asked = Proposal(resource=resource, during=period_of(during, timezone))
    (taken,) = _busy(context, session, [asked])
    return rules.gaps(asked.during, taken, min_length)


def suggest(
    context: Context,
    session: Session,
    proposal: Proposal,
    n: int,
    resources: Iterable[str],
) -> list[Proposal]:
    """Return what is free instead: other resources then, or this one another time."""
    if whole_of(n, "number of suggestions", least=1) > MOST_SUGGESTIONS:
        message = f"At most {MOST_SUGGESTIONS} suggestions can be asked for."
        raise InvalidClaim(message)
    horizon = _horizon(read_proposal(proposal))
    other = [replace(proposal, resource=name) for name in resources]
    around = replace(proposal, during=horizon, before=NO_TIME, after=NO_TIME)
    taken, *elsewhere = _busy(context, session, [around, *other])
    same_time = [each for each, met in zip(other, elsewhere, strict=True) if not met]
    free = rules.gaps(horizon, taken)
    return [*same_time, *rules.nearest(proposal, free)][:n]


def _horizon(proposal: Proposal) -> Period:
    start, end = proposal.blocked.start, proposal.blocked.end
    if start is None or end is None:
        message = "A time without an end cannot be moved: nothing can be suggested."
        raise InvalidClaim(message)
    now = TimestampMixin.timestamp()
    last = Period(end=end).widened(NO_TIME, HORIZON).end
    first = Period(start=start).widened(HORIZON, NO_TIME).start
    begin = first if first is not None and (end <= now or first > now) else now
    return Period(min(begin, start), last)


def _busy(
    context: Context, session: Session, asked: Sequence[Proposal]
) -> list[list[Period]]:
    """Return when the resource of each proposal is taken, of its time, by start."""
    found: list[list[Period]] = [[] for _ in asked]
    now = TimestampMixin.timestamp()
    first = 0
    for some in batches(asked):
        values = checking_parameters(context, some, "collide", now)
        rows = statements.fetch(session, busy(_asks_scheduler(context)), values)
        for row in rows:
            found[first + row.position - 1].append(statements.period_of(row.during))
        first += len(some)
    return found


def _check_length(min_length: object) -> None:
    if min_length is None:
        return
    if not isinstance(min_length, timedelta) or min_length <= NO_TIME:
        message = f"min_length is a timedelta above zero or None, not {min_length!r}."
        raise InvalidClaim(message)


# How many? ----------------------------------------------------------------------------


def metrics(context: Context, session: Session) -> list[Metrics]:
    """Count the claims of each source."""
    values = {"context": context.name, "now": TimestampMixin.timestamp()}
    return [
        Metrics(**row._mapping) for row in statements.fetch(session, counting(), values)
    ]
