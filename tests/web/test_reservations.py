"""Reservations: who may make, see, change, decide and remove which."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs

import pytest
from sqlalchemy import text

from libres.db.models import Allocation
from libres.modules import events
from libres.web import Place, create_app
from libres.web.directory import Directory
from tests.web.conftest import NOBODY, SETTINGS, Client, at, iso

HALL = "/resources/hall/reservations"
BOOKINGS = "/resources/hall/bookings"
ADA = "ada@example.org"


def wish(start="09:00", end="10:00", day=0, **more):
    """What a request wants to have."""
    dates = [{"start": iso(at(start, day)), "end": iso(at(end, day))}]
    return {"email": ADA, "dates": dates, **more}


def made(client, start="09:00", end="10:00", day=0, path=HALL, **more):
    """Reserve, and return what was answered."""
    found = client.post(path, wish(start, end, day, **more))
    assert found.status_code == 201, found.text
    return found.json


def times_of(document):
    """The starts of the reservations of a document, as clocks."""
    starts = [each["start"] for each in document["reservations"]]
    return [datetime.fromisoformat(each).strftime("%a %H:%M") for each in starts]


def statuses(client, token):
    """The status of what a token stands for, or that of the answer."""
    found = client.get(f"{HALL}/{token}")
    return found.json["status"] if found.status_code == 200 else found.status_code


@pytest.fixture
def by_hand(context, place):  # noqa: ARG001 - both are there
    """A room whose times are given by hand, on Monday from 8 to 18."""
    room = Place("room", "The room", "Europe/Zurich")

    def fill():
        Directory(context).put(room)
        room.scheduler(context).allocate(
            (at("08:00"), at("18:00")), partly_available=True, approve_manually=True
        )

    context.transaction(fill)
    return room


@pytest.fixture
def group(context, place):
    """A group of two evenings of the hall."""

    def fill():
        evenings = [(at("19:00", day), at("21:00", day)) for day in (1, 0)]
        return place.scheduler(context).allocate(evenings, grouped=True)[0].group

    return str(context.transaction(fill))


# Making -------------------------------------------------------------------------------


def test_reserve(booker):
    """What is reserved is pending, and told completely."""
    found = booker.post(HALL, wish(quota=1, data={"title": "Chess <script>"}))
    assert found.status_code == 201, found.text
    token = found.json["token"]
    assert found.headers["Location"] == f"{HALL}/{token}"
    assert (found.json["status"], found.json["resource"]) == ("pending", "hall")
    (told,) = found.json["reservations"]
    datetime.fromisoformat(told.pop("created"))
    id_ = told.pop("id")
    assert isinstance(id_, int)
    span = {"start": iso(at("09:00")), "end": iso(at("10:00"))}
    assert told == {
        "resource": "hall",
        "token": token,
        "status": "pending",
        "confirmed": True,
        "email": ADA,
        "quota": 1,
        "data": {"title": "Chess <script>"},
        "group": None,
        **span,
        "spans": [span],
    }


def test_several_dates(booker):
    """Several times become one reservation each, under one token."""
    dates = wish(day=0)["dates"] + wish(day=1)["dates"]
    found = booker.post(HALL, {"email": ADA, "dates": dates})
    assert times_of(found.json) == ["Mon 09:00", "Tue 09:00"]


def test_zone(booker, by_hand):  # noqa: ARG001 - there has to be such a room
    """Times are told in the zone of the resource."""
    found = booker.post("/resources/room/reservations", wish())
    assert found.json["reservations"][0]["start"] == "2026-11-30T10:00:00+01:00"


def test_group(booker, group):
    """A group is reserved as one, and its times are those of its members."""
    found = booker.post(HALL, {"email": ADA, "group": group})
    assert found.status_code == 201, found.text
    (told,) = found.json["reservations"]
    assert told["group"] == group
    assert [each["start"] for each in told["spans"]] == [
        iso(at("19:00", 0)),
        iso(at("19:00", 1)),
    ]
    assert (told["start"], told["end"]) == (iso(at("19:00")), iso(at("21:00", 1)))


def test_book(booker):
    """What is booked is approved at once, and then taken."""
    assert made(booker, path=BOOKINGS)["status"] == "approved"
    found = booker.post(BOOKINGS, wish("09:30", "10:30"))
    assert found.status_code == 409
    assert found.content_type == "application/problem+json"
    assert found.json["type"] == "urn:libres:problem:already-reserved"


@pytest.mark.parametrize("path", [HALL, BOOKINGS])
def test_alternatives(booker, path):
    """Who meets a taken time is told where to ask for another one."""
    made(booker, path=BOOKINGS)
    there = booker.post(path, wish()).json["alternatives"]
    where, _, asked = there.partition("?")
    assert where == "/resources/hall/alternatives"
    assert parse_qs(asked) == {
        "start": [iso(at("09:00"))],
        "end": [iso(at("10:00"))],
    }
    found = booker.http.get(there, headers=booker.headers)
    assert found.status_code == 200, found.text


def test_alternatives_where_it_is_mounted(context, place, key_of):  # noqa: ARG001
    """What is told of other addresses begins as the request's own one does."""
    app = create_app(context, SETTINGS, secret_key="signs", secure_cookies=False)
    client = Client(app, key_of("book"))
    under = {"SCRIPT_NAME": "/libres"}
    found = client.http.post(
        BOOKINGS, json=wish(), headers=client.headers, environ_overrides=under
    )
    assert found.headers["Location"].startswith("/libres/resources/hall/reservations/")
    found = client.http.post(
        BOOKINGS, json=wish(), headers=client.headers, environ_overrides=under
    )
    assert found.json["alternatives"].startswith("/libres/resources/hall/alternatives?")


