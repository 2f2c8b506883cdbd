"""Who may wait, once, and in which order."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from libres.context.registry import create_default_registry
from libres.db.scheduler import Scheduler
from libres.modules import errors
from libres.waiting import (
    AlreadyWaiting,
    InvalidEntry,
    TimeIsFree,
    UnknownEntry,
    WaitingList,
    setup,
)
from tests.waiting.conftest import ADA, BOB, DAY, EVE, HOUR, at, emails, hours, take


def test_join(queue, hall):
    """Who waits for what is taken is the first in the queue."""
    take(hall, 9, 11)
    entry = queue.join(hall, ADA, *hours(9, 10), data={"chairs": 3})
    assert (entry.email, entry.places, entry.data) == (ADA, 1, {"chairs": 3})
    assert (entry.start, entry.end) == hours(9, 10)
    assert (entry.name, entry.timezone) == ("hall", "UTC")
    assert (entry.position, entry.status, entry.token) == (1, "waiting", None)
    assert queue.entry(entry.id) == entry


def test_order(queue, hall):
    """Who came first stands first; other times do not count."""
    take(hall, 8, 18)
    queue.join(hall, EVE, *hours(14, 15))
    queue.join(hall, BOB, *hours(9, 11))
    entry = queue.join(hall, ADA, *hours(10, 12))
    assert entry.position == 2
    assert emails(queue.entries(hall, *hours(8, 12))) == [BOB, ADA]
    assert emails(queue.entries(hall)) == [EVE, BOB, ADA]
    assert [each.position for each in queue.entries(hall)] == [1, 1, 2]


def test_touching(queue, hall):
    """Who waits for the hour before or after does not wait for this one."""
    take(hall, 8, 18)
    queue.join(hall, BOB, *hours(9, 10))
    queue.join(hall, EVE, *hours(11, 12))
    assert queue.join(hall, ADA, *hours(10, 11)).position == 1
    assert emails(queue.entries(hall, *hours(10, 11))) == [ADA]


def test_pages(queue, hall):
    """The list can be read in parts."""
    take(hall, 8, 18)
    for hour in range(8, 13):
        queue.join(hall, ADA, *hours(hour, hour + 1))
    first = queue.entries(hall, limit=3)
    rest = queue.entries(hall, after=first[-1].turn, limit=3)
    assert [each.start.hour for each in first + rest] == [8, 9, 10, 11, 12]


def test_free(queue, hall):
    """What is free need not be waited for."""
    take(hall, 9, 10)
    with pytest.raises(TimeIsFree, match="is free: reserve it"):
        queue.join(hall, ADA, *hours(10, 11))


def test_places(queue, course):
    """It is free if as many places as one wants are."""
    take(course, 9, 11, quota=2)
    with pytest.raises(TimeIsFree):
        queue.join(course, ADA, *hours(9, 11))
    assert queue.join(course, ADA, *hours(9, 11), places=2).places == 2


def test_blocking(queue, hall, context):
    """What is taken on a blocking resource can be waited for."""
    stage = Scheduler(context, "stage", "UTC", ["hall"])
    stage.allocate(hours(8, 18), partly_available=True)
    take(hall, 9, 10)
    assert queue.join(stage, ADA, *hours(9, 10)).position == 1


def test_group(queue, context):
    """A group is free if all of it is."""
    weekly = Scheduler(context, "weekly", "UTC")
    days = [hours(9, 10, day) for day in range(3)]
    weekly.allocate(days, grouped=True)
    with pytest.raises(TimeIsFree):
        queue.join(weekly, ADA, *days[0])
    group = weekly.managed_allocations().first().group
    weekly.book(BOB, group=group)
    assert queue.join(weekly, ADA, *days[2]).position == 1


@pytest.mark.parametrize(
    ("time", "places", "error"),
    [
        pytest.param(hours(19, 20), 1, errors.InvalidReservationError, id="nothing"),
        pytest.param(hours(17, 19), 1, errors.TimerangeTooLong, id="too late"),
        pytest.param(hours(9, 10), 2, errors.QuotaImpossible, id="too many"),
        pytest.param(hours(9, 10), 0, errors.Misuse, id="none"),
        pytest.param(hours(9, 10), True, errors.Misuse, id="no number"),
        pytest.param(
            (at("9:00"), at("9:02")), 1, errors.ReservationTooShort, id="short"
        ),
        pytest.param(hours(9, 40), 1, errors.ReservationTooLong, id="long"),
        pytest.param(hours(10, 9), 1, InvalidEntry, id="reversed"),
        pytest.param(hours(9, 9), 1, InvalidEntry, id="empty"),
    ],
)
def test_impossible(queue, hall, time, places, error):
    """What could never be reserved is not waited for."""
    take(hall, 8, 18)
    with pytest.raises(error):
        queue.join(hall, ADA, *time, places=places)
    assert queue.entries(hall) == []


def test_quota_limit(queue, context):
    """Who wants more places than one may have does not wait for them."""
    made = Scheduler(context, "trip", "UTC")
    made.allocate(hours(9, 11), quota=3, quota_limit=2)
    take(made, 9, 11, quota=2)
    with pytest.raises(errors.QuotaOverLimit):
        queue.join(made, ADA, *hours(9, 11), places=3)


def test_email(queue, hall):
    """The service of the context decides what an address is."""
    take(hall, 9, 10)
    with pytest.raises(errors.InvalidEmailAddress):
        queue.join(hall, "nobody", *hours(9, 10))
    assert queue.join(hall, f" {ADA} ", *hours(9, 10)).email == ADA


def test_zone(queue, context):
    """Naive times are those of the scheduler, as are the answers."""
    zurich = Scheduler(context, "zurich", "Europe/Zurich")
    zurich.allocate((datetime(2026, 11, 30, 9), datetime(2026, 11, 30, 10)))  # noqa: DTZ001 - naive on purpose
    take(zurich, 8, 9)
    naive = datetime(2026, 11, 30, 9), datetime(2026, 11, 30, 10)  # noqa: DTZ001 - naive on purpose
    entry = queue.join(zurich, ADA, *naive)
    assert entry.start.isoformat() == "2026-11-30T09:00:00+01:00"
    assert emails(queue.entries(zurich, *naive)) == [ADA]


def test_stored_end(queue, hall):
    """An end as it is stored is the same time."""
    take(hall, 9, 10)
    start, end = hours(9, 10)
    entry = queue.join(hall, ADA, start, end - timedelta(microseconds=1))
    assert queue.join(hall, ADA, start, end).id == entry.id


def test_again(queue, hall):
    """Who joins again keeps the turn, and what was said last counts."""
    take(hall, 9, 10)
    first = queue.join(hall, ADA, *hours(9, 10))
    queue.join(hall, BOB, *hours(9, 10))
    again = queue.join(hall, ADA.upper(), *hours(9, 10), data={"chairs": 3})
    assert (again.id, again.turn, again.position) == (first.id, first.turn, 1)
    assert again.data == {"chairs": 3}
    assert len(queue.entries(hall)) == 2


def test_not_again(queue, hall):
    """Who must not learn of an entry is refused."""
    take(hall, 9, 10)
    queue.join(hall, ADA, *hours(9, 10), data={"chairs": 3})
    with pytest.raises(AlreadyWaiting):
        queue.join(hall, ADA, *hours(9, 10), again=False)
    assert queue.entries(hall)[0].data == {"chairs": 3}


def test_until(queue, hall, today):
    """From the given moment on nobody waits."""
    take(hall, 9, 10)
    entry = queue.join(hall, ADA, *hours(9, 10), until=at("9:00") - DAY)
    later = queue.join(hall, BOB, *hours(9, 10))
    assert later.position == 2
    today.now = at("9:00") - DAY
    assert emails(queue.entries(hall)) == [BOB]
    assert queue.entry(later.id).position == 1
    expired = queue.entry(entry.id)
    assert (expired.status, expired.position) == ("expired", None)


def test_until_the_end(queue, hall, today):
    """At the latest nobody waits when the time is over."""
    take(hall, 9, 10)
    one = queue.join(hall, ADA, *hours(9, 10))
    other = queue.join(hall, BOB, *hours(9, 10), until=at("9:00", 4))
    assert one.until == other.until == at("10:00")
    today.now = at("10:00")
    assert queue.entries(hall) == []


@pytest.mark.parametrize(
    "until",
    [
        pytest.param(at("8:00", -4), id="past"),
        pytest.param(datetime(2026, 12, 1), id="naive"),  # noqa: DTZ001 - on purpose
        pytest.param("tomorrow", id="word"),
    ],
)
def test_wrong_until(queue, hall, until):
    """What is past already, or no moment, is refused."""
    take(hall, 9, 10)
    with pytest.raises(InvalidEntry):
        queue.join(hall, ADA, *hours(9, 10), until=until)


def test_over(queue, hall, today):
    """Nobody waits for what is over."""
    take(hall, 9, 10)
    today.now = at("10:00")
    with pytest.raises(InvalidEntry, match="over"):
        queue.join(hall, ADA, *hours(9, 10))


def test_again_after_all(queue, hall, today):
    """Who stopped waiting and joins again stands last."""
    take(hall, 9, 10)
    queue.join(hall, ADA, *hours(9, 10), until=today.now + HOUR)
    queue.join(hall, BOB, *hours(9, 10))
    today.advance(HOUR)
    again = queue.join(hall, ADA, *hours(9, 10), again=False)
    assert again.position == 2
    assert again.created == today.now


def test_drop_expired(queue, hall, today):
    """What is over is forgotten; how many that were is told."""
    take(hall, 9, 11)
    queue.join(hall, ADA, *hours(9, 10), until=today.now + HOUR)
    queue.join(hall, BOB, *hours(9, 10))
    assert queue.drop_expired() == 0
    today.advance(HOUR)
    assert queue.drop_expired() == 1
    today.now = at("10:00")
    assert queue.drop_expired() == 1


def test_leave(queue, hall):
    """Who leaves waits no more, and the others move up."""
    take(hall, 9, 10)
    entry = queue.join(hall, ADA, *hours(9, 10))
    other = queue.join(hall, BOB, *hours(9, 10))
    assert queue.leave(entry.id)
    assert not queue.leave(entry.id)
    assert queue.entry(other.id).position == 1
    with pytest.raises(UnknownEntry):
        queue.entry(entry.id)


@pytest.mark.parametrize("entry", [uuid4(), "id", None, 7])
def test_unknown(queue, hall, entry):
    """What is no id of an entry is told so."""
    assert not queue.leave(entry)
    with pytest.raises(UnknownEntry):
        queue.entry(entry)
    with pytest.raises(UnknownEntry):
        queue.serve(hall, entry)


def test_other_context(queue, hall, dsn):
    """The lists of other contexts are not seen."""
    take(hall, 9, 10)
    entry = queue.join(hall, ADA, *hours(9, 10))
    hall.commit()
    context = create_default_registry().register_context("other")
    context.set_setting("dsn", dsn)
    other = WaitingList(context)
    try:
        assert other.entries(Scheduler(context, "hall", "UTC")) == []
        assert not other.leave(entry.id)
        with pytest.raises(UnknownEntry):
            other.entry(entry.id)
        with pytest.raises(errors.Misuse):
            other.entries(hall)
    finally:
        context.get_service("session_provider").stop_service()


def test_setup(context, queue):
    """It may be called again and again."""
    assert isinstance(setup(context), WaitingList)
    queue.setup()
