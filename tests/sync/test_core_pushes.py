"""What devices push of the core goes to the scheduler, as part of a push."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import text

from libres.context.registry import create_default_registry
from libres.occupancy import Occupancy
from libres.sync import Sync
from libres.sync.values import Flags
from tests.fixtures.races import race_threads
from tests.sync.rooms import Desk, at, iso, member, organization

ROOM = "Room 201"

NOTED = text(
    "SELECT actor, request, tenant FROM sync_pending WHERE relation = 'reservations'"
)


@pytest.fixture(autouse=True)
def today(clock):
    """It is the morning of the day."""
    clock.now = at("8:00")


@pytest.fixture
def acme(sync):
    """An organisation."""
    return organization(sync.session, "acme-corp")


@pytest.fixture
def room(sync, acme):
    """A room that is open on Monday from 9 to 17."""
    made = sync.resources.add(acme, ROOM, "Europe/Zurich").scheduler(sync.context)
    made.allocate((at("9:00"), at("17:00")), partly_available=True, raster=15)
    Occupancy(sync.context).add_space(ROOM, timezone="UTC", resource=ROOM)
    made.commit()
    return made


@pytest.fixture
def john(acme):
    """A manager."""
    return member(acme)


@pytest.fixture
def desk(room, john):
    """Shows what is stored."""
    return Desk(room.context, john)


def reserve(first, last, **more):
    """An item that reserves."""
    times = {"start": iso(first), "end": iso(last)}
    return {"_model": "libres.Reservation", "resource": ROOM, **times, **more}


def push(sync, who, *items, **more):
    """Push items; return the answer."""
    return sync.push(who, {"data": [*items], **more}, request="r1")


def test_made(sync, john, desk):
    """The id that the database has drawn is told, with what the server has decided."""
    answer = push(sync, john, reserve("10:00", "11:00", id="tmp:1"))
    (row,) = desk.rows()
    (result,) = answer.body["results"]
    assert (answer.http, result["status"], result["id"]) == (200, "created", row.id)
    assert result["decided"] == {"token": str(row.token), "status": "approved"}
    assert answer.body["processed_models"]["libres.Reservation"]["created"] == 1


def test_taken(sync, john, desk):
    """S24: a conflict with what is free instead, and no row; the others are stored."""
    push(sync, john, reserve("10:00", "11:00"))
    answer = push(
        sync, john, reserve("10:30", "11:30"), reserve("12:00", "13:00", _op_id="x")
    )
    assert answer.http == 207
    refused, made = answer.body["results"]
    assert refused["status"] == "conflict"
    assert refused["error"]["alternatives"][0]["resource"] == ROOM
    assert made["status"] == "created"
    assert len(desk.rows()) == 2


def test_taken_in_the_same_push(sync, john, desk):
    """Who comes first in a push has it."""
    answer = push(sync, john, *[reserve("10:00", "11:00")] * 2)
    assert [each["status"] for each in answer.body["results"]] == [
        "created",
        "conflict",
    ]
    assert len(desk.rows()) == 1


def test_all_or_nothing(sync, john, desk):
    """An atomic push with something taken stores nothing: 409."""
    push(sync, john, reserve("10:00", "11:00"))
    items = reserve("12:00", "13:00"), reserve("10:00", "11:00")
    answer = push(sync, john, *items, mode="atomic")
    assert answer.http == 409
    assert len(desk.rows()) == 1


def test_repeated(sync, john, desk):
    """S14: the same operation has one effect, and the same answer."""
    item = reserve("10:00", "11:00", _op_id="op-1")
    first, second = (push(sync, john, item).body["results"] for _ in range(2))
    assert first == second
    assert len(desk.rows()) == 1


def test_changed_and_given_back(sync, john, desk):
    """Moving and deleting go by the id, and by the version that was answered."""
    (made,) = push(sync, john, reserve("10:00", "11:00")).body["results"]
    known = {"_model": "libres.Reservation", "id": made["id"]}
    moved = push(
        sync, john, {**known, "_version": made["version"], "end": iso("12:00")}
    )
    (result,) = moved.body["results"]
    assert result["status"] == "updated"
    assert desk.rows()[0].display_end() == at("12:00")
    old = {**known, "_op": "delete", "_version": made["version"]}
    (refused,) = push(sync, john, old).body["results"]
    assert (refused["status"], refused["error"]["row"]["end"]) == (
        "conflict",
        iso("12:00"),
    )
    last = {**old, "_version": result["version"]}
    assert push(sync, john, last).body["status"] == "success"
    assert desk.rows() == []


def test_foreign(sync, john, desk):
    """S8: an id of others is not found, and neither is one that is nobody's."""
    (made,) = push(sync, john, reserve("10:00", "11:00")).body["results"]
    retail = member(organization(sync.session, "global-retail"), "mary_sales")
    sync.commit()
    known = {"_model": "libres.Reservation", "end": iso("12:00")}
    answer = push(
        sync, retail, {**known, "id": made["id"]}, {**known, "id": made["id"] + 1}
    )
    foreign, missing = [each["error"] for each in answer.body["results"]]
    assert foreign == missing
    assert foreign["type"] == "not_found"
    assert desk.rows()[0].display_end() == at("11:00")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        pytest.param({"token": "x"}, "token", id="drawn by the core"),
        pytest.param({"session_id": "x"}, "session_id", id="no field at all"),
        pytest.param({"timezone": "UTC"}, "timezone", id="that of the room"),
        pytest.param({"type": "special"}, "type", id="the class"),
    ],
)
def test_fields(sync, john, desk, more, field):
    """Nothing else can be set."""
    (result,) = push(sync, john, reserve("10:00", "11:00", **more)).body["results"]
    assert (result["status"], result["error"]["field"]) == ("invalid", field)
    assert desk.rows() == []


def test_rights(sync, acme, desk):
    """Without the flag nothing is reserved."""
    reader = member(acme, Reservation=Flags(pull=True, read=True))
    (result,) = push(sync, reader, reserve("10:00", "11:00")).body["results"]
    assert result["status"] == "forbidden"
    assert desk.rows() == []


def test_check_in(sync, john, desk):
    """A kiosk reserves, and says that somebody is there."""
    (made,) = push(sync, john, reserve("9:00", "10:00")).body["results"]
    item = {"_model": "libres.CheckIn", "reservation": made["id"]}
    (result,) = push(sync, john, item).body["results"]
    assert (result["status"], result["id"]) == ("created", made["id"])
    assert desk.rows()[0].id == made["id"]


def test_who_pushed(sync, john, desk):
    """The feed names who pushed, with the request."""
    push(sync, john, reserve("10:00", "11:00"))
    noted = desk.session.execute(NOTED).all()
    assert {tuple(each) for each in noted} == {("john_manager", "r1", "acme-corp")}


def pushed_alone(dsn, who):
    """Push the same slot in a context of one's own."""
    context = create_default_registry().register_context("test")
    context.set_setting("dsn", dsn)
    sync = Sync(context)
    sync.register_core()
    try:
        (result,) = push(sync, who, reserve("10:00", "11:00")).body["results"]
        return result["status"]
    finally:
        context.get_service("session_provider").stop_service()


def test_race(john, desk, dsn):
    """Of those who push the same slot at once one has it."""
    outcomes = race_threads([partial(pushed_alone, dsn, john)] * 4)
    assert sorted(str(each.value) for each in outcomes) == [
        *["conflict"] * 3,
        "created",
    ]
    assert len(desk.rows()) == 1
