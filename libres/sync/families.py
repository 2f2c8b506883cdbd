"""Keeps the families of tokens: each begins by signing in, and is refreshed by turns.

A token that refreshes is used once, and replaced by another. Whoever comes with one
that was replaced has stolen it, or was stolen from. Nobody can tell, so the family
ends.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update

from libres.context.core import Context, ContextServicesMixin
from libres.db.passing import fetch
from libres.sync.errors import NotSignedIn
from libres.sync.keyring import from_text, keyring_of, to_text
from libres.sync.models import SyncToken
from libres.sync.tokens import INVALID, Versions
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from libres.sync.values import Member

PREFIX: Final = "libres_ref_"
"""Tokens that refresh begin with it, so that scanners of secrets find them."""

PURPOSE: Final = "refresh"

RANDOM: Final = 33
"""Bytes drawn at random for a token; with 16 and 32 others they make whole letters."""

TAG: Final = 32

ENDED: Final = "You are not signed in any more: sign in again."


@dataclass(frozen=True, slots=True)
class Family:
    """Whom the tokens of a family are for."""

    id: uuid.UUID
    user: str
    organization: uuid.UUID
    device: uuid.UUID | None
    versions: Versions
    """When it began."""

    expires: datetime
    """Unless it is refreshed before."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A family, and the one token that refreshes it from now on."""

    family: Family
    token: str = field(repr=False)


class Families(ContextServicesMixin):
    """The families of tokens of a context."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def begin(self, member: Member, now: datetime, lifetime: timedelta) -> Turn:
        """Begin a family for somebody who has just proven who they are."""
        device = None if member.device is None else member.device.id
        family = Family(
            id=uuid.uuid4(),
            user=member.user.id,
            organization=member.organization.id,
            device=device,
            versions=versions_of(member),
            expires=now + lifetime,
        )
        token = self._drawn(family.id)
        self.session.execute(insert(_TABLE).values(**self._values(family, token, now)))
        return Turn(family, token)

    def turn(self, token: str, now: datetime, lifetime: timedelta) -> Turn:
        """Replace a token by the next one, in a transaction of its own.

        Of several who do so at once exactly one has a next one; the others have used
        the token a second time, and the family ends. Raises NotSignedIn.
        """
        family = self.family_of(token)
        following = self._drawn(family)
        change = (
            update(_TABLE)
            .where(*self._running(family, now), _TABLE.c.hash == hashed(token))
            .values(hash=hashed(following), expires=now + lifetime)
            .returning(*_FAMILY)
        )
        with apart(self.context) as connection:
            found = connection.execute(change).one_or_none()
            if found is None:
                connection.execute(self._ending(family, now))
        if found is None:
            raise NotSignedIn(ENDED)
        return Turn(_family(found), following)

    def end(self, family: uuid.UUID, now: datetime) -> None:
        """End a family at once, in a transaction of its own."""
        with apart(self.context) as connection:
            connection.execute(self._ending(family, now))

    def is_running(self, family: uuid.UUID, now: datetime) -> bool:
        """Tell whether the tokens of a family are still good. One statement."""
        values = {"context": self.context.name, "family": family, "now": now}
        return bool(fetch(self.session, _IS_RUNNING, values))

    def drop_over(self, now: datetime) -> int:
        """Forget families that are over; return how many there were."""
        with apart(self.context) as connection:
            return connection.execute(delete(_TABLE).where(*self._over(now))).rowcount

    def over(self, now: datetime) -> int:
        """Tell how many families `drop_over` would forget."""
        query = select(func.count()).select_from(_TABLE).where(*self._over(now))
        return int(self.session.execute(query).scalar_one())

    def _over(self, now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        over = (_TABLE.c.expires <= now) | _TABLE.c.revoked.is_not(None)
        return _TABLE.c.context == self.context.name, over

    def family_of(self, token: str) -> uuid.UUID:
        """Return the family of a token, used or not, that comes from here.

        Raises NotSignedIn for what we have never given to anybody.
        """
        data = _data(token)
        signed, tag = data[:-TAG], data[-TAG:]
        if not keyring_of(self.context).verify(PURPOSE, signed, tag):
            raise NotSignedIn(INVALID)
        return uuid.UUID(bytes=signed[:16])

    def _drawn(self, family: uuid.UUID) -> str:
        signed = family.bytes + secrets.token_bytes(RANDOM)
        tag = keyring_of(self.context).sign(PURPOSE, signed)
        return PREFIX + to_text(signed + tag)

    def _values(self, family: Family, token: str, now: datetime) -> dict[str, Any]:
        return {
            "family": family.id,
            "context": self.context.name,
            "user": family.user,
            "organization": family.organization,
            "device": family.device,
            "user_version": family.versions.user,
            "membership_version": family.versions.membership,
            "hash": hashed(token),
            "created": now,
            "expires": family.expires,
        }

    def _running(self, family: uuid.UUID, now: datetime) -> tuple[Any, ...]:
        return (
            _TABLE.c.family == family,
            _TABLE.c.context == self.context.name,
            _TABLE.c.revoked.is_(None),
            _TABLE.c.expires > now,
        )

    def _ending(self, family: uuid.UUID, now: datetime) -> Any:
        return update(_TABLE).where(*self._running(family, now)).values(revoked=now)


_TABLE: Final[Any] = SyncToken.__table__

_FAMILY: Final = (
    _TABLE.c.family,
    _TABLE.c.user,
    _TABLE.c.organization,
    _TABLE.c.device,
    _TABLE.c.user_version,
    _TABLE.c.membership_version,
    _TABLE.c.expires,
)


_IS_RUNNING: Final = select(_TABLE.c.family).where(
    _TABLE.c.family == bindparam("family", type_=SyncToken.family.type),
    _TABLE.c.context == bindparam("context", type_=SyncToken.context.type),
    _TABLE.c.revoked.is_(None),
    _TABLE.c.expires > bindparam("now", type_=SyncToken.expires.type),
)
"""Asked with every request, so it is made once."""


def versions_of(member: Member) -> Versions:
    """Return what must not have changed for a token to be good."""
    return Versions(member.user.version, member.membership_version)


def hashed(secret: str) -> str:
    """Return what is stored of a secret that was drawn at random."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _data(token: str) -> bytes:
    """Return the bytes of a token. Raises NotSignedIn."""
    data = from_text(token.removeprefix(PREFIX)) if token.startswith(PREFIX) else None
    if data is None or len(data) != 16 + RANDOM + TAG:
        raise NotSignedIn(INVALID)
    return data


def _family(row: Any) -> Family:
    return Family(
        id=row.family,
        user=row.user,
        organization=row.organization,
        device=row.device,
        versions=Versions(row.user_version, row.membership_version),
        expires=row.expires,
    )
