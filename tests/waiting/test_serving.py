"""Who fits is served, in turn, once."""

from __future__ import annotations

import pytest

from libres.db.scheduler import Scheduler
from libres.modules import errors, events
from libres.waiting import NotWaiting, UnknownEntry
from tests.waiting.conftest import ADA, BOB, EVE, HOUR, emails, hours, take


def test_matching(queue, hall):
    """Those fit whose time is free as a whole, in turn."""
    token = take(hall, 9, 11)
    take(hall, 11, 12)
    for email, time in ((EVE, (10, 12)), (BOB, (9, 10)), (ADA, (9, 11))):
        queue.join(hall, email, *hours(*time))
    assert queue.matching(hall) == []
    hall.remove_reservation(token)
    assert emails(queue.matching(hall)) == [BOB, ADA]
    assert emails(queue.matching(hall, *hours(10, 12))) == [ADA]


def test_places(queue, course):
    """Who wants fewer places may fit before who came first."""
    token = take(course, 9, 11)
    take(course, 9, 11, quota=2)
    queue.join(course, BOB, *hours(9, 11), places=2)
    queue.join(course, ADA, *hours(9, 11))
    course.remove_reservation(token)
    assert emails(queue.matching(course)) == [ADA]


def test_blocking(queue, hall, context):
    """What is taken on a blocking resource does not fit."""
    stage = Scheduler(context, "stage", "UTC", ["hall"])
    stage.allocate(hours(8, 18), partly_available=True)
    token = take(hall, 9, 10)
    queue.join(stage, ADA, *hours(9, 10))
    assert queue.matching(stage) == []
    hall.remove_reservation(token)
    assert emails(queue.matching(stage)) == [ADA]


def test_group(queue, context):
    """A group fits, and is reserved, as a whole."""
    weekly = Scheduler(context, "weekly", "UTC")
    made = weekly.allocate([hours(9, 10, day) for day in range(3)], grouped=True)
    token = weekly.book(BOB, group=made[0].group)[0].token
    entry = queue.join(weekly, ADA, *hours(9, 10, 1))
    assert queue.matching(weekly) == []
    weekly.remove_reservation(token)
    assert emails(queue.matching(weekly)) == [ADA]
    queue.serve(weekly, entry.id)
    assert weekly.availability() == 0


def test_part_of_a_group(queue, context):
    """A group does not fit while a part of it is taken."""
    weekly = Scheduler(context, "weekly", "UTC")
    made = weekly.allocate([hours(9, 10, day) for day in range(3)], grouped=True)
    token = weekly.book(BOB, group=made[0].group)[0].token
    queue.join(weekly, ADA, *hours(9, 10, 1))
    weekly.remove_reservation(token)
    weekly.add_blocker(group=made[0].group)
    assert queue.matching(weekly) == []


def test_gone(queue, hall):
    """What is allocated no more fits nobody."""
    token = take(hall, 9, 10)
    queue.join(hall, ADA, *hours(9, 10))
    hall.remove_reservation(token)
    hall.remove_allocation(hall.allocation_by_date(*hours(9, 10)).id)
    assert queue.matching(hall) == []


def test_serve(queue, hall):
    """Who is served has reserved, with all that was said when joining."""
    token = take(hall, 9, 10)
    entry = queue.join(hall, ADA, *hours(9, 10), data={"chairs": 3})
    hall.remove_reservation(token)
    served = queue.serve(hall, entry.id)
    reservation = hall.reservations_by_token(served).one()
    assert (reservation.email, reservation.status) == (ADA, "approved")
    assert reservation.data == {"chairs": 3}
    assert (reservation.display_start(), reservation.display_end()) == hours(9, 10)
    marked = queue.entry(entry.id)
    assert (marked.status, marked.token, marked.position) == ("served", served, None)
    assert queue.entries(hall) == []


def test_serve_places(queue, course):
    """All places that were asked for are reserved."""
    token = take(course, 9, 11, quota=3)
    entry = queue.join(course, ADA, *hours(9, 11), places=2)
    course.remove_reservation(token)
    served = queue.serve(course, entry.id)
    assert course.reservations_by_token(served).one().quota == 2
    assert course.managed_reserved_slots().count() == 2


def test_approval(queue, office):
    """What somebody has to approve is pending when it is served."""
    token = take(office, 9, 10)
    entry = queue.join(office, ADA, *hours(9, 10))
    with pytest.raises(errors.AlreadyReservedError):
        queue.serve(office, entry.id)
    office.remove_reservation(token)
    served = queue.serve(office, entry.id)
    assert office.reservations_by_token(served).one().status == "pending"


