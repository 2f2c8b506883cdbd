"""Who has which role in an organisation: how many, and the names of some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Text, bindparam, text

from libres.db.models.types import UUID as Id
from libres.db.passing import fetch

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.sync.values import Organization

MOST: Final = 50
"""Names that are told of a role."""


@dataclass(frozen=True, slots=True)
class Crew:
    """The active members of an organisation that have a role."""

    number: int = 0
    names: tuple[str, ...] = ()
    """Of the first `MOST` of them; the ids of those whom only the host knows."""


NOBODY: Final = Crew()


def crews(
    session: Session, context: str, organization: Organization
) -> dict[UUID, Crew]:
    """Return who has which role, by the id of the role. One statement."""
    values = {"context": context, "organization": organization.id, "most": MOST}
    rows: list[Any] = fetch(session, _CREWS, values)
    return {row.role: Crew(row.number, tuple(row.names)) for row in rows}


# How many have which role here, and what are some of them called?
_CREWS: Final = (
    text("""\
SELECT role, max(number) AS number, array_agg(name ORDER BY place) AS names FROM (
    SELECT m.role, coalesce(u.username, m."user") AS name,
        count(*) OVER (PARTITION BY m.role) AS number,
        row_number() OVER (
            PARTITION BY m.role ORDER BY lower(u.username), m."user"
        ) AS place
    FROM sync_memberships AS m
    LEFT JOIN sync_users AS u
        ON CAST(u.id AS text) = m."user" AND u.context = m.context
    WHERE m.context = :context AND m.organization = :organization AND m.active
) AS listed WHERE place <= :most GROUP BY role""")
    .bindparams(
        bindparam("context", type_=Text()),
        bindparam("organization", type_=Id()),
        bindparam("most", type_=Integer()),
    )
    .columns(role=Id(), number=Integer(), names=ARRAY(Text()))
)
