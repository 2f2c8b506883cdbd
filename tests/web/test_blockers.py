"""Blockers: who takes times out of service, and who is told why."""

from __future__ import annotations

from datetime import datetime

import pytest

from libres.web import Place
from libres.web.directory import Directory
from tests.web.conftest import NOBODY, at, iso

BLOCKERS = "/resources/hall/blockers"
RESERVATIONS = "/resources/hall/reservations"


def span(start="09:00", end="10:00", day=0):
    """A time of a request."""
    return {"start": iso(at(start, day)), "end": iso(at(end, day))}


def blocked(client, *spans, **more):
    """Block, and return what was answered."""
    found = client.post(BLOCKERS, {"dates": [*spans] or [span()], **more})
    assert found.status_code == 201, found.text
    return found.json


def starts(document):
    """The starts of the blockers of a document, as clocks."""
    found = [each["start"] for each in document["blockers"]]
    return [datetime.fromisoformat(each).strftime("%a %H:%M") for each in found]


@pytest.fixture
def group(context, place):
    """A group of two evenings of the hall."""

    def fill():
        evenings = [(at("19:00", day), at("21:00", day)) for day in (0, 1)]
        return place.scheduler(context).allocate(evenings, grouped=True)[0].group

    return str(context.transaction(fill))


def test_block(manager, booker):
    """What is blocked can be reserved by nobody."""
    made = blocked(manager, reason="Paint <script>")
    (told,) = made["blockers"]
    assert isinstance(told.pop("id"), int)
    assert told == {
        "token": made["token"],
        "reason": "Paint <script>",
        "group": None,
        **span(),
        "spans": [span()],
    }
    wish = {"email": "ada@example.org", "dates": [span("09:30", "10:30")]}
    assert booker.post(RESERVATIONS, wish).status_code == 409


def test_block_taken(manager):
    """A time of which a place is taken is not blocked, nor any other of the request."""
    wish = {"email": "ada@example.org", "dates": [span()]}
    assert manager.post("/resources/hall/bookings", wish).status_code == 201
    wanted = {"dates": [span(day=1), span("09:30", "10:30")]}
    found = manager.post(BLOCKERS, wanted)
    assert found.status_code == 409
    assert "ada@" not in found.text
    assert manager.get(BLOCKERS).json["blockers"] == []


def test_block_group(manager, group):
    """A group is blocked as one; its times are those of its members."""
    found = manager.post(BLOCKERS, {"group": group, "reason": None})
    assert found.status_code == 201, found.text
    (told,) = found.json["blockers"]
    assert (told["group"], told["reason"]) == (group, None)
    assert told["spans"] == [span("19:00", "21:00"), span("19:00", "21:00", 1)]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"dates": []},
        {"dates": [span()], "group": NOBODY},
        {"dates": [span()] * 101},
        {"dates": [span("10:00", "09:00")]},
        {"dates": [span("20:00", "21:00")]},
        {"dates": [span("17:00", "19:00")]},
        {"group": NOBODY},
        {"group": "evenings"},
        {"dates": [span()], "reason": "NUL \0"},
        {"dates": [span()], "reason": "x" * 1001},
        {"dates": [span()], "reason": 5},
        {"dates": [span()], "token": NOBODY},
        [],
    ],
)
def test_senseless(manager, asked):
    """What makes no sense is refused."""
    assert manager.post(BLOCKERS, asked).status_code == 422


def test_listed(manager, reader, anyone, booker):
    """When something is out of service is told to all; why, to who may read."""
    made = blocked(manager, reason="Paint")
    assert reader.get(BLOCKERS).json["blockers"] == made["blockers"]
    for each in (anyone, booker):
        found = each.get(BLOCKERS)
        assert found.json["blockers"] == [{**span(), "spans": [span()]}]
        assert made["token"] not in found.text


def test_listed_again(anyone, manager):
    """What has not changed is not sent again."""
    blocked(manager)
    tag = anyone.get(BLOCKERS).headers["ETag"]
    assert anyone.get(BLOCKERS, headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["Mon 09:00", "Tue 09:00", "Mon 19:00"]),
        ({"to": iso(at("09:00", 1))}, ["Mon 09:00", "Mon 19:00"]),
        ({"from": iso(at("10:00"))}, ["Tue 09:00", "Mon 19:00"]),
        (
            {"from": iso(at("20:00", 1)), "to": iso(at("20:01", 1))},
            ["Mon 19:00"],
        ),
        ({"from": iso(at("10:00")), "to": iso(at("19:00"))}, []),
    ],
)
def test_filtered(manager, anyone, group, asked, expected):
    """A list is of what has a moment in common with a time."""
    blocked(manager, span(), span(day=1))
    assert manager.post(BLOCKERS, {"group": group}).status_code == 201
    assert starts(anyone.get(BLOCKERS, **asked).json) == expected


