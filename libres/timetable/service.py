"""The facade of timetables: signature, docstring, one call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from libres.context.core import Context, ContextServicesMixin
from libres.timetable import (
    asking,
    assigning,
    booking,
    caching,
    closing,
    exchange,
    opening,
    planning,
    schema,
    subjects,
)
from libres.timetable.windows import name_of, names_of, window_of

if TYPE_CHECKING:
    from datetime import date as Date
    from datetime import datetime, timedelta

    from libres.domain.spans import Span
    from libres.modules.rasterizer import Raster
    from libres.timetable.asking import Order, Reason, Within
    from libres.timetable.assigning import Assignment, Event
    from libres.timetable.booking import Booked
    from libres.timetable.caching import CacheDifference
    from libres.timetable.closing import Closed
    from libres.timetable.exchange import What
    from libres.timetable.heatmap import Heat
    from libres.timetable.hours import SpecialDay, Weekly
    from libres.timetable.opening import Progress
    from libres.timetable.planning import Applied, Holidays
    from libres.timetable.rules import Common, Opportunity
    from libres.timetable.subjects import Subject

__all__ = ("Timetable",)


class Timetable(ContextServicesMixin):
    """When the subjects of a context are free; nobody else's are seen or touched.

    Free is what is allocated and not reserved, blocked or claimed; it is derived from
    those rows at each question. Cheap to make, without state; works in the session and
    transaction of the context. Under SERIALIZABLE a question about everybody can make
    those who write repeat themselves: ask within ``context.read_only()``.
    """

    def __init__(self, context: Context) -> None:
        self.context = context

    def setup(self) -> None:
        """Create what is missing in the database; see `libres.timetable.setup`."""
        schema.create_missing(self.session.connection())

    # Subjects -------------------------------------------------------------------------

    def add(
        self,
        *names: str,
        timezone: str,
        tags: Iterable[str] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> list[Subject]:
        """Add subjects of these names, or change those that are there.

        The resource of a subject is that of the scheduler of its name, so it can be
        reserved at once. *data* is stored as JSON. One statement per thousand.

        Raises InvalidSubject for names that cannot be stored, Misuse for a timezone
        that is none.
        """
        wanted = names_of(names)
        stored = None if data is None else json.dumps(dict(data))
        subjects.add(self, wanted, timezone, tags, stored)
        return subjects.known(self.context, self.session, wanted)

    def subject(self, name: str) -> Subject:
        """Return one subject. Raises UnknownSubject."""
        (found,) = subjects.known(self.context, self.session, [name_of(name)])
        return found

    def subjects(
        self, *, tags: Iterable[str] | None = None, inactive: bool = False
    ) -> list[Subject]:
        """Return all subjects that have all these tags, by name."""
        return subjects.listed(self.context, self.session, tags, inactive)

    def set_active(self, *names: str, active: bool) -> None:
        """List subjects, or do not list them any more: as if they had no time.

        Raises UnknownSubject.
        """
        subjects.set_active(self.context, self.session, names_of(names), active)

    def remove(self, name: str) -> bool:
        """Forget a subject with its hours; tell whether it was there.

        What is allocated and reserved stays with its scheduler.
        """
        return subjects.remove(self.context, self.session, name)

    # Opening --------------------------------------------------------------------------

    def open(
        self,
        names: Iterable[str],
        spans: Iterable[Any],
        *,
        timezone: str | None = None,
        raster: Raster = asking.RASTER,
        quota: int = 1,
        skip_overlapping: bool = False,
        progress: Progress | None = None,
    ) -> int:
        """Allocate spans, (start, end) each, of all these subjects; return how many.

        They are partly available, on a *raster* of minutes, and must not overlap each
        other. Naive ends are in *timezone*. Written in sets: one statement per 20,000
        allocations, all or none. Events of allocations are not told.

        Raises InvalidWindow if one overlaps what is allocated, unless
        *skip_overlapping*; UnknownSubject.
        """
        found = opening.spans_of(spans, raster, timezone)
        return opening.open_many(
            self.context,
            self.session,
            [(name, found) for name in names_of(names)],
            raster=raster,
            quota=quota,
            skip_overlapping=skip_overlapping,
            progress=progress,
        )

    @overload
    def close(self) -> None: ...

    @overload
    def close(
        self,
        names: Iterable[str],
        spans: Iterable[Any],
        *,
        timezone: str | None = None,
        raster: Raster = asking.RASTER,
    ) -> Closed: ...

    def close(
        self,
        names: Iterable[str] | None = None,
        spans: Iterable[Any] | None = None,
        *,
        timezone: str | None = None,
        raster: Raster = asking.RASTER,
    ) -> Closed | None:
        """Take spans, (start, end) each, from what is allocated of these subjects.

        An allocation of which somebody holds any part, by a reservation, also a pending
        one, or a blocker, is left as it is and told as ``kept``. Five statements at
        most. Without arguments it closes the session, as with every facade.

        Raises InvalidWindow, UnknownSubject.
        """
        if names is None and spans is None:
            super().close()
            return None
        found = opening.spans_of(spans, raster, timezone)
        wanted = [(name, found) for name in names_of(names)]
        return closing.close_many(self.context, self.session, wanted)

    # Hours ----------------------------------------------------------------------------

    def set_hours(self, names: Iterable[str], hours: Iterable[Weekly]) -> None:
        """Replace the weekly hours of subjects; `apply_template` allocates them."""
        planning.set_hours(self.context, self.session, names_of(names), hours)

    def add_exceptions(self, names: Iterable[str], days: Iterable[SpecialDay]) -> None:
        """Note days on which subjects are off, or have extra hours."""
        planning.add_exceptions(self.context, self.session, names_of(names), days)

    def remove_exceptions(self, names: Iterable[str], first: Date, last: Date) -> int:
        """Forget the exceptions that touch some days; return how many."""
        return planning.remove_exceptions(
            self.context, self.session, names_of(names), first, last
        )

    def hours(self, name: str) -> tuple[list[Weekly], list[SpecialDay]]:
        """Return the weekly hours and the exceptions of a subject."""
        found = planning.hours_of(self.context, self.session, names_of([name]))
        return found[name_of(name)]

    def apply_template(
        self,
        names: Iterable[str],
        until: Date,
        *,
        since: Date | None = None,
        holidays: Holidays = None,
        progress: Progress | None = None,
    ) -> Applied:
        """Make what is allocated agree with the hours, from today until a local day.

        What is missing is allocated, what is too much is taken back; done again, it
        does nothing. What somebody holds is never removed: reserved time outside of the
        hours is told. *holidays* is a country such as ``CH`` or ``CH-ZH``, for which
        the package ``holidays`` is needed, or the days themselves.

        Raises UnknownSubject, InvalidWindow, InvalidHours.
        """
        return planning.apply(
            self.context, self.session, names, since, until, holidays, progress
        )

    def with_hours(self) -> list[str]:
        """Return the names of all active subjects that have weekly hours."""
        return planning.with_hours(self.context, self.session)

    def extend_horizon(
        self,
        days: int = 365,
        *,
        holidays: Holidays = None,
        progress: Progress | None = None,
    ) -> Applied:
        """Apply the hours of all active subjects, for so many days from today.

        A plain function, to be called every night by whatever calls yours. For many
        thousands, apply the template to some of `with_hours` at a time and commit each.
        """
        return planning.extend(self.context, self.session, days, holidays, progress)

    # The cache ------------------------------------------------------------------------

    def cache(self, *, progress: Progress | None = None) -> int:
        """Keep free times in a table from now on; return how many rows that are.

        Questions are several times faster then, and writes slower: triggers compute
        the days anew that a statement touches, in its transaction. Locks the tables of
        the core against writing until the end of the transaction.
        """
        return caching.switch_on(self.context, self.session, progress)

    def uncache(self) -> None:
        """Keep them no more."""
        caching.switch_off(self.context, self.session)

    def rebuild_cache(self, *, progress: Progress | None = None) -> int:
        """Make the cache anew; return how many rows it has. Raises NotCached."""
        return caching.rebuild(self.context, self.session, progress)

    def verify_cache(self) -> list[CacheDifference]:
        """Compare the cache with the rows it is made of; empty if they agree."""
        return caching.verify(self.context, self.session)

    # One ------------------------------------------------------------------------------

    def free(
        self,
        subject: str,
        start: datetime,
        end: datetime,
        *,
        min_length: timedelta | None = None,
        raster: Raster | None = None,
        tentative: bool = False,
        timezone: str | None = None,
    ) -> list[Span]:
        """Return when a subject is free: half-open, in one piece where they touch.

        With a *raster* only whole steps; gaps shorter than *min_length* are left out.
        With more than one place it is free until all are taken. *tentative* counts
        pending reservations as taken, except expired ones. Two statements.

        Raises InvalidWindow, UnknownSubject, NotTimezoneAware for naive ends without
        *timezone*.
        """
        window = window_of(start, end, timezone)
        return asking.free_of(
            self.context, self.session, subject, window, min_length, raster, tentative
        )

    @overload
    def busy(
        self,
        subject: str,
        start: datetime,
        end: datetime,
        *,
        reasons: Literal[False] = False,
        within: Within = "allocated",
        tentative: bool = False,
        timezone: str | None = None,
    ) -> list[Span]: ...

    @overload
    def busy(
        self,
        subject: str,
        start: datetime,
        end: datetime,
        *,
        reasons: Literal[True],
        within: Within = "allocated",
        tentative: bool = False,
        timezone: str | None = None,
    ) -> list[Reason]: ...

    def busy(
        self,
        subject: str,
        start: datetime,
        end: datetime,
        *,
        reasons: bool = False,
        within: Within = "allocated",
        tentative: bool = False,
        timezone: str | None = None,
    ) -> list[Span] | list[Reason]:
        """Return when a subject is not free, of what is allocated or of the *window*.

        With *reasons*, what is in the way each time, as `why_not` does; what waits is
        none then. Raises what `free` does.
        """
        window = window_of(start, end, timezone)
        if reasons:
            found = asking.reasons_of(self.context, self.session, subject, window)
            hidden = "closed" if within == "allocated" else None
            return [each for each in found if each.kind != hidden]
        return asking.busy_of(
            self.context, self.session, subject, window, within, tentative
        )

    def is_free(
        self,
        subject: str,
        start: datetime,
        end: datetime,
        *,
        tentative: bool = False,
        timezone: str | None = None,
    ) -> bool:
        """Tell whether a subject is free during a whole window, rounded outwards."""
        found = self.who_is_free(
            (start, end), among=[subject], tentative=tentative, timezone=timezone
        )
        return bool(found)

    def why_not(
        self,
        subject: str,
        start: datetime,
        end: datetime,
        *,
        timezone: str | None = None,
    ) -> list[Reason]:
        """Return why a subject is not free in a window, by start; empty if it is.

        Show it to those who may know who reserved: the labels say.
        """
        window = window_of(start, end, timezone)
        return asking.reasons_of(self.context, self.session, subject, window)

    def to_bits(self, subject: str, day: Date, *, tentative: bool = False) -> str:
        """Return ``1`` for each free quarter of a local day of a subject, else ``0``.

        96 of them, or 92 and 100 where the clocks are moved by an hour.
        """
        return asking.day_bits(self.context, self.session, subject, day, tentative)

    def from_bits(self, subject: str, day: Date, bits: str) -> Applied:
        """Make what is allocated on a local day agree with such a text.

        As with `apply_template` nothing is removed that somebody holds. Raises
        InvalidWindow unless there is a sign for each quarter of that day.
        """
        return planning.from_bits(self.context, self.session, subject, day, bits)

    # Who ------------------------------------------------------------------------------

    def who_is_free(
        self,
        windows: Any,
        *,
        among: Iterable[str] | None = None,
        tags: Iterable[str] | None = None,
        duration: timedelta | None = None,
        fraction: float = 1.0,
        buffer: timedelta | None = None,
        tentative: bool = False,
        raster: Raster | None = asking.RASTER,
        timezone: str | None = None,
        order: Order = "name",
        limit: int | None = None,
        after: str | None = None,
    ) -> list[Subject]:
        """Return the active subjects that are free in all windows, by name.

        A window is (start, end), rounded outwards to the *raster* of minutes as
        reservations are; None: as it is. Free means during the whole of it, or for a
        *duration* in one piece somewhere in it, or for a *fraction* of it. *among*
        names whom to ask, *tags* what they need to have; *after* is the last name of
        another page; with a *buffer* nothing may be taken so long before and after, as
        to travel. ``least_booked`` puts those first who have been reserved least in
        the half years around.

        Raises InvalidWindow, UnknownSubject, NotTimezoneAware.
        """
        asked = asking.question(
            self.context,
            self.session,
            windows,
            among=among,
            tags=tags,
            duration=duration,
            fraction=fraction,
            buffer=buffer,
            tentative=tentative,
            raster=raster,
            timezone=timezone,
        )
        return asking.who(self.context, self.session, asked, order, limit, after)

    def count_free(
        self,
        windows: Any,
        *,
        among: Iterable[str] | None = None,
        tags: Iterable[str] | None = None,
        duration: timedelta | None = None,
        fraction: float = 1.0,
        buffer: timedelta | None = None,
        tentative: bool = False,
        raster: Raster | None = asking.RASTER,
        timezone: str | None = None,
    ) -> int:
        """Return how many `who_is_free` would return."""
        asked = asking.question(
            self.context,
            self.session,
            windows,
            among=among,
            tags=tags,
            duration=duration,
            fraction=fraction,
            buffer=buffer,
            tentative=tentative,
            raster=raster,
            timezone=timezone,
        )
        return asking.count(self.context, self.session, asked)

    def common(
        self,
        names: Iterable[str],
        start: datetime,
        end: datetime,
        *,
        min_length: timedelta | None = None,
        quorum: int | None = None,
        timezone: str | None = None,
    ) -> list[Common]:
        """Return when all of some subjects are free, or at least *quorum* of them.

        As long as possible each, and not shorter than *min_length*.
        """
        window = window_of(start, end, timezone)
        return asking.common(
            self.context, self.session, names, window, min_length, quorum
        )

    def next_free(
        self,
        names: Iterable[str],
        duration: timedelta,
        *,
        after: datetime,
        within: timedelta | None = None,
        n: int = 1,
    ) -> list[Opportunity]:
        """Return the next *n* times, at the earliest *after*, at which one is free.

        They start at quarters of an hour, and lie *within* 30 days if it is None.
        """
        return asking.upcoming(
            self.context, self.session, names, duration, after, within, n
        )

    def heatmap(
        self,
        start: datetime,
        end: datetime,
        step: Raster = asking.RASTER,
        *,
        among: Iterable[str] | None = None,
        tags: Iterable[str] | None = None,
    ) -> Heat:
        """Return how many subjects are free during each whole *step* (minutes)."""
        return asking.heat(self.context, self.session, (start, end), step, among, tags)

    def assign(
        self,
        events: Iterable[Event],
        *,
        among: Iterable[str] | None = None,
        timezone: str | None = None,
    ) -> list[Assignment]:
        """Propose who takes which event, in the order of the events; reserves nothing.

        Those who are free during the whole of it, have its tags and no other event of
        the plan at that time; of them, those who have least to do in the plan. One
        statement per 100 events, and per set of tags.
        """
        return assigning.assign(self.context, self.session, events, among, timezone)

    # Exchange -------------------------------------------------------------------------

    def export_csv(
        self,
        names: Iterable[str],
        start: datetime,
        end: datetime,
        what: What = "free",
        *,
        timezone: str | None = None,
    ) -> str:
        """Return free or busy times as CSV: name, start, end."""
        window = window_of(start, end, timezone)
        return exchange.export_csv(self.context, self.session, names, window, what)

    def export_ics(
        self,
        name: str,
        start: datetime,
        end: datetime,
        kind: Literal["freebusy", "events"] = "freebusy",
        *,
        timezone: str | None = None,
    ) -> str:
        """Return an iCalendar of a subject: a VFREEBUSY, or a VEVENT for busy times.

        It does not say who has reserved. Needs the package ``icalendar``.
        """
        window = window_of(start, end, timezone)
        return exchange.export_ics(self.context, self.session, name, window, kind)

    def import_ics(
        self,
        name: str,
        text: str | bytes,
        start: datetime,
        end: datetime,
        *,
        calendar: str = "default",
        timezone: str | None = None,
    ) -> int:
        """Take the busy times of an iCalendar; return how many there are.

        They are claims that make the subject busy and keep nobody else out; those that
        the *calendar* of this name brought before are replaced. Recurrences are
        expanded within the window. Needs the package ``icalendar``.

        Raises InvalidCalendar, UnknownSubject.
        """
        window = window_of(start, end, timezone)
        return exchange.import_ics(
            self.context, self.session, name, text, window, calendar
        )

    # Booking --------------------------------------------------------------------------

    def book_first(
        self,
        names: Iterable[str],
        duration: timedelta,
        within: tuple[datetime, datetime],
        email: str,
        *,
        timezone: str | None = None,
        data: dict[str, Any] | None = None,
        quota: int = 1,
    ) -> Booked:
        """Reserve the first time at which one of some is free, approve it and commit.

        Who was outrun tries the next time; *data* and *quota* as in ``Scheduler.book``.

        Raises AlreadyReservedError if nobody is free *within* that window.
        """
        window = window_of(*within, timezone)
        options = {"data": data, "quota": quota}
        return booking.book_first(self, names, duration, window, email, options)
