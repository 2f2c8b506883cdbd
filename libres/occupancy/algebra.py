"""Decides what passages and calibrations make of a count; others load and store.

Each of them is a function ``x -> max(lo, x + shift)`` of the count. Two of these in a
row are one of the same form, so a bucket of any number of them is one, too: its summary
has a fixed size, and the summaries of hours combine into those of days and months.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import accumulate, chain
from operator import attrgetter, sub
from typing import Any, Final, Literal, TypeAlias

Policy = Literal["raw", "floor", "saturate"]
"""What becomes of a count below zero: raw leaves it, floor counts the same but shows
zero, saturate never counts below zero, which makes a difference ever after."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Somebody enters a space or leaves it."""

    moment: datetime
    """In UTC: others of one zone compare by the clock on the wall."""

    direction: int
    """The effect on the space: +1 enters it, -1 leaves it."""

    seq: int | None = None
    """The number that the sensor gave it; None: the sensor does not number."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The count is *value* from then on; a space has one of a moment at most."""

    moment: datetime
    """In UTC."""

    value: int


Item: TypeAlias = Passage | Calibration
"""What changes a count."""


def in_order(
    passages: Iterable[Passage], calibrations: Iterable[Calibration]
) -> list[Item]:
    """Sort what changes a count as it is counted.

    In one moment calibrations come first, then passages with a number by it, then those
    without; of equal ones those who enter. When they arrived makes no difference.
    """
    return sorted(chain(calibrations, passages), key=_turn)


def _turn(item: Item) -> tuple[datetime, int, int, int]:
    if isinstance(item, Calibration):
        return item.moment, 0, 0, 0
    if item.seq is None:
        return item.moment, 2, 0, -item.direction
    return item.moment, 1, item.seq, -item.direction


# Summaries ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Summary:
    """What a bucket of items does to a count, whatever the count was before.

    It becomes ``max(lo, count + shift)``. Its extremes on the way have two parts:
    passages before the first calibration depend on the count before, by *least* and
    *most*; what comes from there on is absolute.
    """

    ins: int = 0
    outs: int = 0

    shift: int | None = 0
    """None is minus infinity: calibrated, what was before does not matter."""

    lo_raw: int | None = None
    """None is minus infinity: not calibrated."""

    lo_sat: int | None = None
    """None is minus infinity: there are no items."""

    least: int | None = None
    """The lowest sum of the passages before the first calibration; None: no such."""

    most: int | None = None
    """Their highest sum."""

    least_raw: int | None = None
    """The lowest count from the first calibration on; None: not calibrated."""

    least_sat: int | None = None
    """The same if it saturates."""

    most_raw: int | None = None
    """The highest count from the first calibration on; None: not calibrated."""

    most_sat: int | None = None
    """How high the count gets at least, if it saturates; None: there are no items."""

    @property
    def is_calibrated(self) -> bool:
        """Tell whether the count before does not matter for the count after."""
        return self.shift is None

    def then(self, other: Summary) -> Summary:
        """Return what both do, this one first; associative, NOTHING is neutral."""
        return Summary(
            ins=self.ins + other.ins,
            outs=self.outs + other.outs,
            shift=_plus(self.shift, other.shift),
            lo_raw=_higher(_plus(self.lo_raw, other.shift), other.lo_raw),
            lo_sat=_higher(_plus(self.lo_sat, other.shift), other.lo_sat),
            least=_lower(self.least, _plus(self.shift, other.least)),
            most=_higher(self.most, _plus(self.shift, other.most)),
            least_raw=_lower(self.least_raw, other.lowest(self.lo_raw, "raw")),
            least_sat=_lower(self.least_sat, other.lowest(self._fixed, "saturate")),
            most_raw=_higher(self.most_raw, other.highest(self.lo_raw, "raw")),
            most_sat=_higher(self.most_sat, other.highest(self.lo_sat, "saturate")),
        )

    @property
    def _fixed(self) -> int | None:
        """The count after, if it saturates; None: it depends on the one before.

        *lo_sat* alone would not do: without a calibration the count may stay above it,
        and what is lowest must not be lower than the count ever was.
        """
        return self.lo_sat if self.is_calibrated else None

    def after(self, count: int, policy: Policy) -> int:
        """Return the count when the bucket is over; floor counts as raw does."""
        lo = self.lo_sat if policy == "saturate" else self.lo_raw
        moved = _plus(count, self.shift)
        return max(each for each in (lo, moved) if each is not None)

    def lowest(self, count: int | None, policy: Policy) -> int | None:
        """Return the lowest of the counts after each item; None: there are none.

        Without the count before, it is that of the part that does not depend on it.
        """
        before = _plus(count, self.least)
        if policy != "saturate":
            return _lower(before, self.least_raw)
        return _lower(None if before is None else max(0, before), self.least_sat)

    def highest(self, count: int | None, policy: Policy) -> int | None:
        """Return the highest of the counts after each item, as *lowest* does."""
        before = _plus(count, self.most)
        return _higher(before, self.most_sat if policy == "saturate" else self.most_raw)


