"""Keeps keys of the API, and tells who asks by the key that they send."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, func, insert, select, update

from libres.context.core import ContextServicesMixin
from libres.db.passing import fetch
from libres.domain.days import UTC
from libres.modules.errors import insist
from libres.web.errors import NotFound, NotIdentified
from libres.web.identity import SCOPES, Caller
from libres.web.models import WebKey

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from flask import Request

    from libres.context.core import Context

PREFIX: Final = "libres_"
"""Keys begin with it, so that scanners of secrets find them."""

BYTES: Final = 32
"""Drawn at random for a key: so many cannot be guessed, and need no slow hash."""

COOKIE: Final = "libres_key"
"""Where a session of the pages keeps the id of the key that somebody signed in with."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key; the key itself is known to who made it."""

    id: uuid.UUID
    name: str
    email: str | None
    scopes: tuple[str, ...]
    created: datetime
    revoked: datetime | None


class Keys(ContextServicesMixin):
    """The keys of a context."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def create(
        self, name: str, scopes: Collection[str], email: str | None = None
    ) -> str:
        """Make a key and return it; it is not stored, and cannot be shown again.

        Raises Misuse for an empty name, no scope, and a scope that is none.
        """
        insist(name.strip() and "\0" not in name, "A key needs a name.")
        insist(scopes, "A key needs at least one scope.")
        insist(set(scopes) <= set(SCOPES), f"The scopes are {', '.join(SCOPES)}.")
        key = PREFIX + secrets.token_urlsafe(BYTES)
        values = {
            "context": self.context.name,
            "name": name.strip(),
            "email": email,
            "scopes": sorted(set(scopes)),
            "hash": hashed(key),
        }
        self.session.execute(insert(WebKey).values(**values))
        return key

    def all(self) -> list[Key]:
        """Return all keys, the oldest first."""
        query = select(*_KEY).where(WebKey.context == self.context.name)
        rows = fetch(self.session, query.order_by(WebKey.created, WebKey.id), {})
        return [_key(row) for row in rows]

    def revoke(self, id: uuid.UUID) -> None:  # noqa: A002 - as in the table
        """Let a key open nothing from now on. Raises NotFound."""
        match = WebKey.context == self.context.name, WebKey.id == id
        change = update(WebKey).where(*match).values(revoked=func.now())
        if not self.session.execute(change).rowcount:  # type: ignore[attr-defined]
            raise NotFound

    def holder(self, key: str) -> Caller | None:
        """Return who has a key; None: nobody, or not any more."""
        return self._found(_BY_HASH, hashed(key))

    def holder_of(self, id: uuid.UUID) -> Caller | None:  # noqa: A002 - as above
        """Return who has the key of an id; None: nobody, or not any more."""
        return self._found(_BY_ID, id)

    def caller(self, request: Request) -> Caller | None:
        """Return who has the key of a request, or who signed in with one.

        Raises NotIdentified for a key that nobody has.
        """
        found = sent(request)
        if found is not None:
            holder = self.holder(found)
            if holder is None:
                reason = "Nobody has this key, or it was revoked."
                raise NotIdentified(reason)
            return holder
        signed_in = _signed_in()
        return None if signed_in is None else self.holder_of(signed_in)

    def _found(self, query: Any, value: object) -> Caller | None:
        values = {"context": self.context.name, "value": value}
        for row in fetch(self.session, query, values):
            return Caller(row.name, frozenset(row.scopes), row.email, str(row.id))
        return None


_TABLE: Final = WebKey.__table__.c
"""Asked for in every request, and the ORM has no part in it: it would cost a third."""

_KEY: Final = tuple(_TABLE[name] for name in Key.__slots__)

_IN_USE: Final = select(*_KEY).where(
    _TABLE.context == bindparam("context", type_=WebKey.context.type),
    _TABLE.revoked.is_(None),
)
_BY_HASH: Final = _IN_USE.where(
    _TABLE.hash == bindparam("value", type_=WebKey.hash.type)
)
_BY_ID: Final = _IN_USE.where(_TABLE.id == bindparam("value", type_=WebKey.id.type))


def _key(row: Any) -> Key:
    values = row._asdict()
    created, revoked = values.pop("created"), values.pop("revoked")
    values["scopes"] = tuple(values["scopes"])
    return Key(
        **values,
        created=created.astimezone(UTC),
        revoked=None if revoked is None else revoked.astimezone(UTC),
    )


def hashed(key: str) -> str:
    """Return what is stored of a key."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def sent(request: Request) -> str | None:
    """Return the key that a request brings along; None: none."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and value.strip():
        return value.strip()
    return request.headers.get("X-API-Key") or None


def _signed_in() -> uuid.UUID | None:
    from flask import session  # noqa: PLC0415 - the command has no requests

    try:
        return uuid.UUID(session.get(COOKIE, ""))
    except (ValueError, TypeError, AttributeError):
        return None
