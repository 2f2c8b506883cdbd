"""Answers when subjects are free, and who is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date as Date
from datetime import datetime, time, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal

from libres.db.models.timestamp import TimestampMixin
from libres.db.passing import fetch
from libres.domain.days import UTC, to_utc
from libres.domain.spans import Span
from libres.modules.rasterizer import Raster, checked_raster
from libres.timetable import caching, rules, statements
from libres.timetable.errors import InvalidWindow
from libres.timetable.heatmap import Heat
from libres.timetable.parts import Source, Windows
from libres.timetable.statements import Whom
from libres.timetable.subjects import Subject, known, subject_of
from libres.timetable.windows import (
    Window,
    day_of,
    length_of,
    names_of,
    number_of,
    share_of,
    tags_of,
    window_of,
    windows_of,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

RASTER: Final[Raster] = 15
"""Minutes of a step, if nothing else is said."""

HORIZON: Final = timedelta(days=30)
"""How far to look for the next time."""

MOST: Final = 1_000_000
"""Subjects of an answer, if it is not limited."""

MOST_STEPS: Final = 200_000
"""Steps of a heatmap."""

FEW: Final = 100
"""Subjects."""

DAY: Final = timedelta(days=1)
LEAST: Final = timedelta(microseconds=1)

Order = Literal["name", "least_booked"]
Within = Literal["allocated", "window"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a question is about, and which windows."""

    windows: Sequence[Span]
    among: Sequence[str] | None = None
    """Names; None: everybody."""

    tags: Sequence[str] = ()
    tentative: bool = False
    duration: timedelta | None = None
    fraction: float = 1.0
    buffer: timedelta = timedelta()

    @property
    def few(self) -> bool:
        """Whether so few are named that each is looked up by itself."""
        return self.among is not None and len(self.among) <= FEW

    @property
    def whom(self) -> Whom:
        """Whom it is about, as far as it matters how they are found."""
        if self.few:
            return Whom.FEW
        return Whom.SOME if self.tags or self.among is not None else Whom.EVERYBODY

    @property
    def whole(self) -> bool:
        """Whether the whole of each window is asked for."""
        return self.duration is None and self.fraction == 1.0

    @property
    def number(self) -> Windows:
        """How many windows it is about, as far as it matters how they are found."""
        if len(self.windows) > 1:
            return Windows.MANY
        (window,) = self.windows
        day = _stored(window.start).date()
        within = _stored(window.end - LEAST).date() == day
        return Windows.WITHIN_DAY if within else Windows.ONE

    def parameters(self, context: Context) -> dict[str, Any]:
        """Return what the statements take."""
        return {
            "context": context.name,
            "among": None if self.among is None else list(self.among),
            "tags": list(self.tags),
            "starts": [_stored(window.start) for window in self.windows],
            "ends": [_stored(window.end) for window in self.windows],
            "now": TimestampMixin.timestamp(),
            "buffer": self.buffer,
            **({} if self.whole else self._measures),
        }

    @property
    def _measures(self) -> dict[str, Any]:
        """How long, and which share of it; a share of 1 is asked for by nobody who
        says how long."""
        asks_length = self.duration is not None and self.fraction == 1.0
        return {
            "duration": self.duration or LEAST,
            "fraction": 0.0 if asks_length else self.fraction,
        }


