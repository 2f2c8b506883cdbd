"""Does an allocation match the search?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Final, Literal, TypeAlias, get_args

from libres.domain.days import is_whole_day, local_weekday, to_utc, to_zone
from libres.domain.places import Master
from libres.domain.spans import Range, Span
from libres.modules.errors import insist

Choice: TypeAlias = Literal["yes", "no", "any"]
"""Only these, only the others, or all."""


ROUNDING: Final = 1e-9
"""Of places: what floating point may lose on the way to percent and back."""


def check_choice(name: str, choice: object) -> Choice:
    """Return a choice itself. Raises Misuse if it is not 'yes', 'no' or 'any'."""
    insist(
        isinstance(choice, str) and choice in get_args(Choice),
        f"{name} must be 'yes', 'no' or 'any', not {choice!r}.",
    )
    return choice  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for. Empty *days*: any day; *minspots* 0: any number."""

    day_begins: time
    day_ends: time
    days: frozenset[int]
    minspots: int
    whole_day: Choice
    groups: Choice

    def window(self, master: Master) -> Range:
        """Return the daily window: the times of day of the search, on the local dates
        on which the allocation begins and ends; as stored and aware (UTC)."""
        first = to_zone(master.span.start, master.timezone)
        last = to_zone(master.span.stored[1], master.timezone)
        return (
            _at(first, self.day_begins, master.timezone),
            _at(last, self.day_ends, master.timezone),
        )

    def matches(self, master: Master) -> bool:
        """Tell whether the times and the quota limit of *master* fit."""
        return (
            not 0 < master.quota_limit < self.minspots
            and self._is_on_day(master)
            and self._overlaps_window(master)
            and self._is_as_whole(master)
        )

    def matches_group(self, master: Master) -> bool:
        """Tell whether allocations inside or outside of groups are looked for."""
        return self.groups == "any" or (self.groups == "yes") == master.in_group

    def has_enough(self, master: Master, availability: float) -> bool:
        """Tell whether *availability* percent of all places are enough."""
        return self.minspots <= availability * master.quota / 100.0 + ROUNDING

    def _overlaps_window(self, master: Master) -> bool:
        start, end = self.window(master)
        return master.span.overlaps(Span.rasterized(start, end, master.raster))

    def _is_on_day(self, master: Master) -> bool:
        if not self.days:
            return True
        return local_weekday(master.span.start, master.timezone) in self.days

    def _is_as_whole(self, master: Master) -> bool:
        if self.whole_day == "any":
            return True
        is_whole = is_whole_day(master.span.start, master.span.end, master.timezone)
        return is_whole == (self.whole_day == "yes")


def _at(day: datetime, moment: time, timezone: str) -> datetime:
    return to_utc(datetime.combine(day.date(), moment), timezone)
