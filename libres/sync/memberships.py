"""Who belongs to which organisation, in which role."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, cast, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from libres.context.core import ContextServicesMixin
from libres.db.passing import fetch
from libres.sync.errors import AlreadyThere, UnknownEntity
from libres.sync.models import (
    SyncMembership,
    SyncOrganization,
    SyncRole,
    SyncToken,
    SyncUser,
)
from libres.sync.organizations import COLUMNS as OF_ORGANIZATION
from libres.sync.roles import COLUMNS as OF_ROLE
from libres.sync.users import TOLD, has_part, id_of
from libres.sync.values import Organization, Role, User

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import ColumnElement

    from libres.context.core import Context


@dataclass(frozen=True, slots=True)
class Membership:
    """A user belongs to an organisation, in one role."""

    organization: Organization
    role: Role
    active: bool
    version: int
    """Of the tokens of this membership: those of a lower one have ended."""

    user: str = ""
    """The id of the user."""


class Memberships(ContextServicesMixin):
    """The memberships of a context."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def add(self, user: User, organization: Organization, role: Role) -> Membership:
        """Let a user belong to an organisation.

        Raises AlreadyThere if they do, and UnknownEntity for a role or an organisation
        that is gone, and for a role of others.
        """
        self.check(organization, role)
        values = {
            "context": self.context.name,
            "user": user.id,
            "organization": organization.id,
            "role": role.id,
        }
        query = insert(SyncMembership).values(**values).on_conflict_do_nothing()
        row = self.session.execute(query.returning(_TABLE.version)).one_or_none()
        if row is None:
            raise AlreadyThere(kind="membership", name=user.username)
        return Membership(organization, role, True, row.version, user.id)

    def set_role(
        self, user: User, organization: Organization, role: Role
    ) -> Membership:
        """Give a member another role, at once; they stay signed in.

        Raises UnknownEntity, for a role of others as well.
        """
        self.check(organization, role)
        return self._change(user, organization, role=role.id)

    def set_active(
        self, user: User, organization: Organization, active: bool
    ) -> Membership:
        """Let a member in, or refuse them; their tokens for it end either way.

        Raises UnknownEntity.
        """
        version = _TABLE.version + 1
        return self._change(user, organization, active=active, version=version)

    def remove(self, user: User, organization: Organization) -> None:
        """Let a user belong to an organisation no more, and end all their tokens.

        Users of a host keep those for other organisations. Raises UnknownEntity.
        """
        query = delete(SyncMembership).where(*self._theirs(user, organization))
        removed = self.session.execute(query.returning(_TABLE.id)).one_or_none()
        if removed is None:
            raise UnknownEntity(kind="membership", name=user.username)
        self._end_tokens(user, organization)

    def of_user(self, user_id: str) -> list[Membership]:
        """Return where a user belongs to, by the name of the organisation."""
        if "\0" in user_id:
            return []
        return self._found(_TABLE.user == user_id)

    def of_organization(self, organization: Organization) -> list[Membership]:
        """Return who belongs to an organisation, by the id of the user."""
        return self._found(_TABLE.organization == organization.id)

    def named(self, user: User, organization: Organization) -> Membership:
        """Return how a user belongs to an organisation. Raises UnknownEntity."""
        for found in self._found(*self._theirs(user, organization)):
            return found
        raise UnknownEntity(kind="membership", name=user.username)

    def listed(
        self,
        organization: Organization,
        search: str = "",
        first: int = 0,
        most: int = 0,
    ) -> list[tuple[Membership, User | None]]:
        """Return who belongs to an organisation, by name, with the users of the table;
        None: the host knows them. One statement.

        *search* is a part of the name, in upper or lower case; *first* are left out,
        *most* come after them (0: all).
        """
        query = _ALL.add_columns(*(_USERS[name] for name in TOLD)).outerjoin(
            SyncUser.__table__,
            (_USERS.context == _TABLE.context) & (cast(_USERS.id, Text) == _TABLE.user),
        )
        mine = _TABLE.context == self.context.name
        query = query.where(mine, _TABLE.organization == organization.id)
        if search:
            query = query.where(has_part(search))
        order = func.lower(_USERS.username), _TABLE.user
        query = query.order_by(*order).offset(first).limit(most or None)
        return [_listed(row) for row in fetch(self.session, query, {})]

    def numbers(self, organizations: Collection[Organization]) -> dict[UUID, int]:
        """Return how many belong to organisations, by their ids; where nobody does,
        they are left out. One statement."""
        ids = [each.id for each in organizations]
        mine = _TABLE.context == self.context.name
        query = select(_TABLE.organization, func.count().label("number"))
        query = query.where(mine, _TABLE.organization.in_(ids))
        rows = fetch(self.session, query.group_by(_TABLE.organization), {})
        return {row.organization: row.number for row in rows}

    def all(self) -> list[Membership]:
        """Return who belongs where, by the name of the organisation. One statement."""
        return self._found()

    # Rows -----------------------------------------------------------------------------

    def _found(self, *criteria: Any) -> list[Membership]:
        query = _ALL.where(_TABLE.context == self.context.name, *criteria)
        order = _ORGANIZATIONS.name, _ORGANIZATIONS.slug, _TABLE.user
        rows = fetch(self.session, query.order_by(*order), {})
        return [_membership(row) for row in rows]

    def _theirs(
        self, user: User, organization: Organization
    ) -> tuple[ColumnElement[bool], ...]:
        return (
            _TABLE.context == self.context.name,
            _TABLE.user == user.id,
            _TABLE.organization == organization.id,
        )

    def _change(
        self, user: User, organization: Organization, **values: Any
    ) -> Membership:
        theirs = self._theirs(user, organization)
        query = update(SyncMembership).where(*theirs).values(**values)
        changed = self.session.execute(query.returning(_TABLE.id)).one_or_none()
        if changed is None:
            raise UnknownEntity(kind="membership", name=user.username)
        return self._found(_TABLE.id == changed.id)[0]

    def check(self, organization: Organization, role: Role) -> None:
        """Refuse a role that nobody can have in an organisation.

        Raises UnknownEntity if it or the organisation is not there, or of others.
        """
        theirs = SyncOrganization.__table__.c
        ours = _ROLES.organization.is_(None), _ROLES.organization == organization.id
        is_organization = exists().where(
            theirs.id == organization.id, theirs.context == self.context.name
        )
        is_role = exists().where(
            _ROLES.id == role.id, _ROLES.context == self.context.name, or_(*ours)
        )
        (row,) = fetch(self.session, select(is_organization, is_role), {})
        has_organization, has_role = tuple(row)
        if not has_organization:
            raise UnknownEntity(kind="organization", name=organization.slug)
        if not has_role:
            raise UnknownEntity(kind="role", name=role.code)

    def _end_tokens(self, user: User, organization: Organization) -> None:
        """End what was given for a membership: it may begin anew, with version 1."""
        tokens = SyncToken.__table__.c
        self.session.execute(
            update(SyncToken)
            .where(
                tokens.context == self.context.name,
                tokens.user == user.id,
                tokens.organization == organization.id,
                tokens.revoked.is_(None),
            )
            .values(revoked=func.now())
        )
        users = SyncUser.__table__.c
        ours = users.context == self.context.name, users.id == id_of(user.id)
        self.session.execute(
            update(SyncUser).where(*ours).values(version=users.version + 1)
        )


