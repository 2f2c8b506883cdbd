"""Pushing over HTTP; what becomes of an item in each case is tested in tests/sync."""

from __future__ import annotations

import pytest

from libres.context.registry import create_default_registry
from libres.sync import Sync
from libres.sync.core_models import RESERVATION
from libres.sync.keyring import configure
from libres.sync.models import SyncPending
from libres.sync.settings import Settings
from libres.web.directory import Directory, Place
from libres.web.keys import Keys
from tests.sync.rooms import at, iso
from tests.web.syncing import (
    CUSTOMER,
    REPORT,
    SECRET,
    House,
    template,  # noqa: F401 - the database of these tests
)

LONG = "x" * 60


def named(name, **more):
    """A customer, as it is pushed."""
    return {"_model": CUSTOMER, "name": name, **more}


def test_created(house, john, acme):
    """S2: a customer is stored, and belongs to the organisation of the token."""
    answer = john.push_customer(department="SALES")
    assert answer.status_code == 200, answer.text
    assert answer.json["status"] == "success"
    assert (answer.json["success_count"], answer.json["error_count"]) == (1, 0)
    counts = answer.json["processed_models"][CUSTOMER]
    assert (counts["created"], counts["updated"]) == (1, 0)
    (row,) = house.customers(acme)
    assert (row.name, row.age, row.department) == ("John Doe", 45, "SALES")


def test_actor(house, john, acme):
    """The change was made by who pushed, in that request."""
    item = named("A")
    john.post("push/", {"data": [item]}, {"X-Request-Id": "push-7"})
    house.sync.number()
    (found,) = house.execute(
        "SELECT actor, request FROM sync_changes WHERE tenant = :id AND relation = "
        "'customers'",
        id=acme.reference,
    )
    assert found == (john.user.username, "push-7")


def test_foreign(house, john):
    """S8: a row of others is not found, as if it were not there, and stays as it is."""
    other = house.person(house.organization(), CUSTOMER)
    other.push_customer()
    (before,) = house.customers(other.organization)
    answer = john.push(named("Mine", id=before.id))
    missing = john.push(named("Mine", id=2**31 - 1, _op="update"))
    foreign = john.push(named("Mine", id=before.id, _op="update"))
    assert [each.status_code for each in (missing, foreign)] == [422, 422]
    texts = [each.json["errors"][0]["message"] for each in (missing, foreign)]
    assert texts[0] == texts[1]
    assert foreign.json["results"][0]["status"] == "not_found"
    assert answer.json["success_count"] == 0
    assert house.customers(other.organization) == [before]


def test_partial(house, john, acme):
    """S9: what is good is stored, and what is not is told with the field."""
    answer = john.push(named("A"), named(LONG), named("B"))
    assert answer.status_code == 207
    assert answer.json["status"] == "partial_success"
    assert (answer.json["success_count"], answer.json["error_count"]) == (2, 1)
    assert answer.json["results"][1]["status"] == "invalid"
    assert answer.json["results"][1]["error"]["field"] == "name"
    assert [each.name for each in house.customers(acme)] == ["A", "B"]


def test_atomic(house, john, acme):
    """S9: or nothing is stored."""
    answer = john.push(named("A"), named(LONG), named("B"), mode="atomic")
    assert answer.status_code == 422
    assert answer.json["success_count"] == 0
    assert house.customers(acme) == []


def test_items_of_no_use(house, john, acme):
    """S10: each of them is an error by itself, and none is stored."""
    other = house.organization()
    answer = john.push(
        {"name": "A"},
        {"_model": "myapp.None", "name": "A"},
        named("A", unknown=1),
        named("A", organization_id=str(other.id)),
    )
    assert answer.status_code == 422
    assert answer.json["error_count"] == 4
    assert [each["index"] for each in answer.json["errors"]] == [0, 1, 2, 3]
    assert house.customers(acme) == house.customers(other) == []


def test_rights(house, acme):
    """S11: a right counts with the next request."""
    bob = house.person(acme)
    item = {"_model": REPORT, "title": "A"}
    assert bob.push(item).status_code == 422
    bob.grant(REPORT)
    assert bob.push(item).status_code == 200