NOTHING = Summary()
"""What a bucket without items does."""

Values: TypeAlias = Sequence[Any]
"""Those of a summary: numbers or None, in the order of FIELDS."""

FIELDS: Final = tuple(field.name for field in fields(Summary))

_LO_RAW: Final = FIELDS.index("lo_raw")
_LO_SAT: Final = FIELDS.index("lo_sat")

values_of: Final[Callable[[Summary], Values]] = attrgetter(*FIELDS)


def passage(direction: int) -> Summary:
    """Return what a passage does: +1 enters, -1 leaves."""
    return summary_of_passages([direction])


def calibration(value: int) -> Summary:
    """Return what a calibration does."""
    return Summary(
        shift=None,
        lo_raw=value,
        lo_sat=value,
        least_raw=value,
        least_sat=value,
        most_raw=value,
        most_sat=value,
    )


def summary_of(items: Iterable[Item]) -> Summary:
    """Return what items do, in their order; fast, calibrations being few."""
    found = NOTHING
    directions: list[int] = []
    for item in items:
        if isinstance(item, Passage):
            directions.append(item.direction)
        else:
            found = found.then(summary_of_passages(directions))
            found = found.then(calibration(item.value))
            directions.clear()
    return found.then(summary_of_passages(directions))


def summary_of_passages(directions: Sequence[int]) -> Summary:
    """Return what passages do between two calibrations, by their directions.

    If it saturates, a count of x is ``max(x + sum, sum - low)`` after each of them,
    *low* being the lowest sum until then: it has been raised from there to zero.
    """
    if not directions:
        return NOTHING
    sums = list(accumulate(directions))
    lows = list(accumulate(sums, min))
    return Summary(
        ins=directions.count(1),
        outs=directions.count(-1),
        shift=sums[-1],
        lo_sat=sums[-1] - lows[-1],
        least=lows[-1],
        most=max(sums),
        most_sat=max(map(sub, sums, lows)),
    )


def combined(summaries: Iterable[Summary]) -> Summary:
    """Return what buckets do one after the other."""
    return combined_values(map(values_of, summaries))


def combined_values(summaries: Iterable[Values]) -> Summary:
    """Combine summaries as they are stored; fast, calibrations being few."""
    found = NOTHING
    passed: list[Values] = []
    for each in summaries:
        if each[_LO_RAW] is None:
            passed.append(each)
            continue
        if passed:
            found = found.then(_passed(passed))
            passed.clear()
        found = found.then(Summary(*each))
    return found.then(_passed(passed)) if passed else found


def _passed(summaries: Iterable[Values]) -> Summary:
    """Combine what is not calibrated: what `Summary.then` comes to in that case."""
    parts = [each for each in summaries if each[_LO_SAT] is not None]
    if not parts:
        return NOTHING
    ins, outs, shift, _, lo_sat, least, most, *_, most_sat = parts[0]
    for entered, left, moved, _, floor, low, high, *_, top in parts[1:]:
        ins, outs = ins + entered, outs + left
        least, most = min(least, shift + low), max(most, shift + high)
        most_sat = max(most_sat, lo_sat + high, top)
        lo_sat = max(lo_sat + moved, floor)
        shift += moved
    return Summary(
        ins=ins,
        outs=outs,
        shift=shift,
        lo_sat=lo_sat,
        least=least,
        most=most,
        most_sat=most_sat,
    )


def _plus(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _lower(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _higher(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


# Reading ------------------------------------------------------------------------------


def shown(count: int, policy: Policy) -> int:
    """Return what a reader is told."""
    return max(0, count) if policy == "floor" else count


def replay(items: Iterable[Item], count: int, policy: Policy) -> list[int]:
    """Return the count after each item, counted one by one; floor counts as raw does.

    It is slow and plain: what summaries say is true if they agree with it.
    """
    found: list[int] = []
    for item in items:
        count = _counted(item, count, policy)
        found.append(count)
    return found


def _counted(item: Item, count: int, policy: Policy) -> int:
    if isinstance(item, Calibration):
        return item.value
    moved = count + item.direction
    return max(0, moved) if policy == "saturate" else moved


@dataclass(frozen=True, slots=True)
class Extremes:
    """The lowest and the highest count that is shown, and when it is so first."""

    lowest: int
    lowest_at: datetime
    highest: int
    highest_at: datetime


def extremes_of(items: Sequence[Item], count: int, policy: Policy) -> Extremes | None:
    """Return the extremes of the counts after each item; None: there are no items."""
    counts = [shown(each, policy) for each in replay(items, count, policy)]
    if not counts:
        return None
    lowest, highest = min(counts), max(counts)
    return Extremes(
        lowest=lowest,
        lowest_at=items[counts.index(lowest)].moment,
        highest=highest,
        highest_at=items[counts.index(highest)].moment,
    )