def test_booked_by_hand(booker, manager, by_hand):  # noqa: ARG001 - as above
    """Only managers book what is given by hand; others reserve it."""
    found = booker.post("/resources/room/bookings", wish())
    assert found.status_code == 409
    assert found.json["type"] == "urn:libres:problem:needs-approval"
    assert made(booker, path="/resources/room/reservations")["status"] == "pending"
    assert made(manager, path="/resources/room/bookings")["status"] == "approved"


def test_not_booked_in_part(booker, context, place):
    """One time that is given by hand is enough to refuse a booking, of which nothing
    is kept; what only touches such a time is none."""

    def fill():
        place.scheduler(context).allocate(
            (at("18:00"), at("20:00")), approve_manually=True
        )

    context.transaction(fill)
    dates = wish()["dates"] + wish("18:00", "20:00")["dates"]
    found = booker.post(BOOKINGS, {"email": ADA, "dates": dates})
    assert found.json["type"] == "urn:libres:problem:needs-approval"
    assert made(booker, "09:00", "18:00", path=BOOKINGS)["status"] == "approved"


@pytest.mark.parametrize("by_group", [True, False])
def test_group_by_hand(booker, context, place, group, by_group):
    """A group with one member that is given by hand is, too, whatever leads to it."""

    def let_one_be_given_by_hand():
        query = place.scheduler(context).allocations_by_group(group)
        first = query.order_by(Allocation._start).first()
        first.approve_manually = True

    context.transaction(let_one_be_given_by_hand)
    asked = wish("19:00", "21:00", 1)
    if by_group:
        asked = {"email": ADA, "group": group}
    found = booker.post(BOOKINGS, asked)
    assert found.json["type"] == "urn:libres:problem:needs-approval"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"dates": []}, "dates", id="nothing"),
        pytest.param({"dates": None}, "dates", id="null"),
        pytest.param({"dates": {"start": 1}}, "dates", id="an object for a list"),
        pytest.param({"dates": wish()["dates"] * 101}, "dates", id="too many"),
        pytest.param(
            {"group": NOBODY},
            "dates",
            id="dates and a group",
        ),
        pytest.param({"quota": 0}, "quota", id="no place"),
        pytest.param({"quota": 10**30}, "quota", id="too many places"),
        pytest.param({"quota": True}, "quota", id="true is no number"),
        pytest.param({"quota": "1"}, "quota", id="a text is no number"),
        pytest.param({"email": "a\0@example.org"}, "email", id="NUL"),
        pytest.param({"email": "\ud800@example.org"}, "email", id="half a pair"),
        pytest.param({"email": ["ada@example.org"]}, "email", id="a list"),
        pytest.param({"email": "a" * 300 + "@b.ch"}, "email", id="too long"),
        pytest.param({"data": [1]}, "data", id="data is an object"),
        pytest.param({"data": {"\0": 1}}, "data", id="NUL in data"),
        pytest.param({"session_id": "cart"}, "session_id", id="no session"),
        pytest.param(
            {"single_token_per_session": 1}, "single_token_per_session", id="no word"
        ),
        pytest.param({"colour": "red"}, "colour", id="unknown"),
    ],
)
def test_malformed(booker, change, field):
    """What is not as documented is refused, and told by field."""
    found = booker.post(HALL, {**wish(), **change})
    assert found.status_code == 422, found.text
    assert field in found.json["errors"]


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(wish(email="nobody"), id="no e-mail"),
        pytest.param(wish("10:00", "09:00"), id="reversed"),
        pytest.param(wish("09:00", "09:00"), id="empty"),
        pytest.param(wish("07:00", "09:00"), id="begins before it is open"),
        pytest.param(wish("20:00", "21:00"), id="nothing there"),
        pytest.param(
            {"email": ADA, "group": NOBODY},
            id="an unknown group",
        ),
        pytest.param({"email": ADA}, id="nothing meant"),
        pytest.param(
            {
                "email": ADA,
                "dates": [{"start": iso(at("09:00", 0)), "end": iso(at("09:00", 4))}],
            },
            id="too long",
        ),
    ],
)
@pytest.mark.parametrize("path", [HALL, BOOKINGS])
def test_senseless(booker, path, asked):
    """What the scheduler refuses is told as a problem."""
    found = booker.post(path, asked)
    assert found.status_code == 422, found.text
    assert found.content_type == "application/problem+json"


