"""Reads what requests have cost, from the metrics and the log, in a fixed number of
statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import BigInteger, Text, bindparam, text

from libres.db.passing import fetch
from libres.domain.days import UTC
from libres.sync.models.columns import MOMENT

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.web.config.visiting import Visit

Grade = Literal["good", "fair", "poor"]
Unit = Literal["hour", "day"]

GOOD: Final = 1.0
FAIR: Final = 5.0
"""Seconds, below which a request is quick enough."""

LAST: Final = 50
"""Rows that are shown."""

PAGE: Final = 1000
"""Rows that are read at once for a file."""

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)

CONTEXT: Final = bindparam("context", type_=Text())
SINCE: Final = bindparam("since", type_=MOMENT)

ROWS: Final = (
    text("""\
SELECT id, at, operation, model, batch, seconds, statements, memory FROM sync_metrics
WHERE context = :context AND at >= :since AND (at, id) < (:before, :id)
ORDER BY at DESC, id DESC LIMIT :limit
""")
    .bindparams(CONTEXT, SINCE, bindparam("before", type_=MOMENT))
    .bindparams(bindparam("id", type_=BigInteger()))
    .columns(at=MOMENT)
)

SUMMARIES: Final = text("""\
SELECT operation, count(*) AS requests, avg(seconds) AS average,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY seconds) AS found,
    max(seconds) AS slowest, avg(statements)::float AS statements
FROM sync_metrics WHERE context = :context AND at >= :since
GROUP BY operation ORDER BY operation
""").bindparams(CONTEXT, SINCE)

STEPS: Final = (
    text("""\
SELECT date_trunc(:step, at, 'UTC') AS began, operation,
    count(*) FILTER (WHERE status <> 'error') AS done,
    count(*) FILTER (WHERE status = 'error') AS failed
FROM sync_log WHERE context = :context AND at >= :since AND operation <> 'job'
GROUP BY 1, 2 ORDER BY 1, 2
""")
    .bindparams(CONTEXT, SINCE, bindparam("step", type_=Text()))
    .columns(began=MOMENT)
)


@dataclass(frozen=True, slots=True)
class Row:
    """What a request has cost."""

    id: int
    at: datetime
    operation: str
    model: str
    """Empty: it was about several, or none."""

    batch: int
    seconds: float
    statements: int | None
    memory: float | None

    @property
    def grade(self) -> Grade:
        """How quick it was."""
        return grade_of(self.seconds)


@dataclass(frozen=True, slots=True)
class Summary:
    """What the requests of an operation have cost. Times in seconds."""

    operation: str
    count: int
    average: float
    median: float
    p95: float
    p99: float
    slowest: float
    statements: float | None

    @property
    def grade(self) -> Grade:
        """How quick nearly all of them were."""
        return grade_of(self.p95)


@dataclass(frozen=True, slots=True)
class Step:
    """How many requests to an operation came in an hour, or on a day."""

    began: datetime
    operation: str
    done: int
    failed: int


def grade_of(seconds: float) -> Grade:
    """Judge how long something took."""
    if seconds < GOOD:
        return "good"
    return "fair" if seconds < FAIR else "poor"


def latest(
    session: Session,
    context: str,
    since: datetime,
    before: tuple[datetime, int] | None = None,
    limit: int = LAST,
) -> list[Row]:
    """Return what was measured since a moment, the latest first; *before* is the moment
    and the id of the last row that is known. One statement."""
    at, number = before or (FAR, 0)
    values = {"context": context, "since": since, "limit": limit}
    found = fetch(session, ROWS, {**values, "before": at, "id": number})
    return [_row(each) for each in found]


FAR: Final = datetime(9999, 1, 1, tzinfo=UTC)


def _row(row: Any) -> Row:
    values = row._asdict()
    return Row(**{**values, "at": row.at.astimezone(UTC)})


def every(here: Visit, since: datetime) -> Iterator[Row]:
    """Yield all that was measured since a moment, the latest first, page by page, each
    in a transaction of its own."""
    before: tuple[datetime, int] | None = None
    while True:
        with here.reading():
            session = here.sync.session
            page = latest(session, here.context.name, since, before, PAGE)
        yield from page
        if len(page) < PAGE:
            return
        before = page[-1].at, page[-1].id


def summaries(session: Session, context: str, since: datetime) -> list[Summary]:
    """Return what each operation has cost since a moment. One statement."""
    found = fetch(session, SUMMARIES, {"context": context, "since": since})
    return [
        Summary(
            operation=each.operation,
            count=each.requests,
            average=each.average,
            median=each.found[0],
            p95=each.found[1],
            p99=each.found[2],
            slowest=each.slowest,
            statements=each.statements,
        )
        for each in found
    ]


def steps(
    session: Session, context: str, since: datetime, step: Unit
) -> Sequence[Step]:
    """Return how many requests there were since a moment. One statement."""
    values = {"context": context, "since": since, "step": step}
    return [
        Step(each.began.astimezone(UTC), each.operation, each.done, each.failed)
        for each in fetch(session, STEPS, values)
    ]
