"""Two other designs, built of the same data: a row per free quarter of an hour, and a
text of 96 characters per day that a regular expression searches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from benchmarks.timetable.filling import START

QUARTER: Final = timedelta(minutes=15)
DAY: Final = timedelta(days=1)

QUARTERS: Final = """\
CREATE TABLE quarters AS
SELECT free.resource, quarter AS start
FROM timetable_free AS free CROSS JOIN generate_series(
    free.starts, free.ends - interval '15 minutes', interval '15 minutes'
) AS quarter ORDER BY quarter, resource"""

TEXTS: Final = "CREATE TABLE texts (day timestamp, resource uuid, free text)"

FILLING: Final = """\
INSERT INTO texts
SELECT day, resource, string_agg(
    CASE WHEN quarter = ANY (free) THEN '1' ELSE '0' END, '' ORDER BY quarter
)
FROM (
    SELECT date_trunc('day', start) AS day, resource,
        array_agg((extract(epoch FROM start - date_trunc('day', start)) / 900)::integer)
        AS free
    FROM quarters GROUP BY 1, 2
) AS days CROSS JOIN generate_series(0, 95) AS quarter
GROUP BY day, resource ORDER BY day, resource"""

BY_QUARTERS: Final = text("""\
SELECT count(*) FROM (
    SELECT resource FROM quarters
    WHERE start >= :start AND start < :end
    GROUP BY resource HAVING count(*) = :number
) AS found""")

BY_TEXTS: Final = text(
    "SELECT count(*) FROM texts WHERE day = :day AND free ~ CAST(:pattern AS text)"
)


def build(connection: Connection) -> None:
    """Build both of what is cached."""
    connection.execute(text(QUARTERS))
    connection.execute(text("CREATE INDEX ON quarters (start, resource)"))
    connection.execute(text(TEXTS))
    connection.execute(text(FILLING))
    connection.execute(text("CREATE INDEX ON texts (day)"))


def by_quarters(
    connection: Connection, windows: list[tuple[Any, Any]]
) -> Callable[[int], int]:
    """Ask the first."""

    def ask(turn: int) -> int:
        start, end = windows[turn]
        values = {
            "start": start.replace(tzinfo=None),
            "end": end.replace(tzinfo=None),
            "number": (end - start) // QUARTER,
        }
        return int(connection.execute(BY_QUARTERS, values).scalar_one())

    return ask


def by_texts(
    connection: Connection, windows: list[tuple[Any, Any]]
) -> Callable[[int], int]:
    """Ask the second; it knows windows within one day only."""

    def ask(turn: int) -> int:
        start, end = windows[turn]
        day = START + (start - START) // DAY * DAY
        before, number = (start - day) // QUARTER, (end - start) // QUARTER
        values = {
            "day": day.replace(tzinfo=None),
            "pattern": f"^.{{{before}}}1{{{number}}}",
        }
        return int(connection.execute(BY_TEXTS, values).scalar_one())

    return ask
