"""Decides what comparing reservations with counts finds, and what may be given back;
pure: others load, store and act."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate, groupby
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from libres.domain.spans import Span
from libres.modules.rasterizer import Raster
from libres.occupancy.algebra import Item, Passage, Policy, replay, shown
from libres.timetable.rules import clipped, inward, merged, without

Kind: TypeAlias = Literal["no_show", "ended_early", "over_capacity", "unbooked"]
"""What is stored."""

Verdict: TypeAlias = Literal[Kind, "unknown"]
"""Unknown: a sensor was silent, so nobody can tell, and nothing is stored or done."""

Kept: TypeAlias = Literal[
    "exempt", "not_partly_available", "several_places", "came_later", "silent", "begun"
]
"""Why nothing of a reservation is given back."""

CHECK_IN_EARLY: Final = timedelta(hours=1)
"""How long before the start one may say to be there."""


# What is known ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reserved:
    """An approved reservation at one of its times; that of a group has several."""

    id: int
    token: UUID
    resource: UUID
    type: str
    """Which class of the host it is of."""

    email: str
    quota: int
    span: Span
    timezone: str
    raster: Raster
    is_partly: bool
    """Whether parts of the allocation may be reserved; never those of a group."""

    check_ins: Sequence[datetime] = ()
    """When somebody said to be there, at any of its times."""

    def check_ins_until(self, moment: datetime) -> list[datetime]:
        """Return those of this time, from an hour before it on."""
        first = self.span.start - CHECK_IN_EARLY
        return [each for each in self.check_ins if first <= each <= moment]


@dataclass(frozen=True, slots=True)
class Level:
    """How many were in a space for a time."""

    span: Span
    count: int


@dataclass(frozen=True)
class Seen:
    """What the sensors of a space told of a time, its last moment included."""

    space: UUID
    before: int
    """The count just before the time."""

    items: Sequence[Item]
    """What changed the count, in order."""

    silences: Sequence[Span]
    """When nobody knows; sorted, and none touches another."""

    policy: Policy

    @cached_property
    def moments(self) -> list[datetime]:
        """When the count changed."""
        return [each.moment for each in self.items]

    @cached_property
    def counts(self) -> list[int]:
        """The count after each item."""
        return replay(self.items, self.before, self.policy)

    def count_at(self, moment: datetime) -> int:
        """Return how many are inside; what happens exactly then counts."""
        number = bisect_right(self.moments, moment)
        return self.counts[number - 1] if number else self.before

    def signs_of_life(self, span: Span) -> list[datetime]:
        """Return when somebody passed, or was known to be inside, after the start of a
        span and up to its end.

        Who leaves was inside, whatever the count says.
        """
        first = bisect_right(self.moments, span.start)
        last = bisect_right(self.moments, span.end)
        return [
            self.moments[each]
            for each in range(first, last)
            if isinstance(self.items[each], Passage) or self.counts[each] > 0
        ]

    def levels(self, span: Span) -> list[Level]:
        """Return what readers are told of a span within it: a count for each part."""
        first = bisect_right(self.moments, span.start)
        last = bisect_left(self.moments, span.end)
        starts = [span.start, *self.moments[first:last]]
        counts = [self.count_at(span.start), *self.counts[first:last]]
        ends = [*starts[1:], span.end]
        return [
            Level(Span(start, end), shown(count, self.policy))
            for start, end, count in zip(starts, ends, counts, strict=True)
            if start < end
        ]

    def known_levels(self, span: Span) -> list[Level]:
        """Return the same without the time in which a sensor was silent."""
        return [
            Level(part, level.count)
            for level in self.levels(span)
            for part in without([level.span], self.silences_in(level.span))
        ]

    def silences_in(self, span: Span) -> list[Span]:
        """Return the parts of a span in which a sensor was silent."""
        first = bisect_right(self.silences, span.start, key=lambda each: each.end)
        last = bisect_left(self.silences, span.end, key=lambda each: each.start)
        return clipped(self.silences[first:last], span)


# What is found ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found of a reservation, or of a space without one."""

    kind: Verdict
    space: UUID
    during: Span
    evidence: Mapping[str, Any]
    """Texts, numbers and lists of them."""

    reserved: Reserved | None = None
    """None: nobody had reserved, or it does not matter."""

    kept: Kept | None = None
    """Why nothing may be given back: somebody came after all, or may have come."""


