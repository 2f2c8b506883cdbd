"""Says which organisation a resource belongs to: it alone sees what is allocated and
reserved of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import any_, delete, select
from sqlalchemy.dialects.postgresql import array, insert

from libres.context.core import Context, ContextServicesMixin
from libres.db.models import Reservation
from libres.db.scheduler import Scheduler
from libres.domain.days import check_timezone
from libres.sync import owning
from libres.sync.errors import AlreadyThere, InvalidName, UnknownEntity
from libres.sync.models import SyncOrganization, SyncResource

if TYPE_CHECKING:
    from libres.sync.values import Organization

LONGEST: Final = 200
"""Characters of a name."""


@dataclass(frozen=True, slots=True)
class OwnedResource:
    """A resource of an organisation: the arguments of its scheduler."""

    resource: UUID
    organization: UUID
    name: str
    timezone: str
    blocking_names: tuple[str, ...] = ()

    def scheduler(
        self, context: Context, reservation_cls: type[Reservation] = Reservation
    ) -> Scheduler:
        """Make its scheduler; that costs nothing."""
        return Scheduler(
            *(context, self.name, self.timezone, self.blocking_names),
            reservation_cls=reservation_cls,
        )


class Resources(ContextServicesMixin):
    """The resources that belong to the organisations of a context."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def add(
        self,
        organization: Organization,
        name: str,
        timezone: str,
        blocking_names: Collection[str] = (),
    ) -> OwnedResource:
        """Give a resource to an organisation; nobody else sees it from now on.

        *name*, *timezone* and *blocking_names* are those of its scheduler. What is
        allocated and reserved of it already comes to devices as new.

        Raises AlreadyThere if it belongs to somebody, InvalidName for a name that is
        none and if what blocks it belongs to others, and Misuse for a timezone that is
        none.
        """
        _check_name(name)
        self._check_blocking(organization, blocking_names)
        made = OwnedResource(
            *(self.generate_uuid(name), organization.id, name),
            *(check_timezone(timezone), tuple(blocking_names)),
        )
        self._write(made)
        owning.note(self.context, self.session, made.resource, organization.reference)
        return made

    def all(self, organization: Organization | None = None) -> list[OwnedResource]:
        """Return the resources of an organisation, or of all of them, by name."""
        query = _OURS.where(SyncResource.context == self.context.name)
        if organization is not None:
            query = query.where(SyncResource.organization == organization.id)
        rows = self.session.execute(query.order_by(SyncResource.name))
        return [_owned(row) for row in rows]

    def of(self, resource: UUID) -> OwnedResource | None:
        """Return whose a resource is; None: nobody's."""
        query = _OURS.where(
            SyncResource.context == self.context.name,
            SyncResource.resource == resource,
        )
        row = self.session.execute(query).one_or_none()
        return None if row is None else _owned(row)

    def remove(self, resource: UUID) -> None:
        """Take a resource from its organisation; devices remove what they have of it.

        Its records remain. Raises UnknownEntity.
        """
        reference = self.session.scalar(
            select(SyncOrganization.reference)
            .join(SyncResource, SyncResource.organization == SyncOrganization.id)
            .where(
                SyncResource.context == self.context.name,
                SyncResource.resource == resource,
            )
        )
        if reference is None:
            raise UnknownEntity(kind="resource", name=str(resource))
        owning.note(self.context, self.session, resource, "", before=reference)
        self.session.execute(
            delete(SyncResource).where(SyncResource.resource == resource)
        )

    def _write(self, made: OwnedResource) -> None:
        values = {
            "context": self.context.name,
            "resource": made.resource,
            "organization": made.organization,
            "name": made.name,
            "timezone": made.timezone,
            "blocking_names": list(made.blocking_names),
        }
        query = insert(SyncResource).values(**values).on_conflict_do_nothing()
        written = self.session.execute(query.returning(SyncResource.resource))
        if written.one_or_none() is None:
            raise AlreadyThere(kind="resource", name=made.name)

    def _check_blocking(
        self, organization: Organization, names: Collection[str]
    ) -> None:
        """Refuse what would show when the resources of others are taken."""
        if not names:
            return
        query = select(SyncResource.name).where(
            SyncResource.context == self.context.name,
            SyncResource.name == any_(array(list(names))),
            SyncResource.organization != organization.id,
        )
        foreign = self.session.scalars(query).first()
        if foreign is not None:
            message = f"{foreign!r} belongs to others: it cannot block a resource."
            raise InvalidName(message)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > LONGEST or "\0" in name:
        message = f"The name of a resource has 1 to {LONGEST} characters."
        raise InvalidName(message)


_OURS: Final = select(
    SyncResource.resource,
    SyncResource.organization,
    SyncResource.name,
    SyncResource.timezone,
    SyncResource.blocking_names,
)


def _owned(row: Any) -> OwnedResource:
    resource, organization, name, timezone, blocking_names = row
    return OwnedResource(resource, organization, name, timezone, tuple(blocking_names))
