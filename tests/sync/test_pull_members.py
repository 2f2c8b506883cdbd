"""What is said of organisations, users, roles and filters counts at the next pull."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, update

from libres.sync.devices import Devices
from libres.sync.errors import ResyncRequired
from libres.sync.filter_store import Filters
from libres.sync.keyring import configure
from libres.sync.memberships import Memberships
from libres.sync.organizations import Organizations
from libres.sync.permissions import Permissions
from libres.sync.users import Users
from tests.sync.models import Customer, Report
from tests.sync.pulls import SECRET, Phone

NAME = "myapp.Customer"


@pytest.fixture(autouse=True)
def keys(context):
    """A secret to sign cursors by."""
    configure(context, SECRET)


@pytest.fixture
def loaded(sync, member_of):
    """Loads a user of the example, once all is committed."""

    def load(username, device=None):
        sync.commit()
        found = member_of(username, device)
        sync.rollback()
        return found

    return load


@pytest.fixture
def add(sync):
    """Adds customers of an organisation."""

    def run(organization, *names, **values):
        owner = {"organization_id": organization.reference, **values}
        rows = [{"name": each, **owner} for each in names]
        sync.session.execute(insert(Customer).values(rows))
        sync.commit()

    return run


@pytest.fixture
def rights(context, sync):
    """Gives and takes rights of whoever has the role of a member."""

    class Rights:
        """Commits at once."""

        def give(self, member, model, *flags):
            """Allow something."""
            of = member.organization, member.role
            Permissions(context).grant(*of, model, *flags)
            sync.commit()

        def take(self, member, model, *flags):
            """Forbid something."""
            of = member.organization, member.role
            Permissions(context).revoke(*of, model, *flags)
            sync.commit()

    return Rights()


def test_report(sync, rights, loaded, bob):
    """Bob gets no customers if he may not, and reports as soon as he may (S11)."""
    for model in (NAME, "myapp.Report"):
        rights.take(bob, model, "pull", "read")
    owner = bob.organization.reference
    sync.session.execute(insert(Report).values(organization_id=owner, title="r"))
    phone = Phone(sync, loaded("bob_analyst"))
    assert (
        "error"
        in sync.pull(phone.member, {"models": {NAME: None}}).body["metadata"][NAME]
    )
    rights.give(bob, "myapp.Report", "pull", "read")
    phone.member = loaded("bob_analyst")
    assert len(phone.ids("myapp.Report")) == 1
    assert NAME not in phone.pull()["metadata"]


def test_revoked(sync, rights, loaded, add, john, acme):
    """A right that is taken is gone at the next request (S18)."""
    rights.give(john, NAME, "pull", "read")
    add(acme, "Ada")
    phone = Phone(sync, loaded("john_manager"))
    assert len(phone.ids()) == 1
    rights.take(john, NAME, "pull")
    phone.member = loaded("john_manager")
    assert "error" in phone.pull()["metadata"][NAME]


def test_nobody_any_more(context, loaded, acme):
    """Who or whose organisation is not active is nobody at the next request (S18)."""
    users = Users(context)
    assert loaded("john_manager") is not None
    users.set_active(users.named("john_manager"), False)
    assert loaded("john_manager") is None
    users.set_active(users.named("john_manager"), True)
    Organizations(context).set_active(acme.slug, False)
    assert loaded("john_manager") is None


def test_filter(context, sync, rights, loaded, add, mary, retail):
    """Mary sees what is hers; what is given to somebody else goes (S12)."""
    rights.give(mary, NAME, "pull", "read")
    condition = {"field": "assigned_sales_id", "op": "eq", "value": "{{user.id}}"}
    Filters(context).set(mary.organization, mary.role, NAME, [condition])
    add(retail, "hers", assigned_sales_id=mary.user.id)
    add(retail, "nobody's")
    phone = Phone(sync, loaded("mary_sales"))
    (hers,) = phone.ids()
    sync.session.execute(update(Customer).values(assigned_sales_id=None))
    sync.commit()
    assert [row["id"] for row in phone.pull()["deleted"]] == [hers]


def test_filter_set_later(context, sync, rights, loaded, mary):
    """A filter that is set, or removed, lets the rows of its model be sent anew."""
    rights.give(mary, NAME, "pull", "read")
    phone = Phone(sync, loaded("mary_sales"))
    phone.catch_up()
    of = mary.organization, mary.role, NAME
    condition = {"field": "age", "op": "ge", "value": 18}
    for change in (
        lambda: Filters(context).set(*of, [condition]),
        lambda: Filters(context).remove(*of),
    ):
        change()
        phone.member = loaded("mary_sales")
        with pytest.raises(ResyncRequired) as caught:
            sync.pull(phone.member, {"cursor": phone.cursor})
        assert list(caught.value.models) == [NAME]
        phone.catch_up()


def test_another_role(context, sync, rights, loaded, add, john, bob, acme):
    """In another role with the same rights nothing has to be sent anew."""
    for role in (john.role, bob.role):
        Permissions(context).set(acme, role, NAME, john.flags_of(NAME))
    rights.give(john, NAME, "pull", "read")
    Permissions(context).grant(acme, bob.role, NAME, "pull", "read")
    add(acme, "Ada")
    member = loaded("john_manager")
    cursor = sync.pull(member, {"models": {NAME: None}}).body["cursor"]
    Memberships(context).set_role(member.user, acme, bob.role)
    body = sync.pull(loaded("john_manager"), {"cursor": cursor}).body
    assert body["data"] == []
    assert "error" not in body["metadata"][NAME]


@pytest.mark.usefixtures("clock")
def test_device_confirms(context, sync, rights, loaded, add, john, acme):
    """What a device has confirmed is known of it."""
    rights.give(john, NAME, "pull", "read")
    device = Devices(context).add(john.user, acme, "phone").device
    add(acme, "Ada", "Bob")
    phone = Phone(sync, loaded("john_manager", device.id))
    phone.catch_up()
    phone.pull()
    (state,) = Devices(context).all(acme)
    sync.rollback()
    assert (state.position, state.lag) == (2, 0)
