"""Ask a busy year in one statement: how much is left, and what can be found."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from benchmarks.dates import hours
from benchmarks.floor import ASKED, READING, Floor, passed, rows
from benchmarks.workloads.reading import MONTHS, NEIGHBOURS, whole

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg2.extensions import connection as Connection

    from benchmarks.host import Host

LEFT = f"""
SELECT found._start::date AS day, found.quota, 100.0 * (1 - 1.0 * reserved / nullif(
    extract(epoch FROM _end - _start + interval '1 microsecond') / 60 / _raster
        - blocked, 0)) AS percent
FROM ({ASKED}) AS asked, allocations AS found, LATERAL (
    SELECT count(*) FILTER (WHERE source_type = 'reservation') AS reserved,
        count(*) FILTER (WHERE source_type = 'blocker') AS blocked
    FROM reserved_slots WHERE allocation_id = found.id
) AS taken
WHERE mirror_of = %(room)s AND _start < asked.stop AND _end >= asked.start
"""  # noqa: S608 - constants
"""The percents of all records, for places that are all partly available."""

LEFT_AT_ALL = f"SELECT sum(percent) / sum(quota) FROM ({LEFT}) AS records"  # noqa: S608 - constants

LEFT_BY_DAY = f"""
SELECT day, sum(percent) / sum(quota) FROM ({LEFT}) AS records GROUP BY day
"""  # noqa: S608 - constants


def _name_room(_connection: Connection, host: Host, _number: int) -> None:
    host.kept["room"] = str(host.room.resource)
    host.kept["rooms"] = [host.kept["room"]]


def _name_rooms(connection: Connection, host: Host, number: int) -> None:
    _name_room(connection, host, number)
    host.kept["rooms"] += [str(host.scheduler(each).resource) for each in NEIGHBOURS]


def _whole(host: Host) -> dict[str, Any]:
    return {"room": host.kept["room"], **passed([whole(host)])}


def _ask_availability(connection: Connection, host: Host, _number: int) -> float:
    left = 0.0
    for _ in range(host.operations):
        [[left]] = rows(connection, LEFT_AT_ALL, _whole(host))
    return round(float(left), 6)


def _ask_by_day(connection: Connection, host: Host, _number: int) -> list[float]:
    days: dict[Any, float] = {}
    for _ in range(host.operations):
        found = rows(connection, LEFT_BY_DAY, _whole(host))
        days = {day: float(percent) for day, percent in found}
    return [len(days), round(sum(days.values()), 4)]


# A page of a calendar

PAGE = """
SELECT found.*, first, last
FROM allocations AS found
LEFT JOIN LATERAL (
    SELECT min(start) AS first, max("end") AS last
    FROM (
        SELECT start, "end", start - row_number() OVER (ORDER BY start)
            * make_interval(mins => found._raster) AS run
        FROM (
            SELECT DISTINCT start, "end" FROM reserved_slots
            WHERE resource = ANY (%(rooms)s::uuid[])
                AND start >= found._start AND start <= found._end
        ) AS taken
    ) AS slots
    GROUP BY run
) AS runs ON true
WHERE resource = %(room)s AND mirror_of = %(room)s
    AND _start < %(stop)s AND _end >= %(start)s
ORDER BY _start, first
"""
"""The allocations of one place each, and the times at which somebody is there."""

ID, START, END, FIRST, LAST = 0, 11, 12, -2, -1
"""Where these columns are."""


def _show_months(connection: Connection, host: Host, _number: int) -> list[float]:
    pages = [
        _page(connection, host, each % MONTHS, host.size)
        for each in range(host.operations)
    ]
    return [round(sum(column), 4) for column in zip(*pages, strict=True)]


def _page(
    connection: Connection, host: Host, month: int, days: int
) -> tuple[int, float, int]:
    start, stop = hours(month * days, 0, 24 * days)
    names = {"room": host.kept["room"], "rooms": host.kept["rooms"]}
    found = rows(connection, PAGE, {**names, "start": start, "stop": stop})
    shown = [list(each) for _, each in groupby(found, key=itemgetter(ID))]
    partitions = [_partitions(each) for each in shown]
    percents = (sum(part for part, taken in each if not taken) for each in partitions)
    return len(shown), sum(percents), sum(map(len, partitions))


def _partitions(runs: list[tuple[Any, ...]]) -> list[tuple[float, bool]]:
    """Return the percents of an allocation that are free and taken, in turns."""
    start, end = runs[0][START], runs[0][END]
    length, reached, found = end - start, start, []
    for run in runs:
        if run[FIRST] is None:
            continue
        found += [(reached, run[FIRST], False), (run[FIRST], run[LAST], True)]
        reached = run[LAST]
    found.append((reached, end, False))
    return [
        (100 * (last - first) / length, taken)
        for first, last, taken in found
        if _is_some(first, last)
    ]


def _is_some(first: datetime, last: datetime) -> bool:
    """Tell whether there is more between than the end's missing microsecond."""
    return (last - first).total_seconds() > 1


# A search

SEARCH = f"""
SELECT found.*
FROM ({ASKED}) AS asked, allocations AS found, LATERAL (
    SELECT opening AT TIME ZONE 'Europe/Zurich' AT TIME ZONE 'UTC' AS first,
        closing AT TIME ZONE 'Europe/Zurich' AT TIME ZONE 'UTC' AS last, opening
    FROM (SELECT local::date + %(opening)s::time AS opening,
            local::date + %(closing)s::time AS closing
        FROM (SELECT found._start AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Zurich')
            AS here (local)) AS day
) AS wanted
WHERE resource = %(room)s AND mirror_of = %(room)s
    AND _start < asked.stop AND _end >= asked.start
    AND _start < last AND _end >= first
    AND extract(isodow FROM opening) = ANY (%(days)s)
    AND quota - (
        SELECT count(*) FROM allocations AS place
        WHERE place.mirror_of = %(room)s AND place._start = found._start AND EXISTS (
            SELECT FROM reserved_slots AS slot
            WHERE slot.resource = place.resource
                AND slot.start >= first AND slot.start < last)
    ) >= 1
ORDER BY _start
"""  # noqa: S608 - constants

MONDAY, WEDNESDAY = 1, 3


def _search(connection: Connection, host: Host, _number: int) -> list[Any]:
    start, end = hours(0, 14, 16)[0], hours(host.size - 1, 14, 16)[1]
    times = {"opening": start.time(), "closing": end.time()}
    values = {"room": host.kept["room"], "days": [MONDAY, WEDNESDAY], **times}
    dates: list[Any] = []
    for _ in range(host.operations):
        found = rows(connection, SEARCH, {**values, **passed([(start, end)])})
        dates = [row[START].date().isoformat() for row in found]
    return [len(dates), dates[0], dates[-1]]


FLOORS = (
    Floor(
        name="availability-year",
        at_most=READING,
        before=_name_room,
        run=_ask_availability,
    ),
    Floor(
        name="availability-by-day",
        at_most=READING,
        before=_name_room,
        run=_ask_by_day,
    ),
    Floor(
        name="calendar-month",
        at_most=READING,
        before=_name_room,
        run=_show_months,
    ),
    Floor(
        name="search-year",
        at_most=READING,
        before=_name_room,
        run=_search,
    ),
    Floor(
        name="calendar-blocking",
        at_most=READING,
        before=_name_rooms,
        run=_show_months,
    ),
)