_TABLE: Final[Any] = SyncMembership.__table__.c
_ORGANIZATIONS: Final[Any] = SyncOrganization.__table__.c
_ROLES: Final[Any] = SyncRole.__table__.c
_USERS: Final[Any] = SyncUser.__table__.c

_ALL: Final = (
    select(
        *(each.label(f"organization_{each.name}") for each in OF_ORGANIZATION),
        *(each.label(f"role_{each.name}") for each in OF_ROLE),
        *(_TABLE.active, _TABLE.version, _TABLE.user),
    )
    .join_from(
        SyncMembership.__table__,
        SyncOrganization.__table__,
        _ORGANIZATIONS.id == _TABLE.organization,
    )
    .join(SyncRole.__table__, _ROLES.id == _TABLE.role)
)


def _membership(row: Any) -> Membership:
    told: Sequence[Any] = tuple(row)
    first, second = len(OF_ORGANIZATION), len(OF_ORGANIZATION) + len(OF_ROLE)
    organization, role = Organization(*told[:first]), Role(*told[first:second])
    return Membership(organization, role, *told[second:])


def _listed(row: Any) -> tuple[Membership, User | None]:
    told: Sequence[Any] = tuple(row)
    id_, *user = told[-len(TOLD) :]
    found = None if id_ is None else User(str(id_), *user)
    return _membership(told[: -len(TOLD)]), found
