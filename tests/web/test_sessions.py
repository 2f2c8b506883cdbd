"""Sessions: carts that expire, and whose they are."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from libres.context.core import Context
from libres.db.models import Reservation
from libres.db.queries import Queries
from libres.modules import events
from libres.web import Place
from libres.web.directory import Directory
from tests.web.conftest import at, iso

HALL = "/resources/hall/reservations"
NOON = at("12:00", -3)
"""When these tests begin."""


@pytest.fixture(autouse=True)
def morning(clock):
    """Let the clock stand still."""
    clock.now = NOON
    return clock


def wish(start="09:00", end="10:00", day=0, **more):
    """What a request wants to have."""
    dates = [{"start": iso(at(start, day)), "end": iso(at(end, day))}]
    return {"email": "ada@example.org", "dates": dates, **more}


def cart(client):
    """Make a cart; return its address and its id."""
    found = client.post("/sessions")
    assert found.status_code == 201, found.text
    return f"/sessions/{found.json['id']}", found.json["id"]


def put(client, session, start="09:00", end="10:00", day=0, **more):
    """Reserve for a cart; return the token."""
    found = client.post(HALL, wish(start, end, day, session_id=session, **more))
    assert found.status_code == 201, found.text
    return found.json["token"]


def tokens(client, path):
    """What is in a cart."""
    return [each["token"] for each in client.get(path).json["reservations"]]


def test_new(booker):
    """A new cart is empty and does not expire."""
    found = booker.post("/sessions")
    assert found.json == {"id": str(UUID(found.json["id"])), "expires_minutes": 15}
    path = found.headers["Location"]
    assert path == f"/sessions/{found.json['id']}"
    assert booker.get(path).json == {
        "id": found.json["id"],
        "expires": None,
        "reservations": [],
    }


def test_filled(booker):
    """What is reserved with its id is in the cart, until some minutes later."""
    path, session = cart(booker)
    token = put(booker, session)
    found = booker.get(path).json
    assert datetime.fromisoformat(found["expires"]) == NOON + timedelta(minutes=15)
    (told,) = found["reservations"]
    assert (told["token"], told["confirmed"]) == (token, False)
    assert "session" not in str(sorted(told))


def test_single_token(booker):
    """A cart may keep all it holds under one token."""
    path, session = cart(booker)
    first = put(booker, session)
    assert put(booker, session, day=1, single_token_per_session=True) == first
    assert tokens(booker, path) == [first, first]
    found = booker.get(f"{HALL}/{first}").json
    assert len(found["reservations"]) == 2


def test_twice(booker):
    """A cart holds the same time once only."""
    _, session = cart(booker)
    put(booker, session)
    assert booker.post(HALL, wish(session_id=session)).status_code == 409


def test_confirm(booker, morning):
    """What is confirmed is in no cart any more, and does not expire."""
    path, session = cart(booker)
    token = put(booker, session)
    found = booker.post(f"{path}/confirm", {})
    assert found.status_code == 200, found.text
    (told,) = found.json["reservations"]
    assert (told["token"], told["confirmed"]) == (token, True)
    morning.advance(timedelta(days=1))
    assert tokens(booker, path) == []
    assert booker.get(f"{HALL}/{token}").status_code == 200
    assert booker.post(f"{path}/confirm", {}).status_code == 404


def test_confirm_some(booker):
    """What has a token is confirmed, the rest stays in the cart."""
    path, session = cart(booker)
    first, second = put(booker, session), put(booker, session, day=1)
    found = booker.post(f"{path}/confirm", {"token": first})
    assert [each["token"] for each in found.json["reservations"]] == [first]
    assert tokens(booker, path) == [second]
    found = booker.post(f"{path}/confirm", {"token": str(uuid4())})
    assert found.status_code == 404
    assert booker.post(f"{path}/confirm", {"token": "all"}).status_code == 422


def test_confirm_tells_once(booker):
    """Listeners are told of all that is confirmed at once."""
    told = []

    def note(_context, reservations, session_id):
        told.append((len(reservations), str(session_id)))

    path, session = cart(booker)
    put(booker, session)
    put(booker, session, day=1)
    events.on_reservations_confirmed.append(note)
    try:
        booker.post(f"{path}/confirm", {})
    finally:
        events.on_reservations_confirmed.remove(note)
    assert told == [(2, session)]


def test_give_back(booker, morning):
    """What is taken out of a cart is gone, and the rest gets new time."""
    path, session = cart(booker)
    first, second = put(booker, session), put(booker, session, day=1)
    morning.advance(timedelta(minutes=10))
    gone = f"{path}/reservations/{first}"
    assert booker.delete(gone).status_code == 204
    assert booker.delete(gone).status_code == 404
    assert booker.get(f"{HALL}/{first}").status_code == 404
    morning.advance(timedelta(minutes=10))
    assert tokens(booker, path) == [second]


def test_give_back_several(booker):
    """All that shares a token is taken out together."""
    path, session = cart(booker)
    dates = wish(day=1)["dates"] + wish(day=2)["dates"]
    token = put(booker, session, dates=dates)
    other = put(booker, session)
    assert booker.delete(f"{path}/reservations/{token}").status_code == 204
    assert tokens(booker, path) == [other]


def test_empty(booker, reader):
    """All of a cart is given back at once; an empty one stays empty."""
    path, session = cart(booker)
    put(booker, session)
    put(booker, session, day=1)
    kept = put(booker, None)
    for _ in range(2):
        assert booker.delete(path).status_code == 204
    found = reader.get(HALL).json["reservations"]
    assert [each["token"] for each in found] == [kept]


def test_expired(booker, morning, reader):
    """Who looks at a cart that has expired sees an empty one, and it is one."""
    path, session = cart(booker)
    put(booker, session)
    morning.advance(timedelta(minutes=15))
    assert len(tokens(booker, path)) == 1
    morning.advance(timedelta(microseconds=1))
    found = booker.get(path).json
    assert (found["reservations"], found["expires"]) == ([], None)
    assert reader.get(HALL).json["reservations"] == []


def test_touched(booker, morning):
    """What is put into a cart gives all of it new time."""
    path, session = cart(booker)
    put(booker, session)
    morning.advance(timedelta(minutes=14))
    put(booker, session, day=1)
    morning.advance(timedelta(minutes=14))
    assert len(tokens(booker, path)) == 2


def test_not_revived(booker, morning):
    """What is put into an expired cart finds it empty: the same time can be had."""
    path, session = cart(booker)
    first = put(booker, session)
    put(booker, session, day=1)
    morning.advance(timedelta(minutes=16))
    second = put(booker, session)
    assert second != first
    assert tokens(booker, path) == [second]


def test_confirmed_too_late(booker, morning):
    """What has expired cannot be confirmed."""
    path, session = cart(booker)
    token = put(booker, session)
    morning.advance(timedelta(minutes=16))
    assert booker.post(f"{path}/confirm", {}).status_code == 404
    assert booker.get(f"{HALL}/{token}").status_code == 404


@pytest.mark.parametrize("where", [HALL, "/resources/hall/bookings"])
def test_out_of_the_way(booker, manager, morning, where):
    """What an expired cart holds, as somebody approved of it, is in nobody's way."""
    _, session = cart(booker)
    token = put(booker, session)
    put(booker, session, day=1)
    assert manager.post(f"{HALL}/{token}/approve").status_code == 200
    assert booker.post(where, wish()).status_code == 409
    morning.advance(timedelta(minutes=16))
    assert booker.post(where, wish()).status_code == 201
    assert booker.get(f"{HALL}/{token}").status_code == 404


