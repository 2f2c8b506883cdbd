"""Denying what is pending and removing what is there."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from libres.db.models import Reservation
from libres.modules import events

MONDAY = datetime.fromisoformat("2030-06-03")
GUEST = "guest@example.org"


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


def tokens(scheduler):
    """The tokens of the reservations there are."""
    return {r.token for r in scheduler.managed_reservations()}


@pytest.fixture
def told():
    """The (name, reservations) of what was told as denied or removed."""
    heard = []
    denied, removed = events.on_reservations_denied, events.on_reservations_removed

    def on_denied(_, reservations):
        heard.append(("denied", [r.email for r in reservations]))

    def on_removed(_, reservations):
        heard.append(("removed", [r.email for r in reservations]))

    denied.append(on_denied)
    removed.append(on_removed)
    yield heard
    denied.remove(on_denied)
    removed.remove(on_removed)


class TestDeny:
    def test_pending_is_deleted(self, scheduler, told):
        """A pending reservation is deleted and told as denied."""
        scheduler.allocate(hours(8, 10))
        token = scheduler.reserve(GUEST, hours(8, 10))
        scheduler.deny_reservation(token)
        assert tokens(scheduler) == set()
        assert told == [("denied", [GUEST])]

    def test_all_of_the_token(self, scheduler):
        """All pending reservations of the token are denied, no others."""
        dates = [hours(8, 9), hours(9, 10)]
        scheduler.allocate(dates)
        other = scheduler.reserve(GUEST, hours(8, 9))
        scheduler.deny_reservation(scheduler.reserve(GUEST, dates))
        assert tokens(scheduler) == {other}

    def test_approved_stays(self, scheduler):
        """An approved reservation cannot be denied: it stays, with its slots."""
        scheduler.allocate(hours(8, 10))
        token = scheduler.book(GUEST, hours(8, 10))[0].token
        scheduler.deny_reservation(token)
        assert tokens(scheduler) == {token}
        assert scheduler.managed_reserved_slots().count() == 1

    def test_pending_part(self, scheduler):
        """Of a token that is approved in part, only the pending rest is denied."""
        scheduler.allocate([hours(8, 9), hours(9, 10)])
        cart = {"session_id": uuid4(), "single_token_per_session": True}
        (approved,) = scheduler.book(GUEST, hours(8, 9), **cart)
        token = scheduler.reserve(GUEST, hours(9, 10), **cart)
        scheduler.deny_reservation(token)
        assert [r.id for r in scheduler.reservations_by_token(token)] == [approved.id]

    def test_unknown_token(self, scheduler, told):
        """An unknown token is passed over in silence."""
        scheduler.deny_reservation(uuid4())
        assert told == []

    def test_of_another_resource(self, scheduler, scheduler_factory):
        """What belongs to another scheduler is not denied."""
        elsewhere = scheduler_factory("elsewhere")
        elsewhere.allocate(hours(8, 10))
        token = elsewhere.reserve(GUEST, hours(8, 10))
        scheduler.deny_reservation(token)
        assert tokens(elsewhere) == {token}


class TestRemove:
    @pytest.mark.parametrize(
        "approved",
        [
            pytest.param(True, id="approved"),
            pytest.param(False, id="pending"),
        ],
    )
    def test_any_status(self, scheduler, told, approved):
        """A reservation is removed whatever its status, and told."""
        scheduler.allocate(hours(8, 10))
        token = scheduler.reserve(GUEST, hours(8, 10))
        if approved:
            scheduler.approve_reservations(token)
        scheduler.remove_reservation(token)
        assert tokens(scheduler) == set()
        assert scheduler.managed_reserved_slots().count() == 0
        assert told == [("removed", [GUEST])]

    def test_free_again(self, scheduler):
        """The time of a removed reservation can be booked at once."""
        scheduler.allocate(hours(8, 10))
        token = scheduler.book(GUEST, hours(8, 10))[0].token
        scheduler.remove_reservation(token)
        assert scheduler.book(GUEST, hours(8, 10))

    def test_whole_token(self, scheduler):
        """Without an id, all reservations of the token go, no others."""
        dates = [hours(8, 9), hours(9, 10)]
        scheduler.allocate(dates, quota=2)
        (other,) = scheduler.book(GUEST, hours(8, 9))
        token = scheduler.book(GUEST, dates)[0].token
        scheduler.remove_reservation(token)
        assert tokens(scheduler) == {other.token}
        assert scheduler.managed_reserved_slots().count() == 1

    def test_all_places(self, scheduler):
        """The slots on every place of the quota are freed."""
        scheduler.allocate(hours(8, 10), quota=3)
        token = scheduler.book(GUEST, hours(8, 10), quota=3)[0].token
        scheduler.remove_reservation(token)
        assert scheduler.managed_reserved_slots().count() == 0

    def test_by_id(self, scheduler):
        """With an id only that record goes; its siblings keep their slots."""
        dates = [hours(8, 9), hours(9, 10)]
        scheduler.allocate(dates)
        first, second = scheduler.book(GUEST, dates)
        kept, token = second.id, second.token
        scheduler.remove_reservation(token, first.id)
        (slot,) = scheduler.managed_reserved_slots()
        assert slot.source_id == kept
        assert [r.id for r in scheduler.managed_reservations()] == [kept]

    def test_by_id_in_one_allocation(self, scheduler):
        """Siblings in one and the same allocation are told apart."""
        scheduler.allocate(hours(8, 10), partly_available=True, raster=60)
        first, second = scheduler.book(GUEST, [hours(8, 9), hours(9, 10)])
        kept = second.id
        scheduler.remove_reservation(first.token, first.id)
        assert [s.source_id for s in scheduler.managed_reserved_slots()] == [kept]

    def test_foreign_id(self, scheduler, told):
        """An id that does not belong to the token removes nothing."""
        scheduler.allocate([hours(8, 9), hours(9, 10)])
        (first,) = scheduler.book(GUEST, hours(8, 9))
        (second,) = scheduler.book(GUEST, hours(9, 10))
        told.clear()
        scheduler.remove_reservation(first.token, second.id)
        assert scheduler.managed_reservations().count() == 2
        assert scheduler.managed_reserved_slots().count() == 2

    def test_group(self, scheduler):
        """A group reservation frees every member."""
        first, _ = scheduler.allocate([hours(8, 9), hours(9, 10)], grouped=True)
        (booked,) = scheduler.book(GUEST, group=first.group)
        scheduler.remove_reservation(booked.token, booked.id)
        assert scheduler.managed_reserved_slots().count() == 0

    def test_blockers_stay(self, scheduler):
        """A blocker that was given the same token keeps its slots."""
        scheduler.allocate([hours(8, 9), hours(9, 10)])
        (booked,) = scheduler.book(GUEST, hours(8, 9))
        token = booked.token
        scheduler.add_blocker(hours(9, 10), token=token)
        scheduler.remove_reservation(token)
        assert scheduler.reserved_slots_by_blocker(token).count() == 1
        assert scheduler.blockers_by_token(token).count() == 1

    def test_unknown_token(self, scheduler, told):
        """An unknown token is passed over in silence."""
        scheduler.remove_reservation(uuid4())
        assert told == []

    def test_of_another_resource(self, scheduler, scheduler_factory):
        """What belongs to another scheduler is not removed."""
        elsewhere = scheduler_factory("elsewhere")
        elsewhere.allocate(hours(8, 10))
        token = elsewhere.book(GUEST, hours(8, 10))[0].token
        scheduler.remove_reservation(token)
        assert tokens(elsewhere) == {token}
        assert elsewhere.managed_reserved_slots().count() == 1

    def test_objects_are_fresh(self, scheduler):
        """An allocation that was loaded before shows that its slots are gone."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        token = scheduler.book(GUEST, hours(8, 10))[0].token
        scheduler.session.refresh(allocation)
        assert len(allocation.reserved_slots) == 1
        scheduler.remove_reservation(token)
        assert allocation.reserved_slots == []

    def test_mirrors_stay(self, scheduler):
        """The mirrors that a reservation brought into being outlive it."""
        scheduler.allocate(hours(8, 10), quota=3)
        token = scheduler.book(GUEST, hours(8, 10), quota=3)[0].token
        scheduler.remove_reservation(token)
        assert scheduler.managed_allocations().count() == 3

    def test_rollback_brings_it_back(self, scheduler):
        """A removal is part of the transaction of the caller."""
        scheduler.allocate(hours(8, 10))
        token = scheduler.book(GUEST, hours(8, 10))[0].token
        scheduler.commit()
        scheduler.remove_reservation(token)
        scheduler.rollback()
        assert scheduler.session.query(Reservation).one().token == token
        assert scheduler.managed_reserved_slots().count() == 1
