"""The example of the specification is what others build upon."""

from __future__ import annotations

import pytest

from libres.sync.errors import AlreadyThere
from libres.sync.examples import ROLES, USERS, set_up_example
from libres.sync.permissions import Permissions
from libres.sync.registry import registry_of
from libres.sync.users import Users
from libres.sync.values import ALL, Flags

NO_DELETE = ALL._replace(delete=False)
READ = Flags(pull=True, read=True)

RIGHTS = {
    "administrators": ALL,
    **dict.fromkeys(("managers", "users", "sales", "support"), NO_DELETE),
    **dict.fromkeys(("analysts", "read-only"), READ),
}


def test_who_belongs_where(john, mary, bob):
    """Each of the three is in one organisation, in one role."""
    told = [
        (each.user.username, each.role.name, each.organization.slug)
        for each in (john, mary, bob)
    ]
    assert told == [
        ("john_manager", "Managers", "acme-corp"),
        ("mary_sales", "Sales", "global-retail"),
        ("bob_analyst", "Analysts", "city-university"),
    ]


@pytest.mark.parametrize("code", ROLES)
def test_rights(context, example, code):
    """A role may do the same with all models, in all organisations."""
    for organization in example.organizations.values():
        rights = Permissions(context).of(organization, example.roles[code])
        assert set(rights) == {each.name for each in registry_of(context)}
        assert set(rights.values()) == {RIGHTS[code]}


def test_passwords_are_drawn(context, sync):
    """A password that is not given is drawn, and told once; others are not."""
    assert sync
    given = {"john_manager": "correct horse", "bob_analyst": None}
    made = set_up_example(context, given)
    users = Users(context)
    assert set(made.passwords) == {"mary_sales"}
    assert users.authenticate("mary_sales", made.passwords["mary_sales"])
    assert users.authenticate("john_manager", "correct horse")
    assert made.passwords["mary_sales"] not in repr(made)


def test_only_once(context, example):
    """What is there is not set up a second time."""
    assert example
    with pytest.raises(AlreadyThere):
        set_up_example(context, dict.fromkeys(USERS))