def test_approved_stays(booker, manager, morning):
    """A cart in which nothing is pending does not expire."""
    path, session = cart(booker)
    token = put(booker, session)
    assert manager.post(f"{HALL}/{token}/approve").status_code == 200
    morning.advance(timedelta(days=1))
    found = booker.get(path).json
    assert (len(found["reservations"]), found["expires"]) == (1, None)
    assert booker.post(HALL, wish()).status_code == 409


def test_tidied(booker, morning, reader):
    """A new cart takes expired ones away, in which nobody looks any more."""
    _, session = cart(booker)
    put(booker, session)
    morning.advance(timedelta(minutes=16))
    cart(booker)
    assert reader.get(HALL).json["reservations"] == []


def test_other_contexts(booker, context, morning):
    """What expired in another context of the database is left to it."""
    session = uuid4()
    other = Context("elsewhere", parent=context)
    scheduler = Place("hall", "Another hall", "UTC").scheduler(other)

    def fill():
        scheduler.allocate((at("09:00"), at("10:00")))
        return scheduler.reserve(
            "eve@example.org", (at("09:00"), at("10:00")), session_id=session
        )

    token = other.transaction(fill)
    other.get_service("session_provider").stop_service()
    put(booker, str(session))
    morning.advance(timedelta(minutes=16))
    assert tokens(booker, f"/sessions/{session}") == []
    cart(booker)
    put(booker, str(session))
    assert booker.delete(f"/sessions/{session}").status_code == 204
    put(booker, str(session))
    assert booker.post(f"/sessions/{session}/confirm", {}).status_code == 200
    with context.read_only():
        found = Queries(context).session.query(
            Reservation.token, Reservation.session_id
        )
        kept = found.filter(Reservation.resource == scheduler.resource).all()
    assert [tuple(each) for each in kept] == [(token, session)]


def test_several_resources(booker, context):
    """A cart holds reservations of any resource, and expires as one."""
    room = Place("room", "The room", "UTC")

    def fill():
        Directory(context).put(room)
        room.scheduler(context).allocate((at("09:00"), at("10:00")))

    context.transaction(fill)
    path, session = cart(booker)
    put(booker, session)
    found = booker.post("/resources/room/reservations", wish(session_id=session))
    assert found.status_code == 201
    told = booker.get(path).json["reservations"]
    assert [each["resource"] for each in told] == ["hall", "room"]
    assert len(booker.post(f"{path}/confirm", {}).json["reservations"]) == 2


@pytest.mark.parametrize("id_", ["nonsense", "%00", "<script>", "1" * 300])
def test_no_session(booker, id_):
    """An id that is none is not found, by no verb."""
    path = f"/sessions/{id_}"
    found = [
        booker.get(path),
        booker.delete(path),
        booker.post(f"{path}/confirm", {}),
        booker.delete(f"{path}/reservations/{uuid4()}"),
        booker.delete(f"/sessions/{uuid4()}/reservations/{id_}"),
    ]
    assert {each.status_code for each in found} == {404}


def test_given_back_where_it_is_not(booker):
    """A token is taken out of its own cart only."""
    path, session = cart(booker)
    token = put(booker, session)
    other, _ = cart(booker)
    assert booker.delete(f"{other}/reservations/{token}").status_code == 404
    assert tokens(booker, path) == [token]
