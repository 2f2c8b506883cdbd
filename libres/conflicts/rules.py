"""Decides what collides and what is free; takes values and gives values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from libres.conflicts.claim import Claim, Proposal
from libres.conflicts.errors import InvalidClaim
from libres.conflicts.values import NumericSpan, Period


class Taking(Protocol):
    """What takes places for a time: a claim, or a proposal."""

    @property
    def blocked(self) -> Period: ...

    @property
    def places(self) -> int: ...

    @property
    def capacity(self) -> int | None: ...


# What collides ------------------------------------------------------------------------


def in_the_way(wanted: Proposal, met: Sequence[Claim]) -> list[Claim]:
    """Return those claims that overlap a proposal and are in its way.

    Claims with a capacity let a proposal with one pass, unless together they want more
    places than it says there are; then those are in the way that make it too many.
    """
    if wanted.capacity is None:
        return list(met)
    counted = [claim for claim in met if is_counted(claim)]
    crowded = {claim.id for claim in crowd(wanted, counted)}
    return [claim for claim in met if not is_counted(claim) or claim.id in crowded]


def is_counted(claim: Claim) -> bool:
    """Tell whether a claim takes places of a capacity."""
    return claim.capacity is not None and claim.exclusive


def crowd(wanted: Taking, others: Sequence[Claim]) -> list[Claim]:
    """Return who is there at the moments at which there are not enough places."""
    overfull = [
        present
        for moment in _moments(wanted, others)
        if _places(present := _present(others, moment)) + wanted.places
        > (wanted.capacity or 0)
    ]
    crowded = {claim.id for present in overfull for claim in present}
    return [claim for claim in others if claim.id in crowded]


def _moments(wanted: Taking, others: Iterable[Taking]) -> Iterator[datetime | None]:
    """Yield when it may be fullest: when the wanted time starts, and others in it."""
    yield wanted.blocked.start
    for other in others:
        start = other.blocked.start
        if start is not None and _holds(wanted.blocked, start):
            yield start


def _present(others: Iterable[Claim], moment: datetime | None) -> list[Claim]:
    return [each for each in others if _holds(each.blocked, moment)]


def _holds(period: Period, moment: datetime | None) -> bool:
    if moment is None:
        return period.start is None
    begun = period.start is None or period.start <= moment
    return begun and (period.end is None or moment < period.end)


def _places(present: Iterable[Taking]) -> int:
    return sum(each.places for each in present)


def without_repeats(claims: Iterable[Claim]) -> list[Claim]:
    """Return each claim once, though it may have rows for several parts of a whole."""
    found: dict[tuple[str, str, int], Claim] = {}
    for claim in claims:
        part = claim.part if claim.of_part is None else claim.of_part
        first = found.setdefault((claim.source, claim.source_id, part), claim)
        if first.of_part is not None and claim.of_part is None:
            found[claim.source, claim.source_id, part] = claim
    return list(found.values())


def within(asked: Sequence[tuple[Proposal, Sequence[str]]]) -> list[list[int]]:
    """Tell which proposals collide with each other; the keys of each are given.

    The n-th list holds the numbers of the others with which the n-th one collides.
    """
    met: list[set[int]] = [set() for _ in asked]
    for numbers in _by_key(asked).values():
        for one, other in _overlapping([(n, asked[n][0]) for n in numbers]):
            met[one].add(other)
            met[other].add(one)
    return [sorted(numbers) for numbers in met]


def _by_key(asked: Sequence[tuple[Proposal, Sequence[str]]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, (_proposal, keys) in enumerate(asked):
        for key in dict.fromkeys(keys):
            found.setdefault(key, []).append(number)
    return found


def _overlapping(
    proposals: Iterable[tuple[int, Proposal]],
) -> Iterator[tuple[int, int]]:
    active: list[tuple[int, Proposal]] = []
    for number, proposal in sorted(proposals, key=_start):
        active = [each for each in active if each[1].blocked.overlaps(proposal.blocked)]
        meets = [each for each in active if _spans_meet(each[1], proposal)]
        for other, _ in _collide(proposal, meets):
            yield other, number
        active.append((number, proposal))


def _start(numbered: tuple[int, Proposal]) -> float:
    start = numbered[1].blocked.start
    return float("-inf") if start is None else start.timestamp()


def _spans_meet(one: Proposal, other: Proposal) -> bool:
    if one.span is None or other.span is None:
        return True
    return span_overlap(one.span, other.span) is not None


def _collide(
    proposal: Proposal, meets: Sequence[tuple[int, Proposal]]
) -> list[tuple[int, Proposal]]:
    """Return with whom a proposal collides; those that count places only if they run
    out when it starts."""
    counted = [each for each in meets if each[1].capacity is not None]
    if proposal.capacity is None:
        return list(meets)
    wanted = proposal.places + _places(each for _, each in counted)
    if wanted > proposal.capacity:
        return list(meets)
    return [each for each in meets if each[1].capacity is None]


# How it collides ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hit:
    """A claim that is in the way, and where it overlaps."""

    claim: Claim
    during: Period
    """The time both want, with what is needed around it."""

    numbers: NumericSpan | None
    """The numbers both want; None if neither said any."""

    dims: dict[str, Any]
    """The pairs both have."""

    only_around: bool
    """Whether just the time around them meets, to travel or to clean."""

    @property
    def duration(self) -> timedelta | None:
        """For how long; None: without end."""
        start, end = self.during.start, self.during.end
        return None if start is None or end is None else end - start

    def __str__(self) -> str:
        said = f"{self.claim} overlaps for {self.during}"
        if self.numbers is not None:
            said += f" at {self.numbers}"
        return f"{said}, around it only" if self.only_around else said


def hit(wanted: Proposal, claim: Claim) -> Hit:
    """Say where a claim overlaps a proposal. Raises InvalidClaim if it does not."""
    shared = wanted.blocked.overlap(claim.blocked)
    if shared is None:
        message = f"{claim} does not overlap {wanted.during}."
        raise InvalidClaim(message)
    return Hit(
        claim=claim,
        during=shared,
        numbers=_shared_numbers(wanted.span, claim.span),
        dims=_shared_pairs(wanted.dims, claim.dims),
        only_around=not wanted.during.overlaps(claim.during),
    )


def _shared_numbers(
    one: NumericSpan | None, other: NumericSpan | None
) -> NumericSpan | None:
    if one is None or other is None:
        return one or other
    return span_overlap(one, other)


def _shared_pairs(
    one: dict[str, Any] | None, other: dict[str, Any] | None
) -> dict[str, Any]:
    known = other or {}
    missing = object()
    return {
        key: value
        for key, value in (one or {}).items()
        if known.get(key, missing) == value
    }


def span_overlap(one: NumericSpan, other: NumericSpan) -> NumericSpan | None:
    """Return the numbers that both spans hold, None if there are none."""
    lower, opens = max(_lower(one), _lower(other))
    upper, closes = min(_upper(one), _upper(other))
    if lower > upper or (lower == upper and (opens or not closes)):
        return None
    bounds = f"{'(' if opens else '['}{']' if closes else ')'}"
    return NumericSpan(
        lower if lower.is_finite() else None,
        upper if upper.is_finite() else None,
        bounds,  # type: ignore[arg-type]  # one of the four
    )


def _lower(span: NumericSpan) -> tuple[Decimal, bool]:
    """The lower end, and whether it is left out; to be compared."""
    lower = Decimal("-Infinity") if span.lower is None else span.lower
    return lower, span.bounds[0] == "("


def _upper(span: NumericSpan) -> tuple[Decimal, bool]:
    """The upper end, and whether it belongs to the span; to be compared."""
    upper = Decimal("Infinity") if span.upper is None else span.upper
    return upper, span.bounds[1] == "]"


# What is free -------------------------------------------------------------------------


def gaps(
    asked: Period, busy: Iterable[Period], min_length: timedelta | None = None
) -> list[Period]:
    """Return what is left of a time without the busy ones, by start."""
    left = [asked]
    for taken in busy:
        left = [gap for each in left for gap in _without(each, taken)]
    return [gap for gap in left if _is_long_enough(gap, min_length)]


def _without(period: Period, taken: Period) -> Iterator[Period]:
    if not period.overlaps(taken):
        yield period
        return
    if taken.start is not None and _begins_earlier(period, taken.start):
        yield Period(period.start, taken.start)
    if taken.end is not None and _ends_later(period, taken.end):
        yield Period(taken.end, period.end)


def _begins_earlier(period: Period, moment: datetime) -> bool:
    return period.start is None or period.start < moment


def _ends_later(period: Period, moment: datetime) -> bool:
    return period.end is None or moment < period.end


def _is_long_enough(gap: Period, min_length: timedelta | None) -> bool:
    if min_length is None or gap.start is None or gap.end is None:
        return True
    return gap.end - gap.start >= min_length


def nearest(wanted: Proposal, free: Iterable[Period]) -> list[Proposal]:
    """Move the proposal into each gap that is long enough; the nearest comes first."""
    moved = (_moved_into(wanted, gap) for gap in free)
    found = [each for each in moved if each is not None]
    return sorted(found, key=lambda each: distance(wanted, each))


def distance(one: Proposal, other: Proposal) -> timedelta:
    """Return how far apart two proposals start."""
    starts = one.during.start, other.during.start
    if starts[0] is None or starts[1] is None:
        return timedelta.max
    return abs(starts[0] - starts[1])


def _moved_into(wanted: Proposal, gap: Period) -> Proposal | None:
    start, end = wanted.blocked.start, wanted.blocked.end
    if start is None or end is None:
        return None
    length = end - start
    if gap.end is not None:
        start = min(start, gap.end - length)
    if gap.start is not None:
        start = max(start, gap.start)
    if gap.end is not None and start + length > gap.end:
        return None
    begin = start + wanted.before
    return replace(
        wanted, during=Period(begin, begin + (length - wanted.before - wanted.after))
    )
