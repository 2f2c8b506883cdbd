"""The roles of members: of one organisation, or global ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert

from libres.context.core import ContextServicesMixin
from libres.db.passing import fetch
from libres.modules.errors import insist
from libres.sync import names
from libres.sync.errors import AlreadyThere, UnknownEntity
from libres.sync.models import SyncRole
from libres.sync.values import Pages, Role

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.sync.values import Organization

_TABLE: Final[Any] = SyncRole.__table__.c

COLUMNS: Final = tuple(_TABLE[name] for name in Role.__slots__)


class Roles(ContextServicesMixin):
    """The roles of a context."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def add(
        self,
        code: str,
        name: str,
        organization: Organization | None = None,
        pages: Pages | None = None,
    ) -> Role:
        """Add a role of an organisation; None: all of them have it.

        *pages* says what it may do on the pages of its organisation: ``"admin"``
        configures it, ``"audit"`` sees everything; None: nothing.

        Raises InvalidName, AlreadyThere, and Misuse for other *pages*.
        """
        _insist_on(pages)
        values = {
            "context": self.context.name,
            "code": names.slug(code),
            "name": names.title(name, "name of a role"),
            "organization": None if organization is None else organization.id,
            "pages": pages,
        }
        query = insert(SyncRole).values(**values).on_conflict_do_nothing()
        row = self.session.execute(query.returning(*COLUMNS)).one_or_none()
        if row is None:
            raise AlreadyThere(kind="role", name=code)
        return _role(row)

    def change(self, role: Role, name: str, pages: Pages | None) -> Role:
        """Give a role another name, and say what it may do on the pages; its code
        remains, and what it may synchronise.

        Raises InvalidName, UnknownEntity, and Misuse for other *pages*.
        """
        _insist_on(pages)
        ours = _TABLE.context == self.context.name, _TABLE.id == role.id
        values = {"name": names.title(name, "name of a role"), "pages": pages}
        query = update(SyncRole).where(*ours).values(**values).returning(*COLUMNS)
        row = self.session.execute(query).one_or_none()
        if row is None:
            raise UnknownEntity(kind="role", name=role.code)
        return _role(row)

    def named(self, code: str, organization: Organization | None = None) -> Role:
        """Return the role of a code: that of the organisation before the global one.

        None: the global one. Raises UnknownEntity, for those of others as well.
        """
        wanted = _TABLE.code == code
        for role in self._found(organization, wanted) if names.is_slug(code) else ():
            return role
        raise UnknownEntity(kind="role", name=code)

    def all(self, organization: Organization | None = None) -> list[Role]:
        """Return the roles of an organisation, and the global ones; by code, its own
        first."""
        return self._found(organization)

    def _found(self, organization: Organization | None, *criteria: Any) -> list[Role]:
        scope = _TABLE.organization.is_(None)
        if organization is not None:
            scope = or_(scope, _TABLE.organization == organization.id)
        query = select(*COLUMNS).where(
            _TABLE.context == self.context.name, scope, *criteria
        )
        order = _TABLE.code, _TABLE.organization.is_(None)
        rows = fetch(self.session, query.order_by(*order), {})
        return [_role(row) for row in rows]


def _insist_on(pages: Pages | None) -> None:
    allowed = (None, *get_args(Pages))
    insist(pages in allowed, "pages is 'admin', 'audit' or None.")


def _role(row: Any) -> Role:
    return Role(*row)