def test_too_many_places(booker):
    """More places than there are is a matter of what others made: 409."""
    assert booker.post(HALL, wish(quota=2)).status_code == 409


# Looking ------------------------------------------------------------------------------


def test_listed(booker, reader):
    """Those who may read see all reservations, the oldest first."""
    made(booker, day=1)
    made(booker, day=0, path=BOOKINGS)
    found = reader.get(HALL)
    assert times_of(found.json) == ["Tue 09:00", "Mon 09:00"]
    assert found.json["reservations"][0]["email"] == ADA
    again = reader.get(HALL, headers={"If-None-Match": found.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({"status": "pending"}, ["Tue 09:00", "Tue 19:00"], id="status"),
        pytest.param({"from": iso(at("10:00"))}, ["Tue 09:00", "Tue 19:00"], id="from"),
        pytest.param({"to": iso(at("09:00", 1))}, ["Mon 09:00"], id="half-open"),
        pytest.param(
            {"from": iso(at("09:59")), "to": iso(at("10:00"))}, ["Mon 09:00"], id="in"
        ),
        pytest.param(
            {"from": iso(at("20:00", 1)), "to": iso(at("20:01", 1))},
            ["Tue 19:00"],
            id="a member of a group",
        ),
        pytest.param(
            {"from": iso(at("21:00", 1)), "to": iso(at("22:00", 2))}, [], id="after"
        ),
    ],
)
def test_filtered(booker, reader, context, place, asked, expected):
    """A list is of a status, and of a time that has a moment in common with each."""

    def fill():
        evenings = [(at("19:00", day), at("21:00", day)) for day in (1, 2)]
        return str(place.scheduler(context).allocate(evenings, grouped=True)[0].group)

    group = context.transaction(fill)
    made(booker, day=0, path=BOOKINGS)
    made(booker, day=1)
    assert booker.post(HALL, {"email": ADA, "group": group}).status_code == 201
    if asked.get("from") == iso(at("21:00", 1)):
        asked = {**asked, "to": iso(at("19:00", 2))}
    assert times_of(reader.get(HALL, **asked).json) == expected


