"""The users who sign in: those of the host, or of a table of our own.

A host that has users replaces the service ``sync_users`` of the context by one that
follows `UserService`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import Text, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from libres.context.core import ContextServicesMixin
from libres.context.services import service_of_host
from libres.db.models.types import UUID
from libres.db.passing import fetch
from libres.domain.days import UTC
from libres.sync import names, passwords
from libres.sync.errors import AlreadyThere, InvalidName, UnknownEntity
from libres.sync.models import SyncLog, SyncUser
from libres.sync.values import User

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from libres.context.core import Context

SERVICE: Final = "sync_users"


class UserService(Protocol):
    """Knows who signs in. What it says is asked for with each request."""

    def authenticate(self, username: str, password: str) -> User | None:
        """Return who this is; None: nobody, or not active, or not the password.

        It should take the same time in all cases.
        """
        ...

    def user(self, id: str) -> User | None:  # noqa: A002 - as in values.User
        """Return the user of an id, as they are now; None: there is none."""
        ...


def users_of(context: Context) -> UserService:
    """Return the users of the host, else those of the table of the context."""
    found: UserService | None = service_of_host(context, SERVICE)
    return Users(context) if found is None else found


class Users(ContextServicesMixin):
    """The users of a context, in its table."""

    def __init__(self, context: Context) -> None:
        self.context = context

    # As a service ---------------------------------------------------------------------

    def authenticate(self, username: str, password: str) -> User | None:
        """Return who this is; None: nobody, or not active, or not the password.

        It takes the same time in all cases. A hash of old parameters is replaced.
        """
        row = self._row(_BY_NAME, _searched(username))
        stored = None if row is None else row.password
        if not passwords.fits(password, stored) or row is None or not row.active:
            return None
        if passwords.is_outdated(row.password):
            self._hash_anew(row, password)
        return _user(row)

    def user(self, id: str) -> User | None:  # noqa: A002 - as in values.User
        """Return the user of an id, as they are now; None: there is none."""
        known = id_of(id)
        row = None if known is None else self._row(_BY_ID, known)
        return None if row is None else _user(row)

    # Keeping --------------------------------------------------------------------------

    def add(
        self,
        username: str,
        password: str | None = None,
        email: str = "",
        staff: bool = False,
    ) -> User:
        """Add a user; names that differ in upper and lower case only are the same.

        Of which letters that is known is up to the locale of the database.

        *password* has 10 to 256 characters; None: they cannot sign in by password.
        *staff* may configure all organisations.

        Raises InvalidName, InvalidPassword, and AlreadyThere.
        """
        values = {
            "context": self.context.name,
            "username": names.username(username),
            "email": self._email(email),
            "password": None if password is None else passwords.hashed(password),
            "staff": staff,
        }
        query = insert(SyncUser).values(**values).on_conflict_do_nothing()
        row = self.session.execute(query.returning(*_COLUMNS)).one_or_none()
        if row is None:
            raise AlreadyThere(kind="user", name=values["username"])
        return _user(row)

    def named(self, username: str) -> User:
        """Return the user of a name, in any case. Raises UnknownEntity."""
        row = self._row(_BY_NAME, _searched(username))
        if row is None:
            raise UnknownEntity(kind="user", name=username)
        return _user(row)

    def all(self) -> list[User]:
        """Return all users, by name."""
        rows = fetch(self.session, _ALL, {"context": self.context.name})
        return [_user(row) for row in rows]

    def found(self, search: str = "", first: int = 0, most: int = 0) -> list[User]:
        """Return users whose names contain a text, in upper or lower case, by name.

        *first* are left out, *most* come after them (0: all). One statement.
        """
        query = _ALL.where(has_part(search)) if search else _ALL
        query = query.offset(first).limit(most or None)
        rows = fetch(self.session, query, {"context": self.context.name})
        return [_user(row) for row in rows]

    def signed_in(self, users: Collection[User]) -> dict[str, datetime]:
        """Return when users have last signed in, in UTC, by their ids; who has not, as
        far as the log is kept, is left out. One statement."""
        ids = [each.id for each in users]
        mine = _LOG.context == self.context.name, _LOG.user.in_(ids)
        query = select(_LOG.user, func.max(_LOG.at).label("at"))
        query = query.where(*mine, _LOG.operation == "login").group_by(_LOG.user)
        rows = fetch(self.session, query, {})
        return {row.user: row.at.astimezone(UTC) for row in rows}

    def set_password(self, user: User, password: str | None) -> User:
        """Give a user another password, and end all their tokens.

        None: they cannot sign in by password. Raises InvalidPassword, UnknownEntity.
        """
        stored = None if password is None else passwords.hashed(password)
        return self._change(user, password=stored, version=_TABLE.version + 1)

    def set_active(self, user: User, active: bool) -> User:
        """Let a user in, or refuse them; their tokens end either way.

        Raises UnknownEntity.
        """
        return self._change(user, active=active, version=_TABLE.version + 1)

    def end_tokens(self, user: User) -> User:
        """End all tokens of a user, who has to sign in again. Raises UnknownEntity."""
        return self._change(user, version=_TABLE.version + 1)

    # Rows -----------------------------------------------------------------------------

    def _email(self, text: str) -> str:
        found = names.email(text)
        if found and not self.validate_email(found):
            message = "This is no e-mail address: write it as 'name@example.org'."
            raise InvalidName(message)
        return found

    def _row(self, query: Any, value: object) -> Any:
        values = {"context": self.context.name, "value": value}
        return next(iter(fetch(self.session, query, values)), None)

    def _change(self, user: User, **values: Any) -> User:
        ours = _TABLE.context == self.context.name, _TABLE.id == id_of(user.id)
        query = update(SyncUser).where(*ours).values(**values).returning(*_COLUMNS)
        row = self.session.execute(query).one_or_none()
        if row is None:
            raise UnknownEntity(kind="user", name=user.username)
        return _user(row)

    def _hash_anew(self, row: Any, password: str) -> None:
        """Replace the hash of a password, unless somebody else has just done so."""
        if self.context.read_only_session is not None:
            return
        ours = _TABLE.id == row.id, _TABLE.password == row.password
        values = {"password": passwords.hashed(password)}
        self.session.execute(update(SyncUser).where(*ours).values(**values))


_TABLE: Final[Any] = SyncUser.__table__.c
_LOG: Final[Any] = SyncLog.__table__.c

TOLD: Final = ("id", "username", "email", "active", "staff", "version")
"""What makes a user, in this order."""

_COLUMNS: Final = tuple(_TABLE[name] for name in (*TOLD, "password"))

_OURS: Final = select(*_COLUMNS).where(
    _TABLE.context == bindparam("context", type_=Text())
)
_NAME: Final = bindparam("value", type_=Text())
_BY_NAME: Final = _OURS.where(func.lower(_TABLE.username) == func.lower(_NAME))
_BY_ID: Final = _OURS.where(_TABLE.id == bindparam("value", type_=UUID()))
_ALL: Final = _OURS.order_by(func.lower(_TABLE.username))


def has_part(search: str) -> ColumnElement[bool]:
    """Return the condition that the name of a user contains a text, in any case."""
    text = names.normalised(search.replace("\0", ""))
    return func.strpos(func.lower(_TABLE.username), func.lower(text)) > 0


def id_of(text: object) -> uuid.UUID | None:
    """Return the id of a user of the table; None: it can be none of theirs."""
    try:
        return uuid.UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _searched(username: str) -> str:
    """Return the name to look for; what can be no name finds nobody."""
    return names.normalised(username) if names.is_username(username) else ""


def _user(row: Any) -> User:
    id_, *told = row[: len(TOLD)]
    return User(str(id_), *told)
