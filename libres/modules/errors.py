"""What can go wrong, one class per situation.

The docstring of a class is its message; what a raiser knows in addition are keyword
arguments, which become attributes and are added to the message::

    LibresError
    ├── ContextAlreadyExists, UnknownContext, ContextIsLocked
    ├── UnknownService, UnknownUtility
    ├── InvalidAllocationError
    ├── OverlappingAllocationError
    ├── AffectedReservationError
    │   └── AffectedPendingReservationError
    ├── InvalidEmailAddress
    ├── ReservationTooLong, ReservationTooShort, TimerangeTooLong
    ├── ReservationParametersInvalid, InvalidReservationError
    ├── AlreadyReservedError, NotReservableError
    ├── QuotaOverLimit, QuotaImpossible, InvalidQuota
    ├── NoReservationsToConfirm, InvalidReservationToken
    ├── OverlappingReservationError
    ├── DatesMayNotBeEqualError, NotTimezoneAware
    ├── ModifiedReadOnlySession, DirtyReadOnlySession
    ├── IdempotencyKeyReused
    ├── OutdatedSchema, UpgradeImpossible
    ├── TooManyConflicts
    └── OutcomeUnknown

    Misuse (an AssertionError and a ValueError, not a LibresError)

Applications look up ``type(error)``: exactly these classes are raised. An error that
leaves ``approve_reservations`` carries the reservation it happened with as
``.reservation``; elsewhere that attribute does not exist.
"""

from __future__ import annotations

from datetime import datetime
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from libres.db.models import Allocation, Reservation, ReservedSlot


class LibresError(Exception):
    """The reservation engine refused this."""

    reservation: Reservation
    """The reservation that was being approved; set by approve_reservations only."""

    facts: dict[str, Any]
    """What the raiser knew, by name; each is an attribute as well."""

    def __init__(self, *args: object, **facts: Any) -> None:
        super().__init__(*args)
        self.facts = facts
        self.__dict__.update(facts)

    def __str__(self) -> str:
        said = super().__str__()
        situation = " ".join(cleandoc(type(self).__doc__ or "").split())
        if said:
            return f"{said}: {situation}" if not said.endswith(".") else said
        return situation + self._told_facts()

    def _told_facts(self) -> str:
        known = [(name, fact) for name, fact in self.facts.items() if fact is not None]
        if not known:
            return ""
        return f" ({', '.join(f'{name}: {_in_words(fact)}' for name, fact in known)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restored, (type(self), self.args, dict(self.__dict__)))


def _restored(
    cls: type[LibresError], args: tuple[object, ...], state: dict[str, Any]
) -> LibresError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def _in_words(fact: object) -> str:
    return fact.isoformat(sep=" ") if isinstance(fact, datetime) else str(fact)


class Misuse(AssertionError, ValueError):
    """A call that can only be a programming mistake.

    Libres 1.x reported these by AssertionError, which applications may catch.
    """


def insist(condition: object, message: str) -> None:
    """Refuse a call that can only be a mistake. Raises Misuse with *message*."""
    if not condition:
        raise Misuse(message)


class ModifiedReadOnlySession(LibresError):
    """A read-only session was used for writing: use a writable one."""


class DirtyReadOnlySession(LibresError):
    """A read-only session holds changes: commit or roll them back where they were
    made, before reading."""


class ContextAlreadyExists(LibresError):
    """A context of this name is registered already: use get_context, or pass
    replace=True to register_context."""


class UnknownContext(LibresError):
    """No context of this name is registered: use register_context, or pass
    autocreate=True to get_context."""


class ContextIsLocked(LibresError):
    """This context is locked, so nothing can be set on it: change a context of your
    own, or unlock() it first."""


class UnknownService(LibresError):
    """No service of this name is set on this context or its parent: use
    context.set_service(name, factory)."""


class UnknownUtility(LibresError):
    """No utility of this name is known."""


class InvalidAllocationError(LibresError):
    """These ranges cannot be allocated: a range must end after it starts, the ranges
    of one call must not overlap, and grouped allocations are neither partly available
    nor skipped when they overlap."""