Rule: TypeAlias = Callable[[Reserved, Sequence[Seen], datetime], Judged | None]
"""Judges a reservation by the spaces of its resource, as it is known at a moment."""


def no_show(grace: timedelta) -> Rule:
    """Make the rule that finds those who did not come in time.

    From the start until it is over, or *grace* later, nobody was inside or passed, and
    nobody said to be there.
    """

    def rule(
        reserved: Reserved, seen: Sequence[Seen], moment: datetime
    ) -> Judged | None:
        start, end = reserved.span.start, reserved.span.end
        waited = Span(start, min(start + grace, end))
        if moment < waited.end or _came(reserved, seen, waited):
            return None
        evidence = {"grace": grace.total_seconds(), "counts": _counts(seen, start)}
        later = Span(waited.end, min(moment, end))
        kept = _since(reserved, seen, later)
        found = Judged("no_show", seen[0].space, waited, evidence, reserved, kept)
        return _unless_silent(reserved, seen, waited, found)

    return rule


def _since(reserved: Reserved, seen: Sequence[Seen], later: Span) -> Kept | None:
    """Tell whether somebody came who was not waited for any longer, or may have."""
    if _came(reserved, seen, later):
        return "came_later"
    return "silent" if any(each.silences_in(later) for each in seen) else None


def ended_early(empty: timedelta) -> Rule:
    """Make the rule that finds those who left at least *empty* before the end.

    Before the end has come, they must have been gone for that long by now.
    """

    def rule(
        reserved: Reserved, seen: Sequence[Seen], moment: datetime
    ) -> Judged | None:
        start, end = reserved.span.start, reserved.span.end
        known = Span(start, min(moment, end))
        left = _left(reserved, seen, known)
        if left is None or known.end - left < empty:
            return None
        evidence = {"empty": empty.total_seconds(), "left": left.isoformat()}
        found = Judged(
            "ended_early", seen[0].space, Span(left, end), evidence, reserved
        )
        return _unless_silent(reserved, seen, known, found)

    return rule


def _came(reserved: Reserved, seen: Sequence[Seen], span: Span) -> bool:
    """Tell whether anybody was there, both ends of the span included."""
    return (
        _is_inside(seen, span.start)
        or any(each.signs_of_life(span) for each in seen)
        or bool(reserved.check_ins_until(span.end))
    )


def _is_inside(seen: Iterable[Seen], moment: datetime) -> bool:
    return any(each.count_at(moment) > 0 for each in seen)


def _counts(seen: Iterable[Seen], moment: datetime) -> dict[str, int]:
    return {str(each.space): each.count_at(moment) for each in seen}


def _left(reserved: Reserved, seen: Sequence[Seen], span: Span) -> datetime | None:
    """Tell when the last one left; None: nobody did, or the sensors saw nobody.

    A mere check-in is not enough: if the sensors did not see who is there, they do not
    see who leaves either.
    """
    signs = [sign for each in seen for sign in _signs(each, span)]
    if not signs or _is_inside(seen, span.end):
        return None
    return max([*signs, *reserved.check_ins_until(span.end)])


def _signs(seen: Seen, span: Span) -> list[datetime]:
    """Return when somebody passed, and until when somebody was inside."""
    inside = [each.span.end for each in seen.levels(span) if each.count > 0]
    return [*seen.signs_of_life(span), *inside]


def _unless_silent(
    reserved: Reserved, seen: Sequence[Seen], span: Span, found: Judged
) -> Judged:
    silent = merged(part for each in seen for part in each.silences_in(span))
    if not silent:
        return found
    evidence = {"instead_of": found.kind, "silent": [told(each) for each in silent]}
    return Judged("unknown", found.space, found.during, evidence, reserved)


