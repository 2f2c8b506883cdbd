"""Tells who asks, and what they may: fresh from the database, in one statement.

Whoever is not active, was revoked or is gone, be it user, membership, organisation or
device, is nobody.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Integer,
    Text,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from libres.context.core import ContextServicesMixin
from libres.db.models.types import UUID as Id
from libres.db.passing import fetch
from libres.sync.registry import registry_of
from libres.sync.users import Users, id_of, users_of
from libres.sync.values import Device, Flags, Member, Organization, Role, User

if TYPE_CHECKING:
    from sqlalchemy import TextualSelect

    from libres.context.core import Context


def load(
    context: Context, user_id: str, organization_id: UUID, device_id: UUID | None
) -> Member | None:
    """Return who asks, as they are at this moment; None: nobody who may.

    One statement, beside what the user service of a host needs. It runs in the session
    or the read-only block of the context.
    """
    return Members(context).load(user_id, organization_id, device_id)


class Members(ContextServicesMixin):
    """Those who may ask something of a context."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def load(
        self, user_id: str, organization_id: UUID, device_id: UUID | None
    ) -> Member | None:
        """Return who asks; see `load`."""
        if "\0" in user_id:
            return None
        about = {
            "context": self.context.name,
            "user": user_id,
            "organization": organization_id,
            "device": device_id,
        }
        service = users_of(self.context)
        if isinstance(service, Users):
            return self._ours(about)
        user = service.user(user_id)
        if user is None or not user.active or user.id != user_id:
            return None
        row = self._row(_of_host(), about)
        return None if row is None else self._member(user, row)

    def _ours(self, about: dict[str, Any]) -> Member | None:
        known = id_of(about["user"])
        if known is None:
            return None
        about |= {"user": str(known), "known": known}
        row = self._row(_of_table(), about)
        return None if row is None else self._member(_user(row), row)

    def _row(self, query: TextualSelect, about: dict[str, Any]) -> Any:
        return next(iter(fetch(self.session, query, about)), None)

    def _member(self, user: User, row: Any) -> Member:
        return Member(
            user=user,
            organization=Organization(
                row.o_id, row.o_name, row.o_slug, row.o_reference, active=True
            ),
            role=Role(row.r_id, row.r_code, row.r_name, row.r_organization),
            device=None if row.d_id is None else Device(row.d_id, row.d_name),
            flags={name: Flags(*told) for name, *told in row.rights},
            filters=self._filters(row.filters),
            membership_version=row.m_version,
        )

    def _filters(self, stored: list[list[Any]]) -> dict[str, Any]:
        from libres.sync.filters import Filter  # noqa: PLC0415 - few have filters

        models = registry_of(self.context)
        return {
            name: Filter.stored(models.get(name), conditions)
            for name, conditions in stored
        }


def _user(row: Any) -> User:
    return User(
        id=str(row.u_id),
        username=row.u_username,
        email=row.u_email,
        active=True,
        staff=row.u_staff,
        version=row.u_version,
    )


# Who may ask, for whom, with which rights? None for models that are switched off.
_SELECT: Final = """\
SELECT o.id AS o_id, o.name AS o_name, o.slug AS o_slug, o.reference AS o_reference,
    r.id AS r_id, r.code AS r_code, r.name AS r_name, r.organization AS r_organization,
    d.id AS d_id, d.name AS d_name, m.version AS m_version,
    coalesce((
        SELECT jsonb_agg(jsonb_build_array(p.model, p.can_push, p.can_pull,
            p.can_create, p.can_read, p.can_update, p.can_delete))
        FROM sync_permissions AS p
        WHERE p.organization = o.id AND p.role = r.id AND p.context = :context
            AND coalesce((
                SELECT s."on" FROM sync_switches AS s
                WHERE s.context = :context AND s.model = p.model
            ), (
                SELECT t.value <> 'true' FROM sync_settings AS t
                WHERE t.context = :context AND t.name = 'models_start_off'
            ), true)
    ), '[]') AS rights,
    coalesce((
        SELECT jsonb_agg(jsonb_build_array(f.model, f.conditions))
        FROM sync_filters AS f
        WHERE f.organization = o.id AND f.role = r.id AND f.context = :context
    ), '[]') AS filters{columns}
FROM sync_memberships AS m
JOIN sync_organizations AS o
    ON o.id = m.organization AND o.context = :context AND o.active
JOIN sync_roles AS r
    ON r.id = m.role AND r.context = :context
    AND (r.organization IS NULL OR r.organization = o.id)
LEFT JOIN sync_devices AS d
    ON d.id = :device AND d.context = :context AND d."user" = m."user"
    AND d.organization = o.id AND d.revoked IS NULL{joined}
WHERE m.context = :context AND m."user" = :user AND m.organization = :organization
    AND m.active AND (d.id IS NOT NULL OR :device IS NULL)
"""

_USER: Final = """,
    u.id AS u_id, u.username AS u_username, u.email AS u_email, u.staff AS u_staff,
    u.version AS u_version"""

_JOINED: Final = """
JOIN sync_users AS u ON u.id = :known AND u.context = :context AND u.active"""

_PARAMETERS: Final = (
    bindparam("context", type_=Text()),
    bindparam("user", type_=Text()),
    bindparam("organization", type_=Id()),
    bindparam("device", type_=Id()),
)

_TOLD: Final[dict[str, Any]] = {
    **{f"o_{each}": Text() for each in ("name", "slug", "reference")},
    **{f"r_{each}": Text() for each in ("code", "name")},
    **{each: Id() for each in ("o_id", "r_id", "r_organization", "d_id")},
    "d_name": Text(),
    "m_version": Integer(),
    "rights": JSONB(),
    "filters": JSONB(),
}

_TOLD_OF_USER: Final[dict[str, Any]] = {
    "u_id": Id(),
    "u_username": Text(),
    "u_email": Text(),
    "u_staff": Boolean(),
    "u_version": Integer(),
}


@cache
def _of_host() -> TextualSelect:
    """Who asks, without the user: the host knows them."""
    sql = _typed(_SELECT.format(columns="", joined=""))
    return text(sql).bindparams(*_PARAMETERS).columns(**_TOLD)


@cache
def _of_table() -> TextualSelect:
    """Who asks, with the user of our table."""
    sql = _typed(_SELECT.format(columns=_USER, joined=_JOINED))
    known = bindparam("known", type_=Id())
    made = text(sql).bindparams(*_PARAMETERS, known)
    return made.columns(**_TOLD, **_TOLD_OF_USER)


def _typed(sql: str) -> str:
    """Say what type a device has: of a null nobody would know."""
    return sql.replace(":device", "CAST(:device AS uuid)")