class OverlappingAllocationError(LibresError):
    """Another allocation of this resource lies in the way: choose another time, move or
    remove the existing one, or pass skip_overlapping=True to allocate."""

    start: datetime
    end: datetime
    existing: Allocation

    def __init__(self, start: datetime, end: datetime, existing: Allocation) -> None:
        super().__init__(start=start, end=end, existing=existing)


class AffectedReservationError(LibresError):
    """An approved reservation or a blocker would lose its place: remove or change it
    first."""

    existing: ReservedSlot | None
    """The first slot in the way, or None if it is not known."""

    def __init__(self, existing: Any = None) -> None:
        super().__init__(existing=existing)


class AffectedPendingReservationError(AffectedReservationError):
    """A pending reservation would lose what it waits for: approve, deny or remove it
    first."""

    existing: Any
    """A row with ``id``, or with ``start`` and ``end``."""


class InvalidEmailAddress(LibresError):
    """This is not an e-mail address: it needs the form name@example.org and at most
    254 characters."""


class ReservationTooLong(LibresError):
    """A reservation may last less than 24 hours, or one whole day: reserve several
    ranges instead."""


class ReservationTooShort(LibresError):
    """A reservation must end after it starts and last 5 minutes at least."""


class ReservationParametersInvalid(LibresError):
    """These parameters do not describe a reservation."""


class AlreadyReservedError(LibresError):
    """Not enough free places at this time: choose another time or a smaller quota."""


class QuotaOverLimit(LibresError):
    """A single reservation may not take this many places: stay within the
    quota_limit of the allocation."""


class QuotaImpossible(LibresError):
    """The allocation does not have this many places: stay within its quota."""


class InvalidQuota(LibresError):
    """The quota must be a whole number of at least 1."""


class InvalidReservationError(LibresError):
    """There is nothing to reserve at this time or in this group: allocate it first, or
    look for what is allocated with search_allocations."""


class NotReservableError(LibresError):
    """No slot could be made for this reservation: what it targets is no longer
    allocated. Deny it, or allocate the time again."""


class NoReservationsToConfirm(LibresError):
    """This session holds no reservations (with this token): it may have expired."""


class InvalidReservationToken(LibresError):
    """No reservation has this token: it may have been denied, removed or expired."""


class OverlappingReservationError(LibresError):
    """This session holds a reservation of the same target and start already: remove it
    from the session first, or reserve without a session id."""


class DatesMayNotBeEqualError(LibresError):
    """Start and end may not be equal."""


class TimerangeTooLong(LibresError):
    """This range reaches beyond the allocation: stay within its start and end."""


class NotTimezoneAware(LibresError):
    """This date has no timezone: pass an aware datetime."""


class IdempotencyKeyReused(LibresError):
    """This idempotency key stands for another request, which was made before with other
    arguments: use a new key for each request, and the old one only to repeat it."""


class OutdatedSchema(LibresError):
    """This table was made by an older Libres and lacks columns: bring the database up
    to date with `libres db upgrade` or libres.db.migrations.upgrade, which keeps all
    data."""


class UpgradeImpossible(LibresError):
    """The schema of this database cannot be brought up to date: nothing is half done,
    mend what is in the way and upgrade again."""


class TooManyConflicts(LibresError):
    """Other transactions kept getting in the way and the last attempt failed too: try
    again later, allow more attempts or a later deadline, or make the transaction
    shorter. The last conflict is the cause of this error."""

    attempts: int
    seconds: float

    def __init__(self, attempts: int, seconds: float) -> None:
        super().__init__(attempts=attempts, seconds=seconds)


class OutcomeUnknown(LibresError):
    """The connection was lost during the COMMIT, and nobody could tell in time whether
    it was done: look for what this transaction was to write before doing it again. The
    lost connection is the cause of this error."""

    number: str | None
    """How PostgreSQL numbers the transaction (``pg_xact_status``), if it is known."""

    def __init__(self, number: str | None = None) -> None:
        super().__init__(number=number)
