"""Keeps weekly hours and exceptions, and makes what is allocated agree with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import delete, insert, select

from libres.db.models.timestamp import TimestampMixin
from libres.db.passing import fetch
from libres.domain.days import to_zone
from libres.domain.spans import Span
from libres.modules.rasterizer import Raster
from libres.timetable import rules, statements
from libres.timetable.asking import RASTER, Asked, local_day
from libres.timetable.closing import close_many
from libres.timetable.errors import InvalidSubject, InvalidWindow
from libres.timetable.hours import SpecialDay, Weekly, opening_spans, public_holidays
from libres.timetable.models import (
    TimetableException,
    TimetableSubject,
    TimetableTemplate,
)
from libres.timetable.opening import Progress, open_many
from libres.timetable.parts import Source
from libres.timetable.subjects import Subject, known
from libres.timetable.windows import day_of, names_of, number_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

BATCH: Final = 100
"""Subjects that are looked at together."""

Holidays = str | Container[Date] | None
"""A country such as ``CH`` or ``CH-ZH``, or the days themselves."""


@dataclass
class Applied:
    """What became of allocations, so that they agree with the hours."""

    opened: int = 0
    """Allocations that were made."""

    cut: int = 0
    """Allocations that were removed, or are shorter now."""

    outside: list[tuple[str, Span]] = field(default_factory=list)
    """What is reserved, blocked or claimed outside of the hours; it is left there."""


@dataclass(frozen=True, slots=True)
class _Hours:
    """All that is said about a subject."""

    subject: Subject
    weekly: list[Weekly]
    special: list[SpecialDay]


# Hours --------------------------------------------------------------------------------


def set_hours(
    context: Context, session: Session, names: Sequence[str], hours: Iterable[Weekly]
) -> None:
    """Replace the weekly hours of subjects."""
    weekly = _checked(hours, Weekly)
    resources = [each.resource for each in known(context, session, names)]
    _forget(context, session, TimetableTemplate, resources)
    columns = ("weekday", "start", "end", "valid_from", "valid_until")
    _store(context, session, TimetableTemplate, resources, columns, weekly)


def add_exceptions(
    context: Context, session: Session, names: Sequence[str], days: Iterable[SpecialDay]
) -> None:
    """Note days on which subjects have other hours."""
    special = _checked(days, SpecialDay)
    resources = [each.resource for each in known(context, session, names)]
    columns = ("first", "last", "kind", "start", "end", "reason")
    _store(context, session, TimetableException, resources, columns, special)


def remove_exceptions(
    context: Context, session: Session, names: Sequence[str], first: Date, last: Date
) -> int:
    """Forget the exceptions of some days; return how many."""
    resources = [each.resource for each in known(context, session, names)]
    gone = session.execute(
        delete(TimetableException)
        .where(
            TimetableException.context == context.name,
            TimetableException.resource.in_(resources),
            TimetableException.first <= day_of(last),
            TimetableException.last >= day_of(first),
        )
        .returning(TimetableException.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


def _checked(values: Iterable[Any], kind: type) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        message = f"Pass a list of {kind.__name__}, not {values!r}."
        raise InvalidSubject(message)
    found = list(values)
    for each in found:
        if not isinstance(each, kind):
            message = f"A {kind.__name__} is needed, not {each!r}."
            raise InvalidSubject(message)
    return found


def _forget(
    context: Context, session: Session, model: Any, resources: Sequence[UUID]
) -> None:
    session.execute(
        delete(model)
        .where(model.context == context.name, model.resource.in_(resources))
        .execution_options(synchronize_session=False)
    )


def _store(
    context: Context,
    session: Session,
    model: Any,
    resources: Sequence[UUID],
    columns: Sequence[str],
    values: Sequence[Any],
) -> None:
    rows = [
        {
            "context": context.name,
            "resource": resource,
            **{column: getattr(value, column) for column in columns},
        }
        for resource in resources
        for value in values
    ]
    if rows:
        session.execute(insert(model), rows)


def hours_of(
    context: Context, session: Session, names: Sequence[str]
) -> dict[str, tuple[list[Weekly], list[SpecialDay]]]:
    """Return what is said about some subjects, by name."""
    found = _loaded(context, session, known(context, session, names))
    return {each.subject.name: (each.weekly, each.special) for each in found}


def _loaded(
    context: Context, session: Session, subjects: Sequence[Subject]
) -> list[_Hours]:
    resources = [each.resource for each in subjects]
    weekly: dict[UUID, list[Weekly]] = defaultdict(list)
    for row in _rows(context, session, TimetableTemplate, resources):
        weekly[row.resource].append(
            Weekly(row.weekday, row.start, row.end, row.valid_from, row.valid_until)
        )
    special: dict[UUID, list[SpecialDay]] = defaultdict(list)
    for row in _rows(context, session, TimetableException, resources):
        special[row.resource].append(
            SpecialDay(row.first, row.last, row.kind, row.start, row.end, row.reason)
        )
    return [
        _Hours(each, weekly[each.resource], special[each.resource]) for each in subjects
    ]


def _rows(
    context: Context, session: Session, model: Any, resources: Sequence[UUID]
) -> list[Any]:
    query = (
        select(*model.__table__.c)
        .where(model.context == context.name, model.resource.in_(resources))
        .order_by(model.id)
    )
    return fetch(session, query, {})


# Applying -----------------------------------------------------------------------------


def extend(
    context: Context,
    session: Session,
    days: int,
    holidays: Holidays,
    progress: Progress | None,
) -> Applied:
    """Apply the hours of all active subjects that have any, from today on."""
    number_of(days, "days")
    names = with_hours(context, session)
    until = TimestampMixin.timestamp().date() + timedelta(days=days)
    return apply(context, session, names, None, until, holidays, progress)


def with_hours(context: Context, session: Session) -> list[str]:
    """Return the names of all active subjects that have weekly hours."""
    query = (
        select(TimetableSubject.name)
        .where(
            TimetableSubject.context == context.name,
            TimetableSubject.active,
            select(TimetableTemplate.id)
            .where(
                TimetableTemplate.context == TimetableSubject.context,
                TimetableTemplate.resource == TimetableSubject.resource,
            )
            .exists(),
        )
        .order_by(TimetableSubject.name)
    )
    return [row.name for row in fetch(session, query, {})]


def apply(
    context: Context,
    session: Session,
    names: Iterable[str],
    since: Date | None,
    until: Date,
    holidays: Holidays,
    progress: Progress | None,
) -> Applied:
    """Make allocations agree with hours, on the local days *since* to *until*."""
    wanted = known(context, session, names_of(names))
    last = day_of(until)
    done = Applied()
    looked_at = 0
    for timezone, subjects in _by_zone(wanted):
        first = _today(timezone) if since is None else day_of(since)
        if last < first:
            message = f"{last} lies before {first}: pass an until that does not."
            raise InvalidWindow(message)
        off = _days_off(holidays, first, last)
        for some in _batches(subjects):
            _apply(context, session, some, first, last, off, done)
            looked_at += len(some)
            if progress is not None:
                progress(looked_at, len(wanted))
    return done


def _by_zone(subjects: Iterable[Subject]) -> list[tuple[str, list[Subject]]]:
    found: dict[str, list[Subject]] = defaultdict(list)
    for each in subjects:
        found[each.timezone].append(each)
    return sorted(found.items())


def _batches(subjects: Sequence[Subject]) -> Iterator[Sequence[Subject]]:
    for first in range(0, len(subjects), BATCH):
        yield subjects[first : first + BATCH]


def _today(timezone: str) -> Date:
    return to_zone(TimestampMixin.timestamp(), timezone).date()


def _days_off(holidays: Holidays, first: Date, last: Date) -> Container[Date]:
    if isinstance(holidays, str):
        country, _, subdivision = holidays.partition("-")
        return public_holidays(country, first, last, subdivision or None)
    return frozenset() if holidays is None else holidays


def _apply(
    context: Context,
    session: Session,
    subjects: Sequence[Subject],
    first: Date,
    last: Date,
    off: Container[Date],
    done: Applied,
) -> None:
    timezone = subjects[0].timezone
    window = Span(local_day(first, timezone).start, local_day(last, timezone).end)
    hours = {
        each.subject.name: opening_spans(
            each.weekly, each.special, first, last, timezone, off
        )
        for each in _loaded(context, session, subjects)
    }
    agree(context, session, subjects, hours, window, done)


def agree(
    context: Context,
    session: Session,
    subjects: Sequence[Subject],
    hours: Mapping[str, Sequence[Span]],
    window: Span,
    done: Applied,
) -> None:
    """Make what is allocated of subjects within a window agree with their hours."""
    opened, taken = _present(context, session, subjects, window)
    missing: list[tuple[str, list[Span]]] = []
    excess: list[tuple[str, list[Span]]] = []
    for name in (each.name for each in subjects):
        wanted = rules.clipped(_on_raster(hours[name], RASTER), window)
        missing.append((name, rules.without(wanted, opened[name])))
        excess.append((name, rules.without(opened[name], wanted)))
        outside = rules.without(taken[name], wanted)
        done.outside += [(name, span) for span in rules.clipped(outside, window)]
    done.cut += close_many(context, session, excess).cut
    done.opened += open_many(
        context,
        session,
        missing,
        raster=RASTER,
        quota=1,
        skip_overlapping=False,
        progress=None,
    )


def from_bits(
    context: Context, session: Session, subject: str, day: Date, bits: object
) -> Applied:
    """Make a local day of a subject agree with a text of quarters."""
    (found,) = known(context, session, names_of([subject]))
    window = local_day(day_of(day), found.timezone)
    step = timedelta(minutes=RASTER)
    number = window.duration // step
    if not isinstance(bits, str) or len(bits) != number or set(bits) - {"0", "1"}:
        message = f"{day} has {number} quarters there: pass so many '0' and '1'."
        raise InvalidWindow(message)
    done = Applied()
    hours = {found.name: rules.spans_of_bits(bits, window, step)}
    agree(context, session, [found], hours, window, done)
    return done


def _on_raster(spans: Iterable[Span], raster: Raster) -> list[Span]:
    snapped = (Span.rasterized(span.start, span.end, raster) for span in spans)
    return rules.merged(snapped)


def _present(
    context: Context, session: Session, subjects: Sequence[Subject], window: Span
) -> tuple[dict[str, list[Span]], dict[str, list[Span]]]:
    """Return what is allocated, and what is taken, by name."""
    asked = Asked([window], [each.name for each in subjects])
    statement = statements.known_spans(Source.ROWS)
    opened: dict[str, list[Span]] = defaultdict(list)
    taken: dict[str, list[Span]] = defaultdict(list)
    for row in fetch(session, statement, asked.parameters(context)):
        found = taken if row.is_taken else opened
        found[row.name].append(Span(row.starts, row.ends))
    return opened, taken
