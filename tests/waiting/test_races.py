"""Of those who serve or join at the same moment one wins."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from functools import partial

import pytest
from sqlalchemy.exc import OperationalError

from libres import waiting
from libres.context.registry import create_default_registry
from libres.db.scheduler import Scheduler
from libres.waiting import NotWaiting, UnknownEntry, WaitingList
from tests.fixtures.races import race_threads
from tests.waiting.conftest import ADA, BOB, EVE, hours, take

MANY = 4


def acting(dsn, act):
    """Act in a context of one's own, in a transaction."""
    context = create_default_registry().register_context("test")
    context.set_setting("dsn", dsn)
    queue, hall = WaitingList(context), Scheduler(context, "hall", "UTC")
    try:
        return context.transaction(lambda: act(queue, hall), attempts=50)
    finally:
        context.get_service("session_provider").stop_service()


def race(dsn, act):
    """Let several do the same."""
    return race_threads([partial(acting, dsn, act)] * MANY)


def test_same_entry(queue, hall, dsn):
    """One of several serves an entry; the others hear that it is served."""
    token = take(hall, 9, 10)
    entry = queue.join(hall, ADA, *hours(9, 10))
    hall.remove_reservation(token)
    hall.commit()
    outcomes = race(dsn, lambda queue, hall: queue.serve(hall, entry.id))
    errors = Counter(each.error for each in outcomes)
    assert errors == {None: 1, NotWaiting.__name__: MANY - 1}
    assert hall.managed_reservations().count() == 1


def test_same_time(queue, hall, dsn):
    """Several serve whoever is first: the time is given once, to the first."""
    token = take(hall, 9, 10)
    for email in (BOB, ADA, EVE):
        queue.join(hall, email, *hours(9, 10))
    hall.remove_reservation(token)
    hall.commit()
    outcomes = race(dsn, lambda queue, hall: queue.serve_first(hall, *hours(9, 10)))
    assert all(each.ok for each in outcomes), outcomes
    assert [each.value.email for each in outcomes if each.value] == [BOB]


def test_same_address(queue, hall, dsn):
    """An address that joins several times at once waits once."""
    take(hall, 9, 10)
    hall.commit()
    outcomes = race(dsn, lambda queue, hall: queue.join(hall, ADA, *hours(9, 10)).id)
    assert len({each.value for each in outcomes if each.ok}) == 1
    assert [each.error for each in outcomes] == [None] * MANY
    assert len(queue.entries(hall)) == 1


def test_leaving(queue, hall, dsn):
    """Who is served has not left, and who has left is not served."""
    token = take(hall, 9, 10)
    entry = queue.join(hall, ADA, *hours(9, 10))
    hall.remove_reservation(token)
    hall.commit()

    def leave(queue, _hall):
        return "left" if queue.leave(entry.id) else None

    def serve(queue, hall):
        with suppress(NotWaiting, UnknownEntry):
            return queue.serve(hall, entry.id)

    acts = [partial(acting, dsn, act) for act in (leave, serve)]
    outcomes = race_threads(acts)
    assert len([each for each in outcomes if each.ok and each.value]) == 1
    has_left = outcomes[0].value == "left"
    assert hall.managed_reservations().count() == (0 if has_left else 1)


def test_missed(hall, context, dsn, told):
    """Who joins while the time is given back is told, or hears that it is free.

    Neither sees what the other has done yet, so one of them has to do it again.
    """
    token = take(hall, 9, 10)
    hall.commit()
    waiting.listen(context)
    other = create_default_registry().register_context("test")
    other.set_setting("dsn", dsn)
    stranger = WaitingList(other)
    try:
        stranger.join(Scheduler(other, "hall", "UTC"), ADA, *hours(9, 10))
        with pytest.raises(OperationalError, match="could not serialize"):
            both_commit(hall, stranger, token)
    finally:
        stranger.session.rollback()
        other.get_service("session_provider").stop_service()
    assert told == []


def both_commit(hall, stranger, token):
    """Give it back, then commit both."""
    hall.remove_reservation(token)
    stranger.commit()
    hall.commit()