def _stored(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def question(
    context: Context,
    session: Session,
    windows: object,
    *,
    among: Iterable[str] | None,
    tags: Iterable[str] | None,
    duration: timedelta | None,
    fraction: float,
    tentative: bool,
    raster: Raster | None,
    timezone: str | None,
    buffer: timedelta | None = None,
) -> Asked:
    """Read a question about who. Raises UnknownSubject for names that are not there."""
    names = None if among is None else names_of(among)
    asked = Asked(
        windows=windows_of(windows, raster, timezone),
        among=names,
        tags=tags_of(tags),
        tentative=tentative is True,
        duration=None if duration is None else length_of(duration, "duration"),
        fraction=share_of(fraction),
        buffer=timedelta() if buffer is None else length_of(buffer, "buffer"),
    )
    if names:
        known(context, session, names)
    return asked


def _source(context: Context, session: Session, tentative: bool) -> Source:
    """Tell what to ask: the cache knows nothing of what waits."""
    if not tentative and caching.is_cached(context, session):
        return Source.CACHE
    return _rows(tentative)


def source_of(context: Context, session: Session, asked: Asked) -> Source:
    """Tell what to ask; the cache does not know what is taken around a window."""
    if asked.buffer:
        return _rows(asked.tentative)
    return _source(context, session, asked.tentative)


def _rows(tentative: bool) -> Source:
    return Source.TENTATIVE if tentative else Source.ROWS


# One, or several by name --------------------------------------------------------------


def free(
    context: Context,
    session: Session,
    names: Sequence[str],
    window: Span,
    tentative: bool,
) -> dict[str, list[Span]]:
    """Return when each of some subjects is free, by name."""
    found: dict[str, list[Span]] = {
        subject.name: [] for subject in known(context, session, names)
    }
    asked = Asked([window], names, tentative=tentative)
    statement = statements.free_spans(_source(context, session, tentative))
    for row in fetch(session, statement, asked.parameters(context)):
        found[row.name] = [
            Span(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
            for start, end in zip(row.starts, row.ends, strict=True)
        ]
    return found


def free_of(
    context: Context,
    session: Session,
    subject: str,
    window: Span,
    min_length: timedelta | None,
    raster: Raster | None,
    tentative: bool,
) -> list[Span]:
    """Return when one subject is free."""
    (spans,) = free(context, session, names_of([subject]), window, tentative).values()
    if min_length is None and raster is None:
        return spans
    least = None if min_length is None else length_of(min_length, "min_length")
    return rules.usable(spans, least, raster)


def busy_of(
    context: Context,
    session: Session,
    subject: str,
    window: Span,
    within: Within,
    tentative: bool,
) -> list[Span]:
    """Return when one subject is not free: of what is allocated, or of the window."""
    names = names_of([subject])
    known(context, session, names)
    if within not in ("allocated", "window"):
        message = f"within is 'allocated' or 'window', not {within!r}."
        raise InvalidWindow(message)
    (spans,) = free(context, session, names, window, tentative).values()
    if within == "window":
        return rules.without([window], spans)
    asked = Asked([window], names, tentative=tentative)
    rows = fetch(
        session, statements.known_spans(_rows(tentative)), asked.parameters(context)
    )
    opened = [Span(row.starts, row.ends) for row in rows if not row.is_taken]
    return rules.without(opened, spans)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a subject is not free."""

    kind: str
    """``reservation``, ``blocker``, ``claim`` or ``closed``: not allocated."""

    span: Span
    label: str | None = None
    """The e-mail, the reason, or what the claim is for."""


def reasons_of(
    context: Context, session: Session, subject: str, window: Span
) -> list[Reason]:
    """Return why one subject is not free in a window, by start."""
    names = names_of([subject])
    known(context, session, names)
    asked = Asked([window], names).parameters(context)
    found: dict[tuple[str, str | None], list[Span]] = defaultdict(list)
    for row in fetch(session, statements.reasons(), asked):
        span = Span(row.starts or window.start, row.ends or window.end)
        found[row.kind, row.label].append(span.clip(window))
    rows = fetch(session, statements.known_spans(Source.ROWS), asked)
    opened = [Span(row.starts, row.ends) for row in rows if not row.is_taken]
    found["closed", None] = rules.without([window], opened)
    reasons = (
        Reason(kind, span, label)
        for (kind, label), spans in found.items()
        for span in rules.merged(spans)
    )
    return sorted(reasons, key=lambda each: (each.span, each.kind, each.label or ""))


def day_bits(
    context: Context, session: Session, subject: str, day: object, tentative: bool
) -> str:
    """Return the quarters of a local day of a subject."""
    (found,) = known(context, session, names_of([subject]))
    window = local_day(day_of(day), found.timezone)
    (spans,) = free(context, session, [found.name], window, tentative).values()
    return rules.bits(spans, window, timedelta(minutes=RASTER))


def local_day(day: Date, timezone: str) -> Span:
    """Return a day of a zone, 23 to 25 hours long."""
    start = datetime.combine(day, time())
    return Span(to_utc(start, timezone), to_utc(start + DAY, timezone))


# Who ----------------------------------------------------------------------------------


def who(
    context: Context,
    session: Session,
    asked: Asked,
    order: Order,
    limit: int | None,
    after: str | None,
) -> list[Subject]:
    """Return who is free in all windows."""
    if order not in ("name", "least_booked"):
        message = f"order is 'name' or 'least_booked', not {order!r}."
        raise InvalidWindow(message)
    fair = order == "least_booked"
    if fair and after is not None:
        message = "What is ordered by 'least_booked' has no pages: pass a limit only."
        raise InvalidWindow(message)
    if asked.among is not None and not asked.among:
        return []
    values = {
        **asked.parameters(context),
        "most": MOST if limit is None else number_of(limit, "limit"),
        **(_year_around(asked) if fair else {"after": after}),
    }
    source = source_of(context, session, asked)
    statement = statements.who(asked.whole, source, asked.whom, asked.number, fair)
    return list(map(subject_of, fetch(session, statement, values)))


def _year_around(asked: Asked) -> dict[str, datetime]:
    start = asked.windows[0].start
    half = timedelta(days=182)
    return {"since": _stored(start - half), "until": _stored(start + half)}


def count(context: Context, session: Session, asked: Asked) -> int:
    """Return how many are free in all windows."""
    source = source_of(context, session, asked)
    statement = statements.how_many(asked.whole, source, asked.whom, asked.number)
    return int(fetch(session, statement, asked.parameters(context))[0][0])


def common(
    context: Context,
    session: Session,
    names: Iterable[str],
    window: Span,
    min_length: timedelta | None,
    quorum: int | None,
) -> list[rules.Common]:
    """Return when all of some are free, or so many of them."""
    wanted = names_of(names)
    least = len(wanted) if quorum is None else number_of(quorum, "quorum")
    if not wanted:
        return []
    if min_length is not None:
        length_of(min_length, "min_length")
    spans = free(context, session, wanted, window, tentative=False)
    return rules.common(spans, least, min_length)


def upcoming(
    context: Context,
    session: Session,
    names: Iterable[str],
    duration: timedelta,
    after: datetime,
    within: timedelta | None,
    n: int,
) -> list[rules.Opportunity]:
    """Return the next times at which one of some is free for so long."""
    wanted = names_of(names)
    length_of(duration, "duration")
    number_of(n, "n")
    reach = HORIZON if within is None else length_of(within, "within")
    start = window_of(after, after + LEAST).start
    if not wanted:
        return []
    spans = free(context, session, wanted, Span(start, start + reach), tentative=False)
    return list(islice(rules.earliest(spans, duration, RASTER), n))


def heat(
    context: Context,
    session: Session,
    window: Window,
    step: Raster,
    among: Iterable[str] | None,
    tags: Iterable[str] | None,
) -> Heat:
    """Return how many are free in each step."""
    length = timedelta(minutes=checked_raster(step))
    asked = question(
        context,
        session,
        window,
        among=among,
        tags=tags,
        duration=None,
        fraction=1.0,
        tentative=False,
        raster=step,
        timezone=None,
    )
    (span,) = asked.windows
    number = span.duration // length
    if number > MOST_STEPS:
        message = f"A heatmap has {MOST_STEPS:,} steps at most, not {number:,}."
        raise InvalidWindow(message)
    values = {**asked.parameters(context), "step": length.total_seconds()}
    statement = statements.counts(_source(context, session, False), asked.few)
    rows = fetch(session, statement, values)
    changes = [(row.step, row.number) for row in rows]
    return Heat(span.start, length, tuple(rules.steps_from(changes, number)))
