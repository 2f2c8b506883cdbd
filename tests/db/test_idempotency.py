"""Idempotency keys: the same request under the same key is done only once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func

from libres import new_scheduler
from libres.context.registry import create_default_registry
from libres.context.transactions import classify
from libres.db.models import IdempotencyKey
from libres.db.operations.repeating import checked_key
from libres.modules import errors, events
from tests.fixtures.statements import counted

MONDAY = datetime.fromisoformat("2030-06-03")
GUEST = "guest@example.org"
CART = uuid4()
GROUP = uuid4()


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


@pytest.fixture
def room(scheduler):
    """A room with three places on Monday, and a group of two on Tuesday."""
    scheduler.allocate(hours(8, 18), partly_available=True, quota=3)
    members = [hours(8, 10, day=1), hours(12, 14, day=1)]
    for allocation in scheduler.allocate(members, grouped=True, quota=3):
        allocation.group = GROUP
    scheduler.commit()
    return scheduler


@pytest.fixture
def told(monkeypatch):
    """The names of the events that were told."""
    told = []
    for name in ("on_reservations_made", "on_reservations_approved"):
        listener = [lambda *_, name=name: told.append(name)]
        monkeypatch.setattr(events, name, events.Event())
        getattr(events, name).extend(listener)
    return told


def reserve(room, dates=None, email=GUEST, key="k", **more):
    """Reserve, by default an hour; return the token."""
    dates = dates or (None if "group" in more else hours(9, 10))
    return room.reserve(email, dates, idempotency_key=key, **more)


def book(room, dates=None, email=GUEST, key="k", **more):
    """Book, by default an hour; return the token."""
    dates = dates or (None if "group" in more else hours(9, 10))
    found = room.book(email, dates, idempotency_key=key, **more)
    assert len({each.token for each in found}) == 1
    return found[0].token


def keys(room):
    """The keys that are stored, for any room."""
    query = room.session.query(IdempotencyKey.key)
    return [row.key for row in query.order_by(IdempotencyKey.key)]


both = pytest.mark.parametrize("act", [reserve, book])

SAME = [
    pytest.param({}, {}, id="nothing special"),
    pytest.param({"email": GUEST}, {"email": f" {GUEST} "}, id="blanks around it"),
    pytest.param(
        {"dates": hours(9, 10)}, {"dates": [hours(9, 10)]}, id="another shape"
    ),
    pytest.param(
        {"dates": hours(9, 10)},
        {
            "dates": (
                datetime(2030, 6, 3, 7, tzinfo=UTC),
                datetime(2030, 6, 3, 8, tzinfo=UTC),
            )
        },
        id="another zone",
    ),
    pytest.param({"group": GROUP}, {"group": str(GROUP)}, id="a group as text"),
    pytest.param({"session_id": CART}, {"session_id": CART.hex}, id="a cart as text"),
    pytest.param({"data": None}, {"data": {}}, id="no data"),
    pytest.param(
        {"data": {"a": 1, "b": [1, {"c": None}]}},
        {"data": {"b": [1, {"c": None}], "a": 1}},
        id="order of the data",
    ),
    pytest.param({"quota": 3}, {"quota": 3}, id="nothing left for the second"),
    pytest.param(
        {"session_id": CART, "single_token_per_session": True},
        {"session_id": CART, "single_token_per_session": True},
        id="one token per cart",
    ),
]

OTHER = [
    pytest.param({"email": "other@example.org"}, id="e-mail"),
    pytest.param({"dates": hours(9, 11)}, id="end"),
    pytest.param({"dates": hours(9, 10, day=-7)}, id="where nothing is allocated"),
    pytest.param({"dates": [hours(9, 10), hours(11, 12)]}, id="more dates"),
    pytest.param({"group": GROUP}, id="group"),
    pytest.param({"data": {"a": 2}}, id="data"),
    pytest.param({"session_id": CART}, id="cart"),
    pytest.param({"quota": 2}, id="quota"),
    pytest.param({"quota": 4}, id="impossible quota"),
    pytest.param({"email": "nobody"}, id="an e-mail that is none"),
    pytest.param({"single_token_per_session": True}, id="single token"),
]


class TestArguments:
    """What is the same request, and what is another one."""

    @pytest.mark.parametrize(("first", "second"), SAME)
    def test_same(self, room, first, second):
        """The same arguments, however they are written, give the same token."""
        token = reserve(room, **first)
        assert reserve(room, **second) == token
        assert keys(room) == ["k"]

    @pytest.mark.parametrize("other", OTHER)
    def test_other(self, room, other):
        """Other arguments: an error says so, and nothing is done."""
        reserve(room)
        with pytest.raises(errors.IdempotencyKeyReused, match="another request"):
            reserve(room, **other)
        assert room.managed_reservations().count() == 1


@both
class TestRepeated:
    """The same key again."""

    def test_same(self, room, told, act):
        """It gives the same token, without a second reservation or an event."""
        token = act(room)
        room.commit()
        heard = list(told)
        assert "on_reservations_made" in heard
        assert act(room) == token
        room.commit()
        assert told == heard
        assert room.managed_reservations().count() == 1
        assert keys(room) == ["k"]

    def test_other_arguments(self, room, told, act):
        """With other arguments nothing is written, and nobody is told."""
        act(room)
        heard = list(told)
        with pytest.raises(errors.IdempotencyKeyReused):
            act(room, quota=2)
        room.commit()
        assert told == heard
        assert [each.quota for each in room.managed_reservations()] == [1]

    def test_other_operation(self, room, act):
        """To reserve is not to book."""
        act(room)
        other = reserve if act is book else book
        with pytest.raises(errors.IdempotencyKeyReused) as raised:
            other(room)
        assert raised.value.key == "k"
        assert raised.value.operation == act.__name__

    def test_other_key(self, room, act):
        """Another key, or none, is another request."""
        tokens = {act(room), act(room, key="K"), act(room, key=None)}
        assert len(tokens) == 3
        assert keys(room) == ["K", "k"]

    def test_other_room(self, room, scheduler_factory, act):
        """A key belongs to a resource: another room may have the same."""
        other = scheduler_factory("other")
        other.allocate(hours(8, 18), partly_available=True)
        assert act(room) != act(other)
        assert keys(room) == ["k", "k"]

    def test_generator(self, room, act):
        """Dates that can be read only once are no trouble."""
        token = act(room, dates=(date for date in hours(9, 10)))
        assert act(room, dates=iter([hours(9, 10)])) == token

    def test_nothing_left(self, room, act):
        """The repeated request is not in its own way."""
        token = act(room, quota=3)
        room.book(GUEST, hours(11, 12), quota=3)
        if act is reserve:
            room.approve_reservations(token)
        assert act(room, quota=3) == token
        with pytest.raises(errors.AlreadyReservedError):
            act(room, quota=3, key="another")

    def test_allocation_gone(self, room, act):
        """What was done stays known, even if it could not be done any more."""
        token = act(room)
        room.remove_reservation(token)
        allocation = room.allocation_by_date(*hours(8, 18))
        room.remove_allocation(allocation.id)
        if act is reserve:
            assert act(room) == token
        else:
            with pytest.raises(errors.InvalidReservationToken):
                act(room)

    def test_no_autoflush(self, room, act):
        """It works inside no_autoflush, too."""
        with room.session.no_autoflush:
            assert act(room) == act(room)


class TestFailed:
    """A first try that came to nothing."""

    @both
    def test_rolled_back(self, room, act):
        """After a rollback the key is as good as new, also for something else."""
        act(room)
        room.rollback()
        act(room, quota=2)
        room.commit()
        assert [each.quota for each in room.managed_reservations()] == [2]

    def test_savepoint(self, room):
        """The same after a savepoint that was rolled back."""
        savepoint = room.begin_nested()
        book(room)
        savepoint.rollback()
        book(room, quota=2)
        room.commit()
        assert [each.quota for each in room.managed_reservations()] == [2]

    @pytest.mark.parametrize(
        ("wrong", "error"),
        [
            ({"email": "nobody"}, errors.InvalidEmailAddress),
            ({"dates": hours(20, 21)}, errors.InvalidReservationError),
            ({"dates": (5, 6)}, TypeError),
            ({"dates": 5}, TypeError),
            ({"quota": "1"}, TypeError),
        ],
        ids=str,
    )
    def test_refused(self, room, wrong, error):
        """A refusal stores no key, even if the host commits."""
        with pytest.raises(error):
            reserve(room, **wrong)
        room.commit()
        assert keys(room) == []
        reserve(room)

    def test_booking_refused(self, room):
        """The same when there is no place left to book."""
        room.book(GUEST, hours(8, 18), quota=3)
        with pytest.raises(errors.AlreadyReservedError):
            book(room)
        room.commit()
        assert keys(room) == []


class TestMeanwhile:
    """What was reserved has changed since."""

    def test_reserve_removed(self, room):
        """A token is a token: approving says that nothing is left of it."""
        token = reserve(room)
        room.remove_reservation(token)
        assert reserve(room) == token
        with pytest.raises(errors.InvalidReservationToken):
            room.approve_reservations(token)

    def test_book_removed(self, room):
        """A booking that is cancelled is not made again by a late repetition."""
        token = book(room)
        room.remove_reservation(token)
        with pytest.raises(errors.InvalidReservationToken, match="removed"):
            book(room)
        assert room.managed_reservations().count() == 0

    def test_book_partly_removed(self, room):
        """What is left of it is returned, in the order of its making."""
        dates = [hours(9, 10), hours(11, 12), hours(13, 14)]
        first = room.book(GUEST, dates, idempotency_key="k")
        ids = [each.id for each in first]
        room.remove_reservation(first[0].token, first[1].id)
        again = room.book(GUEST, dates, idempotency_key="k")
        assert [each.id for each in again] == [ids[0], ids[2]]
        assert all(each.status == "approved" for each in again)

    def test_extinguished(self, room):
        """A room that forgets everything forgets its keys."""
        book(room)
        room.extinguish_managed_records()
        assert keys(room) == []


class TestExpired:
    """Keys are valid for a time."""

    @both
    def test_a_day(self, room, clock, act):
        """For 24 hours, then the key is unknown and may stand for something else."""
        token = act(room)
        clock.advance(timedelta(hours=24) - timedelta(microseconds=1))
        assert act(room) == token
        clock.advance(timedelta(microseconds=1))
        later = act(room, quota=2)
        assert later != token
        assert act(room, quota=2) == later
        assert keys(room) == ["k"]
        assert room.managed_reservations().count() == 2

    @both
    def test_counts_from_the_first(self, room, clock, act):
        """Repeating does not prolong it; replacing does."""
        token = act(room)
        clock.advance(timedelta(hours=23))
        assert act(room) == token
        clock.advance(timedelta(hours=2))
        later = act(room)
        clock.advance(timedelta(hours=23))
        assert act(room) == later != token

    def test_setting(self, room, clock):
        """A setting says how long."""
        room.context.set_setting("idempotency_lifetime", timedelta(minutes=5))
        token = reserve(room)
        clock.advance(timedelta(minutes=5))
        assert reserve(room) != token

    def test_very_long(self, room, clock):
        """As long as one likes."""
        room.context.set_setting("idempotency_lifetime", timedelta.max)
        token = reserve(room)
        clock.advance(timedelta(days=10_000))
        assert reserve(room) == token

    @pytest.mark.parametrize(
        ("value", "error"),
        [(24, TypeError), (None, TypeError), (timedelta(), errors.Misuse)],
    )
    def test_bad_setting(self, room, value, error):
        """A lifetime that makes no sense is refused."""
        room.context.set_setting("idempotency_lifetime", value)
        with pytest.raises(error, match="idempotency_lifetime"):
            reserve(room)
        with pytest.raises(error, match="idempotency_lifetime"):
            room.queries.remove_expired_idempotency_keys()

    def test_removal(self, room, scheduler_factory, clock):
        """Expired keys can be deleted, of all rooms; the others stay."""
        other = scheduler_factory("other")
        other.allocate(hours(8, 18), partly_available=True)
        for each in (room, other):
            reserve(each, key="old")
        clock.advance(timedelta(hours=12))
        token = reserve(room, key="young")
        clock.advance(timedelta(hours=12))
        assert room.queries.remove_expired_idempotency_keys() == 2
        assert room.queries.remove_expired_idempotency_keys() == 0
        assert keys(room) == ["young"]
        assert reserve(room, key="young") == token

    def test_removal_by_date(self, room, clock):
        """Keys that were written at a date or before."""
        reserve(room)
        before = clock.now - timedelta(seconds=1)
        assert room.queries.remove_expired_idempotency_keys(before) == 0
        assert room.queries.remove_expired_idempotency_keys(clock.now) == 1
        with pytest.raises(TypeError, match="datetime"):
            room.queries.remove_expired_idempotency_keys("yesterday")


@pytest.mark.parametrize(
    ("key", "error", "says"),
    [
        ("", errors.Misuse, "empty"),
        (" \n", errors.Misuse, "empty"),
        ("x" * 256, errors.Misuse, "256 characters"),
        ("a\x00b", errors.Misuse, "cannot store"),
        ("\ud800", errors.Misuse, "cannot store"),
        (5, TypeError, "text"),
        (b"key", TypeError, "text"),
        (UUID(int=1), TypeError, "text"),
        (False, TypeError, "text"),
    ],
    ids=repr,
)
def test_bad_keys(key, error, says):
    """What cannot be a key is refused in words."""
    with pytest.raises(error, match=says):
        checked_key(key)


@both
def test_bad_key(room, act):
    """It is refused before anything is asked."""
    with counted(room.session) as statements, pytest.raises(errors.Misuse):
        act(room, key="")
    assert statements == []


@pytest.mark.parametrize(
    "key", ["x" * 255, "'; DROP TABLE x --", "%s %(a)s :b", "\U0001f600"]
)
def test_good_keys(room, key):
    """Any other text is one, whatever its characters."""
    assert reserve(room, key=key) == reserve(room, key=key)
    assert keys(room) == [key]


class TestCosts:
    """What a key costs in statements; without one nothing."""

    @pytest.fixture(params=[1, 50])
    def dates(self, request, room):
        """As many dates on other days, in the room."""
        room.allocate([hours(8, 18, day=7 + n) for n in range(50)], quota=60)
        room.commit()
        return [hours(8, 18, day=7 + n) for n in range(request.param)]

    def cost(self, room, act, dates, key):
        """Count the statements of a request."""
        with counted(room.session) as statements:
            act(room, dates=dates, key=key)
        return len(statements)

    def cost_without(self, room, act, dates):
        """Count without a key, once the first place is taken."""
        act(room, dates=dates, key=None)
        return self.cost(room, act, dates, None)

    @both
    def test_first(self, room, act, dates):
        """The first time: one more, to write it."""
        without = self.cost_without(room, act, dates)
        assert self.cost(room, act, dates, "k") == without + 1

    @both
    def test_again(self, room, act, dates):
        """Again: not more than one to write and one to look."""
        without = self.cost_without(room, act, dates)
        self.cost(room, act, dates, "k")
        assert self.cost(room, act, dates, "k") <= without + 1


class TestIsolation:
    """Two sessions at once; which one wins is decided by the key."""

    @pytest.fixture
    def rival(self, room, dsn):
        """The same room on a session of its own."""
        context = create_default_registry().register_context("test")
        context.set_setting("dsn", dsn)
        yield new_scheduler(context, "room", "Europe/Zurich")
        context.get_service("session_provider").session.remove()
        context.get_service("session_provider").stop_service()

    @both
    def test_same_key(self, room, rival, act):
        """Who is slower is told to try again, and then finds what was done."""
        rival.session.query(func.now()).all()  # its snapshot is from before
        token = act(room)
        room.commit()
        with pytest.raises(Exception) as raised:  # noqa: PT011  # either may notice
            act(rival)
        assert classify(raised.value) == "retryable"
        rival.rollback()
        assert act(rival) == token

    @both
    def test_other_keys(self, room, rival, act):
        """Different keys on a small table do not get in each other's way."""
        other = rival.clone()
        other.name = "other"
        other.allocate(hours(8, 18), partly_available=True)
        rival.commit()
        act(room, key="one")
        act(other, key="two")
        room.commit()
        rival.commit()
        assert keys(room) == ["one", "two"]

    @both
    def test_read_committed(self, room, rival, act):
        """Below SERIALIZABLE the second one gets the token at once."""
        rival.session.connection(
            execution_options={"isolation_level": "READ COMMITTED"}
        )
        rival.session.query(func.now()).all()
        token = act(room)
        room.commit()
        assert act(rival) == token
