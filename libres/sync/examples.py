"""Sets up the example: three organisations, the roles known, and a user in each."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from libres.sync.memberships import Memberships
from libres.sync.organizations import Organizations
from libres.sync.permissions import TEMPLATES, Document, Permissions
from libres.sync.registry import registry_of
from libres.sync.roles import Roles
from libres.sync.users import Users
from libres.sync.values import Organization, Pages, Role, User

if TYPE_CHECKING:
    from libres.context.core import Context

ORGANIZATIONS: Final = {
    "acme-corp": "Acme Corporation",
    "global-retail": "Global Retail",
    "city-university": "City University",
}

ROLES: Final = {
    "administrators": ("Administrators", "full_access"),
    "managers": ("Managers", "read_write"),
    "users": ("Users", "read_write"),
    "sales": ("Sales", "read_write"),
    "support": ("Support", "read_write"),
    "analysts": ("Analysts", "read_only"),
    "read-only": ("Read Only", "read_only"),
}
"""Their names, and the templates of what they may do with all models."""

PAGES: Final[Mapping[str, Pages]] = {"administrators": "admin"}
"""Which of them may do something on the pages of their organisation."""

USERS: Final = {
    "john_manager": ("managers", "acme-corp"),
    "mary_sales": ("sales", "global-retail"),
    "bob_analyst": ("analysts", "city-university"),
}

BYTES: Final = 12
"""Drawn for a password."""


@dataclass(frozen=True, slots=True)
class Example:
    """What was set up."""

    organizations: Mapping[str, Organization]
    """By slug."""

    roles: Mapping[str, Role]
    """By code."""

    users: Mapping[str, User]
    """By username."""

    passwords: Mapping[str, str] = field(repr=False)
    """Those that were drawn, by username: they are not stored anywhere."""


def set_up_example(
    context: Context, passwords: Mapping[str, str | None] | None = None
) -> Example:
    """Set up the example, with rights over all models that are registered by now.

    *passwords* are those of the users, by username; None for one who cannot sign in by
    password. Those that are not given are drawn, and told in the result.

    Raises AlreadyThere if some of it is there, and InvalidPassword.
    """
    given = passwords or {}
    drawn = {
        username: secrets.token_urlsafe(BYTES)
        for username in USERS
        if username not in given
    }
    organizations = {
        slug: Organizations(context).add(name, slug)
        for slug, name in ORGANIZATIONS.items()
    }
    roles = {
        code: Roles(context).add(code, name, pages=PAGES.get(code))
        for code, (name, _) in ROLES.items()
    }
    rights = _rights(context)
    for organization in organizations.values():
        Permissions(context).apply(organization, rights)
    users = {}
    for username, (role, slug) in USERS.items():
        user = Users(context).add(username, {**given, **drawn}[username])
        Memberships(context).add(user, organizations[slug], roles[role])
        users[username] = user
    return Example(organizations, roles, users, drawn)


def _rights(context: Context) -> Document:
    models = [each.name for each in registry_of(context)]
    permissions = Permissions(context)
    rights: Document = {}
    for template in TEMPLATES:
        codes = [code for code, (_, given) in ROLES.items() if given == template]
        rights |= permissions.generate(template, codes, models)
    return rights
