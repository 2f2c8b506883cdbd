"""Time in the model: whole minutes of UTC, and what the clocks of a weekend show.

Ends are exclusive. Only the clock of one zone is known, and one change of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

ZONE = "Europe/Zurich"
HOUR, DAY = 60, 24 * 60
CELL = 5
"""The shortest time there is, in minutes."""

MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)


class Asked(NamedTuple):
    """A range somebody asks for; *short*: its end lacks a microsecond, as stored."""

    start: int
    end: int
    short: bool = False


@dataclass(frozen=True, repr=False)
class Season:
    """A weekend (Saturday, Sunday, Monday) in whose Sunday the clocks change."""

    name: str
    saturday: date
    before: int
    """What the clocks add to UTC before the change, in minutes."""
    after: int

    @property
    def epoch(self) -> datetime:
        """Minute 0, aware: midnight of UTC, two days before."""
        day = self.saturday - timedelta(days=2)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)

    @property
    def change(self) -> int:
        """The minute of the clock change: one o'clock of UTC on Sunday."""
        return 3 * DAY + HOUR

    def __repr__(self) -> str:
        return self.name

    # Datetimes and back ---------------------------------------------------------

    def moment(self, minute: int) -> datetime:
        """The datetime of a minute, in UTC."""
        return self.epoch + minute * MINUTE

    def minute(self, moment: datetime) -> int:
        """The minute of a datetime; that of a stored end is the next one."""
        minutes, rest = divmod(moment - self.epoch, MINUTE)
        return minutes + (rest == MINUTE - TICK)

    def dates(self, asked: Asked) -> tuple[datetime, datetime]:
        """Start and end as they are passed to the library."""
        end = self.moment(asked.end) - asked.short * TICK
        return self.moment(asked.start), end

    def naive(self, wall: int) -> datetime:
        """What the clock shows, as a naive datetime."""
        return self.epoch.replace(tzinfo=None) + wall * MINUTE

    # Clocks ---------------------------------------------------------------------

    def wall(self, minute: int) -> int:
        """What the clock shows at a minute, in minutes as well."""
        return minute + (self.before if minute < self.change else self.after)

    def read(self, wall: int) -> int:
        """The minute at which the clock shows this.

        The second one if it does so twice. What it never shows is standard time.
        """
        standard, summer = sorted((self.before, self.after))
        if self.wall(wall - standard) == wall:
            return wall - standard
        if self.wall(wall - summer) == wall:
            return wall - summer
        return wall - standard

    def day(self, minute: int) -> int:
        """The number of the local day of a minute."""
        return self.wall(minute) // DAY

    def weekday(self, minute: int) -> int:
        """The local weekday, Monday is 0; day 2 is a Saturday."""
        return (self.day(minute) + 3) % 7

    def is_whole_day(self, start: int, end: int) -> bool:
        """Is it one or several days from midnight to midnight?"""
        first, last = self.wall(start), self.wall(end)
        return first % DAY == 0 and last % DAY == 0 and last - first >= DAY

    def whole_days(self, asked: Asked) -> Asked:
        """The days that a range touches; an end at midnight touches the next one."""
        last = self.day(asked.end - asked.short)
        return Asked(
            self.read(self.day(asked.start) * DAY), self.read((last + 1) * DAY)
        )


AUTUMN = Season("autumn", date(2026, 10, 24), before=2 * HOUR, after=HOUR)
SPRING = Season("spring", date(2026, 3, 28), before=HOUR, after=2 * HOUR)


def rasterized(asked: Asked, raster: int) -> Asked:
    """Snap a range outwards."""
    return Asked(asked.start - asked.start % raster, asked.end + -asked.end % raster)


def cells(start: int, end: int) -> frozenset[int]:
    """The starts of the five minutes of a span."""
    return frozenset(range(start, end, CELL))
