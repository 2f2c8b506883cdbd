"""Gives free and busy times to others as CSV or iCalendar, and takes busy ones."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Final, Literal

from libres.conflicts import Claims
from libres.db.models.timestamp import TimestampMixin
from libres.domain.spans import Span
from libres.timetable import asking, calendars, rules
from libres.timetable.errors import InvalidWindow
from libres.timetable.schema import CALENDAR
from libres.timetable.subjects import known
from libres.timetable.windows import name_of, names_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

What = Literal["free", "busy"]

HEADER: Final = ("name", "start", "end")


def export_csv(
    context: Context, session: Session, names: Iterable[str], window: Span, what: What
) -> str:
    """Return a line for each time, by name and start."""
    if what not in ("free", "busy"):
        message = f"what is 'free' or 'busy', not {what!r}."
        raise InvalidWindow(message)
    wanted = names_of(names)
    free = asking.free(context, session, wanted, window, tentative=False)
    written = StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(HEADER)
    for name in wanted:
        spans = free[name]
        if what == "busy":
            spans = asking.busy_of(context, session, name, window, "allocated", False)
        for span in spans:
            writer.writerow((name, span.start.isoformat(), span.end.isoformat()))
    return written.getvalue()


def export_ics(
    context: Context,
    session: Session,
    name: str,
    window: Span,
    kind: Literal["freebusy", "events"],
) -> str:
    """Return a calendar of one subject; it does not say who has reserved."""
    if kind not in ("freebusy", "events"):
        message = f"kind is 'freebusy' or 'events', not {kind!r}."
        raise InvalidWindow(message)
    wanted = name_of(name)
    busy = asking.busy_of(context, session, wanted, window, "allocated", False)
    free = asking.free(context, session, [wanted], window, tentative=False)[wanted]
    return calendars.export(
        wanted,
        [calendars.Labelled(span, None) for span in busy],
        free,
        kind=kind,
        window=window,
        now=TimestampMixin.timestamp(),
    )


def import_ics(
    context: Context,
    session: Session,
    name: str,
    text: str | bytes,
    window: Span,
    calendar: str,
) -> int:
    """Take the busy times of a calendar instead of those it brought before."""
    (subject,) = known(context, session, [name_of(name)])
    found = calendars.busy_times(text, window, subject.timezone)
    claims = Claims(context)
    record = f"{subject.resource}/{name_of(calendar)}"
    claims.drop(CALENDAR, record)
    rows = [
        {
            "source": CALENDAR,
            "source_id": record,
            "part": part,
            "resource": str(subject.resource),
            "during": (span.start, span.end),
            "exclusive": False,
            "label": _label(found, span),
        }
        for part, span in enumerate(rules.merged(each.span for each in found))
    ]
    if rows:
        claims.put_many(rows)
    return len(rows)


def _label(found: Sequence[calendars.Labelled], span: Span) -> str | None:
    labels = (each.label for each in found if each.label and span.contains(each.span))
    return "; ".join(dict.fromkeys(labels))[:1000] or None