def test_taken(queue, hall):
    """What is not free is refused, and who waits goes on waiting."""
    take(hall, 9, 10)
    entry = queue.join(hall, ADA, *hours(9, 10))
    with pytest.raises(errors.AlreadyReservedError):
        queue.serve(hall, entry.id)
    assert queue.entry(entry.id).status == "waiting"


def test_once(queue, hall):
    """Nobody is served twice."""
    token = take(hall, 9, 10)
    entry = queue.join(hall, ADA, *hours(9, 10))
    hall.remove_reservation(token)
    served = queue.serve(hall, entry.id)
    hall.remove_reservation(served)
    with pytest.raises(NotWaiting) as raised:
        queue.serve(hall, entry.id)
    assert raised.value.status == "served"
    assert not queue.leave(entry.id)


def test_expired(queue, hall, today):
    """Who stopped waiting is not served."""
    token = take(hall, 9, 10)
    entry = queue.join(hall, ADA, *hours(9, 10), until=today.now + HOUR)
    hall.remove_reservation(token)
    today.advance(HOUR)
    with pytest.raises(NotWaiting) as raised:
        queue.serve(hall, entry.id)
    assert raised.value.status == "expired"
    assert queue.matching(hall) == []


def test_other_resource(queue, hall, course):
    """A scheduler serves those who wait for its own resource."""
    take(hall, 9, 10)
    entry = queue.join(hall, ADA, *hours(9, 10))
    with pytest.raises(UnknownEntry):
        queue.serve(course, entry.id)


def test_join_after_serving(queue, hall):
    """Who was served may wait for the same time once more."""
    token = take(hall, 9, 10)
    entry = queue.join(hall, ADA, *hours(9, 10))
    hall.remove_reservation(token)
    queue.serve(hall, entry.id)
    assert queue.join(hall, ADA, *hours(9, 10)).id != entry.id


def test_drop_served(queue, hall, today):
    """Who was served is remembered until the time is over."""
    token = take(hall, 9, 10)
    entry = queue.join(hall, ADA, *hours(9, 10), until=today.now + HOUR)
    hall.remove_reservation(token)
    queue.serve(hall, entry.id)
    today.advance(HOUR)
    assert queue.drop_expired() == 0
    today.now = entry.end
    assert queue.drop_expired() == 1


def test_serve_first(queue, hall):
    """The first that fits is served, then the next one that still does."""
    token = take(hall, 9, 12)
    for email, time in ((EVE, (9, 13)), (BOB, (9, 10)), (ADA, (9, 11))):
        take(hall, 12, 13) if email == EVE else None
        queue.join(hall, email, *hours(*time))
    queue.join(hall, EVE, *hours(10, 12))
    hall.remove_reservation(token)
    first = queue.serve_first(hall, *hours(9, 12))
    assert (first.email, first.status) == (BOB, "served")
    second = queue.serve_first(hall, *hours(9, 12))
    assert (second.email, second.start.hour) == (EVE, 10)
    assert queue.serve_first(hall, *hours(9, 12)) is None


def test_refused(queue, hall):
    """Whom somebody refuses is passed over, and leaves no trace."""
    token = take(hall, 9, 10)
    queue.join(hall, BOB, *hours(9, 10))
    queue.join(hall, ADA, *hours(9, 10))
    hall.remove_reservation(token)

    def refuse(_context, reservations):
        if reservations[0].email == BOB:
            raise errors.NotReservableError

    events.on_reservations_made.append(refuse)
    try:
        served = queue.serve_first(hall, *hours(9, 10))
    finally:
        events.on_reservations_made.remove(refuse)
    assert served.email == ADA
    assert [each.email for each in hall.managed_reservations()] == [ADA]
    assert emails(queue.entries(hall)) == [BOB]


def test_read_only(queue, hall, context):
    """Nobody is served where nothing can be written, and it is said."""
    token = take(hall, 9, 10)
    queue.join(hall, ADA, *hours(9, 10))
    hall.remove_reservation(token)
    hall.commit()
    with context.read_only():
        assert emails(queue.matching(hall)) == [ADA]
        with pytest.raises(errors.ModifiedReadOnlySession):
            queue.serve_first(hall, *hours(9, 10))
