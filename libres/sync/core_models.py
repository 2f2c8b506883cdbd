"""How clients see the core: reservations, allocations and check-ins.

Rows are read like those of any other model; what writes them is in `core_handlers`.
Whose a row is follows from its resource, which belongs to an organisation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID
from weakref import ref

from sqlalchemy import Column, and_, not_, select

from libres.db.models import Allocation, Reservation
from libres.domain.spans import display_end, stored_end
from libres.occupancy.models import OccCheckIn
from libres.sync.fields import (
    MOMENT_IN_UTC,
    OUT_OF_RANGE,
    TEXT,
    Field,
    InvalidValue,
    Kind,
    kind_of,
)
from libres.sync.models import SyncResource
from libres.sync.registry import SyncModel

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from libres.context.core import Context

RESERVATION: Final = "libres.Reservation"
ALLOCATION: Final = "libres.Allocation"
CHECK_IN: Final = "libres.CheckIn"

OWNER: Final = """\
SELECT organization.reference FROM sync_resources AS owned
JOIN sync_organizations AS organization ON organization.id = owned.organization
WHERE owned.context = {context} AND owned.resource = """

OWNER_OF_ROW: Final = OWNER + "{row}.resource"

OWNER_OF_CHECK_IN: Final = (
    OWNER + "(SELECT booked.resource FROM reservations AS booked "
    "WHERE booked.id = {row}.reservation) AND {row}.context = {context}"
)


class Names:
    """The names of the resources of a context: what clients say, and the core does not
    store. What is known of them stays true, as a resource is made of its name."""

    def __init__(self, context: Context | None) -> None:
        self._context = (lambda: None) if context is None else ref(context)
        self._known: dict[UUID, str] = {}

    def read(self, value: object) -> UUID:
        """Return the resource of a name. Raises InvalidValue."""
        name: str = TEXT.read(value)
        context = self._context()
        if not name or context is None:
            message = "must be the name of a resource"
            raise InvalidValue(message)
        resource: UUID = context.get_service("uuid_generator")(name)
        return resource

    def write(self, resource: UUID) -> str:
        """Return the name of a resource; of one that is nobody's, what is stored.

        At most one statement, if it is not known yet.
        """
        if resource not in self._known:
            self._known |= self._load()
        return self._known.get(resource, str(resource))

    def _load(self) -> dict[UUID, str]:
        context = self._context()
        if context is None:
            return {}
        columns = SyncResource.resource, SyncResource.name
        query = select(*columns).where(SyncResource.context == context.name)
        provider = context.get_service("session_provider")
        session = context.read_only_session or provider.session()
        return {row.resource: row.name for row in session.execute(query)}


# Kinds --------------------------------------------------------------------------------


def _read_end(value: object) -> datetime:
    moment: datetime = MOMENT_IN_UTC.read(value)
    try:
        return stored_end(moment)
    except OverflowError:
        raise InvalidValue(OUT_OF_RANGE) from None


def _write_end(value: datetime) -> Any:
    return MOMENT_IN_UTC.write(display_end(value))


END: Final = Kind("datetime", _read_end, _write_end, MOMENT_IN_UTC.load)
"""Clients know ends as people say them; stored they lack a microsecond. That is what
Python holds of them here, so that it compares with the column."""


def _read_object(value: object) -> Any:
    if not isinstance(value, dict):
        message = "must be an object"
        raise InvalidValue(message)
    return _JSON.read(value)


_JSON: Final = kind_of(Reservation.__table__.c.data.type)

DATA: Final = Kind("json", _read_object, _JSON.write, _JSON.load)
"""What hosts keep with a record, by name."""


def _kind_of_resource(names: Names) -> Kind:
    return Kind("resource", names.read, names.write, UUID)


def _field(
    column: Any, name: str | None = None, kind: Kind | None = None, **more: bool
) -> Field:
    """Make a field of a column; one that clients cannot write, unless it is said."""
    plain: Column[Any] = column.property.columns[0]
    is_writable = more.get("writable", False)
    return Field(
        name or column.key, plain, kind or kind_of(plain.type), writable=is_writable
    )


# Models -------------------------------------------------------------------------------


def models_of(context: str, names: Names) -> list[SyncModel]:
    """Make the models of the core for a context of this name; nothing writes them."""
    return [reservation(names), allocation(names), check_in(context)]


def reservation(names: Names) -> SyncModel:
    """Reservations: what is pending or approved, but not what lies in a cart."""
    model = Reservation
    fields = (
        _field(model.resource, kind=_kind_of_resource(names), writable=True),
        _field(model.resource, "resource_id"),
        _field(model.token),
        _field(model.start, writable=True),
        _field(model.end, kind=END, writable=True),
        _field(model.target, "group", writable=True),
        _field(model.target_type),
        _field(model.timezone),
        _field(model.status, writable=True),
        _field(model.quota, writable=True),
        _field(model.email, writable=True),
        _field(model.data, kind=DATA, writable=True),
        _field(model.created),
        _field(model.modified),
    )
    return _made(
        *(RESERVATION, model, model.id, fields, OWNER_OF_ROW),
        where=model.__table__.c.session_id.is_(None),
        holds=lambda image: image.get("session_id") is None,
    )


def allocation(names: Names) -> SyncModel:
    """Allocations: the masters, as mirrors are an affair of the core."""
    model = Allocation
    fields = (
        _field(model.resource, kind=_kind_of_resource(names), writable=True),
        _field(model.resource, "resource_id"),
        _field(model._start, "start", writable=True),
        _field(model._end, "end", END, writable=True),
        _field(model.group),
        _field(model.timezone),
        _field(model._raster, "raster", writable=True),
        _field(model.quota, writable=True),
        _field(model.quota_limit, writable=True),
        _field(model.partly_available, writable=True),
        _field(model.approve_manually, writable=True),
        _field(model.data, kind=DATA, writable=True),
        _field(model.created),
        _field(model.modified),
    )
    return _made(
        *(ALLOCATION, model, model.id, fields, OWNER_OF_ROW),
        where=model.__table__.c.resource == model.__table__.c.mirror_of,
        holds=lambda image: image.get("resource") == image.get("mirror_of"),
    )


def check_in(context: str) -> SyncModel:
    """Check-ins: who reserved is there. The id is that of the reservation; of several
    one is shown, the latest."""
    model = OccCheckIn
    fields = (
        _field(model.reservation, writable=True),
        _field(model.ts, "at", writable=True),
    )
    table: Any = model.__table__
    one, later = table.c, table.alias("later").c
    is_later = and_(
        later.context == one.context,
        later.reservation == one.reservation,
        later.ts > one.ts,
    )
    is_shadowed = select(later.ts).where(is_later).correlate(table).exists()
    return _made(
        *(CHECK_IN, model, model.reservation, fields, OWNER_OF_CHECK_IN),
        where=and_(one.context == context, not_(is_shadowed)),
        holds=lambda image: image.get("context") == context,
    )


def _made(
    name: str,
    model: Any,
    key: Any,
    fields: Iterable[Field],
    tenant_sql: str,
    *,
    where: Any,
    holds: Any,
) -> SyncModel:
    return SyncModel(
        name=name,
        model=model,
        table=model.__table__,
        key=(_field(key),),
        fields={each.name: each for each in fields},
        tenant=None,
        shared=False,
        policy="reject",
        secret=frozenset(),
        handler=None,
        tenant_sql=tenant_sql,
        where=where,
        holds=holds,
    )
