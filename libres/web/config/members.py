"""An organisation: who belongs to it, in which role; and the roles that it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, render_template, request, url_for

from libres.sync.errors import ChangedMeanwhile, UnknownEntity
from libres.sync.users import Users, users_of
from libres.sync.values import User
from libres.web.config import listing
from libres.web.config.answering import answered, typed
from libres.web.config.visiting import ADMIN, VISITOR, Visit, rule, visit
from libres.web.errors import InvalidRequest

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from libres.sync.memberships import Membership
    from libres.sync.values import Organization, Role

page = Blueprint("members", __name__)

LEVELS: Final = {"": None, "audit": "audit", "admin": "admin"}
"""What forms send for what a role may do on these pages."""

WORDS: Final = {None: "nothing", "audit": "see everything", "admin": "administer"}

NO_SUCH_USER: Final = "Nobody has this name; the staff of the platform adds users."
NO_SUCH_ROLE: Final = "The organisation has no such role: choose one of the list."


@dataclass(frozen=True, slots=True)
class Row:
    """A member, as the table shows them."""

    membership: Membership
    user: User


@page.get("/organizations/<slug>/")
@rule(VISITOR)
def members(slug: str) -> ResponseReturnValue:
    """Show an organisation."""
    return _shown(slug)


@page.post("/organizations/<slug>/members/")
@rule(ADMIN)
def add(slug: str) -> ResponseReturnValue:
    """Let a user belong to an organisation, in a role."""
    name = request.form.get("username", "").strip()
    return _answered(slug, _add, f"{name} belongs to it from now on.")


@page.post("/organizations/<slug>/members/change")
@rule(ADMIN)
def change(slug: str) -> ResponseReturnValue:
    """Give a member another role, let them in, or refuse them."""
    return _answered(slug, _change, "Saved.")


@page.post("/organizations/<slug>/roles/")
@rule(ADMIN)
def add_role(slug: str) -> ResponseReturnValue:
    """Add a role that only this organisation has."""
    return _answered(slug, _add_role, "Added the role.")


@page.post("/organizations/<slug>/roles/change")
@rule(ADMIN)
def change_role(slug: str) -> ResponseReturnValue:
    """Give a role of this organisation another name, or other rights to pages."""
    return _answered(slug, _change_role, "Saved.")


# Changing -----------------------------------------------------------------------------


def _answered(
    slug: str, change: Callable[[Visit, Organization], Any], done: str
) -> ResponseReturnValue:
    here = visit()
    return answered(
        lambda: here.write(lambda: _alone(here, slug, change)),
        done,
        url_for(".members", slug=slug),
        lambda error: _shown(slug, error),
    )


def _alone(
    here: Visit, slug: str, change: Callable[[Visit, Organization], Any]
) -> None:
    """Make a change while nobody else makes another one of the organisation, and see
    that who makes it may still do so afterwards."""
    organization = here.organization(slug)
    here.sync.organizations.lock(organization)
    change(here, organization)
    here.insist_still(slug)


def _add(here: Visit, organization: Organization) -> None:
    user = _user_named(here, request.form.get("username", "").strip())
    role = role_of(here, organization, request.form.get("role"))
    here.sync.memberships.add(user, organization, role)


def _change(here: Visit, organization: Organization) -> None:
    """Change what was shown, if it still is so. Raises ChangedMeanwhile."""
    form, memberships = request.form, here.sync.memberships
    user = User(form.get("user", "").replace("\0", ""), "")
    now = memberships.named(user, organization)
    shown = form.get("was_role"), form.get("was"), form.get("version")
    if shown != (str(now.role.id), str(int(now.active)), str(now.version)):
        raise ChangedMeanwhile(
            kind="membership", name=user.id, version=now.version, value=now.active
        )
    role = role_of(here, organization, form.get("role"))
    if role.id != now.role.id:
        memberships.set_role(user, organization, role)
    active = form.get("active") == "1"
    if active != now.active:
        memberships.set_active(user, organization, active)


def _add_role(here: Visit, organization: Organization) -> None:
    form = request.form
    code, name = form.get("code", "").strip(), form.get("name", "").strip()
    here.sync.roles.add(code, name, organization, level(form.get("pages")))


def _change_role(here: Visit, organization: Organization) -> None:
    role = role_of(here, organization, request.form.get("role"))
    if role.organization != organization.id:
        raise UnknownEntity(NO_SUCH_ROLE, kind="role", name=role.code)
    change_as_shown(here, role)


def change_as_shown(here: Visit, role: Role) -> None:
    """Change a role as a form says, if it is still as it was shown. Raises
    ChangedMeanwhile."""
    form = request.form
    if (form.get("was_name"), form.get("was")) != (role.name, role.pages or ""):
        raise ChangedMeanwhile(kind="role", name=role.code, version=0, value=role.pages)
    name = form.get("name", "").strip()
    here.sync.roles.change(role, name, level(form.get("pages")))


def level(told: str | None) -> Any:
    """Return what a role may do on these pages. Raises InvalidRequest."""
    if told not in LEVELS:
        raise InvalidRequest(errors={"pages": ["Choose one of the list."]})
    return LEVELS[told]


def role_of(here: Visit, organization: Organization | None, id_: str | None) -> Role:
    """Return the role of an id: that an organisation has; None: that all have."""
    for role in here.sync.roles.all(organization):
        if str(role.id) == id_:
            return role
    raise UnknownEntity(NO_SUCH_ROLE, kind="role", name=id_ or "")


def _user_named(here: Visit, name: str) -> User:
    """Return a user by name; of a host, by what it knows them by."""
    users = users_of(here.context)
    if isinstance(users, Users):
        try:
            return users.named(name)
        except UnknownEntity as error:
            raise UnknownEntity(NO_SUCH_USER, kind="user", name=name) from error
    found = users.user(name)
    if found is None:
        raise UnknownEntity(NO_SUCH_USER, kind="user", name=name)
    return found


# Showing ------------------------------------------------------------------------------


def _shown(slug: str, error: str | None = None) -> str:
    here, asked = visit(), listing.asked()
    organization = here.organization(slug)
    with here.reading():
        found = here.sync.memberships.listed(
            organization, asked.search, asked.first, asked.most
        )
        part = listing.part_of(asked, found)
        rows = [Row(each, user or _of_host(here, each)) for each, user in part.rows]
        roles = here.sync.roles.all(organization)
    return render_template(
        "libres/config/members.html",
        organization=organization,
        part=part,
        rows=rows,
        roles=roles,
        may_change=here.may_change(slug),
        levels=WORDS,
        error=error,
        typed=typed(error),
    )


def _of_host(here: Visit, membership: Membership) -> User:
    """Return a member whom the host knows; whom it does not know any more, by id."""
    known = users_of(here.context).user(membership.user)
    return known or User(membership.user, membership.user, active=False)
