"""Rights are changed cell by cell, and nothing that others have changed meanwhile."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from libres.modules.errors import Misuse
from libres.sync.errors import ChangedMeanwhile, InvalidPermissions, UnknownEntity
from libres.sync.matrix import Right, Wanted, judge
from libres.sync.permissions import Permissions
from libres.sync.values import ALL, NOTHING, Flags, Role
from tests.fixtures.statements import counted

CUSTOMER, NOTE, REPORT = "myapp.Customer", "myapp.Note", "myapp.Report"


def test_matrix(rights, shop, clerk):
    """It has all roles and models, and what nothing was said of is version 0."""
    rights.grant(shop, clerk, REPORT, "pull")
    found = rights.matrix(shop)
    assert clerk in found.roles
    assert {CUSTOMER, NOTE, REPORT} <= set(found.models)
    assert found.of(clerk, REPORT) == Right(Flags(pull=True), 1)
    assert found.of(clerk, NOTE) == Right(NOTHING, 0)


def test_matrix_is_two_statements(sync, rights, shop, clerk):
    """However much there is in it."""
    rights.grant(shop, clerk, REPORT, "pull")
    with counted(sync.session) as statements:
        rights.matrix(shop)
    assert len(statements) == 2


# One flag -----------------------------------------------------------------------------


def test_set_flag(rights, shop, clerk):
    """A flag is switched, the others stay, and the version grows."""
    first = rights.set_flag(shop, clerk, REPORT, "pull", True, 0)
    assert first == Right(Flags(pull=True), 1)
    second = rights.set_flag(shop, clerk, REPORT, "can_read", True, 1)
    assert second == Right(Flags(pull=True, read=True), 2)
    third = rights.set_flag(shop, clerk, REPORT, "pull", False, None)
    assert third == Right(Flags(read=True), 3)
    assert rights.of(shop, clerk) == {REPORT: Flags(read=True)}


def test_as_it_was(rights, shop, clerk):
    """What is so already is not written: the version stays."""
    rights.set_flag(shop, clerk, REPORT, "pull", True, 0)
    again = rights.set_flag(shop, clerk, REPORT, "pull", True, 1)
    assert again == Right(Flags(pull=True), 1)
    assert rights.set_flag(shop, clerk, NOTE, "pull", False, 0) == Right()


@pytest.mark.parametrize(
    "version",
    [
        pytest.param(0, id="it was not there"),
        pytest.param(1, id="an earlier one"),
        pytest.param(3, id="a later one"),
        pytest.param(-1, id="none"),
    ],
)
def test_too_late(rights, shop, clerk, version):
    """Whoever looked at another version is told what it is now; it stays so."""
    rights.grant(shop, clerk, REPORT, "pull")
    rights.grant(shop, clerk, REPORT, "read")
    with pytest.raises(ChangedMeanwhile) as raised:
        rights.set_flag(shop, clerk, REPORT, "delete", True, version)
    assert raised.value.version == 2
    assert raised.value.value == Flags(pull=True, read=True)
    assert rights.of(shop, clerk) == {REPORT: Flags(pull=True, read=True)}


def test_removed_meanwhile(rights, shop, clerk):
    """What a document has removed is of version 0 again."""
    rights.grant(shop, clerk, REPORT, "pull")
    rights.apply(shop, {})
    with pytest.raises(ChangedMeanwhile) as raised:
        rights.set_flag(shop, clerk, REPORT, "read", True, 1)
    assert (raised.value.version, raised.value.value) == (0, NOTHING)


@pytest.mark.parametrize("flag", ["organization_id", "version", "", "Push", "_fields"])
def test_no_flag(rights, shop, clerk, flag):
    """What is none of the six is refused."""
    with pytest.raises(InvalidPermissions):
        rights.set_flag(shop, clerk, REPORT, flag, True, 0)


def test_unknown(sync, rights, shop, acme, clerk):
    """An unknown model, and the role of others, are refused."""
    with pytest.raises(UnknownEntity):
        rights.set_flag(shop, clerk, "myapp.report", "pull", True, 0)
    theirs = sync.roles.add("buyers", "Buyers", acme)
    with pytest.raises(UnknownEntity):
        rights.set_flag(shop, theirs, REPORT, "pull", True, 0)


EACH_WRITE = {
    "set": lambda rights, *it: rights.set(*it, ALL),
    "grant": lambda rights, *it: rights.grant(*it, "push"),
    "revoke": lambda rights, *it: rights.revoke(*it, "pull"),
    "set_flag": lambda rights, *it: rights.set_flag(*it, "push", True),
    "apply": lambda rights, shop, *_it: rights.apply(
        shop, {"clerk": {REPORT: {"push": True}}}
    ),
}


@pytest.mark.parametrize("write", EACH_WRITE)
def test_each_write_has_its_version(rights, shop, clerk, write):
    """Whatever changes a right lets its version grow by one, and only then."""
    rights.grant(shop, clerk, REPORT, "pull")
    for _ in range(2):
        EACH_WRITE[write](rights, shop, clerk, REPORT)
        assert rights.matrix(shop).of(clerk, REPORT).version == 2


# Many ---------------------------------------------------------------------------------


def test_change(rights, shop, clerk):
    """What can be changed is, what others have changed is told, and stays."""
    rights.grant(shop, clerk, REPORT, "pull")
    rights.grant(shop, clerk, NOTE, "pull")
    on = ALL._asdict()
    found = rights.change(
        shop,
        [
            Wanted(clerk, CUSTOMER, on, 0),
            Wanted(clerk, NOTE, {"pull": True}, 1),
            Wanted(clerk, REPORT, on, 0),
        ],
    )
    told = [(each.model, each.outcome, each.right) for each in found]
    assert told == [
        (CUSTOMER, "changed", Right(ALL, 1)),
        (NOTE, "same", Right(Flags(pull=True), 1)),
        (REPORT, "conflict", Right(Flags(pull=True), 1)),
    ]
    assert rights.of(shop, clerk) == {
        CUSTOMER: ALL,
        NOTE: Flags(pull=True),
        REPORT: Flags(pull=True),
    }


def test_twice_in_one(rights, shop, clerk):
    """Two wishes for one right are refused."""
    wanted = [Wanted(clerk, REPORT, {"pull": on}, 0) for on in (True, False)]
    with pytest.raises(Misuse):
        rights.change(shop, wanted)


def test_one_that_is_wrong(rights, shop, clerk):
    """Where one cannot be, none is changed."""
    stranger = Role(shop.id, "stranger", "Stranger")
    wanted = [
        Wanted(clerk, REPORT, {"pull": True}, 0),
        Wanted(stranger, REPORT, {"pull": True}, 0),
    ]
    with pytest.raises(UnknownEntity):
        rights.change(shop, wanted)
    assert rights.of(shop, clerk) == {}


@pytest.mark.parametrize("many", [1, 50])
def test_statements(sync, rights, shop, many):
    """Four statements, however many rights are changed."""
    roles = [sync.roles.add(f"r-{n}", f"R {n}", shop) for n in range(many)]
    wanted = [Wanted(each, REPORT, {"pull": True}, 0) for each in roles]
    with counted(sync.session) as statements:
        rights.change(shop, wanted)
    assert len(statements) == 4


def test_between_looking_and_writing(sync, rights, shop, clerk):
    """Whoever is faster by a moment, in a database that lets both go on, has won."""
    sync.commit()
    engine = sync.session.get_bind().engine
    wins = "INSERT INTO sync_permissions (context, organization, role, model, can_push)"
    values = f" VALUES ('test', '{shop.id}', '{clerk.id}', '{REPORT}', true)"
    raced = []

    @event.listens_for(engine, "before_cursor_execute")
    def faster(_connection, _cursor, statement, *_more):
        if not raced and "sync_permissions" in statement and "unnest" in statement:
            raced.append(True)
            with engine.connect() as other, other.begin():
                other.exec_driver_sql(wins + values)

    read_committed = {"isolation_level": "READ COMMITTED"}
    sync.session.connection(execution_options=read_committed)
    with pytest.raises(ChangedMeanwhile) as raised:
        rights.set_flag(shop, clerk, REPORT, "pull", True, 0)
    assert raised.value.value == Flags(push=True)


def test_judge():
    """Without a version anything is changed; flags that are not named stay."""
    clerk = Role(None, "clerk", "Clerk")
    right = Right(Flags(pull=True), 7)
    became = judge(Wanted(clerk, REPORT, {"read": True}, None), right)
    assert became.outcome == "changed"
    assert became.right == Right(Flags(pull=True, read=True), 8)


# Who it is for ------------------------------------------------------------------------


def test_crews(sync, rights, shop, clerk):
    """All active members count; of many, some are named, in the order of names."""
    for number in range(52):
        user = sync.users.add(f"clerk_{number:02}")
        sync.memberships.add(user, shop, clerk)
    sync.memberships.set_active(user, shop, False)
    crew = rights.crews(shop)[clerk.id]
    assert (crew.number, len(crew.names)) == (51, 50)
    assert crew.names[:2] == ("clerk_00", "clerk_01")


def test_holders(rights, shop, acme, clerk):
    """Roles count that may do anything, once in each organisation."""
    before = rights.holders().get("myapp.Seat", 0)
    for organization in (shop, acme):
        rights.grant(organization, clerk, "myapp.Seat", "pull")
    rights.set(shop, clerk, "myapp.Note", NOTHING)
    assert rights.holders()["myapp.Seat"] - before >= 1
    assert rights.holders([shop]) == {"myapp.Seat": 1}
    assert rights.holders([]) == {}


# Documents ----------------------------------------------------------------------------


def test_plan(rights, shop, clerk):
    """What a document would change is told right by right; nothing is."""
    rights.grant(shop, clerk, REPORT, "pull")
    rights.grant(shop, clerk, NOTE, "pull")
    document = {"clerk": {NOTE: {"push": True}, CUSTOMER: {"read": True}}}
    plan = rights.plan(shop, document)
    ((created,), (updated,), (removed,)) = (plan.created, plan.updated, plan.removed)
    assert (created.model, created.after) == (CUSTOMER, Flags(read=True))
    assert (updated.before, updated.after) == (Flags(pull=True), Flags(push=True))
    assert (removed.model, removed.after) == (REPORT, None)
    assert NOTE in rights.of(shop, clerk)
    assert rights.plan(shop, {"nobody": {}}).problems


def test_in_another_organisation(context, rights, shop, acme, clerk):
    """What is changed in one organisation is not changed in others."""
    rights.set_flag(shop, clerk, REPORT, "pull", True, 0)
    assert Permissions(context).matrix(acme).of(clerk, REPORT) == Right()
