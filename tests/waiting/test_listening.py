"""Who waits is told when a time is given back, and only then."""

from __future__ import annotations

import pytest

from libres import waiting
from libres.modules import events
from libres.modules.errors import AlreadyReservedError
from libres.waiting import on_free
from tests.waiting.conftest import ADA, BOB, EVE, emails, hours, take


@pytest.fixture(autouse=True)
def listening(context, told):  # noqa: ARG001 - it restores the lists afterwards
    """The host listens."""
    waiting.listen(context)
    waiting.listen(context)  # once is enough
    yield
    waiting.unlisten(context)


def test_removed(queue, hall, told):
    """Who waits for a removed reservation's time is told, in turn."""
    token = take(hall, 9, 11)
    for email in (BOB, ADA):
        queue.join(hall, email, *hours(9, 10))
    take(hall, 14, 15)
    queue.join(hall, EVE, *hours(14, 15))
    hall.remove_reservation(token)
    assert told == [[BOB, ADA]]


def test_still_taken(queue, hall, told):
    """Who could not reserve yet is not told."""
    token = take(hall, 9, 10)
    take(hall, 10, 11)
    queue.join(hall, ADA, *hours(9, 11))
    hall.remove_reservation(token)
    assert told == []


def test_nobody(hall, told):
    """If nobody waits, nobody is told."""
    hall.remove_reservation(take(hall, 9, 10))
    assert told == []


def test_denied(queue, office, told):
    """Who waits for a denied reservation's time is told, if it is free."""
    token = take(office, 9, 10)
    queue.join(office, ADA, *hours(9, 10))
    pending = office.reserve(BOB, hours(9, 10))
    office.deny_reservation(pending)
    assert told == []
    pending = office.reserve(BOB, hours(9, 10))
    waiting.unlisten(office.context)
    office.remove_reservation(token)
    waiting.listen(office.context)
    office.deny_reservation(pending)
    assert told == [[ADA]]


def test_changed(queue, hall, told):
    """Who waits for what a change leaves is told; for what it keeps nobody is."""
    token = take(hall, 9, 11)
    queue.join(hall, ADA, *hours(9, 10))
    queue.join(hall, BOB, *hours(10, 11))
    (reservation,) = hall.reservations_by_token(token)
    hall.change_reservation(token, reservation.id, *hours(9, 10))
    assert told == [[BOB]]


def test_savepoint_within_a_change(queue, hall, told):
    """What a listener does meanwhile, in a savepoint of its own, ends nothing."""
    token = take(hall, 9, 11)
    queue.join(hall, ADA, *hours(9, 10))
    queue.join(hall, BOB, *hours(10, 11))
    events.on_reservations_made.append(lambda *_: hall.begin_nested().commit())
    (reservation,) = hall.reservations_by_token(token)
    hall.change_reservation(token, reservation.id, *hours(9, 10))
    assert told == [[BOB]]


def test_refused_change(queue, hall, told):
    """A change that is refused gives nothing back."""
    token = take(hall, 9, 11)
    take(hall, 12, 13)
    queue.join(hall, ADA, *hours(9, 10))
    (reservation,) = hall.reservations_by_token(token)
    with pytest.raises(AlreadyReservedError):
        hall.change_reservation(token, reservation.id, *hours(11, 13))
    hall.commit()
    assert told == []


def test_serving_at_once(queue, hall):
    """A host may serve the first as soon as it is told, also during a change."""
    token = take(hall, 9, 11)
    queue.join(hall, ADA, *hours(9, 10))
    queue.join(hall, BOB, *hours(10, 11))
    on_free.append(lambda _context, entries: queue.serve(hall, entries[0].id))
    (reservation,) = hall.reservations_by_token(token)
    hall.change_reservation(token, reservation.id, *hours(9, 10))
    assert emails(queue.entries(hall)) == [ADA]
    hall.remove_reservation(token)
    assert queue.entries(hall) == []
    assert sorted(each.email for each in hall.managed_reservations()) == [ADA, BOB]


def test_group(queue, told, scheduler_factory):
    """Who waits for a day of a group is told when the group is given back."""
    weekly = scheduler_factory("weekly", "UTC")
    made = weekly.allocate([hours(9, 10, day) for day in range(3)], grouped=True)
    token = weekly.book(BOB, group=made[0].group)[0].token
    queue.join(weekly, ADA, *hours(9, 10, 2))
    weekly.remove_reservation(token)
    assert told == [[ADA]]


def test_savepoint(queue, hall, told):
    """What is removed within a savepoint is told when that is over."""
    token = take(hall, 9, 10)
    queue.join(hall, ADA, *hours(9, 10))
    with hall.begin_nested():
        hall.remove_reservation(token)
        assert told == []
    assert told == [[ADA]]
    hall.commit()
    assert told == [[ADA]]


def test_serving_at_the_end_of_a_savepoint(queue, hall):
    """A host may serve then, too."""
    token = take(hall, 9, 10)
    queue.join(hall, ADA, *hours(9, 10))
    on_free.append(lambda _context, _entries: queue.serve_first(hall, *hours(9, 10)))
    with hall.begin_nested():
        hall.remove_reservation(token)
    assert [each.email for each in hall.managed_reservations()] == [ADA]


def test_rolled_back_savepoint(queue, hall, told):
    """What is rolled back has not been given back."""
    token = take(hall, 9, 10)
    queue.join(hall, ADA, *hours(9, 10))
    savepoint = hall.begin_nested()
    hall.remove_reservation(token)
    savepoint.rollback()
    hall.commit()
    assert told == []


def test_committed(queue, hall):
    """Mails are sent once it is committed, and not if it is rolled back."""
    sent = []
    on_free.committed.append(lambda _context, entries: sent.append(emails(entries)))
    token = take(hall, 9, 10)
    queue.join(hall, ADA, *hours(9, 10))
    hall.commit()
    hall.remove_reservation(token)
    hall.rollback()
    assert sent == []
    hall.remove_reservation(token)
    hall.commit()
    assert sent == [[ADA]]


def test_expired(queue, hall, told, today):
    """Who waits no more is not told."""
    token = take(hall, 9, 10)
    entry = queue.join(hall, ADA, *hours(9, 10))
    today.now = entry.end
    hall.remove_reservation(token)
    assert told == []


def test_not_listening(queue, hall, told, context):
    """A context that does not listen tells nothing, and asks nothing."""
    waiting.unlisten(context)
    token = take(hall, 9, 10)
    queue.join(hall, ADA, *hours(9, 10))
    hall.remove_reservation(token)
    assert told == []
