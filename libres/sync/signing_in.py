"""Tells who asks: by password or key of a device first, then by tokens.

A token belongs to one organisation, and allows nothing by itself: who somebody is, and
what they may, is read from the database with each request. So what is taken away is
gone at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from libres.db.models.timestamp import TimestampMixin
from libres.sync import limits, members, names, tokens
from libres.sync.devices import Devices
from libres.sync.errors import (
    InvalidName,
    MalformedRequest,
    NotPermitted,
    NotSignedIn,
)
from libres.sync.families import ENDED, PREFIX, Families, Turn, versions_of
from libres.sync.keyring import keyring_of
from libres.sync.limits import Limit
from libres.sync.memberships import Membership, Memberships
from libres.sync.settings import Settings
from libres.sync.users import users_of

if TYPE_CHECKING:
    from uuid import UUID

    from libres.context.core import Context
    from libres.sync.values import Member, User

WRONG: Final = "The name or the password is wrong."
WRONG_KEY: Final = "This is not the key of a device."
REFUSED: Final = "This device may not sign in."
SEVERAL: Final = "You belong to several organisations: name one of them."
ANOTHER: Final = "This token is for another organisation."

FAILURES: Final = 60
"""Seconds in which failures are counted."""

PER_NAME: Final = 5
PER_ADDRESS: Final = 20
"""So many failures in them are answered; then nobody looks at the password."""

NOBODY: Final = ""
"""Stands for a user that does not exist, so that the answer takes as long."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody has proven who they are."""

    access: str = field(repr=False)
    """The token for requests."""

    refresh: str = field(repr=False)
    """The token for the next pair of tokens; it can be used once."""

    expires_in: int
    """Seconds that *access* is valid for."""

    member: Member
    memberships: Sequence[Membership]
    """To which organisations they belong; of a device, the only one that it acts for,
    and of what was refreshed, the one of the tokens."""


def sign_in(
    context: Context,
    username: str,
    password: str,
    organization: str | None,
    device: str | None,
    address: str,
) -> SignedIn:
    """Sign in by password."""
    now = TimestampMixin.timestamp()
    attempt = _attempt(address, _login(username))
    limits.count(context, attempt, now)
    user = users_of(context).authenticate(username, password)
    found = Memberships(context).of_user(NOBODY if user is None else user.id)
    theirs = _usable(user, found)
    chosen = _chosen(theirs, organization)
    if user is None or not chosen:
        raise NotSignedIn(WRONG)
    limits.give_back(context, attempt, now)
    if len(chosen) > 1:
        raise MalformedRequest(SEVERAL, organizations=_named(chosen))
    member = _member(context, user, chosen[0], device)
    return _begun(context, member, theirs, now)


def check(context: Context, username: str, password: str, address: str) -> User:
    """Return who has a name and password; failures count as those of `sign_in` do.

    Raises NotSignedIn and TooManyRequests.
    """
    now = TimestampMixin.timestamp()
    attempt = _attempt(address, _login(username))
    limits.count(context, attempt, now)
    user = users_of(context).authenticate(username, password)
    if user is None or not user.active:
        raise NotSignedIn(WRONG)
    limits.give_back(context, attempt, now)
    return user


def sign_in_device(context: Context, key: str, address: str) -> SignedIn:
    """Sign in by the key of a device."""
    now = TimestampMixin.timestamp()
    attempt = _attempt(address)
    limits.count(context, attempt, now)
    owner = Devices(context).owner_of(key)
    member = None
    if owner is not None:
        about = owner.user, owner.organization, owner.device.id
        member = members.load(context, *about)
    if member is None:
        raise NotSignedIn(WRONG_KEY)
    limits.give_back(context, attempt, now)
    return _begun(context, member, [_membership(member)], now)


def refresh(context: Context, token: str, address: str) -> SignedIn:
    """Exchange a token for the next pair."""
    now = TimestampMixin.timestamp()
    attempt = _attempt(address)
    limits.count(context, attempt, now)
    turn = Families(context).turn(token, now, _lifetime(context, "refresh"))
    family = turn.family
    about = family.user, family.organization, family.device
    member = members.load(context, *about)
    if member is None or versions_of(member) != family.versions:
        Families(context).end(family.id, now)
        raise NotSignedIn(ENDED)
    limits.give_back(context, attempt, now)
    return _signed_in(context, member, [_membership(member)], turn, now)


def sign_out(context: Context, token: str) -> None:
    """End the family of a token, of either kind."""
    now = TimestampMixin.timestamp()
    if token.startswith(PREFIX):
        family = Families(context).family_of(token)
    else:
        family = tokens.read(keyring_of(context), token, now).family
    Families(context).end(family, now)


