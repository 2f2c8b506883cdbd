"""Reads what is configured, as records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import select

from libres.context.core import ContextServicesMixin
from libres.context.services import service_of_host
from libres.db.passing import fetch
from libres.sync.configuration.sections import ALL, BY_NAME, SETTINGS, Record, Section
from libres.sync.filter_store import Filters
from libres.sync.memberships import Memberships
from libres.sync.models import SyncPermission, SyncRole
from libres.sync.organizations import Organizations
from libres.sync.permissions import NAMES as FLAGS
from libres.sync.resources import Resources
from libres.sync.roles import COLUMNS as OF_ROLE
from libres.sync.settings import Settings
from libres.sync.switches import Switches
from libres.sync.users import SERVICE, Users, users_of
from libres.sync.values import Role, User

if TYPE_CHECKING:
    from libres.context.core import Context

_ROLES: Final[Any] = SyncRole.__table__
_RIGHTS: Final[Any] = SyncPermission.__table__


class Present(ContextServicesMixin):
    """What is configured at a moment: read once, as far as it is asked for."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.organizations = {each.slug: each for each in Organizations(context).all()}
        self.slugs = {each.id: slug for slug, each in self.organizations.items()}
        roles = self._all_roles()
        self.roles = {self.role_key(each): each for each in roles}
        self.roles_by_id = {each.id: each for each in roles}
        self.has_users = service_of_host(context, SERVICE) is None
        """The users are in a table of ours; else the host knows them."""

        users = Users(context).all() if self.has_users else []
        self.users = {each.username.lower(): each for each in users}

    def role_key(self, role: Role) -> tuple[str | None, str]:
        """Return by what a document knows a role."""
        return self.slug_of(role.organization), role.code

    def slug_of(self, organization: UUID | None) -> str | None:
        """Return the slug of an organisation; None: of none."""
        return None if organization is None else self.slugs[organization]

    def user(self, name: str) -> User | None:
        """Return the user whom a document names: by name, or by id if the host knows
        them; None: there is none."""
        if self.has_users:
            return self.users.get(name.lower())
        return users_of(self.context).user(name)

    # As records -----------------------------------------------------------------------

    def document(self, wanted: tuple[str, ...] = ALL) -> dict[str, Any]:
        """Return sections as a document."""
        return {
            name: self.settings() if name == SETTINGS else self.records(BY_NAME[name])
            for name in ALL
            if name in wanted
        }

    def settings(self) -> dict[str, Any]:
        """Return all settings as they are now."""
        return {each.name: each.value for each in Settings(self.context).all()}

    def records(self, section: Section) -> list[Record]:
        """Return the records of a section, by their keys."""
        made: list[Record] = getattr(self, f"_{section.name}")()
        return sorted(made, key=lambda record: _sortable(section.key_of(record)))

    def _models(self) -> list[Record]:
        every = Switches(self.context).all()
        return [{"model": each.model, "on": each.on} for each in every]

    def _organizations(self) -> list[Record]:
        names = BY_NAME["organizations"].fields
        return [
            {name: getattr(each, name) for name in names}
            for each in self.organizations.values()
        ]

    def _users(self) -> list[Record]:
        names = BY_NAME["users"].fields
        return [
            {name: getattr(each, name) for name in names}
            for each in self.users.values()
        ]

    def _roles(self) -> list[Record]:
        return [
            {"organization": slug, "code": code, "name": role.name, "pages": role.pages}
            for (slug, code), role in self.roles.items()
        ]

    def _memberships(self) -> list[Record]:
        """Leave out those of users who are gone: they mean nothing."""
        names = {each.id: each.username for each in self.users.values()}
        return [
            {
                "user": names.get(each.user, each.user),
                **self._of_role(each.organization.id, each.role),
                "active": each.active,
            }
            for each in Memberships(self.context).all()
            if each.user in names or not self.has_users
        ]

    def _permissions(self) -> list[Record]:
        columns = (
            _RIGHTS.c[each] for each in ("organization", "role", "model", *FLAGS)
        )
        query = select(*columns).where(_RIGHTS.c.context == self.context.name)
        return [
            {**self._of_role(of, self.roles_by_id[role]), "model": model}
            | dict(zip(FLAGS, flags, strict=True))
            for of, role, model, *flags in map(tuple, fetch(self.session, query, {}))
        ]

    def _filters(self) -> list[Record]:
        return [
            {
                **self._of_role(each.organization, self.roles_by_id[each.role]),
                "model": each.model,
                "conditions": each.conditions,
            }
            for each in Filters(self.context).all()
        ]

    def _resources(self) -> list[Record]:
        return [
            {
                "organization": self.slug_of(each.organization),
                "name": each.name,
                "timezone": each.timezone,
                "blocking_names": list(each.blocking_names),
            }
            for each in Resources(self.context).all()
        ]

    def _of_role(self, organization: UUID, role: Role) -> Record:
        return {
            "organization": self.slug_of(organization),
            "role": role.code,
            "shared": role.organization is None,
        }

    def _all_roles(self) -> list[Role]:
        query = select(*OF_ROLE).where(_ROLES.c.context == self.context.name)
        return [_role(row) for row in fetch(self.session, query, {})]


def _sortable(key: tuple[Any, ...]) -> tuple[tuple[bool, str], ...]:
    """Put what is of no organisation first."""
    return tuple((each is not None, str(each)) for each in key)


def _role(row: Any) -> Role:
    return Role(*row)