def test_pages(booker, reader):
    """A long list comes in pages, none of them with what another one has."""
    for day in range(3):
        made(booker, day=day)
    first = reader.get(HALL, limit=2).json
    assert times_of(first) == ["Mon 09:00", "Tue 09:00"]
    last = reader.get(HALL, limit=2, cursor=first["next"]).json
    assert times_of(last) == ["Wed 09:00"]
    assert last["next"] is None


@pytest.mark.parametrize(
    "asked",
    [
        {"cursor": "nonsense"},
        {"cursor": "W10"},
        {"cursor": "WzFlOTk5XQ"},
        {"cursor": "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5XQ"},
        {"limit": 0},
        {"limit": 501},
        {"limit": "many"},
        {"status": "denied"},
        {"from": "2026-11-30T09:00"},
        {"from": iso(at("09:00", 1)), "to": iso(at("09:00"))},
        {"from": iso(at("09:00")), "to": iso(at("09:00") + timedelta(days=500))},
    ],
)
def test_wrong_question(reader, asked):
    """A question that makes no sense is refused."""
    assert reader.get(HALL, **asked).status_code == 422


def test_mine(booker, manager, by_hand):  # noqa: ARG001 - as above
    """Callers list what has their e-mail, of all resources, and nothing else."""
    made(manager)
    made(manager, path="/resources/room/reservations", email="Ada@Example.org")
    made(manager, day=1, email="eve@example.org")
    found = booker.get("/reservations/mine").json
    assert [each["resource"] for each in found["reservations"]] == ["hall", "room"]
    later = booker.get("/reservations/mine", **{"from": iso(at("00:00", 1))})
    assert later.json == {"reservations": [], "next": None}


def test_mine_without_email(manager):
    """Who has no e-mail has no reservations."""
    made(manager)
    found = manager.get("/reservations/mine")
    assert found.json == {"reservations": [], "next": None}


def test_listed_resources_only(booker, context, place):
    """What belongs to a resource that is off the list is not told."""
    made(booker)
    context.transaction(lambda: Directory(context).remove(place.name))
    assert booker.get("/reservations/mine").json["reservations"] == []
    assert booker.get(HALL).status_code == 403
    assert booker.post(HALL, wish()).status_code == 404


