"""Keeps the devices of organisations: their keys, how far they are, when they asked."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from libres.context.core import Context, ContextServicesMixin
from libres.db.models.timestamp import TimestampMixin
from libres.db.passing import fetch
from libres.domain.days import UTC
from libres.sync.errors import AlreadyThere, InvalidName, UnknownEntity
from libres.sync.families import hashed
from libres.sync.models import SyncDevice, SyncFeed
from libres.sync.models.columns import MOMENT
from libres.sync.models.devices import DEVICE_NAME
from libres.sync.transacting import apart
from libres.sync.values import Device

if TYPE_CHECKING:
    from libres.sync.values import Organization, User

PREFIX: Final = "libres_dev_"
"""Keys begin with it, so that scanners of secrets find them."""

BYTES: Final = 32
"""Drawn at random for a key: so many cannot be guessed, and need no slow hash."""

LONGEST_NAME: Final = 100

SEEN_EVERY: Final = timedelta(minutes=1)
"""So exactly it is noted when a device asked; each time would be a write per poll."""


class NewDevice(NamedTuple):
    """A device that has just been added."""

    device: Device
    key: str
    """It is not stored, and cannot be shown again."""


@dataclass(frozen=True, slots=True)
class Owner:
    """For whom a device acts."""

    device: Device
    user: str
    organization: uuid.UUID


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A device, and how far it is."""

    id: uuid.UUID
    name: str
    user: str
    """The id of the user that it acts for."""

    organization: uuid.UUID
    has_key: bool
    """Else its user signs in by password."""

    position: int
    """Of the feed, up to which it has confirmed to have everything; 0: nothing."""

    lag: int
    """How many changes of the context came after; it may see few of them."""

    seen: datetime | None
    """When it last asked, to the minute; None: never."""

    created: datetime
    revoked: datetime | None
    """Since when it is refused; None: it is in use."""


