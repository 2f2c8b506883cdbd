"""``libres sync user``: who signs in, and to which organisations they belong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import click

from libres.cli.commands.sync.opening import (
    House,
    reads,
    secret,
    show,
    stdin_option,
    writes,
)
from libres.cli.options import plain_text
from libres.sync.users import Users
from libres.sync.values import User


@click.group()
def user() -> None:
    """Keep the users, where the application has none of its own."""


name_argument = click.argument("username", callback=plain_text)
org_argument = click.argument("slug", metavar="ORG", callback=plain_text)
role_argument = click.argument("code", metavar="ROLE", callback=plain_text)


@user.command("add")
@writes
@name_argument
@click.option("--email", callback=plain_text, default="", help="Their address.")
@click.option("--staff", is_flag=True, help="They may configure all organisations.")
@click.option("--no-password", is_flag=True, help="They cannot sign in by password.")
@stdin_option
def add_user(
    house: House,
    username: str,
    email: str,
    staff: bool,
    no_password: bool,
    from_stdin: bool,
) -> None:
    """Add a user; the password is asked for, and has 10 characters or more."""
    password = None if no_password else _password(from_stdin)
    added = house.write(lambda: house.sync.users.add(username, password, email, staff))
    house.say(f"{added.username} is added.")


def _password(from_stdin: bool) -> str:
    return secret("Password", from_stdin=from_stdin, confirmed=True)


@user.command("list")
@reads
def list_users(house: House) -> None:
    """List all users, and where they belong to."""
    places = _places(house)
    rows = (
        (each.username, each.email, each.active, each.staff, ", ".join(places[each.id]))
        for each in house.sync.users.all()
    )
    show(["user", "e-mail", "active", "staff", "belongs to"], rows)


def _places(house: House) -> dict[str, list[str]]:
    """Return where users belong to, by their ids."""
    places: dict[str, list[str]] = defaultdict(list)
    for each in house.sync.memberships.all():
        if each.active:
            places[each.user].append(f"{each.organization.slug} ({each.role.code})")
    return places


@user.command("password")
@writes
@name_argument
@stdin_option
def set_password(house: House, username: str, from_stdin: bool) -> None:
    """Give a user another password, and end all their tokens."""
    users = house.sync.users
    found = users.named(username)
    password = _password(from_stdin)
    house.write(lambda: users.set_password(found, password))
    house.say(f"{found.username} has another password, and has to sign in again.")


@user.command("activate")
@writes
@name_argument
def activate_user(house: House, username: str) -> None:
    """Let a user in."""
    _change(house, username, lambda users, it: users.set_active(it, True), "is active")


@user.command("deactivate")
@writes
@name_argument
def deactivate_user(house: House, username: str) -> None:
    """Refuse a user, at once."""
    said = "is not active any more"
    _change(house, username, lambda users, it: users.set_active(it, False), said)


def _change(
    house: House, username: str, change: Callable[[Users, User], User], said: str
) -> None:
    users = house.sync.users
    found = house.write(lambda: change(users, users.named(username)))
    house.say(f"{found.username} {said}.")


@user.command("join")
@writes
@name_argument
@org_argument
@role_argument
def join(house: House, username: str, slug: str, code: str) -> None:
    """Let a user belong to an organisation, in a role."""
    organization, role = house.role(slug, code)
    found = house.sync.users.named(username)
    house.write(lambda: house.sync.memberships.add(found, organization, role))
    house.say(f"{found.username} belongs to {organization.name}: {role.name}.")


@user.command("leave")
@writes
@name_argument
@org_argument
def leave(house: House, username: str, slug: str) -> None:
    """Let a user belong to an organisation no more."""
    organization = house.sync.organizations.named(slug)
    found = house.sync.users.named(username)
    house.write(lambda: house.sync.memberships.remove(found, organization))
    house.say(f"{found.username} does not belong to {organization.name} any more.")


@user.command("role")
@writes
@name_argument
@org_argument
@role_argument
def change_role(house: House, username: str, slug: str, code: str) -> None:
    """Give a member of an organisation another role, at once."""
    organization, role = house.role(slug, code)
    found = house.sync.users.named(username)
    house.write(lambda: house.sync.memberships.set_role(found, organization, role))
    house.say(f"{found.username} has the role {role.name} in {organization.name}.")


@user.command("sign-out")
@writes
@name_argument
def sign_out(house: House, username: str) -> None:
    """End all tokens of a user, who has to sign in again."""
    _change(house, username, Users.end_tokens, "has to sign in again")
