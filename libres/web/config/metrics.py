"""The metrics: how many requests there were, what they took, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, render_template

from libres.db.models.timestamp import TimestampMixin
from libres.web.api.sync import figures
from libres.web.config import charts, measuring
from libres.web.config.charts import Bar
from libres.web.config.filtering import Filters
from libres.web.config.measuring import DAY, FAIR, GOOD, HOUR, Row, Step, Summary, Unit
from libres.web.config.spreadsheet import csv_answer
from libres.web.config.visiting import STAFF, rule, visit

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue
    from markupsafe import Markup

    from libres.web.config.visiting import Visit

page = Blueprint("metrics", __name__)

RANGES: Final = {"1": "The last 24 hours", "7": "7 days", "30": "30 days"}
DEFAULT: Final = "7"

MOST_CHARTS: Final = 6
"""Of operations; the table has all."""

HEADER: Final = (
    *("time", "operation", "model", "batch", "seconds", "grade"),
    *("statements", "memory_mb"),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured since a moment."""

    since: datetime
    step: Unit
    rows: Sequence[Row]
    """The last ones, the latest first."""

    summaries: Sequence[Summary]
    steps: Sequence[Step]
    performance: Mapping[str, Any]
    """As ``GET /api/sync/performance/`` tells it."""

    @property
    def operations(self) -> Sequence[str]:
        """What was asked for."""
        return sorted({each.operation for each in self.steps})

    @property
    def is_empty(self) -> bool:
        """Nothing was."""
        return not self.rows and not self.steps


@page.get("/metrics/")
@rule(STAFF)
def metrics() -> ResponseReturnValue:
    """Show what was measured."""
    here, filters = visit(), Filters()
    chosen = filters.choice("days", RANGES) or DEFAULT
    now = TimestampMixin.timestamp()
    with here.reading():
        found = _measured(here, int(chosen), now)
    shown = render_template(
        "libres/config/metrics.html",
        **_drawn(found, now),
        measured=found,
        filters=filters,
        ranges=RANGES,
        default=DEFAULT,
        choices=[each for each in RANGES.items() if each[0] != DEFAULT],
        chosen=chosen,
        seconds=seconds_in_words,
    )
    return shown, filters.status


def _measured(here: Visit, days: int, now: datetime) -> Measured:
    """Read what the page shows. Six statements."""
    session, name = here.sync.session, here.context.name
    since = now - timedelta(days=days)
    step: Unit = "hour" if days == 1 else "day"
    return Measured(
        since=since,
        step=step,
        rows=measuring.latest(session, name, since),
        summaries=measuring.summaries(session, name, since),
        steps=measuring.steps(session, name, since, step),
        performance=figures.performance(session, name, days, now),
    )


def _drawn(found: Measured, now: datetime) -> dict[str, Any]:
    begins = list(_begins(found.since, now, found.step))
    return {
        "requests_charts": [
            (operation, _requests_chart(number, operation, found, begins))
            for number, operation in enumerate(found.operations[:MOST_CHARTS])
        ],
        "durations_chart": _durations_chart(found.rows),
        "percentiles_chart": _percentiles_chart(found.summaries),
    }


@page.get("/metrics.csv")
@rule(STAFF)
def metrics_csv() -> ResponseReturnValue:
    """Give all that was measured as a file, the latest first."""
    here, filters = visit(), Filters()
    chosen = filters.choice("days", RANGES) or DEFAULT
    filters.insist()
    since = TimestampMixin.timestamp() - timedelta(days=int(chosen))
    return csv_answer("metrics", HEADER, map(_cells, measuring.every(here, since)))


def _cells(row: Row) -> Sequence[object]:
    return (
        *(row.at, row.operation, row.model, row.batch, row.seconds, row.grade),
        *(row.statements, row.memory),
    )


def seconds_in_words(seconds: float) -> str:
    """Say how long something took, as exactly as anybody wants to know."""
    return f"{seconds * 1000:.0f} ms" if seconds < GOOD else f"{seconds:.1f} s"


# Hours and days -----------------------------------------------------------------------


def _begins(since: datetime, now: datetime, step: Unit) -> Iterator[datetime]:
    began = since.replace(minute=0, second=0, microsecond=0)
    if step == "day":
        began = began.replace(hour=0)
    while began <= now:
        yield began
        began += HOUR if step == "hour" else DAY


# Charts -------------------------------------------------------------------------------


def _requests_chart(
    number: int, operation: str, found: Measured, begins: Sequence[datetime]
) -> Markup:
    """Draw how many requests there were: hours and days without any as well."""
    written = "%H:%M" if found.step == "hour" else "%m-%d"
    there = {each.began: each for each in found.steps if each.operation == operation}
    none = Step(found.since, operation, 0, 0)
    shown = [(began, there.get(began, none)) for began in begins]
    done, failed = sum(x.done for _, x in shown), sum(x.failed for _, x in shown)
    return charts.bars(
        f"requests-{number}",
        f"Requests per {found.step}: {operation}",
        f"{done + failed} requests, {failed} of which were refused: the upper part of "
        "each bar. The table below has the numbers.",
        [Bar(f"{began:{written}}", (x.done, x.failed)) for began, x in shown],
    )


def _durations_chart(rows: Sequence[Row]) -> Markup:
    slowest = max((each.seconds for each in rows), default=0.0)
    return charts.line(
        "durations",
        f"Seconds that the last {len(rows)} requests took, the latest at the right",
        f"The slowest took {seconds_in_words(slowest)}. The table below has all.",
        [(f"{each.at:%H:%M}", each.seconds) for each in reversed(rows)],
        (GOOD, FAIR),
    )


def _percentiles_chart(summaries: Sequence[Summary]) -> Markup:
    bars = [
        Bar(f"{each.operation} {name}", (value,))
        for each in summaries
        for name, value in (("p50", each.median), ("p95", each.p95), ("p99", each.p99))
    ]
    return charts.bars(
        "percentiles",
        "Seconds within which half, 95 % and 99 % of the requests were answered",
        "By operation; the summary has the numbers.",
        bars,
    )
