"""A span of time of a resource that may be reserved.

What is decided about spans, slots, places and percentages is decided in the domain;
this record stores it and answers for itself. Properties that say "Queries the
database." are for callers; the library itself loads in bulk.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, time
from typing import TYPE_CHECKING, Any, Final, Self

from sqlalchemy import Index, Text, UniqueConstraint, inspect
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, Session, mapped_column, object_session, relationship

from libres.context.transactions import ALLOCATION_KEY as PLACE_KEY
from libres.db.models.base import ORMBase
from libres.db.models.keywords import Described, assign
from libres.db.models.other import OtherModels
from libres.db.models.reserved_slot import ReservedSlot
from libres.db.models.timestamp import TimestampMixin
from libres.domain.availability import (
    Partitions,
    Taken,
    Timeline,
    percent_left,
    skipped_window,
    timeline,
)
from libres.domain.days import (
    is_whole_day,
    shifts_within,
    times_of_day,
    to_utc,
    to_zone,
)
from libres.domain.places import mirror_resources
from libres.domain.slots import SlotRun, slots_of
from libres.domain.spans import Range, Span
from libres.modules.errors import insist
from libres.modules.rasterizer import (
    MIN_RASTER,
    Raster,
    checked_raster,
    rasterize_end,
    rasterize_start,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Query

COPIED: Final = (
    "resource",
    "mirror_of",
    "group",
    "quota",
    "quota_limit",
    "partly_available",
    "approve_manually",
    "timezone",
    "data",
    "_start",
    "_end",
    "_raster",
)
"""The attributes that a mirror has in common with its master."""


class Allocation(Described, TimestampMixin, OtherModels, ORMBase):
    """The master of an allocation, or one of its mirrors.

    May be subclassed (single-table inheritance by ``type``); the scheduler calls the
    class without arguments.
    """

    __tablename__ = "allocations"
    _described_by = ("id", "_start", "_end", "timezone")

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    resource: Mapped[uuid.UUID]
    type: Mapped[str] = mapped_column(Text, default="generic")
    mirror_of: Mapped[uuid.UUID]
    group: Mapped[uuid.UUID]
    quota: Mapped[int] = mapped_column(default=1)
    quota_limit: Mapped[int] = mapped_column(default=0)
    partly_available: Mapped[bool] = mapped_column(default=False)
    approve_manually: Mapped[bool] = mapped_column(default=False)
    timezone: Mapped[str | None]
    data: Mapped[dict[str, Any] | None]
    _start: Mapped[datetime]
    _end: Mapped[datetime]
    _raster: Mapped[int]

    reserved_slots: Mapped[list[ReservedSlot]] = relationship(
        lazy="selectin",
        cascade="all, delete-orphan",
        back_populates="allocation",
    )

    __table_args__ = (
        Index("ix_allocations_resource", "resource"),
        Index("ix_allocations_type", "type"),
        Index("ix_allocations_mirror_of", "mirror_of"),
        # Who is in a group?
        Index("ix_allocations_group", "group"),
        Index("ix_allocations_start", "_start"),
        Index("ix_allocations_end", "_end"),
        # Which mirrors does a master have?
        Index("mirror_resource_ix", "mirror_of", "resource"),
        # Which places does a resource have at a time? Ours, not in Libres 1.x.
        Index("ix_allocations_mirror_of_start", "mirror_of", "_start"),
        UniqueConstraint("resource", "_start", name=PLACE_KEY),
    )

    __mapper_args__ = {  # noqa: RUF012 - the mapper reads a plain dict
        "polymorphic_on": "type",
        "polymorphic_identity": "generic",
    }

    def __init__(
        self,
        resource: uuid.UUID | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        raster: Raster | None = None,
        timezone: str | None = None,
        quota: int = 1,
        quota_limit: int = 0,
        partly_available: bool = False,
        approve_manually: bool = False,
        **values: Any,
    ) -> None:
        """Take any mapped attribute as keyword; None leaves an attribute unset.

        *raster* is in minutes. Naive dates need a *timezone*.
        """
        self.quota, self.quota_limit = quota, quota_limit
        self.partly_available = partly_available
        self.approve_manually = approve_manually
        given = {
            "resource": resource,
            "timezone": timezone,
            "raster": raster,
            "start": start,
            "end": end,
        }
        assign(self, {key: value for key, value in given.items() if value is not None})
        assign(self, values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Allocation):
            return NotImplemented
        return self.resource == other.resource and self._start == other._start

    __hash__ = object.__hash__

    def copy(self) -> Self:
        """Return a new transient allocation of this class that is no record yet."""
        copy = type(self)()
        for name in COPIED:
            setattr(copy, name, getattr(self, name))
        return copy

    # Times ----------------------------------------------------------------------

    def get_start(self) -> datetime:
        """Return the start as stored, aware."""
        return self._start

    def set_start(self, start: datetime) -> None:
        """Set the start, on the raster. Raises Misuse if naive without a timezone."""
        self._start = rasterize_start(self._localized(start), self._raster_so_far)

    @property
    def start(self) -> datetime:
        """The start as stored, aware. Queries use ``_start``."""
        return self.get_start()

    @start.setter
    def start(self, start: datetime) -> None:
        self.set_start(start)

    def get_end(self) -> datetime:
        """Return the end as stored, aware: one microsecond short."""
        return self._end

    def set_end(self, end: datetime) -> None:
        """Set the end, on the raster. Raises Misuse if naive without a timezone."""
        self._end = rasterize_end(self._localized(end), self._raster_so_far)

    @property
    def end(self) -> datetime:
        """The end as stored, aware, one microsecond short. Queries use ``_end``."""
        return self.get_end()

    @end.setter
    def end(self, end: datetime) -> None:
        self.set_end(end)

    def get_raster(self) -> Raster:
        """Return the raster in minutes."""
        return self._raster  # type: ignore[return-value]  # checked when it was set

    def set_raster(self, raster: Raster) -> None:
        """Set the raster, once. Raises Misuse if it is set already."""
        insist(self._raster is None, "The raster is set already and cannot change.")
        self._raster = raster
        start: datetime | None = self._start
        end: datetime | None = self._end
        if start is not None:
            self.set_start(start)
        if end is not None:
            self.set_end(end)

    @property
    def raster(self) -> Raster:
        """The raster in minutes; may be set once. Queries use ``_raster``."""
        return self.get_raster()

    @raster.setter
    def raster(self, raster: Raster) -> None:
        self.set_raster(raster)

    @property
    def checked_raster(self) -> Raster:
        """The raster, valid for certain. Raises Misuse if it is not."""
        return checked_raster(self._raster)

    @property
    def _raster_so_far(self) -> Raster:
        raster: int | None = self._raster
        return MIN_RASTER if raster is None else checked_raster(raster)

    @property
    def span(self) -> Span:
        """The allocated time, half-open, in UTC. Raises Misuse if it is not set."""
        unset: Any = None in (self._start, self._end)
        insist(not unset, "The allocation has no start or no end yet.")
        return Span.from_stored(to_utc(self._start, "UTC"), to_utc(self._end, "UTC"))

    def _localized(self, date: datetime) -> datetime:
        if date.tzinfo is not None:
            return date
        return to_zone(to_utc(date, self._zone()), self._zone())

    def _zone(self, timezone: str | None = None) -> str:
        zone = timezone or self.timezone
        insist(zone, "The allocation has no timezone: set or pass one.")
        return str(zone)

    def _prepared(self, date: datetime) -> datetime:
        return to_utc(date, self._zone())

    def display_start(self, timezone: str | None = None) -> datetime:
        """Return the start in *timezone*. None: the allocation's."""
        return to_zone(self._start, self._zone(timezone))

    def display_end(self, timezone: str | None = None) -> datetime:
        """Return the end as people say it, in *timezone*. None: the allocation's."""
        return to_zone(self.span.end, self._zone(timezone))

    @property
    def whole_day(self) -> bool:
        """Whether this is one or several whole days in its timezone.

        Raises Misuse if it is empty, ValueError if it is reversed.
        """
        start, end = self.display_start(), self.display_end()
        insist(start != end, "The allocation is empty: start and end are equal.")
        return is_whole_day(start, end, self._zone())

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Tell whether a range, snapped to the raster, overlaps this allocation."""
        return self.span.overlaps(self._rasterized(start, end))

    def contains(self, start: datetime, end: datetime) -> bool:
        """Tell whether a range, snapped to the raster, lies within."""
        return self.span.contains(self._rasterized(start, end))

    def _rasterized(self, start: datetime, end: datetime) -> Span:
        prepared = self._prepared(start), self._prepared(end)
        return Span.rasterized(*prepared, self.checked_raster)

    def align_dates(
        self, start: datetime | None = None, end: datetime | None = None
    ) -> Range:
        """Cut a range to this allocation; a missing date is the allocation's."""
        first = self._start if start is None else self._prepared(start)
        last = self._end if end is None else self._prepared(end)
        return max(first, self._start), min(last, self._end)

    def limit_timespan(
        self,
        start: time,
        end: time,
        timezone: str | None = None,
        is_dst: bool = False,
        raise_non_existent: bool = False,
        raise_ambiguous: bool = False,
    ) -> Range:
        """Cut two times of the allocation's first day to the allocation.

        Returns display times in *timezone* (None: the allocation's). An end before
        the start is the next day's. Outside, both are the nearest edge. An allocation
        that is not partly available is always returned whole. Raises Misuse if one of
        them is not a ``datetime.time``.
        """
        first, last = self.display_start(timezone), self.display_end(timezone)
        if not self.partly_available:
            return first, last
        insist(
            all(isinstance(each, time) for each in (start, end)),
            f"limit_timespan takes two datetime.time, not {start!r} and {end!r}.",
        )
        wanted = times_of_day(
            first,
            start,
            end,
            is_dst=is_dst,
            raise_non_existent=raise_non_existent,
            raise_ambiguous=raise_ambiguous,
        )
        span = self.span.clip(self._rasterized(*self._cut(*wanted)))
        zone = self._zone(timezone)
        return to_zone(span.start, zone), to_zone(span.end, zone)

    def _cut(self, *dates: datetime) -> Iterator[datetime]:
        """Move dates outside of the allocation to its nearest edge."""
        span = self.span
        return (min(max(span.start, to_utc(date, "UTC")), span.end) for date in dates)

    # Slots ----------------------------------------------------------------------

    def _slots(
        self, start: datetime | None = None, end: datetime | None = None
    ) -> SlotRun:
        first, last = self.align_dates(start, end)
        asked = Span.rasterized(
            to_utc(first, "UTC"), to_utc(last, "UTC"), self.checked_raster
        )
        return slots_of(
            self.span, self.checked_raster, asked, partly=bool(self.partly_available)
        )

    def all_slots(
        self, start: datetime | None = None, end: datetime | None = None
    ) -> Iterator[Range]:
        """Yield (start, stored end) of the slots that a range occupies, in UTC.

        Exactly one, the whole allocation, unless it is partly available.
        """
        if not self.partly_available:
            yield self._start, self._end
            return
        for slot in self._slots(start, end):
            yield slot.stored

    def count_slots(
        self, start: datetime | None = None, end: datetime | None = None
    ) -> int:
        """Count the slots of a range without making them."""
        if not self.partly_available:
            return 1
        first, last = self.align_dates(start, end)
        span = Span.from_stored(first, last)
        step = slots_of(self.span, self.checked_raster, partly=True).step
        return span.duration // step

    def free_slots(
        self, start: datetime | None = None, end: datetime | None = None
    ) -> list[Range]:
        """Return the slots of a range that nothing occupies. Queries the database."""
        taken = {slot.start for slot in self.reserved_slots}
        return [slot for slot in self.all_slots(start, end) if slot[0] not in taken]

    def is_available(self, start: Any = None, end: Any = None) -> bool:
        """Tell whether this very record is free in a range. Queries the database.

        Unless both dates are given, all of it is meant. Raises Misuse if the range
        does not overlap the allocation.
        """
        if not (start and end):
            start, end = self._start, self._end
        insist(self.overlaps(start, end), "The range does not overlap the allocation.")
        taken = {slot.start for slot in self.reserved_slots}
        return taken.isdisjoint(slot for slot, _ in self.all_slots(start, end))

    # How much is left -----------------------------------------------------------

    @property
    def availability(self) -> float:
        """Percent of this record that is left. Queries the database."""
        blocked = sum(slot.source_type == "blocker" for slot in self.reserved_slots)
        reserved = len(self.reserved_slots) - blocked
        return percent_left(self.count_slots(), reserved, blocked)

    @property
    def normalized_availability(self) -> float:
        """Percent that is left, of the hours the wall clock shows.

        Queries the database.
        """
        if not self.partly_available:
            return self.availability
        return self._timeline(normalize_dst=True).availability

    def availability_partitions(
        self,
        normalize_dst: bool = True,
    ) -> Partitions:
        """Show this record as blocks of (percent, reserved). Queries the database."""
        return self._timeline(normalize_dst=normalize_dst).partitions

    def normalized_slots(self) -> Iterator[Range | tuple[None, None]]:
        """Yield the slots that the wall clock shows.

        A repeated hour appears once; a missing hour appears as ``(None, None)`` items
        in front of the slot that follows it.
        """
        moved = shifts_within(self.span, self._zone()) if self.partly_available else ()
        gaps = {each.at: each.amount for each in moved if each.is_gap}
        folds = [skipped_window(self.span, each) for each in moved if not each.is_gap]
        step = self._slots().step
        for start, end in self.all_slots():
            if start in gaps:
                yield from [(None, None)] * (gaps[start] // step)
            if not any(fold.start <= start < fold.end for fold in folds):
                yield start, end

    def _timeline(self, *, normalize_dst: bool) -> Timeline:
        whole, step = self.span, self._slots().step
        partly = bool(self.partly_available)
        taken = [
            Taken(
                Span(slot.start, slot.start + step) if partly else whole,
                slot.source_type == "blocker",
            )
            for slot in self.reserved_slots
        ]
        moved = shifts_within(whole, self._zone()) if normalize_dst and partly else ()
        return timeline(whole, self.checked_raster, taken, partly=partly, shifts=moved)

    # Groups, places, waiting list -----------------------------------------------

    @property
    def _session(self) -> Session:
        session = object_session(self)
        insist(session is not None, "The allocation is in no session.")
        return session  # type: ignore[return-value]  # insisted just above

    @property
    def is_transient(self) -> bool:
        """Whether this is no record and in no session: an imaginary mirror."""
        return bool(inspect(self).transient)

    @hybrid_property
    def is_master(self) -> bool:
        """Whether this is the first place; also an SQL expression."""
        return self.resource == self.mirror_of

    @property
    def in_group(self) -> bool:
        """Whether another allocation shares the group. Queries the database.

        Raises Misuse without a session.
        """
        query = self._session.query(Allocation.id).filter(
            Allocation.resource == self.resource, Allocation.group == self.group
        )
        return query.limit(2).count() > 1

    @property
    def is_separate(self) -> bool:
        """Whether it can be reserved by itself. Queries the database."""
        return True if self.partly_available else not self.in_group

    @property
    def pending_reservations(self) -> Query[Any]:
        """A query for the ids of pending reservations on this group."""
        reservation = self.models.Reservation
        query: Query[Any] = self._session.query(reservation.id).filter(
            reservation.target == self.group, reservation.status == "pending"
        )
        return query

    @property
    def waitinglist_length(self) -> int:
        """How many pending reservations wait for this group. Queries the database."""
        return self.pending_reservations.count()

    def get_master(self) -> Allocation:
        """Return the first place: this, or the record. Queries the database."""
        if self.is_master:
            return self
        query = self._session.query(Allocation).filter(
            Allocation._start == self._start, Allocation.resource == self.mirror_of
        )
        return query.one()

    def siblings(
        self,
        imaginary: bool = True,
    ) -> list[Allocation]:
        """Return the master and its mirrors in order. Queries the database.

        With *imaginary*, transient ones stand for those that are no record yet. Raises
        Misuse for a transient allocation without *imaginary*, for a mirror with quota
        1, and without a session if there may be mirrors.
        """
        insist(
            imaginary or not self.is_transient,
            "A transient allocation has imaginary siblings only.",
        )
        if self.quota == 1:
            insist(self.is_master, "A mirror cannot have a quota of 1.")
            return [self]
        master = self.get_master()
        places = [master]
        records = self._mirrors_by_resource()
        for resource in mirror_resources(master.resource, master.quota):
            if resource in records:
                places.append(records[resource])
            elif imaginary:
                places.append(master._mirror(resource))
        return places

    def _mirrors_by_resource(self) -> dict[uuid.UUID, Allocation]:
        query = self._session.query(Allocation).filter(
            Allocation.mirror_of == self.mirror_of, Allocation._start == self._start
        )
        return {record.resource: record for record in query}

    def _mirror(self, resource: uuid.UUID) -> Allocation:
        mirror = self.copy()
        mirror.resource = resource
        return mirror

    @property
    def quota_left(self) -> int:
        """How many places are wholly free. Queries the database."""
        return sum(place.is_available() for place in self.siblings())

    def find_spot(self, start: datetime, end: datetime) -> Allocation | None:
        """Return the first place that is free in a range, or None.

        It may be transient. Queries the database.
        """
        master = self.get_master()
        if master.is_available(start, end):
            return master
        if master.quota == 1:
            return None
        mirrors = master.siblings()[1:]
        return next((each for each in mirrors if each.is_available(start, end)), None)