def test_pages(manager, anyone):
    """A long list comes in pages."""
    blocked(manager, *(span(day=day) for day in range(3)))
    first = anyone.get(BLOCKERS, limit=2).json
    assert starts(first) == ["Mon 09:00", "Tue 09:00"]
    last = anyone.get(BLOCKERS, limit=2, cursor=first["next"]).json
    assert (starts(last), last["next"]) == (["Wed 09:00"], None)


def test_explain(manager):
    """The reason is replaced, by none, too."""
    path = f"{BLOCKERS}/{blocked(manager, reason='Paint')['token']}"
    for reason in ("Dust", None):
        found = manager.patch(path, {"reason": reason})
        assert found.json["blockers"][0]["reason"] == reason
    assert manager.patch(path, {}).status_code == 422


def test_move(manager, booker):
    """A blocker is moved, and keeps its token, id and reason."""
    made = blocked(manager, reason="Paint")
    (before,) = made["blockers"]
    later = span("11:00", "12:00")
    found = manager.patch(f"{BLOCKERS}/{made['token']}/{before['id']}", later)
    assert found.status_code == 200, found.text
    assert found.json["blockers"] == [{**before, **later, "spans": [later]}]
    wish = {"email": "ada@example.org", "dates": [span()]}
    assert booker.post(RESERVATIONS, wish).status_code == 201


@pytest.mark.parametrize(
    ("when", "status"),
    [
        pytest.param(span("11:00", "12:00"), 409, id="taken"),
        pytest.param(span("12:00", "11:00"), 422, id="reversed"),
        pytest.param(span("17:00", "19:00"), 422, id="beyond the allocation"),
    ],
)
def test_move_refused(manager, when, status):
    """What cannot be moved stays where it is."""
    wish = {"email": "ada@example.org", "dates": [span("11:00", "12:00")]}
    assert manager.post("/resources/hall/bookings", wish).status_code == 201
    made = blocked(manager)
    path = f"{BLOCKERS}/{made['token']}/{made['blockers'][0]['id']}"
    assert manager.patch(path, when).status_code == status
    assert manager.get(BLOCKERS).json["blockers"] == made["blockers"]


def test_remove(manager, booker):
    """What is put back into service can be reserved again."""
    path = f"{BLOCKERS}/{blocked(manager)['token']}"
    assert manager.delete(path).status_code == 204
    assert manager.delete(path).status_code == 404
    wish = {"email": "ada@example.org", "dates": [span()]}
    assert booker.post("/resources/hall/bookings", wish).status_code == 201


def test_remove_one(manager):
    """One blocker of a token goes, the others stay."""
    made = blocked(manager, span(), span(day=1))
    path = f"{BLOCKERS}/{made['token']}/{made['blockers'][0]['id']}"
    assert manager.delete(path).status_code == 204
    assert manager.delete(path).status_code == 404
    assert starts(manager.get(BLOCKERS).json) == ["Tue 09:00"]


@pytest.mark.parametrize("id_", ["0", "2147483648", "9" * 30, "-1", "x"])
def test_unknown_id(manager, id_):
    """An id that no blocker of the token has is not found; 0 is not "all"."""
    path = f"{BLOCKERS}/{blocked(manager)['token']}/{id_}"
    assert manager.patch(path, span("11:00", "12:00")).status_code == 404
    assert manager.delete(path).status_code == 404
    assert len(manager.get(BLOCKERS).json["blockers"]) == 1


@pytest.mark.parametrize("token", [NOBODY, "nonsense", "%00", "<script>"])
def test_unknown_token(manager, token):
    """A token that stands for nothing is not found, by no verb."""
    path = f"{BLOCKERS}/{token}"
    found = [
        manager.patch(path, {"reason": "x"}),
        manager.patch(f"{path}/1", span()),
        manager.delete(path),
        manager.delete(f"{path}/1"),
    ]
    assert {each.status_code for each in found} == {404}


def test_another_resource(manager, context):
    """The token of a blocker opens nothing of another resource."""
    context.transaction(lambda: Directory(context).put(Place("room", "Room", "UTC")))
    made = blocked(manager)
    path = f"/resources/room/blockers/{made['token']}"
    assert manager.patch(path, {"reason": "x"}).status_code == 404
    assert manager.delete(path).status_code == 404
    assert manager.get("/resources/room/blockers").json["blockers"] == []
    assert manager.get("/resources/attic/blockers").status_code == 404


def test_token_of_a_reservation(manager):
    """The token of a reservation is none of a blocker, nor the other way round."""
    wish = {"email": "ada@example.org", "dates": [span(day=1)]}
    reserved = manager.post(RESERVATIONS, wish).json["token"]
    made = blocked(manager)["token"]
    assert manager.delete(f"{BLOCKERS}/{reserved}").status_code == 404
    assert manager.delete(f"{RESERVATIONS}/{made}").status_code == 404
