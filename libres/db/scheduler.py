"""The scheduler: everything one can do with the time of one resource.

Reads as the reference manual: each method is a signature, a docstring and one call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date as Date
from datetime import datetime, time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload
from uuid import UUID
from warnings import warn

from libres.context.core import Context, ContextServicesMixin
from libres.db import criteria, selections
from libres.db.models import (
    Allocation,
    Reservation,
    ReservationBlocker,
    ReservedSlot,
)
from libres.db.operations import (
    allocating,
    approving,
    availability,
    blocking,
    changing,
    choosing,
    moving,
    quota,
    removing,
    reserving,
    searching,
    setting_up,
    withdrawing,
)
from libres.db.operations.moving import missing
from libres.db.queries import Queries
from libres.db.scope import Scope
from libres.domain.availability import Partitions
from libres.domain.days import WEEKDAYS, check_timezone
from libres.domain.search import Choice
from libres.modules.rasterizer import Raster

if TYPE_CHECKING:
    from sqlalchemy.orm import Query

    from libres.context.reading import Block
    from libres.context.transactions import Decorator

T = TypeVar("T")

DAYS_MAP: Final = dict(WEEKDAYS)
"""Names of weekdays and their numbers."""

__all__ = ("DAYS_MAP", "Scheduler", "missing")


class Scheduler(ContextServicesMixin):
    """Allocates and reserves the time of one resource of a context.

    Cheap to make; making one does not touch the database. Nothing in it commits.
    Naive datetimes are in *timezone*, aware ones are converted.
    """

    def __init__(
        self,
        context: Context,
        name: Any,
        timezone: str,
        blocking_names: Collection[Any] = (),
        allocation_cls: type[Allocation] = Allocation,
        reservation_cls: type[Reservation] = Reservation,
    ) -> None:
        """Bind a resource, known by its *name* within the *context*.

        *timezone* is the name of a zone and must never change once there are
        allocations. What is reserved on *blocking_names*, other resources of the same
        context, makes our time unavailable as well.

        Raises Misuse if *timezone* is not the name of a zone.
        """
        self.context = context
        self.name = name
        self.timezone = check_timezone(timezone)
        self.blocking_names = blocking_names
        self.allocation_cls = allocation_cls
        self.reservation_cls = reservation_cls
        self.queries = Queries(context)

    def __repr__(self) -> str:
        return f"<Libres Scheduler({self.name!r} of {self.context.name!r})>"

    def clone(self) -> Scheduler:
        """Return a new scheduler with the same arguments."""
        return Scheduler(
            self.context,
            self.name,
            self.timezone,
            self.blocking_names,
            self.allocation_cls,
            self.reservation_cls,
        )

    @property
    def resource(self) -> UUID:
        """The resource of this scheduler, derived from its present name."""
        return self.generate_uuid(self.name)

    @cached_property
    def blocking_resources(self) -> frozenset[UUID]:
        """The resources of the blocking names."""
        return frozenset(self.generate_uuid(name) for name in self.blocking_names)

    @property
    def _scope(self) -> Scope:
        return Scope(
            services=self,
            session=self.session,
            resource=self.resource,
            blocking_resources=self.blocking_resources,
            timezone=self.timezone,
            allocation_cls=self.allocation_cls,
            reservation_cls=self.reservation_cls,
        )

    def clear_cache(self) -> None:
        """Forget the services that were looked up; so do the queries."""
        super().clear_cache()
        self.queries.clear_cache()

    def setup_database(self) -> None:
        """Create what is missing of tables, types and indexes. The caller commits."""
        setting_up.create_missing(self.session.connection())

    @overload
    def transaction(
        self, fn: Callable[[], T], *, attempts: int = ..., deadline: float | None = ...
    ) -> T: ...

    @overload
    def transaction(
        self, fn: None = None, *, attempts: int = ..., deadline: float | None = ...
    ) -> Decorator: ...

    def transaction(
        self,
        fn: Callable[[], Any] | None = None,
        *,
        attempts: int = 10,
        deadline: float | None = None,
    ) -> Any:
        """Run *fn* in a transaction, commit, return its result.

        On a conflict the whole of *fn* runs again, at most *attempts* times and not
        beyond *deadline* seconds (None: no limit). Nested calls join. Without *fn* it
        is a decorator: ``@scheduler.transaction()``. Raises TooManyConflicts after the
        last attempt, OutcomeUnknown if the COMMIT was not answered and nobody can tell.
        """
        return self.context.transaction(fn, attempts=attempts, deadline=deadline)

    def read_only(self) -> Block:
        """Read from the replica, if there is one, for a with-block.

        All schedulers and queries of the context do so in this thread, in one snapshot
        that may be older than the last commit. Raises DirtyReadOnlySession if there
        are uncommitted changes, ModifiedReadOnlySession for what tries to write, and
        Misuse if the session provider has no ``read_only_session()``.
        """
        return self.context.read_only()

    # Our records ----------------------------------------------------------------

    def managed_allocations(self) -> Query[Allocation]:
        """Return a query for our allocations, masters and mirrors."""
        return selections.managed_allocations(self._scope)

    def blocking_allocations(self) -> Query[Allocation]:
        """Return a query for the allocations of the blocking resources."""
        return selections.allocations(self._scope, self.blocking_resources)

    def visible_allocations(self) -> Query[Allocation]:
        """Return a query for our allocations and those of the blocking resources."""
        scope = self._scope
        return selections.allocations(scope, scope.visible_resources)

    def managed_reserved_slots(self) -> Query[ReservedSlot]:
        """Return a query for the slots on our allocations."""
        return selections.managed_reserved_slots(self._scope)

    def managed_reservations(self) -> Query[Reservation]:
        """Return a query for our reservations."""
        return selections.managed_reservations(self._scope)

    def visible_reservations(self) -> Query[Reservation]:
        """Return a query for our reservations and those of the blocking resources."""
        scope = self._scope
        return selections.reservations(scope, scope.visible_resources)

    def managed_blockers(self) -> Query[ReservationBlocker]:
        """Return a query for our blockers."""
        return selections.blockers(self._scope, [self.resource])

    def visible_blockers(self) -> Query[ReservationBlocker]:
        """Return a query for our blockers and those of the blocking resources."""
        scope = self._scope
        return selections.blockers(scope, scope.visible_resources)

    def extinguish_managed_records(self) -> None:
        """Delete all our reservations, blockers, slots and allocations.

        The idempotency keys as well. No events.
        """
        removing.extinguish(self._scope)

    def allocation_by_id(self, id: int) -> Allocation:  # noqa: A002 - public name
        """Return our allocation. Raises NoResultFound."""
        return (
            self.managed_allocations().filter(criteria.has_id(Allocation.id, id)).one()
        )

    def allocations_by_ids(self, ids: Iterable[int]) -> Query[Allocation]:
        """Return a query for our allocations with these ids, by start."""
        query = self.managed_allocations().filter(criteria.has_id(Allocation.id, *ids))
        return query.order_by(Allocation._start)

    def allocations_by_group(
        self,
        group: object,
        masters_only: bool = True,
    ) -> Query[Allocation]:
        """Return a query for our allocations of a group."""
        return self.allocations_by_groups([group], masters_only)

    def allocations_by_groups(
        self,
        groups: Iterable[object],
        masters_only: bool = True,
    ) -> Query[Allocation]:
        """Return a query for our allocations of several groups."""
        return selections.allocations_by_groups(
            self._scope, groups, masters_only=masters_only
        )

    def allocations_in_range(
        self,
        start: datetime,
        end: datetime,
        masters_only: bool = True,
        managed_only: bool = True,
    ) -> Query[Allocation]:
        """Return a query for the allocations that touch a range, borders included.

        Without *managed_only* those of the blocking resources are among them.
        """
        scope = self._scope
        return selections.allocations_in_range(
            scope,
            scope.utc(start),
            scope.utc(end),
            masters_only=masters_only,
            managed_only=managed_only,
        )

    def allocation_by_date(self, start: datetime, end: datetime) -> Allocation:
        """Return the one master that touches a range.

        Raises NoResultFound, MultipleResultsFound.
        """
        return self.allocations_in_range(start, end).one()

    def allocation_dates_by_group(self, group: object) -> Sequence[Any]:
        """Return rows (start, end) of a group's masters, as stored."""
        query = self.allocations_by_group(group).order_by(Allocation._start)
        return query.with_entities(Allocation._start, Allocation._end).all()

    def allocation_mirrors_by_master(self, master: Allocation) -> list[Allocation]:
        """Return the mirrors of a master, those that are no records yet included."""
        return [each for each in master.siblings() if not each.is_master]

    def allocation_dates_by_ids(
        self,
        ids: Iterable[int],
        start_time: time | None = None,
        end_time: time | None = None,
    ) -> Iterator[tuple[datetime, datetime]]:
        """Yield (start, stored end) of allocations, cut to two times of day, by start.

        None means the allocation's own time.
        """
        query = self.allocations_by_ids(ids)
        return choosing.dates_of(query, start_time, end_time)

    def manual_approval_required(self, ids: Iterable[int]) -> bool:
        """Tell whether one of these allocations is approved manually."""
        query = self.allocations_by_ids(ids).filter(Allocation.approve_manually)
        return query.order_by(None).first() is not None

    def allocations_by_reservation(
        self,
        token: object,
        id: int | None = None,  # noqa: A002 - public name
    ) -> Query[Allocation]:
        """Return a query for the allocations that hold slots of a reservation.

        Empty while it is pending. Joined to the slots, so ``count()`` counts those.
        """
        return selections.allocations_by_reservation(self._scope, token, id)

    def allocations_by_blocker(
        self,
        token: object,
        id: int | None = None,  # noqa: A002 - public name
    ) -> Query[Allocation]:
        """Return a query for the allocations that hold slots of a blocker."""
        return selections.allocations_by_blocker(self._scope, token, id)

    def reservations_by_token(
        self,
        token: object,
        id: int | None = None,  # noqa: A002 - public name
    ) -> Query[Reservation]:
        """Return a query for our reservations with a token; unknown: empty."""
        return selections.reservations_by_token(self._scope, token, id)

    def blockers_by_token(
        self,
        token: object,
        id: int | None = None,  # noqa: A002 - public name
    ) -> Query[ReservationBlocker]:
        """Return a query for our blockers with a token; unknown: empty."""
        return selections.blockers_by_token(self._scope, token, id)

    def reservations_by_group(self, group: object) -> Query[Reservation]:
        """Return a query for all that shares a token with a reservation of a group."""
        return selections.reservations_by_group(self._scope, group)

    def reservations_by_allocation(self, allocation_id: int) -> Query[Reservation]:
        """Return the same for the group of an allocation. Raises NoResultFound."""
        query = self.allocations_by_ids([allocation_id])
        return self.reservations_by_group(
            query.with_entities(Allocation.group).one()[0]
        )

    def reserved_slots_by_type(
        self,
        token: object,
        type: str | None = None,  # noqa: A002 - public name
    ) -> Query[ReservedSlot]:
        """Return a query for our slots of a token, of one source type or (None) all.

        Raises Misuse for a falsy token.
        """
        return selections.reserved_slots_by_type(self._scope, token, type)

    def reserved_slots_by_reservation(
        self,
        token: object,
        id: int | None = None,  # noqa: A002 - public name
    ) -> Query[ReservedSlot]:
        """Return a query for the slots of reservations; None: all of the token."""
        return selections.reserved_slots_by_type(self._scope, token, "reservation", id)

    def reserved_slots_by_blocker(
        self,
        token: object,
        id: int | None = None,  # noqa: A002 - public name
    ) -> Query[ReservedSlot]:
        """Return a query for the slots of blockers; None: all of the token."""
        return selections.reserved_slots_by_type(self._scope, token, "blocker", id)

    def reserved_slots_by_range(
        self, start: datetime, end: datetime
    ) -> tuple[dict[datetime, int], set[datetime]]:
        """Count what is taken in each step of 5 minutes, by us and what blocks us.

        Returns the number of reserved places by start of the step, and the starts of
        the steps that are blocked; in UTC.
        """
        scope = self._scope
        return self.queries.reserved_slots_by_range(
            scope.utc(start),
            scope.utc(end),
            scope.resource,
            scope.blocking_resources,
        )

    def free_allocations_count(
        self,
        master_allocation: Allocation,
        start: datetime | None,
        end: datetime | None,
    ) -> int:
        """Count the places of a master that are free in a range. None: in all of it.

        Raises Misuse if the range does not overlap it.
        """
        return choosing.count_free(self._scope, master_allocation, start, end)

    def reservation_targets(self, start: datetime, end: datetime) -> list[Allocation]:
        """Return, for each own master in a range, the first free place.

        Raises AlreadyReservedError if one has none.
        """
        return choosing.targets(self._scope, start, end)

    # Allocations ----------------------------------------------------------------

    def allocate(
        self,
        dates: Any,
        partly_available: bool = False,
        raster: Raster = 5,
        whole_day: bool = False,
        quota: int | None = None,
        quota_limit: int = 0,
        grouped: bool = False,
        data: dict[str, Any] | None = None,
        approve_manually: bool = False,
        skip_overlapping: bool = False,
    ) -> list[Allocation]:
        """Allocate one or several ranges, so that they can be reserved.

        *dates* is (start, end) or any iterable of those; *raster* is in minutes;
        *quota* is the number of places (None: 1), *quota_limit* the most that one
        reservation may take (0: any). Returns the masters in the order of the dates,
        flushed, and tells ``on_allocations_added``.

        Raises InvalidAllocationError for empty or overlapping ranges and options that
        exclude each other, OverlappingAllocationError if another allocation is in the
        way (unless *skip_overlapping*), Misuse for an invalid raster or quota.
        """
        terms = allocating.Terms(
            partly_available=partly_available,
            raster=raster,
            whole_day=whole_day,
            quota=quota or 1,
            quota_limit=quota_limit,
            grouped=grouped,
            data=data,
            approve_manually=approve_manually,
            skip_overlapping=skip_overlapping,
        )
        return allocating.allocate(self._scope, dates, terms)

    def move_allocation(
        self,
        master_id: int,
        new_start: datetime | None = None,
        new_end: datetime | None = None,
        group: Any = None,
        new_quota: int | None = None,
        approve_manually: bool | None = None,
        quota_limit: int | None = None,
        whole_day: bool | None = None,
        data: Any = missing,
    ) -> None:
        """Move an allocation with its mirrors, or change its terms.

        None leaves a thing alone (for *data* it is a value). *new_quota*,
        *approve_manually* and *quota_limit* apply to the whole group, the one that is
        joined included.

        Raises OverlappingAllocationError, AffectedReservationError,
        AffectedPendingReservationError, InvalidAllocationError, NoResultFound, and
        Misuse if nothing is to change.
        """
        wanted = moving.Move(
            new_start=new_start,
            new_end=new_end,
            group=group,
            new_quota=new_quota,
            approve_manually=approve_manually,
            quota_limit=quota_limit,
            whole_day=whole_day,
            data=data,
        )
        moving.move(self._scope, master_id, wanted)

    def change_quota(self, master: Allocation, new_quota: int) -> None:
        """Set the number of places; a lower one closes the gaps between the taken.

        Raises AffectedReservationError if fewer places are free than have to go, and
        Misuse for a quota below 1.
        """
        quota.change_quota(self._scope, master, new_quota)

    def reordered_keylist(
        self, allocations: Sequence[Allocation], new_quota: int
    ) -> dict[UUID, UUID | None]:
        """Tell where occupied places move when gaps are closed; free ones: None."""
        return quota.reordered_keylist(allocations, new_quota)

    def remove_allocation(
        self,
        id: int | None = None,  # noqa: A002 - public name
        groups: Any = None,
    ) -> None:
        """Remove an allocation with its mirrors, or all allocations of groups.

        Raises AffectedReservationError or AffectedPendingReservationError if somebody
        has reserved one of them, NotImplementedError without id and groups.
        """
        removing.remove_allocations(self._scope, id, groups)

    def remove_unused_allocations(
        self,
        start: Date | datetime,
        end: Date | datetime,
        days: Any = None,
        exclude_groups: bool = False,
    ) -> int:
        """Delete our allocations in a range that nobody reserved or blocked.

        *days*: 'mo' to 'su' or 0 to 6, by local weekday of the start; None: any. With
        it, or with *exclude_groups*, groups of several records are left alone. Returns
        how many records were deleted.
        """
        return removing.remove_unused(
            self._scope, start, end, days, exclude_groups=exclude_groups
        )

    # Reservations ---------------------------------------------------------------

    def reserve(
        self,
        email: str,
        dates: Any = None,
        group: Any = None,
        data: dict[str, Any] | None = None,
        session_id: Any = None,
        quota: int = 1,
        single_token_per_session: bool = False,
        idempotency_key: str | None = None,
    ) -> UUID:
        """Reserve ranges or a group, pending until approved; return the token.

        *quota* is the number of places. With a *session_id* the reservations belong to
        that session until confirmed. Tells ``on_reservations_made``. What was reserved
        with the same *idempotency_key* and arguments within a day is not reserved
        again: its token is returned, even if it was removed meanwhile.

        Raises InvalidEmailAddress, ReservationTooLong, ReservationTooShort,
        AlreadyReservedError (unless approved manually), TimerangeTooLong,
        QuotaOverLimit, QuotaImpossible, InvalidQuota, InvalidReservationError if
        nothing is allocated there, OverlappingReservationError if the session holds the
        same already, IdempotencyKeyReused if the key stands for another request, and
        Misuse unless there are either dates or a group.
        """
        request = reserving.Request(
            email, dates, group, data, session_id, quota, single_token_per_session
        )
        return reserving.reserve(self._scope, request, idempotency_key)

    def book(
        self,
        email: str,
        dates: Any = None,
        group: Any = None,
        data: dict[str, Any] | None = None,
        session_id: Any = None,
        quota: int = 1,
        single_token_per_session: bool = False,
        idempotency_key: str | None = None,
    ) -> list[Reservation]:
        """Reserve and approve in one step, all or nothing; return the reservations.

        Takes and raises what ``reserve`` does; also refuses what is taken if it is
        approved manually. Tells ``on_reservations_made``, then
        ``on_reservations_approved``. What was booked with the same *idempotency_key* is
        returned as it is now; InvalidReservationToken, if nothing is left of it.
        """
        request = reserving.Request(
            email, dates, group, data, session_id, quota, single_token_per_session
        )
        return approving.book(self._scope, request, idempotency_key)

    def approve_reservations(self, token: object) -> list[ReservedSlot]:
        """Approve what is pending under a token; return the slots of the token.

        Places are filled in order. Tells ``on_reservations_approved``, unless all were
        approved already. Nothing is written if it is refused.

        Raises InvalidReservationToken, AlreadyReservedError, NotReservableError; the
        latter two with the attribute ``reservation``.
        """
        return approving.approve_token(self._scope, token)

    def approve_reservation(self, reservation: Reservation) -> list[ReservedSlot]:
        """Approve a single reservation, without an event; return its slots.

        Raises AlreadyReservedError, NotReservableError, and InvalidReservationToken if
        it is not one of ours.
        """
        return approving.approve_record(self._scope, reservation)

    _approve_reservation_record = approve_reservation

    def deny_reservation(self, token: object) -> None:
        """Delete what is pending under a token. Tells ``on_reservations_denied``."""
        withdrawing.deny(self._scope, token)

    def remove_reservation(
        self,
        token: object,
        id: int | None = None,  # noqa: A002 - public name
    ) -> None:
        """Delete reservations, pending or approved, with their slots.

        None: all of the token. Tells ``on_reservations_removed``.
        """
        withdrawing.remove(self._scope, token, id)

    def change_email(self, token: object, new_email: str) -> None:
        """Set the e-mail of all reservations of a token, unchecked."""
        withdrawing.change_email(self._scope, token, new_email)

    def change_reservation_data(
        self, token: object, data: dict[str, Any] | None
    ) -> None:
        """Replace the data of all reservations of a token."""
        withdrawing.change_data(self._scope, token, data)

    def change_reservation_time_candidates(
        self, tokens: Collection[object] | None = None
    ) -> Query[Reservation]:
        """Return a query for the reservations whose time may be changed."""
        return selections.change_candidates(self._scope, tokens)

    def change_reservation(
        self,
        token: object,
        id: int,  # noqa: A002 - public name
        new_start: datetime,
        new_end: datetime,
        quota: int | None = None,
    ) -> Reservation | None:
        """Give a reservation another time or quota within its allocation.

        Returns the new record, of the same id and token, or None if nothing changes.
        Tells ``on_reservations_removed``, ``on_reservations_made`` and
        ``on_reservation_time_changed``. Whatever is refused, all stays as it was.

        Raises TimerangeTooLong, AlreadyReservedError, ReservationTooShort and what else
        ``reserve`` raises, NoResultFound, and MultipleResultsFound for groups.
        """
        return changing.change(self._scope, token, id, new_start, new_end, quota)

    def change_reservation_time(
        self,
        token: object,
        id: int,  # noqa: A002 - public name
        new_start: datetime,
        new_end: datetime,
    ) -> Reservation | None:
        """Do what ``change_reservation`` does. Deprecated."""
        warn(
            "change_reservation_time is deprecated: use change_reservation.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.change_reservation(token, id, new_start, new_end)

    # Blockers -------------------------------------------------------------------

    def add_blocker(
        self,
        dates: Any = None,
        group: Any = None,
        reason: str | None = None,
        token: UUID | None = None,
        id: int | None = None,  # noqa: A002 - public name
    ) -> list[ReservationBlocker]:
        """Take ranges or a group out of service: every place, without events.

        *token* and *id* force those of the records.

        Raises AlreadyReservedError unless all places are free, TimerangeTooLong,
        ReservationTooLong, ReservationTooShort, InvalidReservationError,
        NotReservableError for an unknown group.
        """
        return blocking.add(self._scope, dates, group, reason, token, id)

    def remove_blocker(
        self,
        token: object,
        id: int | None = None,  # noqa: A002 - public name
    ) -> None:
        """Delete blockers with their slots. None: all of the token."""
        blocking.remove(self._scope, token, id)

    def change_blocker_reason(self, token: object, new_reason: str | None) -> None:
        """Set the reason of all blockers of a token."""
        blocking.change_reason(self._scope, token, new_reason)

    def change_blocker(
        self,
        token: object,
        id: int,  # noqa: A002 - public name
        new_start: datetime,
        new_end: datetime,
    ) -> ReservationBlocker | None:
        """Move a blocker within its allocation; None if nothing changes.

        Raises TimerangeTooLong, AlreadyReservedError, NoResultFound, and
        MultipleResultsFound for groups.
        """
        return blocking.change(self._scope, token, id, new_start, new_end)

    # Availability and search ----------------------------------------------------

    def availability(
        self, start: datetime | None = None, end: datetime | None = None
    ) -> float:
        """Return how much of our allocations is left, in percent.

        None means for all time. Nothing allocated: 0.
        """
        return availability.of_scope(self._scope, start, end)

    def allocations_with_availability_by_range(
        self,
        start: datetime,
        end: datetime,
        normalize_dst: bool = True,
    ) -> Iterator[tuple[Allocation, float, Partitions]]:
        """Yield (master, availability in percent, partitions) of a range, by start.

        With blocking resources, what is reserved there counts as taken here, and only
        exposed allocations are shown.
        """
        return availability.shown_in_scope(
            self._scope, start, end, normalize_dst=normalize_dst
        )

    def search_allocations(
        self,
        start: datetime,
        end: datetime,
        days: Any = None,
        minspots: int = 0,
        available_only: bool = False,
        whole_day: Choice = "any",
        groups: Choice = "any",
        strict: bool = False,
    ) -> list[Allocation]:
        """Search our exposed masters that overlap the times of day of a range.

        *days*: local weekdays, 'mo' to 'su' or 0 to 6; *minspots*: so many places must
        be left; *available_only*: free in the daily window. Unless *strict*, the other
        members of the groups found follow, with ``is_extra_result``. By start; their
        ``reserved_slots`` are loaded when asked for.

        Raises Misuse for missing dates and other choices than 'yes', 'no' and 'any'.
        """
        wanted = searching.Wanted(
            start=start,
            end=end,
            days=days,
            minspots=minspots,
            available_only=available_only,
            whole_day=whole_day,
            groups=groups,
            strict=strict,
            measure=self._own_measure,
        )
        return searching.search(self._scope, wanted)

    @property
    def _own_measure(self) -> searching.Measure | None:
        """The method availability, if an application has replaced it."""
        method = self.availability
        is_ours = getattr(method, "__func__", None) is Scheduler.availability
        return None if is_ours else method
