"""Finds the rows of the core that a member may see, and says of which version they are.

Whose a row is follows from its resource. What belongs to others, what a filter hides
and what does not exist is not told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import select

from libres.sync import filters
from libres.sync.handlers import NOT_FOUND, Done, Refused
from libres.sync.resources import OwnedResource, Resources
from libres.sync.row_versions import UNKNOWN, versions_of
from libres.sync.wire import wire_row

if TYPE_CHECKING:
    from libres.sync.handlers import Did, Item, Work
    from libres.sync.registry import SyncModel

NO_RESOURCE: Final = Refused("invalid", "there is no such resource", "resource")

NOT_THEIRS: Final = Refused(
    "forbidden", "You would not see it any more: your role does not show such rows."
)

STALE: Final = "Somebody has changed this row meanwhile."


class Declined(Exception):
    """What was begun is not to be done; nothing of it remains."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Seen:
    """A row that a member may see."""

    model: SyncModel
    key: tuple[Any, ...]
    values: Mapping[str, Any]
    """What Python holds of its fields, and the key as ``id``."""

    resource: OwnedResource
    version: int

    @property
    def id(self) -> Any:
        """Its id in the core."""
        return self.key[0]

    def changes(self, values: Mapping[str, Any], name: str) -> bool:
        """Tell whether a field was sent, and is another one than before."""
        return name in values and values[name] != self.values[name]


def named(work: Work, resource: UUID | None) -> OwnedResource:
    """Return a resource of the member's organisation. Raises Declined."""
    found = None if resource is None else Resources(work.context).of(resource)
    if found is None or found.organization != work.member.organization.id:
        raise Declined(NO_RESOURCE)
    return found


def seen(work: Work, model: SyncModel, key: tuple[Any, ...]) -> Seen | None:
    """Return a row that the member may see; None: there is none."""
    values = _row(work, model, key)
    if values is None:
        return None
    owned = Resources(work.context).of(values["resource_id"])
    if owned is None or owned.organization != work.member.organization.id:
        return None
    bound = filters.filter_of(model, work.member)
    if bound is not None and not bound.matches(values):
        return None
    return Seen(model, key, values, owned, version_of(work, model, key))


def wanted(work: Work, item: Item) -> Seen:
    """Return the row that an item is about, as the client knows it.

    Raises Declined if there is none for them, and if it has changed meanwhile.
    """
    found = None if item.key is None else seen(work, item.model, item.key)
    if found is None:
        raise Declined(NOT_FOUND)
    if item.version is not None and item.version != found.version:
        raise Declined(Refused("conflict", STALE, facts=_known(work, found)))
    return found


def written(work: Work, item: Item, did: Did, id: int) -> Done:  # noqa: A002 - as in the core
    """Say that a row was written. Raises Declined if the member would not see it."""
    work.session.flush()
    key = (id,)
    if did == "deleted":
        return Done(did, key, version_of(work, item.model, key))
    found = seen(work, item.model, key)
    if found is None:
        raise Declined(NOT_THEIRS)
    return Done(did, key, found.version, _told(found))


def _known(work: Work, found: Seen) -> dict[str, Any]:
    """Tell what the server has of a row, to those who may read it."""
    version = {"_version": found.version}
    if not work.member.flags_of(found.model.name).read:
        return version
    row = wire_row(found.model, found.key, found.values, found.version)
    return {"row": row, **version}


def _told(found: Seen) -> dict[str, Any]:
    """Tell what the server has decided: a token and a status, if there are any."""
    names = [name for name in ("token", "status") if name in found.values]
    fields = found.model.fields
    told = {name: fields[name].write(found.values[name]) for name in names}
    return {"decided": told} if told else {}


def version_of(work: Work, model: SyncModel, key: tuple[Any, ...]) -> int:
    """Return the version of a row, with what this transaction has made of it."""
    text = model.key_text(key)
    known = versions_of(work.context, work.session, model, [text])
    return known.get(text, UNKNOWN).number


def _row(
    work: Work, model: SyncModel, key: tuple[Any, ...]
) -> Mapping[str, Any] | None:
    """Read what Python holds of the fields of a row, as it is now."""
    columns = [each.column.label(name) for name, each in model.fields.items()]
    query = select(*columns).where(
        *(part.column == value for part, value in zip(model.key, key, strict=True))
    )
    if model.where is not None:
        query = query.where(model.where)
    row = work.session.execute(query).mappings().one_or_none()
    return None if row is None else {**row, "id": key[0]}
