"""Keeps the tallies of hours, days and months equal to what happened in them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from libres.db.passing import fetch
from libres.occupancy import statements
from libres.occupancy.algebra import (
    FIELDS,
    NOTHING,
    Calibration,
    Passage,
    Summary,
    Values,
    combined_values,
    in_order,
    summary_of,
    summary_of_passages,
    values_of,
)
from libres.occupancy.statements import array_of
from libres.occupancy.steps import Level, bucket_end, bucket_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

Bucket: TypeAlias = tuple[UUID, Level, datetime]
"""A space, and the level and start of a bucket."""

Hour: TypeAlias = tuple[UUID, datetime]
"""A space, and when the hour began."""

LARGER: Final[tuple[tuple[Level, Level], ...]] = (("hour", "day"), ("day", "month"))
"""Of what buckets consist."""

PART: Final = {larger: smaller for smaller, larger in LARGER}

Parts: TypeAlias = dict[Bucket, dict[datetime, Values]]
"""What days and months consist of, by its start."""

TOGETHER: Final = 2000
"""Hours that are counted at once."""


def recount(context: Context, session: Session, hours: Iterable[Hour]) -> None:
    """Count hours of spaces anew, and the days and months that they are in.

    Three statements per 2,000 hours, two more if nothing is left in some.
    """
    wanted = sorted(set(hours), key=_turn)
    for first in range(0, len(wanted), TOGETHER):
        made = _counted(session, wanted[first : first + TOGETHER])
        _store(context, session, _with_larger(made, _siblings(session, made)))


def _turn(hour: Hour) -> tuple[int, datetime]:
    """Sort as PostgreSQL does, and faster than UUID does."""
    space, start = hour
    return space.int, start


def counted(session: Session, hours: list[Hour]) -> dict[Bucket, Summary]:
    """Count all hours that there are of some spaces, and their days and months."""
    made: dict[Bucket, Summary] = {}
    for first in range(0, len(hours), TOGETHER):
        made |= _counted(session, hours[first : first + TOGETHER])
    return _with_larger(made, {})


def _counted(session: Session, hours: list[Hour]) -> dict[Bucket, Summary]:
    """Read what happened in hours, and sum it up."""
    spaces, starts = zip(*hours, strict=True)
    values = {"spaces": array_of(spaces), "starts": array_of(starts)}
    rows = fetch(session, statements.happened_in_hours(), values)
    told = {row.position: row for row in rows if row.is_told}
    passed = {row.position: row for row in rows if not row.is_told}
    return {
        (space, "hour", start): _summary(told.get(position), passed.get(position))
        for position, (space, start) in enumerate(hours, 1)
    }


def _summary(told: Any, passed: Any) -> Summary:
    """Sum up what was told, and who passed; None: nothing, nobody."""
    if told is None:
        return NOTHING if passed is None else summary_of_passages(passed.numbers)
    calibrations = map(Calibration, told.moments, told.numbers)
    if passed is None:
        return summary_of(calibrations)
    columns = passed.moments, passed.numbers, passed.seqs
    return summary_of(in_order(map(Passage, *columns), calibrations))


# Days and months ----------------------------------------------------------------------


def _with_larger(made: dict[Bucket, Summary], parts: Parts) -> dict[Bucket, Summary]:
    """Add the days that some hours are in, and the months that these are in; *parts*
    is what these consisted of."""
    for smaller, level in LARGER:
        wholes = set()
        for bucket in [each for each in made if each[1] == smaller]:
            whole = _larger(bucket, level)
            parts.setdefault(whole, {})[bucket[2]] = values_of(made[bucket])
            wholes.add(whole)
        for whole in wholes:
            in_turn = sorted(parts[whole].items(), key=itemgetter(0))
            made[whole] = combined_values(values for _, values in in_turn)
    return made


def _larger(bucket: Bucket, level: Level) -> Bucket:
    space, _, start = bucket
    return space, level, bucket_of(start, level)


def _siblings(session: Session, made: Iterable[Bucket]) -> Parts:
    """Read the hours of the days that hours are in, and the days of the months."""
    days = {_larger(each, "day") for each in made}
    wholes = [*days, *{_larger(each, "month") for each in days}]
    values = {
        **_placed(wholes),
        "levels": array_of(PART[level] for _, level, _ in wholes),
        "ends": array_of(bucket_end(start, level) for _, level, start in wholes),
    }
    return {
        wholes[row.position - 1]: dict(zip(row.starts, row.summaries, strict=True))
        for row in fetch(session, statements.siblings(), values)
    }


def summary_in(row: Any, first: int) -> Summary:
    """Read a summary, whose columns begin there."""
    return Summary(*row[first:])


# Storing ------------------------------------------------------------------------------


def _store(context: Context, session: Session, made: dict[Bucket, Summary]) -> None:
    kept = {bucket: each for bucket, each in made.items() if each != NOTHING}
    gone = [bucket for bucket in made if bucket not in kept]
    if gone:
        session.execute(statements.locking(), _placed(made))
    if kept:
        columns = zip(*map(values_of, kept.values()), strict=True)
        values = dict(zip(FIELDS, map(array_of, columns), strict=True))
        placed = {**_placed(kept), **values, "context": context.name}
        session.execute(statements.tallying(), placed)
    if gone:
        session.execute(statements.forgetting(), _placed(gone))


def _placed(buckets: Iterable[Bucket]) -> dict[str, Any]:
    columns = map(array_of, zip(*buckets, strict=True))
    return dict(zip(("spaces", "levels", "starts"), columns, strict=True))


def hours_of(session: Session, space: UUID) -> list[Hour]:
    """Tell in which hours anything happened, or had, in a space."""
    rows = fetch(session, statements.hours_of_space(), {"space": str(space)})
    return [(space, row.start) for row in rows]
