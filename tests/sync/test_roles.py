"""Roles belong to an organisation or to all; members have one in each organisation."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from libres.modules.errors import Misuse
from libres.sync.errors import AlreadyThere, InvalidName, UnknownEntity
from libres.sync.transacting import apart
from libres.sync.values import User


def test_own_before_global(sync, acme, retail):
    """An organisation may have a role of its own in place of a global one."""
    own = sync.roles.add("managers", "Our managers", acme)
    assert sync.roles.named("managers", acme) == own
    assert sync.roles.named("managers", retail).organization is None
    assert sync.roles.named("managers").organization is None


def test_role_of_others(sync, acme, retail):
    """It is told as if there was none."""
    sync.roles.add("buyers", "Buyers", acme)
    for organization in (retail, None):
        with pytest.raises(UnknownEntity):
            sync.roles.named("buyers", organization)


def test_all(sync, acme, retail):
    """An organisation is told its own roles and the global ones."""
    sync.roles.add("buyers", "Buyers", acme)
    assert "buyers" in {each.code for each in sync.roles.all(acme)}
    assert len(sync.roles.all(retail)) == len(sync.roles.all()) == 7


@pytest.mark.parametrize("is_global", [True, False])
def test_once(sync, acme, is_global):
    """A code exists once globally, and once in an organisation."""
    where = None if is_global else acme
    sync.roles.add("buyers", "Buyers", where)
    with pytest.raises(AlreadyThere):
        sync.roles.add("buyers", "Again", where)


@pytest.mark.parametrize(("code", "name"), [("A b", "x"), ("ab", "\0"), ("", "x")])
def test_names(sync, code, name):
    """Codes and names are checked."""
    with pytest.raises(InvalidName):
        sync.roles.add(code, name)


# Memberships --------------------------------------------------------------------------


def test_membership(sync, john, acme):
    """It is found by the user and by the organisation."""
    (theirs,) = sync.memberships.of_user(john.user.id)
    assert (theirs.organization, theirs.role) == (acme, john.role)
    assert sync.memberships.of_organization(acme) == [theirs]
    assert theirs.user == john.user.id


def test_member_once(sync, john, acme):
    """A user has one role in an organisation."""
    with pytest.raises(AlreadyThere):
        sync.memberships.add(john.user, acme, john.role)


def test_foreign_role(sync, john, acme, retail):
    """Nobody gets the role of another organisation."""
    role = sync.roles.add("buyers", "Buyers", acme)
    with pytest.raises(UnknownEntity):
        sync.memberships.add(john.user, retail, role)


def test_another_role(sync, john, acme, example, member_of):
    """A member gets another role, and stays signed in."""
    sync.memberships.set_role(john.user, acme, example.roles["analysts"])
    now = member_of("john_manager")
    assert now.role.code == "analysts"
    assert now.membership_version == john.membership_version
    assert now.user.version == john.user.version


def test_suspended(sync, john, acme):
    """The version of a membership grows, so that its tokens end."""
    changed = sync.memberships.set_active(john.user, acme, False)
    assert not changed.active
    assert changed.version == john.membership_version + 1


def test_removed(sync, john, acme):
    """Whoever is removed has to sign in again, even if they come back."""
    sync.memberships.remove(john.user, acme)
    assert sync.memberships.of_user(john.user.id) == []
    assert sync.users.user(john.user.id).version == john.user.version + 1


def test_not_a_member(sync, john, retail):
    """Who does not belong to it cannot be changed or removed."""
    with pytest.raises(UnknownEntity):
        sync.memberships.remove(john.user, retail)
    with pytest.raises(UnknownEntity):
        sync.memberships.set_active(john.user, retail, True)


# Changing, and listing ----------------------------------------------------------------


def test_change(sync, acme):
    """A role gets another name, and other rights to pages; its code remains."""
    role = sync.roles.add("buyers", "Buyers", acme)
    changed = sync.roles.change(role, "Purchase", "audit")
    assert changed == sync.roles.named("buyers", acme)
    assert (changed.name, changed.pages, changed.id) == ("Purchase", "audit", role.id)


def test_change_wrong(sync, acme):
    """What a role cannot be is refused, as is one that is gone."""
    role = sync.roles.add("buyers", "Buyers", acme)
    with pytest.raises(InvalidName):
        sync.roles.change(role, " ", None)
    with pytest.raises(Misuse):
        sync.roles.change(role, "Buyers", "root")
    sync.rollback()
    with pytest.raises(UnknownEntity):
        sync.roles.change(role, "Buyers", None)


def test_membership_of(sync, john, acme, retail):
    """How somebody belongs to an organisation is told, and that they do not."""
    found = sync.memberships.named(john.user, acme)
    assert (found.role, found.user) == (john.role, john.user.id)
    with pytest.raises(UnknownEntity):
        sync.memberships.named(john.user, retail)


def test_listed(sync, acme):
    """Members are told with their users, by name, some of them, or by a part of it."""
    role = sync.roles.named("users", acme)
    for name in ("Zoe", "adam_%"):
        sync.memberships.add(sync.users.add(name), acme, role)

    def names(*about):
        return [user.username for _, user in sync.memberships.listed(acme, *about)]

    every = names()
    assert every == sorted(every, key=str.lower)
    assert {"adam_%", "Zoe", "john_manager"} <= set(every)
    assert names("", 1, 2) == every[1:3]
    assert names("M_%") == ["adam_%"]
    assert names("nobody") == []


def test_listed_of_host(sync, acme):
    """Whom the table does not know is told without a user."""
    role = sync.roles.named("users", acme)
    sync.memberships.add(User("grace-7", "Grace"), acme, role)
    found = {each.user: user for each, user in sync.memberships.listed(acme)}
    assert found["grace-7"] is None


def test_numbers(sync, acme, retail):
    """How many belong to organisations is told for all of them at once."""
    empty = sync.organizations.add("Empty", "empty")
    found = sync.memberships.numbers([acme, retail, empty])
    assert found[acme.id] == len(sync.memberships.of_organization(acme))
    assert found[retail.id] == len(sync.memberships.of_organization(retail))
    assert empty.id not in found


def test_lock(sync, acme):
    """What is gone cannot be locked."""
    sync.organizations.lock(acme)
    gone = sync.organizations.add("Gone", "gone")
    sync.rollback()
    with pytest.raises(UnknownEntity):
        sync.organizations.lock(gone)


def test_lock_keeps_others_out(sync, context, acme):
    """Who locks an organisation is alone in changing who belongs to it, also where
    transactions are not SERIALIZABLE; who only names it may do so."""
    sync.organizations.lock(acme)
    query = "SELECT id FROM sync_organizations WHERE id = :id FOR {} NOWAIT"
    with apart(context) as connection:
        connection.execute(text(query.format("KEY SHARE")), {"id": acme.id})
        with pytest.raises(OperationalError, match="could not obtain lock"):
            connection.execute(text(query.format("NO KEY UPDATE")), {"id": acme.id})
