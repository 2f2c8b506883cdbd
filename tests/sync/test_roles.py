"""Roles belong to an organisation or to all; members have one in each organisation."""

from __future__ import annotations

import pytest

from libres.sync.errors import AlreadyThere, InvalidName, UnknownEntity


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
