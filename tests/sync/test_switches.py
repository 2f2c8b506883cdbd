"""Models are switched on and off, for all organisations, at once."""

from __future__ import annotations

import pytest
from sqlalchemy import event, insert

from libres.sync import audit
from libres.sync.errors import ChangedMeanwhile, ResyncRequired, UnknownEntity
from libres.sync.keyring import configure
from libres.sync.models import SyncSwitch
from libres.sync.settings import START_OFF
from libres.sync.switches import Switch
from libres.sync.values import NOTHING
from tests.fixtures.statements import counted
from tests.sync.models import Customer, Report
from tests.sync.pulls import SECRET, Phone

CUSTOMER, REPORT = "myapp.Customer", "myapp.Report"


@pytest.fixture
def switches(sync):
    """The switches of the context."""
    return sync.switches


def state(switches, model=CUSTOMER):
    """The switch of a model."""
    return next(each for each in switches.all() if each.model == model)


def test_all(sync, switches):
    """Each registered model has one; it is on, until somebody switches it off."""
    found = switches.all()
    assert [each.model for each in found] == [each.name for each in sync.registry]
    assert {(each.on, each.version) for each in found} == {(True, 0)}


def test_all_is_two_statements(sync, switches):
    """However many there are."""
    for each in list(sync.registry)[:4]:
        switches.set(each.name, False)
    with counted(sync.session) as statements:
        switches.all()
    assert len(statements) == 2


def test_set(switches):
    """A model is switched off and on; the version grows with each change only."""
    assert switches.set(CUSTOMER, False, 0) == Switch(CUSTOMER, False, 1)
    assert switches.set(CUSTOMER, False, 1) == Switch(CUSTOMER, False, 1)
    assert switches.set(CUSTOMER, True) == Switch(CUSTOMER, True, 2)
    assert state(switches) == Switch(CUSTOMER, True, 2)
    assert state(switches, REPORT).version == 0


def test_unknown(switches):
    """What is not registered cannot be switched."""
    with pytest.raises(UnknownEntity):
        switches.set("myapp.customer", False)


def test_too_late(switches):
    """Who looked at another version is told what it is now; it stays so."""
    switches.set(CUSTOMER, False, 0)
    with pytest.raises(ChangedMeanwhile) as raised:
        switches.set(CUSTOMER, True, 0)
    assert (raised.value.version, raised.value.value) == (1, False)
    assert state(switches) == Switch(CUSTOMER, False, 1)


def test_between_looking_and_writing(sync, switches):
    """Whoever is faster by a moment, in a database that lets both go on, has won."""
    engine = sync.session.get_bind().engine
    raced = []

    @event.listens_for(engine, "before_cursor_execute")
    def faster(_connection, _cursor, statement, *_more):
        if not raced and "INSERT INTO sync_switches" in statement:
            raced.append(True)
            with engine.connect() as other, other.begin():
                values = {"context": "test", "model": CUSTOMER, "on": False}
                other.execute(insert(SyncSwitch).values(**values, version=9))

    read_committed = {"isolation_level": "READ COMMITTED"}
    sync.session.connection(execution_options=read_committed)
    with pytest.raises(ChangedMeanwhile) as raised:
        switches.set(CUSTOMER, True, 0)
    assert raised.value.version == 9


# What it means ------------------------------------------------------------------------


def test_nobody_may(switches, member_of):
    """What is off may be pushed and pulled by nobody, from the next request on."""
    before = member_of("john_manager")
    switches.set(CUSTOMER, False)
    john = member_of("john_manager")
    assert john.flags_of(CUSTOMER) == NOTHING
    assert john.flags_of(REPORT) == before.flags_of(REPORT) != NOTHING
    switches.set(CUSTOMER, True)
    assert member_of("john_manager").flags == before.flags


def test_of_another_context(sync, member_of):
    """The switches of another context are none of ours."""
    values = {"context": "other", "model": CUSTOMER, "on": False}
    sync.session.execute(insert(SyncSwitch).values(**values))
    assert member_of("john_manager").may_pull(CUSTOMER)