def authenticate(context: Context, token: str, organization: str | None) -> Member:
    """Return who asks, and what they may at this moment."""
    now = TimestampMixin.timestamp()
    claims = tokens.read(keyring_of(context), token, now)
    if not Families(context).is_running(claims.family, now):
        raise NotSignedIn(ENDED)
    member = members.load(context, claims.user, claims.organization, claims.device)
    if member is None or versions_of(member) != claims.versions:
        raise NotSignedIn(ENDED)
    if organization not in {None, member.organization.slug}:
        raise NotPermitted(ANOTHER)
    return member


def count(context: Context, member: Member) -> None:
    """Count a request of somebody."""
    settings = {each.name: each.value for each in Settings(context).all()}
    asked = [
        Limit(member.who, int(settings["requests_per_minute"]), 60),
        Limit(member.who, int(settings["requests_per_hour"]), 3600),
    ]
    limits.count(context, asked, TimestampMixin.timestamp())


def drop_over(context: Context) -> int:
    """Forget tokens and windows that are over; return how many there were."""
    now = TimestampMixin.timestamp()
    return Families(context).drop_over(now) + limits.drop_over(context, now)


def over(context: Context) -> int:
    """Tell how many tokens and windows `drop_over` would forget."""
    now = TimestampMixin.timestamp()
    return Families(context).over(now) + limits.over(context, now)


# Judging ------------------------------------------------------------------------------


def _usable(user: User | None, found: Sequence[Membership]) -> list[Membership]:
    """Return the memberships that somebody can use, who is right about the password."""
    if user is None or not user.active:
        return []
    return [each for each in found if each.active and each.organization.active]


def _chosen(theirs: Sequence[Membership], slug: str | None) -> list[Membership]:
    return [each for each in theirs if slug in {None, each.organization.slug}]


def _named(chosen: Sequence[Membership]) -> list[dict[str, str]]:
    organizations = [each.organization for each in chosen]
    return [{"name": each.name, "slug": each.slug} for each in organizations]


def _membership(member: Member) -> Membership:
    return Membership(
        organization=member.organization,
        role=member.role,
        active=True,
        version=member.membership_version,
    )


# Beginning ----------------------------------------------------------------------------


def _member(
    context: Context, user: User, chosen: Membership, name: str | None
) -> Member:
    """Return who signs in, with the device of that name. Raises MalformedRequest for a
    name that is none, NotSignedIn for a device that was revoked."""
    organization = chosen.organization.id
    device = None if name is None else _device(context, user, organization, name)
    member = members.load(context, user.id, organization, device)
    if member is None:
        raise NotSignedIn(WRONG if device is None else REFUSED)
    return member


def _device(context: Context, user: User, organization: UUID, name: str) -> UUID:
    try:
        return Devices(context).ensure(user.id, organization, name).id
    except InvalidName as error:
        raise MalformedRequest(str(error)) from error


def _begun(
    context: Context, member: Member, theirs: Sequence[Membership], now: datetime
) -> SignedIn:
    lifetime = _lifetime(context, "refresh")
    turn = Families(context).begin(member, now, lifetime)
    return _signed_in(context, member, theirs, turn, now)


def _signed_in(
    context: Context,
    member: Member,
    theirs: Sequence[Membership],
    turn: Turn,
    now: datetime,
) -> SignedIn:
    lifetime = _lifetime(context, "access")
    claims = tokens.Claims(
        user=member.user.id,
        organization=member.organization.id,
        device=None if member.device is None else member.device.id,
        family=turn.family.id,
        versions=versions_of(member),
        issued=now,
        expires=now + lifetime,
    )
    return SignedIn(
        access=tokens.write(keyring_of(context), claims),
        refresh=turn.token,
        expires_in=int(lifetime.total_seconds()),
        member=member,
        memberships=tuple(theirs),
    )


def _lifetime(context: Context, kind: str) -> timedelta:
    seconds = Settings(context).get(f"{kind}_lifetime")
    return timedelta(seconds=seconds)


# Limiting -----------------------------------------------------------------------------


def _attempt(address: str, *logins: str) -> list[Limit]:
    """Return what an attempt to sign in is counted by, before it is looked at."""
    asked = [Limit(name, PER_NAME, FAILURES) for name in logins]
    if address:
        asked.append(Limit(f"address:{_short(address)}", PER_ADDRESS, FAILURES))
    return asked


def _login(username: str) -> str:
    return f"login:{_digest(names.normalised(username).casefold())}"


def _short(address: str) -> str:
    is_plain = address.isascii() and address.isprintable() and len(address) <= 64
    return address if is_plain else _digest(address)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