class Devices(ContextServicesMixin):
    """The devices of a context."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def add(self, user: User, organization: Organization, name: str) -> NewDevice:
        """Add a device that signs in by a key, and acts for a user.

        Raises InvalidName; AlreadyThere if the user has one of this name there.
        """
        key = _drawn()
        values = self._values(user.id, organization.id, checked(name))
        adding = insert(_TABLE).values(**values, hash=hashed(key))
        adding = adding.on_conflict_do_nothing(constraint=DEVICE_NAME)
        found = self.session.execute(adding.returning(_TABLE.c.id)).one_or_none()
        if found is None:
            raise AlreadyThere(kind="device", name=values["name"])
        return NewDevice(Device(found.id, values["name"]), key)

    def ensure(self, user: str, organization: uuid.UUID, name: str) -> Device:
        """Return the device of this name, revoked or not; add one without a key if
        there is none. Raises InvalidName."""
        values = self._values(user, organization, checked(name))
        adding = insert(_TABLE).values(**values)
        adding = adding.on_conflict_do_update(
            constraint=DEVICE_NAME, set_={"name": adding.excluded.name}
        )
        found = self.session.execute(adding.returning(_TABLE.c.id)).one()
        return Device(found.id, values["name"])

    def new_key(self, id: uuid.UUID) -> str:  # noqa: A002 - as in the table
        """Give a device another key and return it; the old one opens nothing any more.

        Who has signed in by it stays so. Raises UnknownEntity.
        """
        key = _drawn()
        self._change(id, _TABLE.c.id == id, hash=hashed(key))
        return key

    def revoke(self, id: uuid.UUID) -> None:  # noqa: A002 - as in the table
        """Refuse a device from now on, and all its tokens. Raises UnknownEntity."""
        since = func.coalesce(_TABLE.c.revoked, TimestampMixin.timestamp())
        self._change(id, _TABLE.c.id == id, revoked=since)

    def all(self, organization: Organization | None = None) -> list[DeviceState]:
        """Return the devices, by name; *organization*: only its own. One statement."""
        query = _STATES.where(_TABLE.c.context == self.context.name)
        if organization is not None:
            query = query.where(_TABLE.c.organization == organization.id)
        query = query.order_by(_TABLE.c.name, _TABLE.c.id)
        return [_state(row) for row in fetch(self.session, query, {})]

    def owner_of(self, key: str) -> Owner | None:
        """Return for whom the device acts that has a key; None: nobody has it, or not
        any more. One statement."""
        mine = _TABLE.c.context == self.context.name, _TABLE.c.revoked.is_(None)
        query = select(_TABLE).where(*mine, _TABLE.c.hash == hashed(key))
        for row in fetch(self.session, query, {}):
            return Owner(Device(row.id, row.name), row.user, row.organization)
        return None

    def acknowledge(self, device: uuid.UUID, position: int, now: datetime) -> None:
        """Note that a device has everything up to a position of the feed, and was seen.

        Positions only grow; that a device was seen is noted once a minute. One
        statement if there is nothing to note; else another one, in a transaction of
        its own.
        """
        rows = fetch(self.session, _PROGRESS, {"id": device})
        if any(_is_news(row, position, now) for row in rows):
            with apart(self.context) as connection:
                values = {"id": device, "position": position, "now": now}
                connection.execute(ACKNOWLEDGE, values)

    def _values(self, user: str, organization: uuid.UUID, name: str) -> dict[str, Any]:
        return {
            "context": self.context.name,
            "user": user,
            "organization": organization,
            "name": name,
            "created": TimestampMixin.timestamp(),
        }

    def _change(self, id: uuid.UUID, match: Any, **values: Any) -> None:  # noqa: A002
        mine = _TABLE.c.context == self.context.name
        change = update(_TABLE).where(mine, match).values(**values)
        if not self.session.execute(change.returning(_TABLE.c.id)).all():
            raise UnknownEntity(kind="device", name=str(id))


_TABLE: Final[Any] = SyncDevice.__table__

_HEAD: Final = (
    select(SyncFeed.position)
    .where(SyncFeed.context == _TABLE.c.context)
    .scalar_subquery()
)

_STATES: Final = select(
    *(each for each in _TABLE.c if each.name not in {"context", "hash"}),
    _TABLE.c.hash.is_not(None).label("has_key"),
    func.greatest(func.coalesce(_HEAD, 0) - _TABLE.c.position, 0).label("lag"),
)

_PROGRESS: Final = select(_TABLE.c.position, _TABLE.c.seen).where(
    _TABLE.c.id == bindparam("id", type_=SyncDevice.id.type)
)
"""Asked with every pull, so it is made once."""

ACKNOWLEDGE: Final = text("""\
UPDATE sync_devices SET
    position = greatest(position, :position),
    seen = greatest(seen, :now)
WHERE id = :id AND (position < :position OR seen IS NULL OR seen < :now)
""").bindparams(bindparam("now", type_=MOMENT), bindparam("id", type_=_TABLE.c.id.type))


def checked(name: str) -> str:
    """Return the name of a device without spaces around it. Raises InvalidName."""
    plain = name.strip()
    if not plain.isprintable() or not 0 < len(plain) <= LONGEST_NAME:
        message = f"A device needs a name of 1 to {LONGEST_NAME} printable letters."
        raise InvalidName(message)
    return plain


def _drawn() -> str:
    return PREFIX + secrets.token_urlsafe(BYTES)


def _is_news(row: Any, position: int, now: datetime) -> bool:
    seen: datetime | None = row.seen
    return row.position < position or seen is None or now - seen >= SEEN_EVERY


def _state(row: Any) -> DeviceState:
    values = row._asdict()
    for name in ("seen", "created", "revoked"):
        moment: datetime | None = values[name]
        values[name] = None if moment is None else moment.astimezone(UTC)
    return DeviceState(**values)