def test_refused_as_unknown(sync, switches, member_of):
    """What is pushed to a model that is off is refused like one of no right."""
    switches.set(CUSTOMER, False)
    sync.commit()
    body = {"data": [{"_model": CUSTOMER, "name": "Ada"}]}
    answer = sync.push(member_of("john_manager"), body)
    assert answer.body["success_count"] == 0
    assert sync.session.query(Customer).count() == 0


def test_resync(context, sync, switches, acme, member_of):
    """A device fetches the rows anew when a model is on again, and misses nothing."""
    configure(context, SECRET)
    rows = sync.session
    rows.execute(insert(Customer).values(organization_id=acme.id, name="Ada"))
    rows.execute(insert(Report).values(organization_id=acme.id, title="r"))
    sync.commit()
    phone = Phone(sync, member_of("john_manager"))
    phone.catch_up()
    switches.set(CUSTOMER, False)
    rows.execute(insert(Customer).values(organization_id=acme.id, name="Bob"))
    sync.commit()
    phone.member = member_of("john_manager")
    assert "error" in phone.pull()["metadata"][CUSTOMER]
    switches.set(CUSTOMER, True)
    sync.commit()
    phone.member = member_of("john_manager")
    with pytest.raises(ResyncRequired) as raised:
        sync.pull(phone.member, {"cursor": phone.cursor})
    assert list(raised.value.models) == [CUSTOMER]
    assert len(phone.ids()) == 2


def test_is_told(sync, switches):
    """Who examines the synchronisation hears of what is off."""
    switches.set(CUSTOMER, False)
    found = [each for each in sync.examine() if each.name == "switches"]
    assert [each.severity for each in found] == ["info"]
    assert CUSTOMER in found[0].message


def test_audited(context, sync, switches):
    """It is noted who has switched what."""
    audit.setup(context)
    with sync.acting("ada"):
        switches.set(CUSTOMER, False)
        sync.commit()
    (entry,) = audit.Audit(context).history("libres.sync.Switch")
    assert entry.actor == "ada"
    assert (entry.after["model"], entry.after["on"]) == (CUSTOMER, False)


# New models ---------------------------------------------------------------------------


def test_start_off(sync, switches, member_of):
    """With the setting, what nobody has switched on is off."""
    switches.set(REPORT, True)
    sync.settings.set(START_OFF, True)
    assert not state(switches).on
    assert state(switches, REPORT).on
    john = member_of("john_manager")
    assert not john.may_pull(CUSTOMER)
    assert john.may_pull(REPORT)


def test_new_models_only(sync, switches, member_of):
    """Who lets new models start off changes nothing about those that are there."""
    switches.set(REPORT, False)
    assert switches.set_start_off(True, 0, by="ada").version == 1
    assert member_of("john_manager").may_pull(CUSTOMER)
    assert not state(switches, REPORT).on
    assert switches.start_off().changed_by == "ada"
    assert {each.version for each in switches.all()} == {1}
    new = next(iter(sync.registry))
    sync.session.query(SyncSwitch).filter_by(model=new.name).delete()
    assert state(switches, new.name) == Switch(new.name, False, 0)


def test_start_off_too_late(switches):
    """Who looked at another version of the setting is told so."""
    switches.set_start_off(True, 0)
    with pytest.raises(ChangedMeanwhile) as raised:
        switches.set_start_off(False, 0)
    assert (raised.value.version, raised.value.value) == (1, True)
    assert switches.start_off().value is True


def test_nonsense_is_the_default(sync, switches, member_of):
    """A setting that holds nonsense switches nothing off."""
    sync.settings.set(START_OFF, True)
    sql = "UPDATE sync_settings SET value = '\"maybe\"'"
    sync.session.connection().exec_driver_sql(sql)
    assert state(switches).on
    assert member_of("john_manager").may_pull(CUSTOMER)
