"""Contexts, registries, transactions, events, errors and the small modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, assert_type
from uuid import UUID

from sqlalchemy.orm import Session

import libres
from libres import embedded
from libres.context.core import Context, StoppableService
from libres.context.registry import Registry, create_default_registry
from libres.context.session import SessionProvider
from libres.db.models import Allocation, Reservation, ReservedSlot
from libres.modules import errors, events, rasterizer, utils
from libres.modules.rasterizer import Raster

START, END = datetime(2030, 6, 3, 8, tzinfo=UTC), datetime(2030, 6, 3, 10, tzinfo=UTC)


def package() -> None:
    """The package has a registry and a version."""
    assert_type(libres.registry, Registry)
    assert_type(libres.__version__, str)


def registries(registry: Registry) -> None:
    """A registry gives contexts."""
    assert_type(create_default_registry(), Registry)
    assert_type(registry.register_context("hotel"), Context)
    assert_type(registry.get_context("hotel", autocreate=True), Context)
    assert_type(registry.current_context, Context)
    assert_type(registry.is_existing_context("hotel"), bool)
    assert_type(registry.contexts, dict[str, Context])
    with registry.context("hotel") as context:
        assert_type(context, Context)


def contexts(context: Context) -> None:
    """A context has settings and services of any kind."""
    assert_type(context.name, str)
    assert_type(context.parent, Context | None)
    assert_type(context.locked, bool)
    assert_type(context.get_setting("dsn"), Any)
    assert_type(context.get_service("exposure"), Any)
    context.set_service("mailer", lambda asking: asking.name, cache=True)
    context.set_setting("dsn", "postgresql://")
    context.set_service("mailer", "smtp")  # type: ignore[arg-type]


def count() -> int:
    """What is run in a transaction."""
    return 1


def transactions(context: Context) -> None:
    """A transaction has the result of its function; a decorator keeps the signature."""
    assert_type(context.transaction(count), int)
    assert_type(context.transaction(count, attempts=3, deadline=1.5), int)

    @context.transaction()
    def book(name: str, /, *, places: int = 1) -> list[UUID]:
        return [UUID(name)] * places

    assert_type(book("room", places=2), list[UUID])
    book(5)  # type: ignore[arg-type]
    context.transaction(5)  # type: ignore[call-overload]
    context.transaction(count, attempt=3)  # type: ignore[call-overload]


def reading(context: Context) -> None:
    """A block that reads gives a session; as a decorator it keeps the signature."""
    with context.read_only() as session:
        assert_type(session, Session)
    assert_type(context.read_only_session, Session | None)

    @context.read_only()
    def find(name: str, /, *, places: int = 1) -> list[UUID]:
        return [UUID(name)] * places

    assert_type(find("room", places=2), list[UUID])
    find(5)  # type: ignore[arg-type]


def sessions(dsn: str) -> None:
    """A session provider knows its server."""
    provider = SessionProvider(dsn, engine_config={"echo": True})
    assert_type(provider.dsn, str)
    assert_type(SessionProvider(dsn, replica_dsn=dsn).replica_dsn, str | None)
    assert_type(SessionProvider.get_postgres_version(dsn), tuple[str, int])
    service: StoppableService = provider
    service.stop_service()


def servers(folder: Path) -> None:
    """The embedded server is a URL."""
    assert_type(embedded.dsn(), str)
    assert_type(embedded.dsn(folder), str)


def listening(mail: Callable[[Context, tuple[Reservation, ...]], None]) -> None:
    """Events are lists of callables, twice."""
    events.on_reservations_made.append(mail)
    events.on_reservations_made.committed.append(mail)
    events.on_allocations_added.remove(mail)
    events.on_reservations_made.append("mail")  # type: ignore[arg-type]


def catching(slot: ReservedSlot, existing: Allocation) -> None:
    """Errors have their facts."""
    overlapping = errors.OverlappingAllocationError(START, END, existing)
    assert_type(overlapping.start, datetime)
    assert_type(overlapping.existing, Allocation)
    affected = errors.AffectedReservationError(slot)
    assert_type(affected.existing, ReservedSlot | None)
    conflicts = errors.TooManyConflicts(attempts=3, seconds=0.5)
    assert_type((conflicts.attempts, conflicts.seconds), tuple[int, float])
    try:
        raise conflicts
    except errors.LibresError as error:
        assert_type(error.reservation, Reservation)


def rasterizing(raster: Raster) -> None:
    """A raster is one of five numbers."""
    assert_type(raster, Literal[5, 10, 15, 30, 60])
    assert_type(rasterizer.rasterize_start(START, 15), datetime)
    assert_type(rasterizer.rasterize_end(END, raster), datetime)
    assert_type(rasterizer.rasterize_span(START, END, 5), tuple[datetime, datetime])
    steps = rasterizer.iterate_span(START, END, 5)
    assert_type(steps, Iterator[tuple[datetime, datetime]])
    assert_type(rasterizer.is_valid_raster("7"), bool)
    rasterizer.rasterize_start(START, 7)  # type: ignore[arg-type]


def helping(room: UUID) -> None:
    """The small helpers."""
    assert_type(utils.generate_uuids(room, 3), list[UUID])
    assert_type(utils.flatten([1, [2]]), Iterator[Any])
    assert_type(utils.pairs([START, END]), Iterator[tuple[Any, Any]])
    assert_type(utils.is_valid_reservation_length(START, END, "UTC"), bool)
