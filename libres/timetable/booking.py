"""Finds somebody who is free and reserves, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from libres.db.scheduler import Scheduler
from libres.domain.spans import Span
from libres.modules.errors import AlreadyReservedError
from libres.timetable import asking, rules
from libres.timetable.subjects import Subject, known
from libres.timetable.windows import length_of, names_of

if TYPE_CHECKING:
    from libres.context.core import ContextServicesMixin
    from libres.db.models import Reservation

ATTEMPTS: Final = 30
"""All who ask at the same moment want the same first time, so many lose many times."""


@dataclass(frozen=True, slots=True)
class Booked:
    """What was found, and is reserved and approved."""

    subject: Subject
    span: Span
    reservations: Sequence[Reservation]


def book_first(
    services: ContextServicesMixin,
    subjects: Iterable[str],
    duration: timedelta,
    within: Span,
    email: str,
    options: Mapping[str, Any],
) -> Booked:
    """Reserve the first time that still works, and commit."""
    names = names_of(subjects)
    length_of(duration, "duration")

    def attempt() -> Booked:
        context, session = services.context, services.session
        found = {each.name: each for each in known(context, session, names)}
        free = asking.free(context, session, names, within, tentative=False)
        for each in rules.earliest(free, duration, asking.RASTER):
            subject = found[each.subject]
            if made := _book(services, subject, each.span, email, options):
                return Booked(subject, each.span, made)
        raise AlreadyReservedError

    booked: Booked = services.context.transaction(attempt, attempts=ATTEMPTS)
    return booked


def _book(
    services: ContextServicesMixin,
    subject: Subject,
    span: Span,
    email: str,
    options: Mapping[str, Any],
) -> list[Reservation]:
    """Reserve and approve; nothing if somebody was faster, or holds it by a claim."""
    scheduler = Scheduler(services.context, subject.name, subject.timezone)
    try:
        with services.session.begin_nested():
            return scheduler.book(email, (span.start, span.end), **options)
    except AlreadyReservedError:
        return []
