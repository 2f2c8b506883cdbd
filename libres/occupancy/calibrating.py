"""Notes how many there really are, and how far off the count was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Literal, get_args

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from libres.db.passing import fetch
from libres.domain.days import to_utc, to_zone
from libres.domain.spans import Span
from libres.occupancy.counting import count_before
from libres.occupancy.errors import InvalidPlace
from libres.occupancy.models import OccCalibration, OccSpace, OccTally
from libres.occupancy.places import Space
from libres.occupancy.readings import FIRST
from libres.occupancy.steps import DAY, bucket_of
from libres.occupancy.tallying import recount
from libres.occupancy.values import note_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

Kind = Literal["manual", "schedule", "drift"]


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What was told, and how far off the count was."""

    ts: datetime
    value: int
    drift: int
    """How many too many had been counted just before; negative: too few."""

    passages: int
    """Of how many, since the calibration before, about: by whole hours."""


def calibrate(
    context: Context,
    session: Session,
    space: Space,
    value: int,
    moment: datetime,
    kind: Kind,
    actor: str | None,
    note: str | None,
) -> Calibrated:
    """Let the count of a space be *value* from a moment on."""
    if kind not in get_args(Kind):
        reason = f"kind is {', '.join(get_args(Kind))}, not {kind!r:.60}."
        raise InvalidPlace(reason)
    counted = count_before(session, space, moment, space.policy)
    found = Calibrated(
        ts=moment,
        value=value,
        drift=counted - value,
        passages=_passages(session, space, moment),
    )
    row = {
        "value": value,
        "kind": kind,
        "actor": note_of(actor, "actor"),
        "note": note_of(note, "note"),
        "drift": found.drift,
        "passages": found.passages,
    }
    session.execute(
        insert(OccCalibration)
        .values(context=context.name, space=space.id, ts=moment, **row)
        .on_conflict_do_update(constraint="occ_calibrations_moment", set_=row)
    )
    recount(context, session, [(space.id, bucket_of(moment, "hour"))])
    return found


def _passages(session: Session, space: Space, moment: datetime) -> int:
    since = select(func.max(OccCalibration.ts)).where(
        OccCalibration.space == space.id, OccCalibration.ts < moment
    )
    query = select(func.sum(OccTally.ins + OccTally.outs)).where(
        OccTally.space == space.id,
        OccTally.level == "hour",
        OccTally.start >= func.coalesce(since.scalar_subquery(), FIRST),
        OccTally.start <= moment,
    )
    return int(fetch(session, query, {})[0][0] or 0)


# Every day ----------------------------------------------------------------------------


def schedule(session: Session, space: Space, at: time | None, zone: str) -> None:
    """Note when a space is empty each day; what was due without a schedule is not."""
    values: dict[str, Any] = {"reset_at": at, "timezone": zone}
    if space.reset_at is None or at is None:
        values["reset_done"] = None
    session.execute(update(OccSpace).where(OccSpace.id == space.id).values(**values))


def apply_resets(
    context: Context, session: Session, spaces: list[Space], until: datetime
) -> int:
    """Calibrate spaces to zero where they were empty by their schedule, up to now."""
    done = 0
    for space in spaces:
        if space.reset_at is None:
            continue
        since = _since(session, space, until)
        for moment in _resets(space, since, until):
            calibrate(context, session, space, 0, moment, "schedule", None, None)
            done += 1
        match = OccSpace.id == space.id
        session.execute(
            update(OccSpace).where(match).values(reset_done=max(since, until))
        )
    return done


def _since(session: Session, space: Space, until: datetime) -> datetime:
    """Tell up to when it has been done; a new schedule begins a day ago."""
    query = select(OccSpace.reset_done).where(OccSpace.id == space.id)
    done: datetime | None = fetch(session, query, {})[0][0]
    return done or until - DAY


def _resets(space: Space, since: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the moments, after one and up to the other, at which the clock says so."""
    day = to_zone(since, space.timezone).date() - timedelta(days=1)
    last = to_zone(until, space.timezone).date()
    while day <= last:
        wall = datetime.combine(day, space.reset_at or time())
        moment = to_utc(wall, space.timezone)
        if since < moment <= until:
            yield moment
        day += timedelta(days=1)


def opening_of(space: Space, span: Span) -> list[Span]:
    """Return when a space is open, within a time."""
    if space.opens is None or space.closes is None:
        return [span]
    found = []
    day = to_zone(span.start, space.timezone).date() - timedelta(days=1)
    while day <= to_zone(span.end, space.timezone).date():
        opens = datetime.combine(day, space.opens)
        closes = datetime.combine(day, space.closes)
        if closes <= opens:
            closes += DAY
        start, end = (to_utc(each, space.timezone) for each in (opens, closes))
        found.append(Span(start, end).clip(span))
        day += timedelta(days=1)
    return [each for each in found if not each.is_empty]
