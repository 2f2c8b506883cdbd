"""Tells how far devices are, and when each user and each model was synchronised last.

Only changes of models that this process has registered wait for a device: others are
noted for the audit alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ARRAY, Boolean, Text, Uuid, bindparam, text

from libres.db.passing import fetch
from libres.domain.days import UTC
from libres.sync.models.columns import MOMENT
from libres.sync.registry import registry_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

MANY: Final = 1000
"""Changes that wait are counted up to this number."""

LAST: Final = 100
"""Users, and models, of whom it is told when they were synchronised last."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A device, and how far it is behind."""

    id: uuid.UUID
    name: str
    user: str
    """The id of the user that it acts for."""

    username: str
    """Empty: the host knows it."""

    organization: str
    slug: str
    has_key: bool
    """Else its user signs in by password."""

    position: int
    """Of the feed, up to which it has confirmed to have everything."""

    waiting: int
    """How many changes of its organisation came after; `MANY` and one: more."""

    seen: datetime | None
    """When it last asked; None: never."""

    revoked: datetime | None
    """Since when it is refused; None: it is in use."""


@dataclass(frozen=True, slots=True)
class Last:
    """When something was synchronised last: a model, or by a user."""

    name: str
    organization: str
    pushed: datetime | None
    """None: not in the time that was asked for."""

    pulled: datetime | None
    requests: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which devices are asked for."""

    organizations: Collection[uuid.UUID] | None = None
    """None: of all organisations."""

    search: str = ""
    """A part of the name of the device or of its user; empty: all."""

    after: tuple[str, uuid.UUID] | None = None
    """The name and the id of the last one that is known."""

    first: int = 0
    """So many are left out."""

    most: int = 1000


PROGRESS: Final = (
    text("""\
WITH wanted AS (
    SELECT device.*, coalesce(known.username, '') AS username,
        owner.name AS owner_name, owner.slug, owner.reference
    FROM sync_devices AS device
    JOIN sync_organizations AS owner ON owner.id = device.organization
    LEFT JOIN sync_users AS known
        ON known.context = device.context AND known.id::text = device.user
    WHERE device.context = :context
        AND (:every OR device.organization = ANY (:organizations))
        AND (:search = '' OR strpos(lower(device.name), lower(:search)) > 0
            OR strpos(lower(known.username), lower(:search)) > 0)
        AND (:is_first OR (device.name, device.id) > (:after_name, :after_id))
    ORDER BY device.name, device.id LIMIT :most OFFSET :first
)
SELECT id, name, "user", username, owner_name AS organization, slug,
    hash IS NOT NULL AS has_key, position, seen, revoked, (
        SELECT count(*) FROM (
            SELECT FROM sync_changes AS change
            WHERE change.context = wanted.context
                AND change.tenant = wanted.reference
                AND change.position > wanted.position
                AND change.relation = ANY (:relations)
            LIMIT :many
        ) AS counted
    ) AS waiting
FROM wanted ORDER BY name, id
""")
    .bindparams(
        bindparam("context", type_=Text()),
        bindparam("every", type_=Boolean()),
        bindparam("organizations", type_=ARRAY(Uuid())),
        bindparam("search", type_=Text()),
        bindparam("is_first", type_=Boolean()),
        bindparam("after_name", type_=Text()),
        bindparam("after_id", type_=Uuid()),
        bindparam("relations", type_=ARRAY(Text())),
    )
    .columns(seen=MOMENT, revoked=MOMENT)
)

_LAST: Final = """\
SELECT {name} AS name, owner.name AS organization,
    max(log.at) FILTER (WHERE log.operation = 'push') AS pushed,
    max(log.at) FILTER (WHERE log.operation = 'pull') AS pulled,
    count(*) AS requests
FROM sync_log AS log
JOIN sync_organizations AS owner ON owner.id = log.organization {more}
WHERE log.context = :context AND log.at >= :since
    AND log.operation IN ('push', 'pull') AND log.status <> 'error'
    AND (:every OR log.organization = ANY (:organizations))
GROUP BY {by}, owner.id ORDER BY max(log.at) DESC, 1 LIMIT :most
"""
"""Polls that find nothing are not in the log."""


def _last(name: str, by: str, more: str = "") -> Any:
    query = text(_LAST.format(name=name, by=by, more=more)).bindparams(
        bindparam("context", type_=Text()),
        bindparam("every", type_=Boolean()),
        bindparam("organizations", type_=ARRAY(Uuid())),
        bindparam("since", type_=MOMENT),
    )
    return query.columns(pushed=MOMENT, pulled=MOMENT)


OF_USERS: Final = _last("max(log.username)", 'log."user"')
OF_MODELS: Final = _last(
    "model", "model", "CROSS JOIN jsonb_array_elements_text(log.models) AS model"
)


def devices(context: Context, session: Session, wanted: Wanted) -> list[Progress]:
    """Return devices by name. One statement."""
    name, id_ = wanted.after or ("", uuid.UUID(int=0))
    values = {
        **_whose(context, wanted.organizations),
        "search": wanted.search,
        "is_first": wanted.after is None,
        "after_name": name,
        "after_id": id_,
        "first": wanted.first,
        "most": wanted.most,
        "relations": [each.relation for each in registry_of(context)],
        "many": MANY + 1,
    }
    return [Progress(**_in_utc(row)) for row in fetch(session, PROGRESS, values)]


def of_users(
    context: Context,
    session: Session,
    organizations: Collection[uuid.UUID] | None,
    since: datetime,
) -> Sequence[Last]:
    """Return when each user has pushed and pulled last, since a moment, the latest
    first. *organizations*: None: of all. One statement."""
    return _found(session, OF_USERS, _whose(context, organizations), since)


def of_models(
    context: Context,
    session: Session,
    organizations: Collection[uuid.UUID] | None,
    since: datetime,
) -> Sequence[Last]:
    """Return when each model was pushed and pulled last, as `of_users` does."""
    return _found(session, OF_MODELS, _whose(context, organizations), since)


def _found(
    session: Session, query: Any, whose: dict[str, Any], since: datetime
) -> list[Last]:
    rows = fetch(session, query, {**whose, "since": since, "most": LAST})
    return [Last(**_in_utc(row)) for row in rows]


def _whose(
    context: Context, organizations: Collection[uuid.UUID] | None
) -> dict[str, Any]:
    return {
        "context": context.name,
        "every": organizations is None,
        "organizations": list(organizations or ()),
    }


def _in_utc(row: Any) -> dict[str, Any]:
    values: dict[str, Any] = row._asdict()
    for name, value in values.items():
        if isinstance(value, datetime):
            values[name] = value.astimezone(UTC)
    return values
