"""The organisations of a context: tenants, which share a server."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from libres.context.core import ContextServicesMixin
from libres.db.passing import fetch
from libres.sync import names
from libres.sync.errors import AlreadyThere, UnknownEntity
from libres.sync.models import SyncOrganization
from libres.sync.values import Organization

if TYPE_CHECKING:
    from libres.context.core import Context

_TABLE: Final[Any] = SyncOrganization.__table__.c

COLUMNS: Final = tuple(_TABLE[name] for name in Organization.__slots__)


class Organizations(ContextServicesMixin):
    """The organisations of a context."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def add(self, name: str, slug: str, reference: str | None = None) -> Organization:
        """Add an organisation.

        *slug* is what it is called in addresses. *reference* is what the tenant columns
        of models hold for it, as text; None: its id.

        Raises InvalidName, and AlreadyThere for a slug or reference that is taken.
        """
        id_ = uuid.uuid4()
        given = str(id_) if reference is None else reference
        made = Organization(
            id_,
            names.title(name, "name of an organization"),
            names.slug(slug),
            names.title(given, "reference", names.LONGEST_REFERENCE),
        )
        self._insert(made)
        return made

    def named(self, slug: str) -> Organization:
        """Return the organisation of a slug. Raises UnknownEntity."""
        for found in self._found(_TABLE.slug == slug) if names.is_slug(slug) else ():
            return found
        raise UnknownEntity(kind="organization", name=slug)

    def all(self) -> list[Organization]:
        """Return all organisations, by name."""
        return self._found()

    def lock(self, organization: Organization) -> None:
        """Let those who change who belongs to an organisation do so one after the
        other, until the end of the transaction. Raises UnknownEntity."""
        ours = _TABLE.context == self.context.name, _TABLE.id == organization.id
        query = select(_TABLE.id).where(*ours).with_for_update(key_share=True)
        if self.session.execute(query).one_or_none() is None:
            raise UnknownEntity(kind="organization", name=organization.slug)

    def rename(self, slug: str, name: str) -> Organization:
        """Give an organisation another name; its slug remains.

        Raises InvalidName, and UnknownEntity.
        """
        return self._change(slug, name=names.title(name, "name of an organization"))

    def set_active(self, slug: str, active: bool) -> Organization:
        """Let the members of an organisation in, or refuse all of them at once.

        Raises UnknownEntity.
        """
        return self._change(slug, active=active)

    def _change(self, slug: str, **values: Any) -> Organization:
        organization = self.named(slug)
        change = update(SyncOrganization).where(_TABLE.id == organization.id)
        changed = change.values(**values).returning(*COLUMNS)
        return _organization(self.session.execute(changed).one())

    def _found(self, *criteria: Any) -> list[Organization]:
        ours = _TABLE.context == self.context.name
        query = select(*COLUMNS).where(ours, *criteria)
        rows = fetch(self.session, query.order_by(_TABLE.name, _TABLE.slug), {})
        return [_organization(row) for row in rows]

    def _insert(self, made: Organization) -> None:
        values = {each: getattr(made, each) for each in Organization.__slots__}
        query = insert(SyncOrganization).values(context=self.context.name, **values)
        written = query.on_conflict_do_nothing().returning(_TABLE.id)
        if self.session.execute(written).one_or_none() is None:
            raise AlreadyThere(kind="organization", name=made.slug)


def _organization(row: Any) -> Organization:
    return Organization(*row)