def test_repeated(house, john, acme):
    """S14: the same push with its ids has its effect once, and the same results."""
    item = named("A", _op_id="op-1")
    first, second = john.push(item), john.push(item)
    assert first.json["results"] == second.json["results"]
    assert len(house.customers(acme)) == 1


def test_conflict(john):
    """S15: who was too late gets the row of the server; in one piece, with 409."""
    done = john.push_customer().json["results"][0]
    john.push(named("B", id=done["id"], _version=done["version"]))
    late = named("C", id=done["id"], _version=done["version"])
    result = john.push(late).json["results"][0]
    assert result["status"] == "conflict"
    assert result["error"]["row"]["name"] == "B"
    assert john.push(late, mode="atomic").status_code == 409


@pytest.mark.parametrize(
    "body", [{}, {"data": []}, {"data": {}}, [], {"data": [{}], "mode": "some"}]
)
def test_malformed(john, body):
    """What is no push is refused as a whole."""
    answer = john.post("push/", body)
    assert answer.status_code == 400, answer.text
    assert answer.json["error"]["type"] == "validation"


def test_too_many(house, john):
    """More items than may be are refused before any is looked at."""
    settings = Settings(house.context)
    house.do(lambda: settings.set("largest_push", 2))
    try:
        answer = john.push(*map(named, "ABC"))
    finally:
        house.do(lambda: settings.reset("largest_push"))
    assert answer.status_code == 413, answer.text


# The core -----------------------------------------------------------------------------


@pytest.fixture
def hall(dsn, clock):
    """An application on a database of its own, with a room that may be reserved."""
    clock.now = at("12:00", -1)
    context = create_default_registry().register_context("test")
    context.set_setting("dsn", dsn)
    configure(context, {"a": SECRET})
    Sync(context).register_core()
    context.transaction(Sync(context).setup)
    yield House(context)
    context.get_service("session_provider").stop_service()


def test_taken(hall):
    """S24: a taken time is a conflict, nothing is stored, and what is free is told."""
    acme = hall.organization()
    john, kiosk = (hall.person(acme, RESERVATION) for _ in range(2))
    room = hall.do(lambda: hall.sync.resources.add(acme, "Room 201", "Europe/Zurich"))
    hall.do(
        lambda: room.scheduler(hall.context).allocate(
            (at("9:00"), at("17:00")), partly_available=True, raster=15
        )
    )
    item = {
        "_model": RESERVATION,
        "resource": "Room 201",
        "start": iso("10:00"),
        "end": iso("11:00"),
        "email": "ada@example.org",
    }
    first = john.push(item)
    assert first.status_code == 200, first.text
    late = kiosk.push(item)
    assert late.status_code == 422
    (result,) = late.json["results"]
    assert result["status"] == "conflict"
    assert result["error"]["alternatives"]
    assert hall.execute("SELECT count(*) FROM reservations") == [(1,)]
    pulled = kiosk.pull(models={RESERVATION: None})
    assert [each["id"] for each in pulled["data"]] == [first.json["results"][0]["id"]]


def test_web_acts(hall):
    """What is done over the other API, too, was done by its caller, in its request."""
    place = Place("hall", "The hall", "UTC")
    hall.do(lambda: Directory(hall.context).put(place))
    keys = Keys(hall.context)
    key = hall.do(lambda: keys.create("front desk", ["manage"]))
    answer = hall.http.post(
        "/resources/hall/allocations",
        json={"dates": [{"start": iso("9:00"), "end": iso("17:00")}]},
        headers={"Authorization": f"Bearer {key}", "X-Request-Id": "web-1"},
    )
    assert answer.status_code == 201, answer.text
    assert answer.headers["X-Request-Id"] == "web-1"
    found = hall.execute(
        f"SELECT actor, request FROM {SyncPending.__tablename__} "  # noqa: S608 - ours
        "WHERE relation = 'allocations'"
    )
    assert found == [("front desk", "web-1")]
