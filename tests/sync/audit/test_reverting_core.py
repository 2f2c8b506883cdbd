"""Changes of reservations, allocations and blockers are undone by their scheduler."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from libres.db.models import Allocation, Reservation
from libres.modules import events
from libres.modules.errors import Misuse
from libres.sync.errors import NotRevertible

RESERVATION, ALLOCATION = "libres.Reservation", "libres.Allocation"
BLOCKER = "libres.Blocker"


def at(hour):
    """Return a moment of the first of May."""
    return datetime(2026, 5, 1, hour, tzinfo=UTC)


@pytest.fixture
def room(scheduler, trail):
    """A room with two places on the first of May; its scheduler."""
    scheduler.allocate((at(8), at(18)), partly_available=True, quota=2)
    trail.commit()
    return scheduler


@pytest.fixture
def reserved(room, trail):
    """Reserves, committed; returns the reservation."""

    def make(*, approved=False, hour=10, **options):
        options = {"data": {"for": "a talk"}, **options}
        token = room.reserve("ann@example.org", (at(hour), at(hour + 1)), **options)
        if approved:
            room.approve_reservations(token)
        trail.commit()
        return room.reservations_by_token(token).one()

    return make


def last(trail, model=RESERVATION, **asked):
    """Return the last change."""
    return trail.history(model, **asked)[0]


def revert(trail, position, **options):
    """Undo a change, and commit."""
    done = trail.revert(position, **options)
    trail.commit()
    return done


def told(record):
    """Tell what a reservation is."""
    times = record.start, record.display_end("UTC"), record.quota
    return (*times, record.email, record.data, record.status)


# Reservations -------------------------------------------------------------------------


@pytest.mark.parametrize("approved", [False, True])
def test_made(trail, room, reserved, approved):
    """What was reserved, also if it was approved at once, is given back."""
    reserved(approved=approved)
    done = revert(trail, last(trail).position, scheduler=room)
    assert done.action == "delete"
    assert room.managed_reservations().count() == 0
    assert room.availability(at(10), at(11)) == 100


def test_approved_since(trail, room, reserved):
    """What was approved since is not: somebody relies on it."""
    made = reserved()
    change = last(trail)
    room.approve_reservations(made.token)
    trail.commit()
    for entry in (change, last(trail)):
        with pytest.raises(NotRevertible, match="not taken back"):
            trail.revert(entry.position, scheduler=room)


@pytest.mark.parametrize("approved", [False, True])
@pytest.mark.parametrize("step", [0, 1])
def test_moved(trail, room, reserved, approved, step):
    """What got another time has its old one again. The scheduler has removed it and
    made it anew: each of both is undone as a whole."""
    made = reserved(approved=approved)
    before = told(made)
    room.change_reservation(made.token, made.id, at(12), at(14), 1 if approved else 2)
    trail.commit()
    done = revert(trail, trail.history(RESERVATION)[step].position, scheduler=room)
    (found,) = room.managed_reservations()
    assert told(found) == before
    assert (done.action, done.key) == ("update", str(found.id))
    assert {"start", "end"} <= set(done.fields) <= {"start", "end", "quota"}


def test_moved_to_where_somebody_is(trail, room, reserved):
    """Not if its old time is taken; then all stays as it is."""
    made = reserved(approved=True)
    room.change_reservation(made.token, made.id, at(12), at(13))
    trail.commit()
    change = last(trail)
    reserved(approved=True, quota=2)
    with pytest.raises(NotRevertible, match="scheduler refuses"):
        trail.revert(change.position, scheduler=room)
    trail.commit()
    assert room.reservations_by_token(made.token).one().start == at(12)


def test_words(trail, room, reserved):
    """Address and data are what they were."""
    made = reserved()
    before = told(made)
    room.change_email(made.token, "zoe@example.org")
    room.change_reservation_data(made.token, {"for": "nothing"})
    trail.commit()
    done = revert(trail, last(trail).position, scheduler=room)
    assert told(made) == before
    assert done.fields == ("data", "email")


def test_words_of_several(trail, room):
    """What reservations have in common is not set back if one has changed since."""
    dates = [(at(hour), at(hour + 1)) for hour in (9, 11)]
    token = room.reserve("ann@example.org", dates)
    trail.commit()
    room.change_email(token, "zoe@example.org")
    trail.commit()
    first, second = trail.history(RESERVATION)[:2]
    room.session.get(Reservation, int(second.key)).email = "cyd@example.org"
    trail.commit()
    with pytest.raises(NotRevertible, match="in common"):
        trail.revert(first.position, scheduler=room)


@pytest.mark.parametrize("approved", [False, True])
def test_removed(trail, room, reserved, approved):
    """What was removed is reserved anew, and approved if it was, under other keys."""
    made = reserved(approved=approved)
    before, old = told(made), made.id
    room.remove_reservation(made.token)
    trail.commit()
    done = revert(trail, last(trail).position, scheduler=room)
    (found,) = room.managed_reservations()
    assert told(found) == before
    assert done.key == str(found.id) != str(old)


def test_removed_and_taken(trail, room, reserved):
    """Not if somebody else has got the time meanwhile."""
    made = reserved(approved=True, quota=2)
    room.remove_reservation(made.token)
    trail.commit()
    change = last(trail)
    reserved(approved=True)
    with pytest.raises(NotRevertible, match="scheduler refuses"):
        trail.revert(change.position, scheduler=room)


def test_group(trail, room):
    """A group that was reserved as a whole is reserved as a whole again."""
    days = [(at(20), at(21)), (at(22), at(23))]
    group = room.allocate(days, grouped=True)[0].group
    token = room.reserve("ann@example.org", group=group)
    trail.commit()
    room.remove_reservation(token)
    trail.commit()
    revert(trail, last(trail).position, scheduler=room)
    (found,) = room.managed_reservations()
    assert (found.target, found.target_type) == (group, "group")


def test_confirmed(trail, room):
    """What was confirmed does not go back to the cart."""
    cart = uuid4()
    room.reserve("ann@example.org", (at(10), at(11)), session_id=cart)
    trail.commit()
    room.queries.confirm_reservations_for_session(cart)
    trail.commit()
    with pytest.raises(NotRevertible, match="cart"):
        trail.revert(last(trail).position, scheduler=room)


def test_told(trail, room, reserved):
    """Listeners hear of it, as of any other change."""
    heard = []
    reserved()
    events.on_reservations_removed.append(lambda *_: heard.append("removed"))
    try:
        revert(trail, last(trail).position, scheduler=room)
    finally:
        events.on_reservations_removed.pop()
    assert heard == ["removed"]


def test_reason(trail, room, reserved):
    """The changes that undo say so."""
    reserved(approved=True)
    position = last(trail).position
    with trail.acting("mary"):
        revert(trail, position, scheduler=room)
    entry = last(trail)
    assert (entry.actor, entry.reason) == ("mary", f"revert of change {position}")


def test_column_of_the_host(trail, room, reserved):
    """What the scheduler does not set is not set."""
    made = reserved()
    made.timezone = "Europe/Paris"
    trail.commit()
    with pytest.raises(NotRevertible, match="timezone"):
        trail.revert(last(trail).position, scheduler=room)


# Which scheduler ----------------------------------------------------------------------


def test_no_scheduler(trail, reserved):
    """If nobody says what the resource is called, it is said what to do."""
    reserved()
    with pytest.raises(NotRevertible, match=r"sync\.resources\.add"):
        trail.revert(last(trail).position)


def test_resource_of_an_organization(trail, sync, room, reserved, acme):
    """The scheduler of a resource that belongs to an organisation is known."""
    sync.resources.add(acme, room.name, room.timezone)
    reserved()
    revert(trail, last(trail).position)
    assert room.managed_reservations().count() == 0


def test_other_scheduler(trail, scheduler_factory, reserved):
    """The scheduler of another resource is a mistake."""
    reserved()
    with pytest.raises(Misuse, match="another resource"):
        trail.revert(last(trail).position, scheduler=scheduler_factory("hall"))


# Allocations --------------------------------------------------------------------------


def masters(trail, **asked):
    """Return the changes of allocations that are no mirrors."""
    return [
        each
        for each in trail.history(ALLOCATION, **asked)
        if (image := each.after or each.before)["resource"] == image["mirror_of"]
    ]


def terms(allocation):
    """Tell what an allocation is."""
    times = allocation.start, allocation.end, allocation.raster
    told = allocation.quota, allocation.quota_limit, allocation.approve_manually
    return (*times, *told, allocation.partly_available, allocation.data)


def test_allocated(trail, room):
    """What was allocated is removed, with its mirrors."""
    done = revert(trail, masters(trail)[0].position, scheduler=room)
    assert done.action == "delete"
    assert room.managed_allocations().count() == 0


def test_allocated_and_reserved(trail, room, reserved):
    """Not if somebody has reserved it."""
    reserved(approved=True)
    with pytest.raises(NotRevertible, match="scheduler refuses"):
        trail.revert(masters(trail)[0].position, scheduler=room)


def test_removed_allocation(trail, room):
    """What was removed is allocated anew."""
    (master,) = room.managed_allocations().filter(Allocation.quota == 2)
    room.move_allocation(master.id, at(8), at(18), data={"floor": 2}, quota_limit=1)
    trail.commit()
    before = terms(master)
    room.remove_allocation(master.id)
    trail.commit()
    done = revert(trail, masters(trail, action="delete")[0].position, scheduler=room)
    assert terms(room.session.get(Allocation, int(done.key))) == before


def test_removed_from_a_group(trail, room):
    """One of a group belongs to it again."""
    days = [(at(20), at(21)), (at(22), at(23))]
    first, second = room.allocate(days, grouped=True)
    trail.commit()
    group = first.group
    room.remove_allocation(first.id)
    trail.commit()
    revert(trail, masters(trail, action="delete")[0].position, scheduler=room)
    found = room.allocations_by_group(group).all()
    assert {each.start for each in found} == {at(20), at(22)}
    assert second in found


def test_changed_allocation(trail, room):
    """Times and terms are what they were."""
    (master,) = room.managed_allocations().filter(Allocation.quota == 2)
    before = terms(master)
    times = {"new_start": at(9), "new_end": at(17)}
    changed = {"approve_manually": True, "quota_limit": 1, "data": {"a": 1}}
    room.move_allocation(master.id, **times, **changed)
    trail.commit()
    revert(trail, masters(trail)[0].position, scheduler=room)
    assert terms(master) == before


def test_quota(trail, room):
    """So is the number of places."""
    (master,) = room.managed_allocations().filter(Allocation.quota == 2)
    room.change_quota(master, 5)
    trail.commit()
    revert(trail, masters(trail)[0].position, scheduler=room)
    assert master.quota == 2


def test_mirror(trail, sync, room, acme):
    """A place follows the allocation it belongs to, which is named."""
    sync.resources.add(acme, room.name, room.timezone)
    (master,) = room.allocate((at(20), at(21)), quota=3)
    token = room.reserve("ann@example.org", (at(20), at(21)), quota=2)
    room.approve_reservations(token)
    trail.commit()
    mirrors = [
        each
        for each in trail.history(ALLOCATION)
        if each.after["resource"] != each.after["mirror_of"]
    ]
    with pytest.raises(NotRevertible, match=rf"the id {master.id}\."):
        trail.revert(mirrors[0].position)


# Blockers -----------------------------------------------------------------------------


def test_blocked(trail, room):
    """What was taken out of service is in service again."""
    room.add_blocker((at(10), at(12)), reason="paint")
    trail.commit()
    revert(trail, last(trail, BLOCKER).position, scheduler=room)
    assert room.availability(at(10), at(12)) == 100


def test_unblocked(trail, room):
    """What was put in service again is out of service, under the same key."""
    (made,) = room.add_blocker((at(10), at(12)), reason="paint")
    trail.commit()
    token, id_ = made.token, made.id
    room.remove_blocker(token)
    trail.commit()
    revert(trail, last(trail, BLOCKER).position, scheduler=room)
    (found,) = room.managed_blockers()
    assert (found.token, found.id, found.reason) == (token, id_, "paint")
    assert found.start == at(10)


def test_changed_blocker(trail, room):
    """Time and reason are what they were."""
    (made,) = room.add_blocker((at(10), at(12)), reason="paint")
    trail.commit()
    token = made.token
    room.change_blocker(token, made.id, at(14), at(15))
    room.change_blocker_reason(token, "wax")
    trail.commit()
    done = revert(trail, last(trail, BLOCKER).position, scheduler=room)
    (found,) = room.managed_blockers()
    assert (found.start, found.reason) == (at(10), "paint")
    assert set(done.fields) == {"start", "end", "reason"}
