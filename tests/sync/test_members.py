"""Who asks is read anew each time; whoever is not allowed any more is nobody."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, update

from libres.sync import members
from libres.sync.filters import NO_ROWS, filter_of
from libres.sync.models import (
    SyncDevice,
    SyncFilter,
    SyncMembership,
    SyncOrganization,
    SyncPermission,
    SyncRole,
    SyncUser,
)
from libres.sync.registry import registry_of
from libres.sync.values import ALL, Device, Flags, User
from tests.fixtures.statements import counted

CUSTOMER, REPORT = "myapp.Customer", "myapp.Report"
NOWHERE = UUID(int=9)


@pytest.fixture
def session(sync):
    """The session of the context."""
    return sync.session


@pytest.fixture
def load(context, john):
    """Loads John, or who else is said."""

    def _load(user=john.user.id, organization=john.organization.id, device=None):
        return members.load(context, user, organization, device)

    return _load


@pytest.fixture
def device(session, john):
    """The id of a phone of John."""
    query = insert(SyncDevice).values(
        context="test",
        user=john.user.id,
        organization=john.organization.id,
        name="Phone",
    )
    return session.scalar(query.returning(SyncDevice.id))


@pytest.fixture
def filtered(session, john):
    """Saves a filter for the role of John, without looking at it."""

    def save(conditions, model=CUSTOMER):
        query = insert(SyncFilter).values(
            context="test",
            organization=john.organization.id,
            role=john.role.id,
            model=model,
            conditions=conditions,
        )
        session.execute(query)

    return save


def test_whole(load, example, acme):
    """All that is to be known of who asks is there."""
    john = load()
    assert john.user == example.users["john_manager"]
    assert john.organization == acme
    assert john.role == example.roles["managers"]
    assert john.flags_of(CUSTOMER) == ALL._replace(delete=False)
    assert (john.device, john.filters) == (None, {})


@pytest.mark.parametrize("filters", [0, 2])
def test_one_statement(session, load, device, filtered, filters):
    """However much is said of them, it is one statement."""
    for model in (CUSTOMER, REPORT)[:filters]:
        filtered([], model)
    with counted(session) as statements:
        load(device=device)
    assert len(statements) == 1


CHANGES = {
    "user inactive": update(SyncUser).values(active=False),
    "user gone": delete(SyncUser),
    "user of another context": update(SyncUser).values(context="other"),
    "membership inactive": update(SyncMembership).values(active=False),
    "membership gone": delete(SyncMembership),
    "membership of another context": update(SyncMembership).values(context="other"),
    "organization inactive": update(SyncOrganization).values(active=False),
    "organization gone": delete(SyncOrganization),
    "organization of another context": update(SyncOrganization).values(context="other"),
    "role of another context": update(SyncRole).values(context="other"),
    "device revoked": update(SyncDevice).values(revoked=SyncDevice.created),
    "device gone": delete(SyncDevice),
    "device of another context": update(SyncDevice).values(context="other"),
    "device of another user": update(SyncDevice).values(user=str(NOWHERE)),
}


@pytest.mark.parametrize("what", CHANGES)
def test_nobody_at_once(session, load, device, what):
    """S18: what is switched off or gone counts at the next request."""
    assert load(device=device).device == Device(device, "Phone")
    query = CHANGES[what]
    session.execute(query, execution_options={"synchronize_session": False})
    assert load(device=device) is None


def test_role_of_another_organisation(session, load, retail):
    """A role that belongs to others gives nobody anything."""
    query = update(SyncRole).values(organization=retail.id)
    session.execute(query)
    assert load() is None


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"user": str(NOWHERE)}, id="unknown user"),
        pytest.param({"user": "7"}, id="what is no id"),
        pytest.param({"user": "\0"}, id="NUL"),
        pytest.param({"user": ""}, id="nothing"),
        pytest.param({"organization": NOWHERE}, id="unknown organization"),
        pytest.param({"device": NOWHERE}, id="unknown device"),
    ],
)
def test_strangers(load, given):
    """Whoever is not known is nobody."""
    assert load(**given) is None


def test_organisation_of_others(load, retail):
    """Nobody acts for an organisation that they do not belong to."""
    assert load(organization=retail.id) is None


def test_device_of_another_organisation(session, load, device, retail):
    """A device acts for one organisation."""
    session.execute(update(SyncDevice).values(organization=retail.id))
    assert load(device=device) is None


def test_rights_at_once(sync, load, john, acme):
    """What is revoked is gone, what is granted is there, without a delay."""
    sync.permissions.revoke(acme, john.role, CUSTOMER, "pull")
    sync.permissions.set(acme, john.role, REPORT, Flags(delete=True))
    now = load()
    assert not now.may_pull(CUSTOMER)
    assert now.flags_of(REPORT) == Flags(delete=True)


def test_rights_of_others(session, load):
    """Rights of another context count for nothing."""
    session.execute(update(SyncPermission).values(context="other"))
    assert load().flags == {}


def test_no_right_is_said(load):
    """What nothing is said of may not be done."""
    assert load().flags_of("no.Model") == Flags()


# Filters ------------------------------------------------------------------------------


def shown(context, member, model=CUSTOMER):
    """The filter of somebody for a model."""
    return filter_of(registry_of(context).named(model), member)


def test_filter(context, load, filtered):
    """A filter shows the rows that it says."""
    filtered([{"field": "department", "op": "eq", "value": "SALES"}])
    found = shown(context, load())
    assert found.matches({"department": "SALES"})
    assert not found.matches({"department": "HR"})


@pytest.mark.parametrize(
    "conditions",
    [
        pytest.param([{"field": "gone", "op": "eq", "value": 1}], id="field"),
        pytest.param([{"field": "age", "op": "like it", "value": 1}], id="operator"),
        pytest.param([{"field": "age", "op": "eq", "value": None}], id="null"),
        pytest.param([{}], id="nothing"),
        pytest.param({}, id="no list"),
        pytest.param("all", id="text"),
        pytest.param(7, id="number"),
    ],
)
def test_filter_that_is_not_understood(context, load, filtered, conditions):
    """It shows no rows, never all of them."""
    filtered(conditions)
    assert shown(context, load()) == NO_ROWS


def test_filter_of_another_model(context, load, filtered):
    """A filter of a model that is not registered disturbs no other."""
    filtered([], "gone.Model")
    assert shown(context, load()) is None


# Users of a host ----------------------------------------------------------------------


class Host:
    """Users that are not in our table."""

    def __init__(self, user):
        self.known = user

    def user(self, id):  # noqa: A002 - as in the protocol
        """Return the only one, whoever is asked for."""
        return self.known if id else None


@pytest.fixture
def host(context, session, john):
    """A host whose only user is John, under an id of its own."""
    made = Host(User("cn=john", "john"))
    context.set_service("sync_users", lambda _context: made)
    session.execute(
        update(SyncMembership)
        .where(SyncMembership.user == john.user.id)
        .values(user="cn=john")
    )
    return made


def test_user_of_a_host(session, load, host):
    """The host says who it is; all else is one statement."""
    with counted(session) as statements:
        found = load("cn=john")
    assert found.user == host.known
    assert found.organization.slug == "acme-corp"
    assert len(statements) == 1


def test_inactive_user_of_a_host(load, host):
    """What the host says counts at once."""
    host.known = replace(host.known, active=False)
    assert load("cn=john") is None


def test_host_that_answers_with_another(load, host):
    """A user that was not asked for is nobody."""
    host.known = replace(host.known, id="cn=mary")
    assert load("cn=john") is None


def test_in_a_block_that_only_reads(context, sync, load):
    """It reads where the caller reads."""
    sync.commit()
    with context.read_only():
        assert load().user.username == "john_manager"
