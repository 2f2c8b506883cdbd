"""Kiosks say that those who reserved are there, and occupancy knows it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from libres.occupancy import Occupancy
from libres.occupancy.models import OccCheckIn
from libres.sync.core_models import CHECK_IN
from libres.sync.handlers import NOT_FOUND
from tests.sync.rooms import Desk, at, iso, member, organization, pending

ROOM, ADA = "Room 201", "ada@example.org"


@pytest.fixture(autouse=True)
def now(clock):
    """It is ten past nine on Monday."""
    clock.now = at("9:10")
    return clock


@pytest.fixture
def acme(sync):
    """An organisation."""
    return organization(sync.session, "acme-corp")


@pytest.fixture
def house(context):
    """The room is counted, by a sensor above its door that nobody walks under."""
    occupancy = Occupancy(context)
    space = occupancy.add_space(ROOM, timezone="Europe/Zurich", resource=ROOM)
    occupancy.add_doorway("door", space, None)
    occupancy.add_sensor("d1", heartbeat=timedelta(hours=9))
    occupancy.assign("d1", "door", 1, at("7:00"))
    occupancy.sign_alive("d1", at=at("8:00"))
    return occupancy


@pytest.fixture
def room(sync, acme, context):
    """A room of the organisation, open on Monday from 9 to 17."""
    made = sync.resources.add(acme, ROOM, "Europe/Zurich").scheduler(context)
    made.allocate((at("9:00"), at("17:00")), partly_available=True)
    return made


@pytest.fixture
def booked(room):
    """The id of a reservation from 9 to 11."""
    return room.book(ADA, (at("9:00"), at("11:00")))[0].id


@pytest.fixture
def kiosk(acme, house):
    """Pushes check-ins for the organisation."""
    return Desk(house.context, member(acme, "kiosk"), CHECK_IN)


def moments(kiosk):
    """When somebody has said to be there."""
    return list(kiosk.session.scalars(select(OccCheckIn.ts).order_by(OccCheckIn.ts)))


def test_now(kiosk, booked):
    """Without a moment it is now; the id is that of the reservation."""
    outcome = kiosk.push("create", reservation=booked)
    assert (outcome.did, outcome.key) == ("created", (booked,))
    assert moments(kiosk) == [at("9:10")]
    (noted,) = pending(kiosk.session, "occ_check_ins")
    assert (noted.key, noted.tenant) == (str(booked), "acme-corp")
    assert outcome.version == noted.seq


def test_by_id(kiosk, booked):
    """The id says it, too."""
    kiosk.push("create", booked, at=iso("9:05"))
    assert moments(kiosk) == [at("9:05")]


def test_twice(kiosk, booked):
    """The same once more has no second effect."""
    first = kiosk.push("create", reservation=booked)
    assert kiosk.push("create", reservation=booked) == first
    assert len(moments(kiosk)) == 1


def test_nothing_is_released(kiosk, booked, house, now):
    """Who has checked in keeps the room, though nobody was seen; others lose it."""
    kiosk.push("create", reservation=booked)
    now.now = at("9:30")
    assert house.find_no_shows(release=True) == []
    assert kiosk.rows()[0].display_end() == at("11:00")


@pytest.mark.parametrize("op", ["update", "delete"])
def test_only_made(kiosk, booked, op):
    """A check-in stays as it is."""
    kiosk.push("create", reservation=booked)
    assert kiosk.push(op, booked).type == "invalid"
    assert len(moments(kiosk)) == 1


@pytest.mark.parametrize(
    ("moment", "is_taken"),
    [
        pytest.param("9:15", True, id="a clock that is five minutes ahead"),
        pytest.param("9:16", False, id="the future"),
    ],
)
def test_clock_of_the_kiosk(kiosk, booked, moment, is_taken):
    """The clock of a kiosk may be a little ahead."""
    outcome = kiosk.push("create", reservation=booked, at=iso(moment))
    assert bool(moments(kiosk)) is is_taken
    assert is_taken or outcome.field == "at"


def test_no_reservation(kiosk):
    """It must be said who is there."""
    outcome = kiosk.push("create")
    assert (outcome.type, outcome.field) == ("invalid", "reservation")


def test_of_others(sync, context, kiosk, booked):
    """A reservation of others is answered like one that is missing."""
    retail = organization(sync.session, "global-retail")
    stranger = Desk(context, member(retail), CHECK_IN)
    assert stranger.push("create", reservation=booked) == NOT_FOUND
    assert stranger.push("create", reservation=booked + 1000) == NOT_FOUND
    assert moments(kiosk) == []


def test_not_counted(sync, acme, context, kiosk):
    """Where nobody counts there is nothing to check in to."""
    other = sync.resources.add(acme, "Room 202", "UTC").scheduler(context)
    other.allocate((at("9:00"), at("17:00")))
    id_ = other.book(ADA, (at("9:00"), at("17:00")))[0].id
    outcome = kiosk.push("create", reservation=id_)
    assert (outcome.type, outcome.field) == ("invalid", "reservation")
