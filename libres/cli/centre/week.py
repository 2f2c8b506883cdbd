"""The week of the demo: names days and times, and says when they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = range(7)

WORKDAYS = range(MONDAY, SATURDAY)
EVERY_DAY = range(MONDAY, SUNDAY + 1)

Range: TypeAlias = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from a Monday on, in a zone."""

    monday: date
    zone: ZoneInfo

    @classmethod
    def of(cls, day: date, zone: ZoneInfo) -> Week:
        """Return the week that *day* lies in."""
        return cls(day - timedelta(days=day.weekday()), zone)

    @property
    def days(self) -> tuple[date, ...]:
        """Monday to Sunday."""
        return tuple(self.monday + timedelta(days=day) for day in EVERY_DAY)

    def span(self, day: int, begin: str, end: str) -> Range:
        """Return two times of a day, as in ``span(FRIDAY, "09:00", "10:30")``."""
        return self._at(day, begin), self._at(day, end)

    def spans(self, days: Iterable[int], begin: str, end: str) -> list[Range]:
        """Return the same two times of several days."""
        return [self.span(day, begin, end) for day in days]

    def _at(self, day: int, clock: str) -> datetime:
        time_of_day = time.fromisoformat(clock)
        return datetime.combine(self.days[day], time_of_day, self.zone)