@pytest.mark.parametrize(
    "token",
    [
        NOBODY,
        "nonsense",
        "%00",
        "<script>",
        "..%2f..",
        "1" * 200,
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
def test_unknown_token(manager, token):
    """A token that stands for nothing, or is none, is not found, by no verb."""
    path = f"{HALL}/{token}" if isinstance(token, str) else f"{HALL}/%ED%A0%80"
    found = [
        manager.get(path),
        manager.patch(path, {}),
        manager.delete(path),
        manager.patch(f"{path}/1", wish()["dates"][0]),
        manager.delete(f"{path}/1"),
        manager.post(f"{path}/approve"),
        manager.post(f"{path}/deny"),
    ]
    assert {each.status_code for each in found} == {404}


def test_token_of_another_resource(manager, by_hand):  # noqa: ARG001 - as above
    """A token opens nothing of another resource."""
    made_here = made(manager)
    token, id_ = made_here["token"], made_here["reservations"][0]["id"]
    path = f"/resources/room/reservations/{token}"
    found = [
        manager.get(path),
        manager.patch(path, {"email": "eve@example.org"}),
        manager.patch(f"{path}/{id_}", wish()["dates"][0]),
        manager.delete(f"{path}/{id_}"),
        manager.delete(path),
        manager.post(f"{path}/approve"),
        manager.post(f"{path}/deny"),
    ]
    assert {each.status_code for each in found} == {404}
    assert manager.get(f"{HALL}/{token}").json == made_here


@pytest.mark.parametrize("name", ["attic", "%00", "<script>", "..%2fhall", "a" * 3000])
def test_unknown_resource(manager, name):
    """A resource that is not on the list is not found."""
    path = f"/resources/{name}/reservations"
    assert manager.get(path).status_code == 404
    assert manager.post(path, wish()).status_code == 404
    assert manager.post(f"/resources/{name}/bookings", wish()).status_code == 404


# Changing and removing ----------------------------------------------------------------


def test_change(booker):
    """A reservation gets another time, and keeps its token and id."""
    before = made(booker, path=BOOKINGS)
    token, id_ = before["token"], before["reservations"][0]["id"]
    found = booker.patch(f"{HALL}/{token}/{id_}", wish("11:00", "12:00")["dates"][0])
    assert found.status_code == 200, found.text
    assert times_of(found.json) == ["Mon 11:00"]
    assert found.json["reservations"][0]["id"] == id_
    assert made(booker, path=BOOKINGS)["status"] == "approved"


@pytest.mark.parametrize(
    ("times", "status"),
    [
        pytest.param(("11:00", "12:00"), 409, id="taken"),
        pytest.param(("12:00", "11:00"), 422, id="reversed"),
        pytest.param(("17:00", "19:00"), 422, id="beyond the allocation"),
    ],
)
def test_change_refused(booker, times, status):
    """A change that is refused changes nothing."""
    made(booker, "11:00", "12:00", path=BOOKINGS)
    before = made(booker, path=BOOKINGS)
    token, id_ = before["token"], before["reservations"][0]["id"]
    found = booker.patch(f"{HALL}/{token}/{id_}", wish(*times)["dates"][0])
    assert found.status_code == status
    assert booker.get(f"{HALL}/{token}").json == before


def test_change_by_hand(booker, manager, by_hand):  # noqa: ARG001 - as above
    """What was given by hand is moved by those who give it; before, by anybody."""
    room = "/resources/room/reservations"
    asked = made(booker, path=room)
    path = f"{room}/{asked['token']}/{asked['reservations'][0]['id']}"
    later = wish("11:00", "12:00")["dates"][0]
    assert booker.patch(path, later).status_code == 200
    assert manager.post(f"{room}/{asked['token']}/approve").status_code == 200
    earlier = wish("08:00", "09:00")["dates"][0]
    assert booker.patch(path, earlier).status_code == 409
    assert manager.patch(path, earlier).status_code == 200


@pytest.mark.parametrize("id_", ["0", "2147483648", "9" * 30, "-1", "x"])
def test_change_unknown_id(booker, id_):
    """An id that no reservation of the token has is not found; 0 is not "any"."""
    path = f"{HALL}/{made(booker)['token']}/{id_}"
    assert booker.patch(path, wish("11:00", "12:00")["dates"][0]).status_code == 404
    assert booker.delete(path).status_code == 404


def test_endless_id(booker):
    """An id with more digits than Python reads is no id."""
    path = f"{HALL}/{made(booker)['token']}/{'9' * 5000}"
    found = booker.patch(path, wish("11:00", "12:00")["dates"][0])
    assert found.status_code == 404


def test_change_group(booker, group):
    """A group has no time of its own that could be changed."""
    found = booker.post(HALL, {"email": ADA, "group": group}).json
    path = f"{HALL}/{found['token']}/{found['reservations'][0]['id']}"
    assert booker.patch(path, wish()["dates"][0]).status_code == 422


def test_edit(booker):
    """The e-mail and the data are replaced, and what is left out stays."""
    path = f"{HALL}/{made(booker, data={'n': 1})['token']}"
    found = booker.patch(path, {"email": " eve@example.org "})
    assert found.json["reservations"][0]["email"] == "eve@example.org"
    assert found.json["reservations"][0]["data"] == {"n": 1}
    assert booker.patch(path, {"data": None}).json["reservations"][0]["data"] == {}


@pytest.mark.parametrize(
    "asked", [{"email": "nobody"}, {"email": None}, {"data": "x"}, {"quota": 2}, []]
)
def test_edit_refused(booker, asked):
    """Nothing that makes no sense is kept."""
    before = made(booker)
    path = f"{HALL}/{before['token']}"
    assert booker.patch(path, asked).status_code == 422
    assert booker.get(path).json == before


def test_remove(booker):
    """What is removed is free again, and cannot be removed once more."""
    path = f"{HALL}/{made(booker, path=BOOKINGS)['token']}"
    assert booker.delete(path).status_code == 204
    assert booker.delete(path).status_code == 404
    made(booker, path=BOOKINGS)


def test_remove_one(booker):
    """One reservation of a token goes, the others stay."""
    dates = wish(day=0)["dates"] + wish(day=1)["dates"]
    found = booker.post(HALL, {"email": ADA, "dates": dates}).json
    path = f"{HALL}/{found['token']}"
    first = found["reservations"][0]["id"]
    assert booker.delete(f"{path}/{first}").status_code == 204
    assert booker.delete(f"{path}/{first}").status_code == 404
    assert times_of(booker.get(path).json) == ["Tue 09:00"]


# Deciding -----------------------------------------------------------------------------


def test_approve(booker, manager):
    """What is approved is taken; to approve it again changes nothing."""
    token = made(booker)["token"]
    for _ in range(2):
        found = manager.post(f"{HALL}/{token}/approve")
        assert (found.status_code, found.json["status"]) == (200, "approved")
    assert booker.post(BOOKINGS, wish()).status_code == 409


def test_approve_taken(booker, manager):
    """Two may wait for a time, but only one gets it."""
    first, second = made(booker)["token"], made(booker)["token"]
    assert manager.post(f"{HALL}/{first}/approve").status_code == 200
    found = manager.post(f"{HALL}/{second}/approve")
    assert found.status_code == 409
    assert ADA not in found.text
    assert statuses(manager, second) == "pending"


def test_deny(booker, manager):
    """What is denied is gone."""
    token = made(booker)["token"]
    assert manager.post(f"{HALL}/{token}/deny").status_code == 204
    assert statuses(booker, token) == 404


def test_deny_approved(booker, manager):
    """Who denies what somebody has just approved is told so."""
    token = made(booker, path=BOOKINGS)["token"]
    assert manager.post(f"{HALL}/{token}/deny").status_code == 409
    assert statuses(booker, token) == "approved"


# At once ------------------------------------------------------------------------------


@pytest.mark.parametrize("round_", range(3))
def test_race(app, key_of, reader, round_):
    """Of those who book the same time at once, one gets it."""
    clients = [Client(app, key_of("book")) for _ in range(4)]
    together, answers = threading.Barrier(len(clients)), []

    def send(client):
        together.wait(10)
        answers.append(client.post(BOOKINGS, wish(day=round_)))

    threads = [threading.Thread(target=send, args=[each]) for each in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]
    assert len(reader.get(HALL).json["reservations"]) == 1


def test_too_many_conflicts(context, place, key_of):  # noqa: ARG001 - as above
    """Who met others too often is told when to come back, and nothing is kept."""
    settings = replace(SETTINGS, attempts=2)
    app = create_app(context, settings, secret_key="signs", secure_cookies=False)
    client, tried = Client(app, key_of("book", "read")), []

    def get_in_the_way(ctx, reservations):
        tried.append(reservations)
        session = ctx.get_service("session_provider").session()
        session.execute(
            text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")
        )

    events.on_reservations_made.append(get_in_the_way)
    try:
        found = client.post(HALL, wish())
    finally:
        events.on_reservations_made.remove(get_in_the_way)
    assert (found.status_code, len(tried)) == (503, 2)
    assert int(found.headers["Retry-After"]) >= 1
    assert found.content_type == "application/problem+json"
    assert client.get(HALL).json["reservations"] == []


# Rights -------------------------------------------------------------------------------

CALLERS = ("anonymous", "read", "book", "manage", "sensor")

RIGHTS = [
    # anonymous, read, book, manage, sensor
    ("POST", HALL, "wish", (401, 403, 201, 201, 403)),
    ("POST", BOOKINGS, "wish", (401, 403, 201, 201, 403)),
    ("GET", HALL, None, (401, 200, 403, 200, 403)),
    ("GET", "/reservations/mine", None, (401, 403, 200, 200, 403)),
    ("GET", f"{HALL}/{{token}}", None, (401, 200, 200, 200, 403)),
    ("PATCH", f"{HALL}/{{token}}", {}, (401, 403, 200, 200, 403)),
    ("DELETE", f"{HALL}/{{token}}", None, (401, 403, 204, 204, 403)),
    ("PATCH", f"{HALL}/{{token}}/{{id}}", "time", (401, 403, 200, 200, 403)),
    ("DELETE", f"{HALL}/{{token}}/{{id}}", None, (401, 403, 204, 204, 403)),
    ("POST", f"{HALL}/{{token}}/approve", None, (401, 403, 403, 200, 403)),
    ("POST", f"{HALL}/{{token}}/deny", None, (401, 403, 403, 204, 403)),
    ("GET", "/resources/hall/blockers", None, (200, 200, 200, 200, 200)),
    ("POST", "/resources/hall/blockers", "block", (401, 403, 403, 201, 403)),
    (
        "PATCH",
        "/resources/hall/blockers/{blocker}",
        {"reason": "x"},
        (401, 403, 403, 200, 403),
    ),
    ("DELETE", "/resources/hall/blockers/{blocker}", None, (401, 403, 403, 204, 403)),
    (
        "PATCH",
        "/resources/hall/blockers/{blocker}/{blocker_id}",
        "time",
        (401, 403, 403, 200, 403),
    ),
    (
        "DELETE",
        "/resources/hall/blockers/{blocker}/{blocker_id}",
        None,
        (401, 403, 403, 204, 403),
    ),
    ("POST", "/sessions", None, (401, 403, 201, 201, 403)),
    ("GET", "/sessions/{session}", None, (401, 403, 200, 200, 403)),
    ("POST", "/sessions/{session}/confirm", {}, (401, 403, 200, 200, 403)),
    (
        "DELETE",
        "/sessions/{session}/reservations/{in_cart}",
        None,
        (401, 403, 204, 204, 403),
    ),
    ("DELETE", "/sessions/{session}", None, (401, 403, 204, 204, 403)),
]
"""Every route of reservations, blockers and sessions, and who may do it."""


@pytest.mark.parametrize(("verb", "path", "body", "expected"), RIGHTS)
def test_rights(app, key_of, manager, verb, path, body, expected):
    """Everybody may do what belongs to their scopes, and no more."""
    found = []
    for day, who in enumerate(CALLERS):
        client = Client(app, None if who == "anonymous" else key_of(who))
        records = _records(manager, day)
        bodies = {
            "wish": wish("12:00", "13:00", day),
            "time": wish("12:00", "13:00", day)["dates"][0],
            "block": {"dates": wish("12:00", "13:00", day)["dates"]},
        }
        sent = bodies[body] if isinstance(body, str) else body
        send = getattr(client, verb.lower())
        where = path.format(**records)
        answer = send(where) if verb in ("GET", "DELETE") else send(where, sent)
        found.append(answer.status_code)
        if answer.status_code in (401, 403):
            assert answer.content_type == "application/problem+json"
            assert ADA not in answer.text
    assert tuple(found) == expected


def _records(manager, day):
    """Make a reservation, a blocker and a cart of a day."""
    reserved = made(manager, "08:00", "09:00", day)
    blocked = manager.post(
        "/resources/hall/blockers", {"dates": wish("09:00", "10:00", day)["dates"]}
    ).json
    session = manager.post("/sessions").json["id"]
    in_cart = made(manager, "10:00", "11:00", day, session_id=session)
    return {
        "token": reserved["token"],
        "id": reserved["reservations"][0]["id"],
        "blocker": blocked["token"],
        "blocker_id": blocked["blockers"][0]["id"],
        "session": session,
        "in_cart": in_cart["token"],
    }


def test_every_route_has_rights(app):
    """The table of rights forgets no route of these three files."""
    ours = ("libres.reservations.", "libres.blockers.", "libres.sessions.")
    routes = {
        (verb, rule.rule.replace("<int:", "<"))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(ours)
        for verb in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert len(routes) == len(RIGHTS)


def test_document(app):
    """The document knows the key that makes it safe to send a request again."""
    paths = app.test_client().get("/openapi.json").json["paths"]
    for path in ("reservations", "bookings"):
        operation = paths[f"/resources/{{name}}/{path}"]["post"]
        header = {each["name"]: each for each in operation["parameters"]}
        assert header["Idempotency-Key"]["in"] == "header"
        assert {"201", "409", "422", "503"} <= operation["responses"].keys()
