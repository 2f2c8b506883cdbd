"""The facade of occupancy: signature, docstring, one call."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from libres.context.core import Context, ContextServicesMixin
from libres.domain.days import check_timezone
from libres.occupancy import (
    calibrating,
    counting,
    findings,
    health,
    ingesting,
    judging,
    moving,
    places,
    proving,
    reporting,
    schema,
    utilisation,
)
from libres.occupancy.errors import InvalidMoment
from libres.occupancy.values import (
    code_of,
    length_of,
    moment_of,
    name_of,
    number_of,
    policy_of,
    sign_of,
    span_of,
    time_of,
)

if TYPE_CHECKING:
    from uuid import UUID

    from libres.db.models import Reservation
    from libres.domain.spans import Span
    from libres.occupancy.algebra import Policy
    from libres.occupancy.calibrating import Calibrated, Kind
    from libres.occupancy.counting import Count, Extremes, Passages
    from libres.occupancy.findings import Finding
    from libres.occupancy.health import Health
    from libres.occupancy.ingesting import Loaded, Progress, Recorded
    from libres.occupancy.judging import Kind as Found
    from libres.occupancy.moving import Assignment
    from libres.occupancy.places import Doorway, Sensor, Space, SpaceKey
    from libres.occupancy.proving import TallyDifference
    from libres.occupancy.steps import Step
    from libres.occupancy.utilisation import Utilisation

__all__ = ("Occupancy",)

HEARTBEAT: Final = timedelta(minutes=15)
"""How long a sensor may be silent, if nothing else is said."""

HOUR: Final = timedelta(hours=1)

DAY: Final = timedelta(days=1)
"""How long ago reservations may have begun that are judged, if nothing is said."""

GRACE: Final = timedelta(minutes=15)
"""How late one may be, and how long gone, if nothing else is said."""

LEAST: Final = timedelta(minutes=5)
"""How long somebody has to be inside for a report, if nothing else is said."""


class Occupancy(ContextServicesMixin):
    """How many are in the spaces of a context; nobody else's are seen or touched.

    Cheap to make; works in the session and transaction of the context. *retention* is
    how old an event may be when it arrives, and still counts; None: as old as it likes.
    """

    def __init__(self, context: Context, retention: timedelta | None = None) -> None:
        self.context = context
        self.retention = retention and length_of(retention, "retention")

    def setup(self) -> None:
        """Create what is missing in the database; see `libres.occupancy.setup`."""
        schema.create_missing(self.session.connection())

    # Spaces, doorways, sensors --------------------------------------------------------

    def add_space(
        self,
        name: str,
        *,
        timezone: str,
        parent: SpaceKey | None = None,
        resource: UUID | str | None = None,
        capacity: int | None = None,
        policy: Policy = "raw",
        opens: time | None = None,
        closes: time | None = None,
    ) -> Space:
        """Add a space, or change the one of this name.

        *parent* is the space that it lies in. *resource* is what is reserved of it: the
        name of a scheduler of the context, or its resource. *policy* says what becomes
        of a count below zero: ``raw`` leaves it, ``floor`` shows zero, ``saturate``
        never counts below. *opens* and *closes* are local.

        Raises InvalidPlace, Misuse for a timezone that is none, UnknownPlace.
        """
        found = self.generate_uuid(resource) if isinstance(resource, str) else resource
        values = {
            "resource": found,
            "capacity": capacity,
            "policy": policy,
            "opens": None if opens is None else time_of(opens, "opens"),
            "closes": None if closes is None else time_of(closes, "closes"),
        }
        return places.add_space(
            self.context, self.session, name, timezone, parent, values
        )

    def add_doorway(
        self,
        name: str,
        side_a: SpaceKey | None,
        side_b: SpaceKey | None,
        *,
        several: bool = False,
    ) -> Doorway:
        """Add a doorway between two spaces; None is outside.

        *several* sensors may hang above it, at most one otherwise. Adding it again
        changes nothing.

        Raises InvalidPlace if it is there already and leads elsewhere, UnknownPlace.
        """
        sides = side_a, side_b
        return places.add_doorway(self.context, self.session, name, sides, several)

    def add_sensor(
        self,
        code: str,
        *,
        heartbeat: timedelta = HEARTBEAT,
        active: bool = True,
        key: str | None = None,
    ) -> Sensor:
        """Add a sensor, or change the one of this code.

        What a sensor tells that is not *active* is quarantined. One that is silent for
        longer than its *heartbeat* is not trusted. Of the *key* that it sends with a
        hash is stored; None leaves it.

        Raises InvalidPlace, InvalidMoment.
        """
        return places.add_sensor(
            self.context, self.session, code, heartbeat, active, key
        )

    def space(self, key: SpaceKey) -> Space:
        """Return a space by its id, number or name. Raises UnknownPlace."""
        return places.space_of(self.context, self.session, key)

    def spaces(self) -> list[Space]:
        """Return all spaces, by name."""
        return places.spaces(self.context, self.session)

    def sensors(self) -> list[Sensor]:
        """Return all sensors, by code."""
        return places.sensors(self.context, self.session)

    def assign(
        self, sensor: Sensor | str, doorway: Doorway | str, sign: int, since: datetime
    ) -> Assignment:
        """Hang a sensor above a doorway, from a moment on.

        *sign* is +1 if its positive direction leads to side A of the doorway, else -1.
        It ends where the sensor hung at that moment; if it is known to hang elsewhere
        later, this lasts until then. Events count where the sensor hung at their
        moment, so what a change in the past concerns is counted anew.

        Raises AlreadyWatched if another sensor hangs there, UnknownPlace, InvalidPlace,
        InvalidMoment.
        """
        return moving.assign(
            self.context,
            self.session,
            places.sensor_of(self.context, self.session, sensor),
            places.doorway_of(self.context, self.session, doorway),
            sign_of(sign),
            moment_of(since),
        )

    def unassign(self, sensor: Sensor | str, at: datetime) -> bool:
        """Take a sensor down, from a moment on; tell whether it hung anywhere.

        What it told since is counted no more. Raises UnknownPlace, InvalidMoment.
        """
        found = places.sensor_of(self.context, self.session, sensor)
        return moving.unassign(self.context, self.session, found, moment_of(at))

    # Recording ------------------------------------------------------------------------

    def record(self, events: Iterable[object], *, source: str = "api") -> Recorded:
        """Record events: in any order, as late and as often as they come.

        An event is a `Reading`, or a mapping of timestamp, direction, dpu_id and
        perhaps seq. The result has an outcome for each, in order. What is wrong with
        one does not concern the others. One statement per 5,000, and those that count
        the hours anew in which they are.
        """
        return ingesting.record(
            self.context, self.session, events, name_of(source), self.retention
        )

    def load_csv(
        self,
        stream: Iterable[str | bytes],
        *,
        source: str = "csv",
        atomic: bool = False,
        progress: Progress | None = None,
    ) -> Loaded:
        """Record a CSV file as it is read: ``timestamp,direction,dpu_id``.

        Each 5,000 rows are committed by themselves, and again if others got in the way;
        doing it twice inserts nothing twice. With *atomic* nothing is committed, and
        nothing is written if any row is invalid or of an unknown sensor.

        Raises UnreadableFile.
        """
        return ingesting.load_csv(
            self.context,
            lambda: self.session,
            stream,
            name_of(source),
            self.retention,
            atomic,
            progress,
        )

    def sign_alive(self, *codes: str, at: datetime | None = None) -> list[str]:
        """Note that sensors are alive, though nobody walks; now, if nothing is said.

        Returns the codes of those that are there. Raises InvalidMoment, also for what
        is more than five minutes ahead; InvalidPlace.
        """
        now = counting.now()
        moment = now if at is None else moment_of(at)
        if moment > now + ingesting.FUTURE:
            message = f"Nobody knows whether a sensor will be alive at {moment}."
            raise InvalidMoment(message)
        found = [code_of(code) for code in codes]
        return ingesting.sign_alive(self.context, self.session, found, moment)

    # Counting -------------------------------------------------------------------------

    def count(
        self,
        space: SpaceKey,
        at: datetime | None = None,
        policy: Policy | None = None,
    ) -> Count:
        """Count who is in a space, now or at a moment; an event exactly then counts.

        Counts of the past and with late events are right. Raises UnknownPlace,
        InvalidMoment for a moment without a timezone.
        """
        moment = counting.now() if at is None else moment_of(at)
        by = None if policy is None else policy_of(policy)
        return counting.count_of(self.session, self.space(space), moment, by)

    def history(
        self,
        space: SpaceKey,
        start: datetime,
        end: datetime,
        step: timedelta = HOUR,
        policy: Policy | None = None,
    ) -> list[Step]:
        """Tell of each step of a time the count at its end, the lowest and highest, and
        how many came and left.

        Steps are half-open: what is exactly at the end of one belongs to the next. The
        count that a step begins with is one of its extremes. Steps of whole hours of
        UTC are read from tallies, others from events. Raises InvalidMoment, also for
        more than 2,000 steps; UnknownPlace.
        """
        by = None if policy is None else policy_of(policy)
        found, span = self.space(space), span_of(start, end)
        length = length_of(step, "step")
        return counting.history_of(self.session, found, span, length, by)

    def extremes(
        self,
        space: SpaceKey,
        start: datetime,
        end: datetime,
        policy: Policy | None = None,
    ) -> Extremes:
        """Return the lowest and highest count of a time, and when it was so first."""
        by = None if policy is None else policy_of(policy)
        found, span = self.space(space), span_of(start, end)
        return counting.extremes(self.session, found, span, by)

    def passages(
        self, sensor: Sensor | str, start: datetime, end: datetime
    ) -> Passages:
        """Count who walked beneath a sensor in a time, by direction."""
        found = places.sensor_of(self.context, self.session, sensor)
        return counting.passages_of(self.session, found, span_of(start, end))

    def silences(self, space: SpaceKey, start: datetime, end: datetime) -> list[Span]:
        """Return when nobody knows who was in a space: its sensors were not heard."""
        found, span = self.space(space), span_of(start, end)
        return counting.silences_of(self.session, found, span)

    # Calibrating ----------------------------------------------------------------------

    def calibrate(
        self,
        space: SpaceKey,
        value: int,
        at: datetime | None = None,
        *,
        kind: Kind = "manual",
        actor: str | None = None,
        note: str | None = None,
    ) -> Calibrated:
        """Let the count of a space be *value* from a moment on, whatever came before.

        Returns how far off it was. A second one of the same moment replaces the first.
        Raises InvalidPlace for a value below zero, InvalidMoment, UnknownPlace.
        """
        return calibrating.calibrate(
            self.context,
            self.session,
            self.space(space),
            number_of(value, "value"),
            counting.now() if at is None else moment_of(at),
            kind,
            actor,
            note,
        )

    def schedule_reset(
        self, space: SpaceKey, local_time: time | None, zone: str | None = None
    ) -> None:
        """Note that a space is empty each day at a local time; None: no more.

        `apply_resets` calibrates it then. *zone* becomes the one of the space.
        """
        found = self.space(space)
        at = None if local_time is None else time_of(local_time, "local_time")
        name = found.timezone if zone is None else check_timezone(zone)
        calibrating.schedule(self.session, found, at, name)

    def apply_resets(self, until: datetime | None = None) -> int:
        """Calibrate to zero what was empty by its schedule since this was done last;
        return how often. A plain function for a cron job; once a day is enough."""
        moment = counting.now() if until is None else moment_of(until)
        return calibrating.apply_resets(
            self.context, self.session, self.spaces(), moment
        )

    # Proving --------------------------------------------------------------------------

    def rebuild(
        self,
        space: SpaceKey | None = None,
        *,
        progress: proving.Progress | None = None,
    ) -> int:
        """Count a space anew from all its events, or all; return how many hours."""
        return proving.rebuild(self.context, self.session, self._some(space), progress)

    def verify(
        self,
        space: SpaceKey | None = None,
        *,
        progress: proving.Progress | None = None,
    ) -> list[TallyDifference]:
        """Return how the tallies of a space, or of all, differ from what happened."""
        return proving.verify(self.session, self._some(space), progress)

    def _some(self, space: SpaceKey | None) -> list[Space]:
        """Return one space; None: all."""
        return self.spaces() if space is None else [self.space(space)]

    def health(self, at: datetime | None = None) -> Health:
        """Tell which sensors are silent, which counts cannot be, and what is not
        counted."""
        moment = counting.now() if at is None else moment_of(at)
        return health.health_of(self.context, self.session, moment)

    # Compared with reservations -------------------------------------------------------

    def find_no_shows(
        self,
        until: datetime | None = None,
        grace: timedelta = GRACE,
        *,
        release: bool = False,
        exempt: Collection[str] = (),
        since: datetime | None = None,
    ) -> list[Finding]:
        """Find who has reserved a space and did not come, by what is known at *until*:
        now, if nothing is said.

        From the start until *grace* later, or the end, nobody was inside or passed, and
        nobody had checked in. Each reservation is found once, one of a group by the
        first of its times. If a sensor was silent meanwhile it is ``unknown``: returned
        each time, but not stored. What began before *since*, or a day ago, is not
        looked at.

        With *release* what has not begun at *until* is given back, in whole steps of
        its raster, unless somebody came later, or may have. Only one place of a partly
        available allocation can be; the evidence says why nothing is. Who is *exempt*,
        by e-mail, loses nothing and has no strike. Tells
        ``on_finding``. Events that arrive afterwards change no finding; a check-in for
        the time that was waited for takes a strike back.

        Raises InvalidMoment.
        """
        rule = judging.no_show(length_of(grace, "grace"))
        return self._compare("no_show", rule, since, until, release, exempt)

    def find_ended_early(
        self,
        until: datetime | None = None,
        empty: timedelta = GRACE,
        *,
        release: bool = False,
        since: datetime | None = None,
    ) -> list[Finding]:
        """Find who came and left a space, at least *empty* ago, before their time was
        over; or at least so long before the end.

        The rest may be offered to others, or is given back with *release*. Otherwise
        as `find_no_shows`.
        """
        rule = judging.ended_early(length_of(empty, "empty"))
        return self._compare("ended_early", rule, since, until, release, ())

    def _compare(
        self,
        kind: Found,
        rule: judging.Rule,
        since: datetime | None,
        until: datetime | None,
        release: bool,
        exempt: Collection[str],
    ) -> list[Finding]:
        last = self._known(until)
        asked = findings.Asked(
            kind=kind,
            rule=rule,
            since=last - DAY if since is None else moment_of(since),
            until=last,
            is_releasing=release,
            exempt=[each.lower() for each in exempt],
        )
        return findings.compare(self.context, self.session, asked)

    def _known(self, until: datetime | None) -> datetime:
        """Return a moment, or now if it has not come: nobody knows what will be."""
        now = counting.now()
        return now if until is None else min(moment_of(until), now)

    def find_over_capacity(self, start: datetime, end: datetime) -> list[Finding]:
        """Report when more were inside a space than there is room for.

        What was known already is returned again only if it lasts longer, and told to
        ``on_finding`` only once. What is not over at *end* is cut there. The time in
        which a sensor was silent is left out. Raises InvalidMoment.
        """
        span = span_of(start, end)
        return reporting.over_capacity(self.context, self.session, self._past(span))

    def find_unbooked(
        self, start: datetime, end: datetime, least: timedelta = LEAST
    ) -> list[Finding]:
        """Report when somebody was inside a space of a resource, at least for *least*,
        without an approved reservation. As `find_over_capacity`."""
        span, shortest = span_of(start, end), length_of(least, "least")
        return reporting.unbooked(
            self.context, self.session, self._past(span), shortest
        )

    def _past(self, span: Span) -> Span:
        return replace(span, end=max(span.start, self._known(span.end)))

    def check_in(
        self, reservation: Reservation | int, at: datetime | None = None
    ) -> bool:
        """Note that somebody is there, whatever the sensors tell; now, if nothing is
        said.

        It counts from an hour before the start on. Returns whether the reservation,
        or its id, is one of a space of this context.
        """
        number = reservation if isinstance(reservation, int) else reservation.id
        moment = counting.now() if at is None else moment_of(at)
        return findings.check_in(self.context, self.session, number, moment)

    def findings(
        self,
        kind: Found | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Finding]:
        """Return what was found, by start: of one kind, or all; in a time, or ever.

        Raises InvalidMoment.
        """
        first = None if start is None else moment_of(start)
        last = None if end is None else moment_of(end)
        if first is not None and last is not None:
            span_of(first, last)
        return findings.findings(self.context, self.session, kind, first, last)

    def strikes(self, since: datetime | None = None) -> dict[str, int]:
        """Count the no-shows by e-mail, in lower case, most first.

        Who was exempt is left out, and what a check-in says otherwise of.
        """
        first = None if since is None else moment_of(since)
        return findings.strikes(self.context, self.session, first)

    def utilisation(
        self, space: SpaceKey, start: datetime, end: datetime
    ) -> Utilisation:
        """Compare what was reserved of a space with who was inside, in a time.

        Raises UnknownPlace, InvalidMoment.
        """
        found, span = self.space(space), span_of(start, end)
        return utilisation.utilisation(self.context, self.session, found, span)