def told(span: Span) -> list[str]:
    """Write a time down as evidence."""
    return [each.astimezone(UTC).isoformat() for each in (span.start, span.end)]


def first_of_each(found: Iterable[Judged | None]) -> list[Judged]:
    """Keep what is unknown, and the first that is known of each reservation: one of a
    group has several times."""
    kept: list[Judged] = []
    known: set[int] = set()
    for each in found:
        if each is None or each.reserved is None or each.reserved.id in known:
            continue
        if each.kind != "unknown":
            known.add(each.reserved.id)
        kept.append(each)
    return kept


# Without reservations -----------------------------------------------------------------


def over_capacity(seen: Seen, span: Span, capacity: int) -> list[Judged]:
    """Return the times in which more were inside than there is room for."""
    above = [each for each in seen.known_levels(span) if each.count > capacity]
    return [
        Judged(
            "over_capacity",
            seen.space,
            during,
            {"highest": _highest(above, during), "capacity": capacity},
        )
        for during in merged(each.span for each in above)
    ]


def unbooked(
    seen: Seen, span: Span, booked: Iterable[Span], least: timedelta
) -> list[Judged]:
    """Return the times, at least so long, in which somebody was inside and nobody had
    reserved."""
    inside = [each for each in seen.known_levels(span) if each.count > 0]
    return [
        Judged("unbooked", seen.space, during, {"highest": _highest(inside, during)})
        for during in without((each.span for each in inside), booked)
        if during.duration >= least
    ]


def _highest(levels: Sequence[Level], span: Span) -> int:
    first = bisect_right(levels, span.start, key=lambda each: each.span.end)
    last = bisect_left(levels, span.end, key=lambda each: each.span.start)
    return max(each.count for each in levels[first:last])


def continued(found: Judged, known: Iterable[Span]) -> Judged:
    """Let what was found go on with the first that is known already and touches it."""
    during = found.during
    for span in known:
        if span.start <= during.end and during.start <= span.end:
            return replace(found, during=Span(span.start, max(span.end, during.end)))
    return found


def longest(found: Iterable[Judged]) -> list[Judged]:
    """Keep one of those that begin at the same moment in the same space."""
    kept: dict[tuple[UUID, datetime], Judged] = {}
    for each in sorted(found, key=lambda each: each.during):
        kept[each.space, each.during.start] = each
    return list(kept.values())


# Giving back --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rest:
    """What of a reservation can be given back, or why nothing can."""

    span: Span | None
    kept: Kept | None


def rest_of(found: Judged, moment: datetime, *, is_exempt: bool) -> Rest:
    """Tell what of a reservation has not begun: whole steps of its raster."""
    reserved = found.reserved
    if is_exempt:
        return Rest(None, "exempt")
    if reserved is None or not reserved.is_partly:
        return Rest(None, "not_partly_available")
    if reserved.quota > 1:
        return Rest(None, "several_places")  # the scheduler does not change those
    span = inward(Span(moment, reserved.span.end), reserved.raster)
    if found.kept:
        return Rest(None, found.kept)
    return Rest(None, "begun") if span.is_empty else Rest(span, None)


# Utilisation --------------------------------------------------------------------------


def total(spans: Iterable[Span]) -> timedelta:
    """Add up a time, parts that overlap once."""
    return sum((each.duration for each in merged(spans)), timedelta())


def common(some: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """Return the time that is in both."""
    ones = merged(some)
    return without(ones, without(ones, others))


def most_places(reserved: Iterable[Reserved], window: Span) -> int:
    """Return how many places are reserved at a time, at most."""
    changes: list[tuple[datetime, int]] = []
    for each in reserved:
        span = each.span.clip(window)
        if not span.is_empty:
            changes += [(span.start, each.quota), (span.end, -each.quota)]
    moments = groupby(sorted(changes), key=lambda each: each[0])
    sums = accumulate(sum(change for _, change in some) for _, some in moments)
    return max(sums, default=0)
