"""Devices fetch what is reserved of the rooms of their organisation, no more."""

from __future__ import annotations

from secrets import token_bytes

import pytest

from libres.occupancy import Occupancy
from libres.sync.core_models import ALLOCATION, CHECK_IN, RESERVATION
from libres.sync.keyring import configure
from tests.sync.rooms import at, iso, member, organization

ROOM, ADA = "Room 201", "ada@example.org"
MODELS = (RESERVATION, ALLOCATION, CHECK_IN)


@pytest.fixture
def acme(sync):
    """An organisation."""
    configure(sync.context, {"k": token_bytes(32)})
    return organization(sync.session, "acme-corp")


@pytest.fixture
def room(sync, acme):
    """A room that is open on Monday from 9 to 17; with three places."""
    made = sync.resources.add(acme, ROOM, "Europe/Zurich").scheduler(sync.context)
    made.allocate((at("9:00"), at("17:00")), partly_available=True, quota=3)
    made.commit()
    return made


class Device:
    """Keeps what it pulls, as devices do."""

    def __init__(self, sync, who):
        self.sync, self.who = sync, who
        self.cursor = None
        self.rows = {}

    def pull(self):
        """Fetch everything that is new; return how many rows and deletions it was."""
        count, more = 0, True
        while more:
            asked = {"models": dict.fromkeys(MODELS)}
            body = {"cursor": self.cursor} if self.cursor else asked
            answer = self.sync.pull(self.who, {**body, "batch_size": 2}).body
            for each in answer["data"]:
                self.rows[each["_model"], each["id"]] = each
            for each in answer["deleted"]:
                self.rows.pop((each["_model"], each["id"]), None)
            count += len(answer["data"]) + len(answer["deleted"])
            self.cursor, more = answer["cursor"], answer["has_more"]
        return count

    def of(self, model):
        """The rows of a model, by id."""
        return [row for (name, _), row in sorted(self.rows.items()) if name == model]


@pytest.fixture
def phone(sync, acme, room):
    """A device of the organisation that has pulled."""
    assert room
    made = Device(sync, member(acme))
    made.pull()
    return made


def test_first_pull_is_like_the_feed(sync, acme, room, phone):
    """Who begins later has the same as who has followed: places, carts, check-ins."""
    Occupancy(sync.context).add_space(ROOM, timezone="UTC", resource=ROOM)
    booked = room.book(ADA, (at("9:00"), at("11:00")))[0]
    room.book(ADA, (at("16:00"), at("17:00")), quota=3)
    room.reserve(ADA, (at("12:00"), at("13:00")), session_id=acme.id)
    room.reserve(ADA, (at("14:00"), at("15:00")))
    Occupancy(sync.context).check_in(booked.id, at("9:05"))
    room.commit()
    room.change_reservation(booked.token, booked.id, at("9:00"), at("10:00"))
    room.commit()
    phone.pull()
    other = Device(sync, member(acme))
    other.pull()
    assert other.rows == phone.rows
    assert [len(phone.of(each)) for each in MODELS] == [3, 1, 1]
    assert [each["resource"] for each in phone.of(RESERVATION)] == [ROOM] * 3


def test_life_of_a_reservation(room, phone):
    """Pending, approved, shortened, gone: each comes once."""
    token = room.reserve(ADA, (at("9:00"), at("11:00")))
    room.commit()
    assert phone.pull() == 1
    assert phone.of(RESERVATION)[0]["status"] == "pending"
    room.approve_reservations(token)
    room.commit()
    phone.pull()
    (row,) = phone.of(RESERVATION)
    assert row["status"] == "approved"
    room.change_reservation(token, row["id"], at("9:00"), at("10:00"))
    room.commit()
    assert phone.pull() == 1
    assert phone.of(RESERVATION)[0]["end"] == iso("10:00")
    room.remove_reservation(token)
    room.commit()
    assert phone.pull() == 1
    assert phone.of(RESERVATION) == []


def test_nothing_of_others(sync, room, phone):
    """Another organisation sees nothing, whatever happens."""
    retail = organization(sync.session, "global-retail")
    sync.commit()
    stranger = Device(sync, member(retail))
    assert stranger.pull() == 0
    room.book(ADA, (at("9:00"), at("11:00")))
    room.commit()
    assert (stranger.pull(), phone.pull() > 0) == (0, True)


def test_given_and_taken(sync, acme, phone, scheduler_factory):
    """What is reserved already comes with a resource, and goes with it."""
    attic = scheduler_factory("Attic", "UTC")
    attic.allocate((at("9:00"), at("17:00")), partly_available=True)
    attic.book(ADA, (at("9:00"), at("11:00")))
    attic.commit()
    before = dict(phone.rows)
    assert phone.pull() == 0
    sync.resources.add(acme, "Attic", "UTC")
    sync.commit()
    assert phone.pull() == 2
    assert phone.of(RESERVATION)[0]["resource"] == "Attic"
    sync.resources.remove(attic.resource)
    sync.commit()
    assert phone.pull() == 2
    assert phone.rows == before
