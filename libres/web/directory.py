"""Which resources are there? Kept in a table, unless the host has a list of its own.

A host replaces the service ``resources`` of the context; what it returns needs a method
``all()`` that returns places.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import Text, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from libres.context.core import ContextServicesMixin
from libres.context.services import service_of_host
from libres.db.passing import fetch
from libres.db.scheduler import Scheduler
from libres.domain.days import check_timezone
from libres.modules.errors import insist
from libres.web.errors import NotFound
from libres.web.models import WebResource

if TYPE_CHECKING:
    from libres.context.core import Context

SERVICE: Final = "resources"

LONGEST: Final = 200
"""Characters of a name or title."""


@dataclass(frozen=True, slots=True)
class Place:
    """A resource that is shown: the arguments of its scheduler, and a title."""

    name: str
    title: str
    timezone: str
    blocking_names: tuple[str, ...] = ()
    position: int = 0

    def scheduler(self, context: Context) -> Scheduler:
        """Make its scheduler; that costs nothing."""
        return Scheduler(context, self.name, self.timezone, self.blocking_names)


class Resources(Protocol):
    """A list of resources."""

    def all(self) -> Iterable[Place]:
        """Return all of them, in the order in which they are shown."""
        ...


class Directory(ContextServicesMixin):
    """The resources of a context, in its table."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def all(self) -> list[Place]:
        """Return all resources, by position and title."""
        rows = fetch(self.session, _ALL, {"context": self.context.name})
        return [_place(row) for row in rows]

    def named(self, name: str) -> Place:
        """Return one resource, by a statement made once. Raises NotFound."""
        if "\0" in name:
            raise NotFound
        values = {"context": self.context.name, "name": name}
        for row in fetch(self.session, _BY_NAME, values):
            return _place(row)
        raise NotFound

    def put(self, place: Place) -> None:
        """Add a resource, or change the one of this name.

        The timezone of one that has allocations must not change; that is not checked.
        Raises Misuse for an empty or too long name or title, and for a timezone that
        is none.
        """
        for text in (place.name, place.title):
            insist(
                text.strip() and len(text) <= LONGEST and "\0" not in text,
                f"A resource has a name and a title of at most {LONGEST} characters.",
            )
        check_timezone(place.timezone)
        values = {
            "title": place.title,
            "timezone": place.timezone,
            "blocking_names": list(place.blocking_names),
            "position": place.position,
        }
        row = {"context": self.context.name, "name": place.name, **values}
        self.session.execute(
            insert(WebResource)
            .values(**row)
            .on_conflict_do_update(constraint="web_resources_name", set_=values)
        )

    def remove(self, name: str) -> None:
        """Take a resource off the list; its records remain. Raises NotFound."""
        match = WebResource.context == self.context.name, WebResource.name == name
        gone = self.session.execute(delete(WebResource).where(*match))
        if not gone.rowcount:  # type: ignore[attr-defined]
            raise NotFound


_COLUMNS: Final = WebResource.__table__.c
"""Not those of the class: what is made of these is read without the ORM, and sooner."""

_OURS: Final = select(*(_COLUMNS[name] for name in Place.__slots__)).where(
    _COLUMNS.context == bindparam("context", type_=Text())
)
_ALL: Final = _OURS.order_by(_COLUMNS.position, _COLUMNS.title, _COLUMNS.name)
_BY_NAME: Final = _OURS.where(_COLUMNS.name == bindparam("name", type_=Text()))


def _place(row: Any) -> Place:
    name, title, timezone, blocking_names, position = row
    return Place(name, title, timezone, tuple(blocking_names), position)


def resources_of(context: Context) -> Resources:
    """Return the list of the host, else the directory of the context."""
    found: Resources | None = service_of_host(context, SERVICE)
    return Directory(context) if found is None else found


def place_named(context: Context, name: str) -> Place:
    """Return a resource of the list. Raises NotFound."""
    resources = resources_of(context)
    if isinstance(resources, Directory):
        return resources.named(name)
    for place in resources.all():
        if place.name == name:
            return place
    raise NotFound
