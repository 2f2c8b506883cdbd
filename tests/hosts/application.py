"""A large application in miniature, as those that embed the library are built.

It has a session manager of its own, which joins the transactions of Zope, switches the
schema per statement and announces what bulk statements change; names that are UUIDs;
models of its own by single-table inheritance; and its own idea of JSON. Nothing in
here is special to the tests but `forget`, which the tests call when they are done.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

import transaction
import zope.sqlalchemy
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Query,
    mapped_column,
    object_session,
    relationship,
    scoped_session,
    sessionmaker,
)

from libres import new_scheduler
from libres.context.registry import create_default_registry
from libres.db.models import Allocation, ORMBase, Reservation

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import ORMExecuteState, Session

    from libres.context.core import Context
    from libres.db.scheduler import Scheduler


def identity(value: Any) -> Any:
    """Leave the serialisation to the column type."""
    return value


def bind_json(_type: object, value: Any, _dialect: object) -> str:
    """Serialise what goes into a column, dates included."""
    return json.dumps({} if value is None else value, default=_tagged)


def result_json(_type: object, value: Any, _dialect: object) -> Any:
    """Read what comes out of a column."""
    return {} if value is None else json.loads(value, object_hook=_untagged)


def _tagged(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"__datetime__": value.isoformat()}
    message = f"{value!r} is not JSON serializable"
    raise TypeError(message)


def _untagged(value: dict[str, Any]) -> Any:
    stamp = value.get("__datetime__")
    return datetime.fromisoformat(stamp) if stamp else value


class FetchingQuery(Query):  # type: ignore[type-arg]
    """Deletes what it has fetched, so that everybody learns what is gone."""

    def delete(self, *_: Any, **__: Any) -> int:
        """Delete, whatever the caller thinks of synchronisation."""
        return super().delete("fetch")


class Affected(IteratorResult):  # type: ignore[type-arg]
    """The result of a bulk statement whose rows have been announced already."""

    def __init__(self, entities: list[Any]) -> None:
        super().__init__(SimpleResultMetaData(["entity"]), iter(()))
        self.rowcount = len(entities)

    def __bool__(self) -> bool:
        """Count as a result, though there are no rows any more."""
        return True


class SessionManager:
    """Owns the engine and the sessions, one schema per tenant."""

    def __init__(self, dsn: str, *, expire_on_commit: bool = True) -> None:
        self.schema = "public"
        self.announced: list[tuple[str, type]] = []
        self.engine = create_engine(
            dsn,
            isolation_level="SERIALIZABLE",
            json_serializer=identity,
            json_deserializer=identity,
        )
        event.listen(self.engine, "before_cursor_execute", self._switch)
        self._sessions = scoped_session(
            sessionmaker(
                self.engine,
                query_cls=FetchingQuery,
                expire_on_commit=expire_on_commit,
                info={"manager": self},
            )
        )
        zope.sqlalchemy.register(self._sessions)
        event.listen(self._sessions, "do_orm_execute", self._announce)

    def session(self) -> Session:
        """The session of this thread."""
        return self._sessions()

    def make_schema(self, schema: str) -> None:
        """Make a tenant and switch to it."""
        with self.engine.begin() as connection:
            connection.execute(text(f'CREATE SCHEMA "{schema}"'))
        self.schema = schema
        ORMBase.metadata.create_all(self.engine)
        HostBase.metadata.create_all(self.engine)

    def close(self) -> None:
        """End everything."""
        self._sessions.remove()
        self.engine.dispose()

    def _switch(self, _connection: Any, cursor: Any, *_: Any) -> None:
        cursor.execute(f'SET search_path TO "{self.schema}"')

    def _announce(self, state: ORMExecuteState) -> Affected | None:
        """Re-run a bulk statement so that it returns the entities it changes."""
        if not (state.is_update or state.is_delete):
            return None
        assert state.bind_mapper is not None, "a bulk statement needs a model"
        assert not state.statement.returning_column_descriptions
        entity = state.bind_mapper.class_
        returning = select(entity).from_statement(state.statement.returning(entity))
        changed = state.invoke_statement(
            returning.execution_options(populate_existing=True)
        )
        entities = list(changed.scalars())
        verb = "deleted" if state.is_delete else "updated"
        self.announced.extend((verb, type(each)) for each in entities)
        return Affected(entities)


class Provider:
    """What the library gets to see of the session manager."""

    __slots__ = ("_manager",)

    def __init__(self, manager: SessionManager) -> None:
        self._manager = manager

    def session(self) -> Session:
        """The session of this thread."""
        return self._manager.session()


class Model:
    """What all models of the application have."""

    is_cached = False

    @classmethod
    def get_polymorphic_class(cls, identity: str) -> type | None:
        """The class of an identity, or None."""
        found = cls.__mapper__.polymorphic_map.get(identity)  # type: ignore[attr-defined]
        return found.class_ if found else None

    @property
    def session_manager(self) -> SessionManager:
        """The session manager this object was loaded by."""
        session = object_session(self)
        assert session is not None
        manager: SessionManager = session.info["manager"]
        return manager


class HostBase(DeclarativeBase):
    """The declarative base of what has nothing to do with reservations."""


class Payment(HostBase):
    """Money that came in."""

    __tablename__ = "host_payments"

    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]


class Ticket(HostBase):
    """Somebody looks after a reservation."""

    __tablename__ = "host_tickets"

    id: Mapped[int] = mapped_column(primary_key=True)
    handler_id: Mapped[str] = mapped_column(Text)


payments_for_reservations = Table(
    "host_payments_for_reservations",
    HostBase.metadata,
    Column(
        "reservation_id",
        ForeignKey(Reservation.__table__.c.id, ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("payment_id", ForeignKey("host_payments.id"), primary_key=True),
)


class Payable:
    """A mixin with columns of nobody and a relationship to another base."""

    @property
    def is_paid(self) -> bool:
        """Whether any money came in."""
        return any(payment.amount > 0 for payment in self.payments)  # type: ignore[attr-defined]


class HostAllocation(Model, Allocation):
    """An allocation of the application."""

    __mapper_args__: ClassVar = {"polymorphic_identity": "tests.hosts"}


class HostReservation(Model, Payable, Reservation):
    """A reservation of the application."""

    __mapper_args__: ClassVar = {"polymorphic_identity": "tests.hosts"}

    payments: Mapped[list[Payment]] = relationship(
        Payment, secondary=payments_for_reservations
    )


class Resource(Model, ORMBase):
    """A room, in the base and under the table name that applications choose."""

    __tablename__ = "resources"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    title: Mapped[str] = mapped_column(Text)
    timezone: Mapped[str] = mapped_column(Text)
    meta: Mapped[dict[str, Any]] = mapped_column(default=dict)
    opened: Mapped[datetime | None]

    __table_args__ = (
        Index("resources_by_lower_title", func.lower(title)),
        CheckConstraint("title <> ''", name="resources_have_titles"),
    )

    def scheduler(self, context: Context, blocking: Collection[Any] = ()) -> Scheduler:
        """The scheduler of this resource, made on every request."""
        return new_scheduler(
            context,
            self.id,  # type: ignore[arg-type]
            self.timezone,
            blocking_names=blocking,
            allocation_cls=HostAllocation,
            reservation_cls=HostReservation,
        )


allocations_of_resources = Table(
    "resources_watching_allocations",
    ORMBase.metadata,
    Column("resource_id", ForeignKey("resources.id"), primary_key=True),
    Column("allocation_id", ForeignKey("allocations.id"), primary_key=True),
)


def make_context(provider: Provider) -> Context:
    """Make the context of the application, with services of its own."""
    registry = create_default_registry()
    if registry.is_existing_context("application"):
        return registry.get_context("application")
    context = registry.register_context("application")
    context.set_service("session_provider", lambda _: provider)
    context.set_service("uuid_generator", lambda _: identity)
    context.set_service("ticket_numbers", lambda _: iter(range(1, 10)))
    return context


class Host:
    """The application while it runs: its manager, its context, a room in its town."""

    def __init__(self, dsn: str, **options: Any) -> None:
        self.manager = SessionManager(dsn, **options)
        self.manager.make_schema("town")
        self.provider = Provider(self.manager)
        self.context = make_context(self.provider)
        self.room = self.new_room("room")

    @property
    def session(self) -> Session:
        """The session of this thread."""
        return self.manager.session()

    def new_room(self, title: str, blocking: Collection[Any] = ()) -> Scheduler:
        """Store a room and return its scheduler."""
        resource = Resource(title=title, timezone="Europe/Zurich")
        self.session.add(resource)
        self.session.flush()
        scheduler = resource.scheduler(self.context, blocking)
        transaction.commit()
        return scheduler

    def close(self) -> None:
        """Abort what goes on and end everything."""
        transaction.abort()
        self.manager.close()


def forget() -> None:
    """Take the tables of the application off the library's base again."""
    ORMBase.metadata.remove(allocations_of_resources)
    ORMBase.metadata.remove(ORMBase.metadata.tables["resources"])
