"""Allocations that are pushed are decided by the scheduler, for administrators."""

from __future__ import annotations

import pytest

from libres.db.models import Allocation
from libres.sync.core_models import ALLOCATION
from libres.sync.handlers import NOT_FOUND, Done
from tests.sync.rooms import Desk, at, iso, member, organization, pending

ROOM, ADA = "Room 201", "ada@example.org"


@pytest.fixture(autouse=True)
def today(clock):
    """It is the day before."""
    clock.now = at("12:00", -1)


@pytest.fixture
def acme(sync):
    """An organisation."""
    return organization(sync.session, "acme-corp")


@pytest.fixture
def room(sync, acme, context):
    """A room of the organisation, without allocations."""
    return sync.resources.add(acme, ROOM, "Europe/Zurich").scheduler(context)


@pytest.fixture
def admin(acme, room):
    """Pushes allocations for the organisation."""
    return Desk(room.context, member(acme), ALLOCATION)


@pytest.fixture
def stranger(sync, context):
    """Pushes allocations for another organisation."""
    retail = organization(sync.session, "global-retail")
    return Desk(context, member(retail), ALLOCATION)


def day(first="9:00", last="17:00", **more):
    """What is sent for a day of the room."""
    return {"resource": ROOM, "start": iso(first), "end": iso(last), **more}


def masters(room):
    """The allocations of the room."""
    room.session.expire_all()
    query = room.managed_allocations().filter(Allocation.is_master)
    return query.order_by(Allocation._start).all()


def test_created(admin, room):
    """The terms are those that were sent."""
    terms = {
        "partly_available": True,
        "raster": 30,
        "quota": 4,
        "quota_limit": 2,
        "approve_manually": True,
        "data": {"floor": 2},
    }
    outcome = admin.push("create", **day(**terms))
    (made,) = masters(room)
    assert (outcome.did, outcome.key) == ("created", (made.id,))
    assert outcome.version == pending(admin.session, "allocations")[-1].seq
    assert {name: getattr(made, name) for name in terms} == terms
    assert (made.display_start(), made.display_end()) == (at("9:00"), at("17:00"))


def test_as_the_scheduler_does(admin, room):
    """What is not sent is as the scheduler has it."""
    admin.push("create", **day())
    (made,) = masters(room)
    assert (made.quota, made.partly_available, made.raster) == (1, False, 5)


@pytest.mark.parametrize(
    ("sent", "kind", "field"),
    [
        pytest.param(day(raster=7), "invalid", None, id="no raster"),
        pytest.param(day(quota=0), "invalid", "quota", id="no place"),
        pytest.param(day(last="9:00"), "invalid", None, id="no time"),
        pytest.param(day(resource="x"), "invalid", "resource", id="no resource"),
        pytest.param(
            {"resource": ROOM, "end": iso("9:00")}, "invalid", "start", id="-"
        ),
        pytest.param(day("16:00", "18:00"), "conflict", None, id="in the way"),
    ],
)
def test_refused(admin, room, sent, kind, field):
    """What the scheduler refuses is refused, and nothing is written."""
    admin.push("create", **day())
    outcome = admin.push("create", **sent)
    assert (outcome.type, outcome.field) == (kind, field)
    assert outcome.message
    assert "Allocation" not in outcome.message.replace("allocation", "")
    assert len(masters(room)) == 1


def test_id_of_the_client(admin):
    """Ids are drawn by the database."""
    assert admin.push("create", 77, **day()) == NOT_FOUND


def test_moved(admin, room):
    """Time, places, terms and data change at once, or each by itself."""
    (id_,) = admin.push("create", **day()).key
    outcome = admin.push("update", id_, **day("10:00", "12:00", quota=3))
    (made,) = masters(room)
    assert (outcome.did, made.quota) == ("updated", 3)
    assert (made.display_start(), made.display_end()) == (at("10:00"), at("12:00"))
    for name, value in (
        ("end", iso("13:00")),
        ("quota", 2),
        ("approve_manually", True),
        ("quota_limit", 1),
        ("data", {"x": 1}),
    ):
        assert isinstance(admin.push("update", id_, **{name: value}), Done)
    (made,) = masters(room)
    assert (made.display_start(), made.display_end()) == (at("10:00"), at("13:00"))
    assert (made.quota, made.quota_limit, made.approve_manually) == (2, 1, True)
    assert made.data == {"x": 1}


def test_nothing_changes(admin):
    """What is as it is already is written by nothing."""
    first = admin.push("create", **day())
    known = len(pending(admin.session, "allocations"))
    again = admin.push("update", first.key[0], **day(quota=1, raster=5))
    assert (again.did, again.version) == ("updated", first.version)
    assert len(pending(admin.session, "allocations")) == known


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        pytest.param({"raster": 15}, "raster", id="raster"),
        pytest.param({"partly_available": True}, "partly_available", id="partly"),
        pytest.param({"resource": "Room 202"}, "resource", id="another room"),
        pytest.param({"quota": 0}, "quota", id="no place"),
    ],
)
def test_not_changed(admin, sent, field):
    """What cannot be changed is invalid."""
    (id_,) = admin.push("create", **day()).key
    outcome = admin.push("update", id_, **sent)
    assert (outcome.type, outcome.field) == ("invalid", field)


@pytest.mark.parametrize(
    ("op", "sent"),
    [
        pytest.param("delete", {}, id="removed"),
        pytest.param("update", {"end": iso("10:00")}, id="shortened"),
    ],
)
@pytest.mark.parametrize("status", ["pending", "approved"])
def test_reserved(admin, room, op, sent, status):
    """What somebody has reserved, or waits for, stays."""
    (id_,) = admin.push("create", **day()).key
    token = room.reserve(ADA, (at("9:00"), at("17:00")))
    if status == "approved":
        room.approve_reservations(token)
    outcome = admin.push(op, id_, **sent)
    assert outcome.type == "conflict"
    assert ADA not in outcome.message
    (made,) = masters(room)
    assert made.display_end() == at("17:00")


def test_deleted(admin, room):
    """What nobody has reserved can be removed."""
    (id_,) = admin.push("create", **day(quota=3)).key
    outcome = admin.push("delete", id_)
    assert (outcome.did, outcome.key) == ("deleted", (id_,))
    assert masters(room) == []


def test_stale(admin):
    """Who has not seen the last change is told of the row as it is."""
    first = admin.push("create", **day())
    (id_,) = first.key
    admin.push("update", id_, quota=2)
    outcome = admin.push("delete", id_, version=first.version)
    assert outcome.type == "conflict"
    assert outcome.facts["row"]["quota"] == 2


@pytest.mark.parametrize("op", ["update", "delete"])
def test_of_others(admin, stranger, op):
    """An allocation of another organisation is answered like one that is missing."""
    (id_,) = admin.push("create", **day()).key
    assert stranger.push(op, id_) == NOT_FOUND
    assert stranger.push(op, id_ + 1000) == NOT_FOUND


def test_mirror(admin, room):
    """Places beyond the first cannot be changed by themselves."""
    admin.push("create", **day(quota=2))
    room.book(ADA, (at("9:00"), at("17:00")), quota=2)
    query = room.managed_allocations().filter(~Allocation.is_master)
    assert admin.push("delete", query.one().id) == NOT_FOUND
