"""Counts what is configured, in one statement: all there is, or what some organisations
have."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import ARRAY, Boolean, Text, Uuid, bindparam, text

from libres.context.services import service_of_host
from libres.db.passing import fetch
from libres.sync.registry import registry_of
from libres.sync.users import SERVICE

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context


@dataclass(frozen=True, slots=True)
class Totals:
    """How many there are of what is configured."""

    models: int
    """That are registered in this process."""

    organizations: int
    roles: int
    """Those that all organisations have are counted once."""

    users: int
    memberships: int
    devices: int
    """Those that are not revoked."""

    @property
    def all(self) -> int:
        """Of everything together."""
        return sum(astuple(self))


COUNT: Final = text("""\
SELECT
    (
        SELECT count(*) FROM sync_organizations
        WHERE context = :context AND (:every OR id = ANY (:ids))
    ) AS organizations,
    (
        SELECT count(*) FROM sync_roles WHERE context = :context
            AND (:every OR organization IS NULL OR organization = ANY (:ids))
    ) AS roles,
    CASE WHEN :has_table AND :every THEN (
        SELECT count(*) FROM sync_users WHERE context = :context
    ) ELSE (
        SELECT count(DISTINCT "user") FROM sync_memberships
        WHERE context = :context AND (:every OR organization = ANY (:ids))
    ) END AS users,
    (
        SELECT count(*) FROM sync_memberships
        WHERE context = :context AND (:every OR organization = ANY (:ids))
    ) AS memberships,
    (
        SELECT count(*) FROM sync_devices WHERE context = :context
            AND revoked IS NULL AND (:every OR organization = ANY (:ids))
    ) AS devices
""").bindparams(
    bindparam("context", type_=Text()),
    bindparam("every", type_=Boolean()),
    bindparam("has_table", type_=Boolean()),
    bindparam("ids", type_=ARRAY(Uuid())),
)


def totals(
    context: Context, session: Session, organizations: Collection[uuid.UUID] | None
) -> Totals:
    """Count what organisations have; None: all there is. One statement.

    Where the host knows the users, those count who belong to an organisation.
    """
    values = {
        "context": context.name,
        "every": organizations is None,
        "has_table": service_of_host(context, SERVICE) is None,
        "ids": list(organizations or ()),
    }
    (row,) = fetch(session, COUNT, values)
    return Totals(models=len(list(registry_of(context))), **row._asdict())
