"""Divides time into steps and buckets, and says what happened in each; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from libres.domain.spans import Span
from libres.occupancy.algebra import Policy, Summary, combined, shown

Level = Literal["hour", "day", "month"]

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
TICK: Final = timedelta(microseconds=1)
"""What the database distinguishes."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a time, half-open, and how many were inside."""

    start: datetime
    end: datetime

    count: int
    """Just before its end."""

    least: int
    most: int
    """The lowest and the highest count of the step, the one it begins with included."""

    ins: int = 0
    outs: int = 0

    @property
    def span(self) -> Span:
        """Return the time it lasts."""
        return Span(self.start, self.end)


def bucket_of(moment: datetime, level: Level) -> datetime:
    """Return when the hour, day or month of a moment began, in UTC."""
    hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if level == "hour":
        return hour
    day = hour.replace(hour=0)
    return day if level == "day" else day.replace(day=1)


def bucket_end(start: datetime, level: Level) -> datetime:
    """Return when a bucket that begins then is over."""
    if level == "month":
        return (start + 31 * DAY).replace(day=1)
    return start + (HOUR if level == "hour" else DAY)


def level_of(start: datetime, step: timedelta) -> Level | None:
    """Return the largest buckets of which such steps consist; None: of no buckets."""
    for level, length in (("day", DAY), ("hour", HOUR)):
        if not step % length and not (start - EPOCH) % length:
            return level  # type: ignore[return-value]
    return None


def bounds(span: Span, length: timedelta) -> list[Span]:
    """Divide a span into steps; the last one may be shorter."""
    found = []
    start = span.start
    while start < span.end:
        end = start + min(length, span.end - start)
        found.append(Span(start, end))
        start = end
    return found


def steps_of(
    spans: Iterable[Span],
    summaries: Iterable[tuple[datetime, Summary]],
    count: int,
    policy: Policy,
) -> Iterator[Step]:
    """Tell of each step what happened in it, given what did, by time, and the count
    before it all. No summary may reach over the end of a step."""
    rest = iter(summaries)
    ahead = next(rest, None)
    for span in spans:
        within: list[Summary] = []
        while ahead is not None and ahead[0] < span.end:
            within.append(ahead[1])
            ahead = next(rest, None)
        summary = combined(within)
        after = summary.after(count, policy)
        yield _step(span, summary, count, after, policy)
        count = after


def _step(
    span: Span, summary: Summary, before: int, after: int, policy: Policy
) -> Step:
    extremes = summary.lowest(before, policy), summary.highest(before, policy)
    counts = [before, after, *extremes]
    told = [shown(each, policy) for each in counts if each is not None]
    return Step(
        start=span.start,
        end=span.end,
        count=told[1],
        least=min(told),
        most=max(told),
        ins=summary.ins,
        outs=summary.outs,
    )
