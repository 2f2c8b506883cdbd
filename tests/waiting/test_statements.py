"""How many statements are sent, whatever there is of anything."""

from __future__ import annotations

import pytest
from sqlalchemy import event, text

from libres import waiting
from libres.db.scheduler import Scheduler
from libres.domain.spans import Span
from libres.waiting.entries import waiting_for
from tests.fixtures.statements import counted
from tests.waiting.conftest import ADA, hours, take

NUMBERS = pytest.mark.parametrize("number", [1, 50])


def sent_by(queue, act):
    """How many statements something sends."""
    queue.session.flush()
    with counted(queue.session) as sent:
        act()
    return len(sent)


def crowd(queue, scheduler, number, time):
    """Let so many wait for a time."""
    found = [
        queue.join(scheduler, f"{each}@example.org", *time) for each in range(number)
    ]
    return found[0]


@NUMBERS
def test_join(queue, hall, number):
    """What is free, the entry, its position."""
    take(hall, 9, 10)
    crowd(queue, hall, number, hours(9, 10))
    assert sent_by(queue, lambda: queue.join(hall, ADA, *hours(9, 10))) == 3


@NUMBERS
def test_entries(queue, hall, number):
    """All at once, positions included."""
    take(hall, 9, 10)
    crowd(queue, hall, number, hours(9, 10))
    assert sent_by(queue, lambda: queue.entries(hall)) == 1


@NUMBERS
def test_matching(queue, hall, number):
    """Who waits, and what is free."""
    hall.remove_reservation(occupied(queue, hall, number))
    assert sent_by(queue, lambda: queue.matching(hall)) == 2


def occupied(queue, scheduler, number):
    """Take hours that so many wait for."""
    token = take(scheduler, 9, 10)
    crowd(queue, scheduler, number, hours(9, 10))
    return token


@NUMBERS
def test_matching_groups(queue, context, number):
    """One more for what belongs to the groups; with blocking resources one more."""
    weekly = Scheduler(context, "weekly", "UTC")
    made = weekly.allocate([hours(9, 10, day) for day in range(3)], grouped=True)
    weekly.book(ADA, group=made[0].group)
    crowd(queue, weekly, number, hours(9, 10, 1))
    assert sent_by(queue, lambda: queue.matching(weekly)) == 3
    blocked = Scheduler(context, "weekly", "UTC", ["hall"])
    assert sent_by(queue, lambda: queue.matching(blocked)) == 4


@NUMBERS
def test_serve(queue, hall, number):
    """The entry, what is free, what ``book`` sends, and a mark."""
    token = take(hall, 9, 10)
    entry = crowd(queue, hall, number, hours(9, 10))
    hall.remove_reservation(token)
    booked = sent_by(queue, lambda: hall.book(ADA, hours(14, 15)))
    assert sent_by(queue, lambda: queue.serve(hall, entry.id)) == booked + 3


@NUMBERS
def test_serve_first(queue, hall, number):
    """Who fits, a savepoint, and what ``serve`` sends."""
    hall.remove_reservation(occupied(queue, hall, number))
    booked = sent_by(queue, lambda: hall.book(ADA, hours(14, 15)))
    served = sent_by(queue, lambda: queue.serve_first(hall, *hours(9, 10)))
    assert served == 2 + 2 + booked + 3


@NUMBERS
def test_listening(queue, hall, context, told, number):
    """Who waits for it, and what is free: two more for who removes."""
    plain = take(hall, 14, 15)
    without = sent_by(queue, lambda: hall.remove_reservation(plain))
    waiting.listen(context)
    token = occupied(queue, hall, number)
    assert sent_by(queue, lambda: hall.remove_reservation(token)) == without + 2
    assert len(told[0]) == number


def test_listening_for_nobody(queue, hall, context, told):
    """One more if nobody waits."""
    plain, token = take(hall, 14, 15), take(hall, 9, 10)
    without = sent_by(queue, lambda: hall.remove_reservation(plain))
    waiting.listen(context)
    assert sent_by(queue, lambda: hall.remove_reservation(token)) == without + 1
    assert told == []


# Plans --------------------------------------------------------------------------------

FILL = """
INSERT INTO waiting_entries (context, resource, name, timezone, email,
    start, "end", places, data, until, created)
SELECT 'test', md5((number % 200)::text)::uuid, 'room', 'UTC', number || '@example.org',
    :start + number * interval '1 minute', :start + (number + 60) * interval '1 minute',
    1, '{}', :start + (number + 60) * interval '1 minute', :start
FROM generate_series(1, 20000) AS number
"""


@pytest.fixture
def crowded(queue, hall):
    """Many wait for other resources, and a few for the hall."""
    start = hours(8, 9)[0].replace(tzinfo=None)
    queue.session.execute(text(FILL), {"start": start})
    occupied(queue, hall, 10)
    queue.session.execute(text("ANALYZE waiting_entries"))
    return queue


def plans_of(queue, act):
    """The plans of what something asks about waiting."""
    connection, plans = queue.session.connection(), []

    def explain(_connection, cursor, statement, parameters, *_):
        if "waiting_entries" in statement:
            cursor.execute(f"EXPLAIN {statement}", parameters)
            plans.append("\n".join(row[0] for row in cursor.fetchall()))

    event.listen(connection, "before_cursor_execute", explain)
    try:
        act()
    finally:
        event.remove(connection, "before_cursor_execute", explain)
    return plans


ASKED = {
    "join": lambda queue, hall: queue.join(hall, ADA, *hours(9, 10)),
    "entries": lambda queue, hall: queue.entries(hall, *hours(9, 10)),
    "page": lambda queue, hall: queue.entries(hall, after=3, limit=5),
    "leave": lambda queue, hall: queue.leave(queue.entries(hall)[0].id),
    "freed": lambda queue, hall: waiting_for(
        queue.context, queue.session, [(hall.resource, Span(*hours(9, 10)))]
    ),
}


@pytest.mark.parametrize("name", ASKED)
def test_plan(crowded, hall, name):
    """Nobody reads who waits for other resources."""
    plans = plans_of(crowded, lambda: ASKED[name](crowded, hall))
    assert plans
    assert [plan for plan in plans if "Seq Scan on waiting_entries" in plan] == []
