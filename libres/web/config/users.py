"""The users of the table of the context: staff adds them, and refuses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, render_template, request, url_for

from libres.sync.errors import ChangedMeanwhile
from libres.sync.users import Users, users_of
from libres.web.config import listing
from libres.web.config.answering import answered
from libres.web.config.visiting import STAFF, Visit, begin, rule, visit
from libres.web.errors import NotAllowed, NotFound

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from libres.sync.values import User

page = Blueprint("users", __name__)

YOURSELF: Final = "You cannot refuse yourself: somebody else of the staff does."
OF_HOST: Final = "This site knows its users by itself: change them there."


@page.get("/users/")
@rule(STAFF)
def users() -> ResponseReturnValue:
    """Show the users."""
    return _list()


@page.post("/users/")
@rule(STAFF)
def add() -> ResponseReturnValue:
    """Add a user; without a password, they cannot sign in by one."""
    here, form = visit(), request.form
    name, email = form.get("username", "").strip(), form.get("email", "").strip()
    password, staff = form.get("password") or None, form.get("staff") == "1"
    return answered(
        lambda: here.write(lambda: _ours(here).add(name, password, email, staff)),
        f"Added {name}.",
        url_for(".users", search=name),
        _list,
    )


@page.get("/users/<user>/")
@rule(STAFF)
def user(user: str) -> ResponseReturnValue:
    """Show a user: where they belong to, and what can be done."""
    return _one(user)


@page.post("/users/<user>/active")
@rule(STAFF)
def set_active(user: str) -> ResponseReturnValue:
    """Let a user in, or refuse them everywhere."""
    return _answered(user, _set_active, "Saved.")


@page.post("/users/<user>/password")
@rule(STAFF)
def set_password(user: str) -> ResponseReturnValue:
    """Give a user another password; they have to sign in again everywhere."""
    return _answered(user, _set_password, "The password is another one from now on.")


@page.post("/users/<user>/end")
@rule(STAFF)
def end(user: str) -> ResponseReturnValue:
    """Let a user sign in again, wherever they have."""
    done = "All that they were signed in with has ended."
    return _answered(user, _end, done)


# Changing -----------------------------------------------------------------------------


def _answered(
    id_: str, change: Callable[[Visit, User], User], done: str
) -> ResponseReturnValue:
    here = visit()

    def change_and_stay() -> None:
        changed = here.write(lambda: change(here, _found(here, id_)))
        if changed.id == here.user.id and not here.is_of_host:
            begin(changed)  # who has just proven who they are stays signed in here

    to = url_for(".user", user=id_)
    return answered(change_and_stay, done, to, lambda error: _one(id_, error))


def _set_active(here: Visit, user: User) -> User:
    """Change it, if it is still as it was shown. Raises ChangedMeanwhile."""
    active = request.form.get("active") == "1"
    if user.id == here.user.id and not active:
        raise NotAllowed(YOURSELF)
    if request.form.get("was") != str(int(user.active)):
        raise ChangedMeanwhile(
            kind="user", name=user.username, version=user.version, value=user.active
        )
    return here.sync.users.set_active(user, active)


def _set_password(here: Visit, user: User) -> User:
    return here.sync.users.set_password(user, request.form.get("password", ""))


def _end(here: Visit, user: User) -> User:
    return here.sync.users.end_tokens(user)


def _ours(here: Visit) -> Users:
    """Return the users of the table. Raises NotAllowed if the host has its own."""
    if not _has_users(here):
        raise NotAllowed(OF_HOST)
    return here.sync.users


def _has_users(here: Visit) -> bool:
    return isinstance(users_of(here.context), Users)


def _found(here: Visit, id_: str) -> User:
    found = _ours(here).user(id_)
    if found is None:
        raise NotFound
    return found


# Showing ------------------------------------------------------------------------------


def _list(error: str | None = None) -> str:
    here, asked = visit(), listing.asked()
    if not _has_users(here):
        return render_template("libres/config/users_of_host.html")
    with here.reading():
        found = here.sync.users.found(asked.search, asked.first, asked.most)
        part = listing.part_of(asked, found)
        seen = here.sync.users.signed_in(part.rows)
    return render_template(
        "libres/config/users.html",
        part=part,
        seen=seen,
        error=error,
        typed=request.form if error else {},
    )


def _one(id_: str, error: str | None = None) -> str:
    here = visit()
    with here.reading():
        user = _found(here, id_)
        return _drawn(
            user=user,
            memberships=here.sync.memberships.of_user(user.id),
            seen=here.sync.users.signed_in([user]).get(user.id),
            error=error,
        )


def _drawn(**known: Any) -> str:
    return render_template("libres/config/user.html", **known)
