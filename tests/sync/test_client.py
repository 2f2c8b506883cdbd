"""A device edits without a server, loses nothing, and catches up."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text, update

from libres.sync import configure
from libres.sync.client import Device, Refused, ServerAway, SignInNeeded, UnknownRow
from libres.sync.devices import Devices
from libres.web import WebSettings, create_app
from tests.sync.models import Customer, Note
from tests.sync.phones import Wire

CUSTOMER, NOTE = "myapp.Customer", "myapp.Note"

URL = "http://server.example"


@pytest.fixture
def app(context, example):  # noqa: ARG001 - there have to be users
    """The web edge with synchronisation."""
    configure(context, {"first": "s" * 64})
    settings = WebSettings(pages=False, requests_per_minute=None)
    return create_app(context, settings, secret_key="signs cookies")


@pytest.fixture
def wire(app):
    """The connection of the phone."""
    return Wire(app)


@pytest.fixture
def key_of(context, sync, member_of):
    """Makes keys of devices: key_of("john_manager", "phone")."""

    def make(username, name):
        member = member_of(username)
        added = Devices(context).add(member.user, member.organization, name)
        sync.commit()
        return added.key

    return make


@pytest.fixture
def phone(wire, key_of, tmp_path):
    """A phone of John, signed in."""
    with Device(tmp_path / "phone.db", URL, wire) as made:
        made.sign_in_by_key(key_of("john_manager", "phone"))
        yield made


@pytest.fixture
def tablet(app, key_of, tmp_path):
    """Another device of John, on a connection of its own."""
    with Device(tmp_path / "tablet.db", URL, Wire(app)) as made:
        made.sign_in_by_key(key_of("john_manager", "tablet"))
        yield made


def names(device, model=CUSTOMER):
    """The names that a device has."""
    return sorted(each.fields["name"] for each in device.rows(model))


def stored(sync):
    """The names that the server has."""
    sync.session.rollback()
    return sorted(sync.session.scalars(select(Customer.name)))


def test_edit_without_server(phone, wire):
    """What is edited is there at once, and pending."""
    wire.is_cut = True
    ada = phone.create(CUSTOMER, {"name": "Ada", "age": 36})
    phone.change(CUSTOMER, ada, {"age": 37})
    row = phone.row(CUSTOMER, ada)
    assert (row.fields, row.version, row.pending) == (
        {"name": "Ada", "age": 37},
        0,
        True,
    )
    assert len(phone.pending) == 1
    phone.remove(CUSTOMER, ada)
    assert phone.pending == []
    with pytest.raises(UnknownRow):
        phone.change(CUSTOMER, ada, {"age": 38})


def test_from_one_to_the_other(phone, tablet, sync):
    """A row goes from phone to server to tablet, under the id of the server."""
    made = phone.create(CUSTOMER, {"name": "Ada"})
    pushed, _pulled = phone.sync()
    assert pushed.stored == 1
    (row,) = phone.rows(CUSTOMER)
    assert row.id != made
    assert not row.pending
    tablet.sync()
    assert tablet.rows(CUSTOMER) == [row]
    assert stored(sync) == ["Ada"]


def test_references_of_new_rows(phone, sync):
    """A new row that refers to a new row does so on the server, too."""
    ada = phone.create(CUSTOMER, {"name": "Ada"})
    phone.create(NOTE, {"customer_id": ada, "text": "calls back"})
    phone.push()
    (note,) = sync.session.scalars(select(Note))
    assert note.customer_id == sync.session.scalar(select(Customer.id))


def test_references_pushed_later(phone, sync):
    """A new row may refer to one that has got its id meanwhile."""
    ada = phone.create(CUSTOMER, {"name": "Ada"})
    phone.push()
    phone.create(NOTE, {"customer_id": phone.rows(CUSTOMER)[0].id, "text": "calls"})
    phone.change(CUSTOMER, phone.rows(CUSTOMER)[0].id, {"name": "Ada L."})
    assert phone.push().stored == 2
    assert stored(sync) == ["Ada L."]
    assert phone.store.row(CUSTOMER, ada) is None


def test_lost_answer_to_a_push(phone, wire, sync):
    """What was sent is sent once more as it was, and is there once."""
    phone.create(CUSTOMER, {"name": "Ada"})
    wire.loses_answers = 1
    with pytest.raises(ServerAway):
        phone.push()
    assert stored(sync) == ["Ada"]
    assert phone.push().stored == 1
    assert stored(sync) == ["Ada"]
    assert phone.pending == []


def test_edited_after_a_lost_answer(phone, wire, sync):
    """What was edited meanwhile comes on top, and is no conflict."""
    ada = phone.create(CUSTOMER, {"name": "Ada"})
    wire.loses_answers = 1
    with pytest.raises(ServerAway):
        phone.push()
    phone.change(CUSTOMER, ada, {"name": "Ada L."})
    assert phone.push().refused == []
    assert stored(sync) == ["Ada L."]
    phone.pull()
    assert names(phone) == ["Ada L."]


def test_lost_answer_to_a_pull(phone, wire, tablet):
    """The same rows come once more."""
    tablet.create(CUSTOMER, {"name": "Ada"})
    tablet.push()
    phone.pull()
    tablet.create(CUSTOMER, {"name": "Bob"})
    tablet.push()
    wire.loses_answers = 1
    with pytest.raises(ServerAway):
        phone.pull()
    assert names(phone) == ["Ada"]
    phone.pull()
    assert names(phone) == ["Ada", "Bob"]


def test_small_pages(phone, tablet):
    """However small the pages are, all of it comes."""
    for number in range(7):
        tablet.create(CUSTOMER, {"name": f"n{number}"})
    tablet.push()
    assert phone.pull(batch=2).rows == 7
    assert names(phone) == [f"n{number}" for number in range(7)]


def test_conflict(phone, tablet):
    """Who comes second is told, has the row of the first, and may try again."""
    tablet.create(CUSTOMER, {"name": "Ada"})
    tablet.push()
    phone.pull()
    (row,) = phone.rows(CUSTOMER)
    tablet.change(CUSTOMER, row.id, {"name": "first"})
    tablet.push()
    phone.change(CUSTOMER, row.id, {"name": "second"})
    (refused,) = phone.push().refused
    assert refused.fields == {"name": "second"}
    (kept,) = phone.refused
    assert kept.error["type"] == "conflict"
    assert names(phone) == ["first"]
    phone.retry(kept)
    assert phone.push().stored == 1
    assert phone.refused == []
    tablet.pull()
    assert names(tablet) == ["second"]


def test_deleted(phone, tablet, sync, acme, john):
    """What somebody deletes goes everywhere."""
    sync.permissions.grant(acme, john.role, CUSTOMER, "delete")
    sync.commit()
    tablet.create(CUSTOMER, {"name": "Ada"})
    tablet.sync()
    phone.pull()
    phone.remove(CUSTOMER, phone.rows(CUSTOMER)[0].id)
    assert phone.rows(CUSTOMER) == []
    phone.push()
    assert tablet.pull().deleted == 1
    assert tablet.rows(CUSTOMER) == []


def test_refused(phone, sync):
    """What the server will not have is kept, and can be dismissed."""
    phone.create(CUSTOMER, {"name": "x" * 60})
    phone.create(CUSTOMER, {"name": "Ada"})
    pushed = phone.push()
    assert (pushed.stored, len(pushed.refused)) == (1, 1)
    (kept,) = phone.refused
    assert kept.error["type"] == "invalid"
    phone.dismiss(kept)
    assert phone.refused == []
    assert stored(sync) == ["Ada"]


def test_other_rights(phone, sync, acme, john):
    """With a filter, only what it shows remains on the device."""
    for age, name in ((10, "young"), (50, "old")):
        phone.create(CUSTOMER, {"name": name, "age": age})
    phone.sync()
    assert names(phone) == ["old", "young"]
    wanted = [{"field": "age", "op": "gt", "value": 18}]
    sync.filters.set(acme, john.role, CUSTOMER, wanted)
    sync.commit()
    assert phone.pull().begun_anew == (CUSTOMER,)
    assert names(phone) == ["old"]


def test_begins_anew(phone, tablet, sync, clock):
    """What a device has missed for too long it gets as a whole."""
    tablet.create(CUSTOMER, {"name": "Ada"})
    tablet.push()
    phone.pull()
    sync.session.execute(update(Customer).values(name="Bob"))
    sync.commit()
    sync.number()
    dropped = "UPDATE sync_feeds SET kept = position, dropped = position"
    sync.session.execute(text(dropped))
    sync.session.execute(text("DELETE FROM sync_changes"))
    sync.commit()
    assert CUSTOMER in phone.pull().begun_anew
    assert names(phone) == ["Bob"]
    assert clock


def test_kept_in_the_file(phone, wire, tmp_path):
    """Another process goes on where the first one was."""
    phone.create(CUSTOMER, {"name": "Ada"})
    phone.close()
    with Device(tmp_path / "phone.db", URL, wire) as again:
        assert names(again) == ["Ada"]
        assert again.push().stored == 1


def test_token_is_over(phone, sync, john, wire):
    """A device with a key signs in by itself; a revoked one cannot any more."""
    sync.users.end_tokens(john.user)
    sync.commit()
    phone.create(CUSTOMER, {"name": "Ada"})
    assert phone.push().stored == 1
    assert "/api/sync/auth/token/" in wire.sent
    sync.session.execute(text("UPDATE sync_devices SET revoked = now()"))
    sync.commit()
    with pytest.raises(SignInNeeded):
        phone.pull()


def test_nobody_signed_in(wire, tmp_path):
    """Without signing in there is nothing to be had."""
    with Device(tmp_path / "new.db", URL, wire) as new, pytest.raises(SignInNeeded):
        new.pull()


def test_wrong_password(wire, tmp_path):
    """It is refused as the server says."""
    with Device(tmp_path / "new.db", URL, wire) as new, pytest.raises(Refused) as error:
        new.sign_in("john_manager", "nothing like it")
    assert error.value.status == 401


def test_server_is_away(phone, wire):
    """Nothing is lost."""
    phone.create(CUSTOMER, {"name": "Ada"})
    wire.is_cut = True
    with pytest.raises(ServerAway):
        phone.sync()
    wire.is_cut = False
    assert phone.push().stored == 1


def test_server_wins(phone, tablet, sync):
    """Where the policy says so, the device takes what the server has."""
    model = sync.registry.named(CUSTOMER)
    object.__setattr__(model, "policy", "server")
    tablet.create(CUSTOMER, {"name": "Ada"})
    tablet.sync()
    phone.pull()
    (row,) = phone.rows(CUSTOMER)
    tablet.change(CUSTOMER, row.id, {"name": "first"})
    tablet.push()
    phone.change(CUSTOMER, row.id, {"name": "second"})
    assert phone.push().refused == []
    assert phone.pending == []
    assert names(phone) == ["first"]


def test_answer_comes_after_the_deletion(phone, tablet, wire, sync, acme, john):
    """What others have deleted, before the answer was heard, does not come back."""
    sync.permissions.grant(acme, john.role, CUSTOMER, "delete")
    sync.commit()
    phone.create(CUSTOMER, {"name": "Ada"})
    wire.loses_answers = 1
    with pytest.raises(ServerAway):
        phone.push()
    tablet.pull()
    tablet.remove(CUSTOMER, tablet.rows(CUSTOMER)[0].id)
    tablet.push()
    phone.pull()
    assert phone.push().stored == 1
    phone.pull()
    assert phone.rows(CUSTOMER) == []


def test_late_answer_about_a_reference(phone, wire):
    """A new row refers to the id of the server, however late the answer comes."""
    ada = phone.create(CUSTOMER, {"name": "Ada"})
    phone.create(NOTE, {"customer_id": ada, "text": "calls back"})
    wire.loses_answers = 1
    with pytest.raises(ServerAway):
        phone.push()
    phone.pull()
    phone.push()
    (note,) = phone.rows(NOTE)
    assert note.fields["customer_id"] == phone.rows(CUSTOMER)[0].id


def test_reference_in_one_push(phone):
    """It does so before anything is pulled."""
    ada = phone.create(CUSTOMER, {"name": "Ada"})
    phone.create(NOTE, {"customer_id": ada, "text": "calls back"})
    phone.push()
    (note,) = phone.rows(NOTE)
    assert note.fields["customer_id"] == phone.rows(CUSTOMER)[0].id
