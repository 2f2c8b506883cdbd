"""Recognises a request that is made again under the same idempotency key.

A key is written along with what was asked for, never alone; so after a rollback it may
be used again. A key is claimed first and read only if somebody has it: under
SERIALIZABLE, requests that look for their own new keys would get in each other's way.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, TypeVar

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from libres.context.core import missing
from libres.context.settings import IDEMPOTENCY_LIFETIME
from libres.db.criteria import moment
from libres.db.models import IdempotencyKey
from libres.db.models.idempotency import LONGEST_KEY
from libres.db.models.timestamp import TimestampMixin
from libres.db.passing import fetch
from libres.domain.days import DISTANT_PAST, checked_datetime
from libres.domain.fingerprints import fingerprint, identity
from libres.modules.errors import IdempotencyKeyReused, LibresError, insist
from libres.modules.utils import flatten

if TYPE_CHECKING:
    from sqlalchemy import Executable
    from sqlalchemy.orm import Session

    from libres.context.core import Context
    from libres.db.operations.reserving import Request
    from libres.db.scope import Scope

Operation: TypeAlias = Literal["reserve", "book"]


class Judged(Protocol):
    """A request that may be fulfilled under a token."""

    @property
    def token(self) -> uuid.UUID: ...


J = TypeVar("J", bound=Judged)


@dataclass(frozen=True, slots=True)
class Repeated:
    """A request that was made before, with the token it was given then."""

    token: uuid.UUID


def once(
    scope: Scope,
    operation: Operation,
    request: Request,
    key: object,
    judge: Callable[[Request], J],
) -> J | Repeated:
    """Judge a request and claim its key, or find that it was made before.

    Without a key it is only judged. Raises IdempotencyKeyReused if another request was
    made with the key, TypeError and Misuse if it is none, and what *judge* raises.
    """
    if key is None:
        return judge(request)
    request = replace(request, dates=_kept(request.dates))
    keyed = _Keyed.of(scope, operation, request, checked_key(key))
    try:
        judged = judge(request)
    except LibresError:
        # What is in the way may be the very request that is repeated.
        if repeated := keyed.repeated():
            return repeated
        raise
    while not keyed.claims(judged.token):
        if repeated := keyed.repeated():
            return repeated
    return judged


def checked_key(key: object) -> str:
    """Return a key itself. Raises TypeError or Misuse if it cannot be one."""
    if not isinstance(key, str):
        message = f"An idempotency key is a text, not {key!r}: use str(uuid4()) or so."
        raise TypeError(message)
    insist(key.strip(), "The idempotency key is empty: use a new text per request.")
    insist(
        len(key) <= LONGEST_KEY,
        f"The idempotency key has {len(key)} characters: use {LONGEST_KEY} at most.",
    )
    insist(
        "\x00" not in key and _is_text(key),
        "The idempotency key has characters that PostgreSQL cannot store: use letters "
        "and digits.",
    )
    return key


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kept(dates: object) -> object:
    """Keep what an iterator gives, since it is needed twice."""
    return tuple(flatten(dates)) if isinstance(dates, Iterable) else dates


@dataclass(frozen=True, slots=True)
class _Keyed:
    """A request and its key, in the form that is stored."""

    session: Session
    values: Mapping[str, Any]
    scope: Scope
    request: Request

    @classmethod
    def of(
        cls, scope: Scope, operation: Operation, request: Request, key: str
    ) -> _Keyed:
        values = {
            "resource": scope.resource,
            "key": key,
            "operation": operation,
            "created": TimestampMixin.timestamp(),
            "limit": latest_expired(scope.context),
        }
        return cls(scope.session, values, scope, request)

    @property
    def fingerprint(self) -> str:
        asked, dates = self.request, self.request.dates
        return fingerprint(
            {
                "email": str(asked.email).strip(),
                "dates": self.scope.prepare(dates) if dates else None,
                "group": identity(asked.group),
                "data": asked.data or {},
                "session_id": identity(asked.session_id),
                "quota": asked.quota,
                "single_token_per_session": bool(asked.single_token_per_session),
            }
        )

    def claims(self, token: uuid.UUID) -> bool:
        """Store the key, in place of an expired one; False: somebody has it."""
        values = {**self.values, "token": token, "fingerprint": self.fingerprint}
        claimed = self.session.execute(_claiming(), values, bind_arguments=_BIND)
        return claimed.first() is not None

    def repeated(self) -> Repeated | None:
        """Find the request that was made with the key, if there is one.

        Raises IdempotencyKeyReused if it was another one.
        """
        found = fetch(self.session, _looking(), self.values)
        if not found:
            return None
        [row] = found
        own = self.values["operation"], self.fingerprint
        if (row.operation, row.fingerprint) != own:
            raise IdempotencyKeyReused(
                key=self.values["key"], operation=row.operation
            ) from None
        return Repeated(row.token)


_TABLE: Final = IdempotencyKey.__table__
_BIND: Final = {"mapper": IdempotencyKey.__mapper__}


@cache
def _claiming() -> Executable:
    """Who gets the key? Nobody else, unless it has expired."""
    made = insert(IdempotencyKey.__table__)  # type: ignore[arg-type]
    names = ("resource", "key", "operation", "fingerprint", "token", "created")
    made = made.values({name: bindparam(name) for name in names})
    expired = _TABLE.c.created <= bindparam("limit", type_=_TABLE.c.created.type)
    renewed = {name: made.excluded[name] for name in names[2:]}
    made = made.on_conflict_do_update(
        index_elements=names[:2], set_={**renewed, "modified": None}, where=expired
    )
    return made.returning(_TABLE.c.token)


@cache
def _looking() -> Executable:
    """What was asked for with a key that has not expired?"""
    stored = IdempotencyKey
    found = select(stored.operation, stored.fingerprint, stored.token)
    return found.where(
        stored.resource == bindparam("resource"),
        stored.key == bindparam("key"),
        stored.created > bindparam("limit"),
    )


def latest_expired(context: Context) -> datetime:
    """Return when a key was written that expires now.

    Raises TypeError or Misuse if the setting ``idempotency_lifetime`` makes no sense.
    """
    lifetime = context.get_setting("idempotency_lifetime")
    lifetime = IDEMPOTENCY_LIFETIME if lifetime is missing else lifetime
    if not isinstance(lifetime, timedelta):
        message = f"The idempotency_lifetime is a timedelta, not {lifetime!r}."
        raise TypeError(message)
    insist(
        lifetime > timedelta(),
        f"The idempotency_lifetime has to be longer than {lifetime}.",
    )
    try:
        return TimestampMixin.timestamp() - lifetime
    except OverflowError:
        return DISTANT_PAST


def remove_expired(
    context: Context, session: Session, expiration_date: datetime | None
) -> int:
    """Delete the keys that were written at a date or before; say how many."""
    limit = latest_expired(context) if expiration_date is None else expiration_date
    expired = IdempotencyKey.created <= moment(checked_datetime(limit))
    return session.query(IdempotencyKey).filter(expired).delete("fetch")
