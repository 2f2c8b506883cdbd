"""Creates, lists and revokes feeds, and reads what they tell."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, func, insert, select, tuple_, update

from libres.context.core import ContextServicesMixin
from libres.db.passing import fetch
from libres.domain.days import UTC
from libres.modules.errors import insist
from libres.web.errors import NotFound
from libres.web.feeds import reading
from libres.web.feeds.models import WebFeed
from libres.web.feeds.secrets import hashed, new_secret
from libres.web.feeds.values import KEPT, KINDS, LEVELS, Feed, Kind, Level, NewFeed

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.web.feeds.events import Calendar, FreeBusy


LONG_AGO: Final = 36_500
"""Days."""


def feed_url(secret: str, base: str = "") -> str:
    """Return the address of a feed at an edge that is mounted at *base*."""
    return f"{base.rstrip('/')}/feeds/{secret}.ics"


class Feeds(ContextServicesMixin):
    """The feeds of a context."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def create(self, kind: Kind, name: str, level: Level = "busy") -> str:
        """Make a feed and return its secret; as `make` does."""
        return self.make(kind, name, level).secret

    def make(self, kind: Kind, name: str, level: Level = "busy") -> NewFeed:
        """Make a feed; its secret is not stored, and cannot be shown again.

        *name* is a resource of the directory, the e-mail of a person, or a subject of
        the timetable.

        Raises NotFound for a resource, subject or e-mail that is none, Misuse for a
        kind or level that is none.
        """
        insist(kind in KINDS, f"A feed is of a {', '.join(KINDS)}.")
        insist(level in LEVELS, f"The levels are {', '.join(LEVELS)}.")
        named = reading.named(self.context, kind, name)
        secret = new_secret()
        values = {
            "context": self.context.name,
            "kind": kind,
            "name": named,
            "level": level,
            "hash": hashed(secret),
        }
        made = insert(WebFeed).values(**values).returning(WebFeed.id)
        return NewFeed(self.session.execute(made).scalar_one(), secret)

    def all(self) -> list[Feed]:
        """Return all feeds, the oldest first."""
        return self._feeds(select(*_FEED))

    def page(self, limit: int, after: tuple[datetime, uuid.UUID] | None) -> list[Feed]:
        """Return at most *limit* feeds, those that come after another one."""
        query = select(*_FEED).limit(limit)
        if after is not None:
            query = query.where(tuple_(WebFeed.created, WebFeed.id) > after)
        return self._feeds(query)

    def revoke(self, id: uuid.UUID) -> None:  # noqa: A002 - as in the table
        """Let a feed tell nothing from now on. Raises NotFound."""
        match = WebFeed.context == self.context.name, WebFeed.id == id
        since = func.coalesce(WebFeed.revoked, func.now())
        change = update(WebFeed).where(*match).values(revoked=since)
        if not self.session.execute(change).rowcount:  # type: ignore[attr-defined]
            raise NotFound

    def forget(self, days: int = KEPT.days) -> int:
        """Forget what was removed so many days ago or more; return how much that is.

        Calendars are told of it for at most 90 days anyway. To be called every night.
        Raises Misuse for days that make no sense.
        """
        insist(0 <= days <= LONG_AGO, f"days is from 0 to {LONG_AGO}.")
        return reading.forget(self.session, timedelta(days=days))

    def calendar(self, secret: str) -> Calendar:
        """Return what a feed tells. Raises NotFound. Three statements at most."""
        feed = self._opened(secret)
        return reading.calendar(self.context, self.session, feed)

    def freebusy(self, secret: str) -> FreeBusy:
        """Return when what a feed is about is busy. Raises NotFound."""
        feed = self._opened(secret)
        return reading.freebusy(self.context, self.session, feed)

    def _feeds(self, query: Any) -> list[Feed]:
        ours = query.where(WebFeed.context == self.context.name)
        ordered = ours.order_by(WebFeed.created, WebFeed.id)
        return [_feed(row) for row in fetch(self.session, ordered, {})]

    def _opened(self, secret: str) -> Feed:
        values = {"context": self.context.name, "hash": hashed(secret)}
        for row in fetch(self.session, _BY_SECRET, values):
            return _feed(row)
        raise NotFound


_FEED: Final = tuple(getattr(WebFeed, name) for name in Feed.__slots__)

_BY_SECRET: Final = select(*_FEED).where(
    WebFeed.context == bindparam("context", type_=WebFeed.context.type),
    WebFeed.hash == bindparam("hash", type_=WebFeed.hash.type),
    WebFeed.revoked.is_(None),
)


def _feed(row: Any) -> Feed:
    values = row._asdict()
    created, revoked = values.pop("created"), values.pop("revoked")
    return Feed(
        **values,
        created=created.astimezone(UTC),
        revoked=None if revoked is None else revoked.astimezone(UTC),
    )
