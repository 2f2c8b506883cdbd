"""The API of waiting lists: joining, being served, leaving; and what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from libres.web import Place, WebSettings, create_app
from libres.web.directory import Directory
from tests.web.conftest import DAY, HOUR, MONDAY, NOBODY, Client, at, iso

WAITING = "/resources/hall/waiting"
ADA, BOB, EVE = (f"{name}@example.org" for name in ("ada", "bob", "eve"))


@pytest.fixture(autouse=True)
def today(clock):
    """It is the Friday before."""
    clock.now = MONDAY - 3 * DAY
    return clock


@pytest.fixture
def taken(context, place):
    """Somebody has the hall from 9 to 12; gives their token back."""

    def take():
        dates = (at("09:00"), at("12:00"))
        return place.scheduler(context).book(EVE, dates)[0].token

    return context.transaction(take)


@pytest.fixture
def give_back(context, place, taken):
    """Frees it."""
    scheduler = place.scheduler(context)
    return lambda: context.transaction(lambda: scheduler.remove_reservation(taken))


@pytest.fixture
def other_booker(app, key_of):
    """Another one who may reserve."""
    return Client(app, key_of("book", name="other", email=BOB))


def wish(first="09:00", last="10:00", **more):
    """What is sent to join."""
    return {"start": iso(at(first)), "end": iso(at(last)), **more}


def join(client, **more):
    """Join, and give the answer's document."""
    found = client.post(WAITING, wish(**more))
    assert found.status_code == 201, found.text
    return found.json


@pytest.mark.usefixtures("taken")
class TestJoining:
    def test_join(self, booker):
        """Who joins is told how far they are, and where to ask again."""
        found = booker.post(WAITING, wish(data={"chairs": 3}))
        assert found.status_code == 201
        assert (found.json["position"], found.json["status"]) == (1, "waiting")
        assert found.json["until"] == iso(at("10:00"))
        assert found.headers["Location"] == f"{WAITING}/{found.json['id']}"
        assert booker.get(found.headers["Location"]).json == found.json

    def test_order(self, booker, other_booker):
        """Who comes later stands behind, until the other has left."""
        first, second = join(booker), join(other_booker)
        assert second["position"] == 2
        assert booker.delete(f"{WAITING}/{first['id']}").status_code == 204
        moved = other_booker.get(f"{WAITING}/{second['id']}")
        assert moved.json["position"] == 1

    def test_own_address(self, booker, manager):
        """Without an address it is that of the caller."""
        join(booker)
        (entry,) = manager.get(WAITING).json["entries"]
        assert entry["email"] == ADA

    def test_no_address(self, manager):
        """Somebody has to wait."""
        found = manager.post(WAITING, wish())
        assert found.status_code == 422
        assert set(found.json["errors"]) == {"email"}

    def test_again(self, booker, manager):
        """Who sends it again gets the same entry, with what was said last."""
        first = join(booker)
        assert join(booker, data={"chairs": 3}) == first
        (entry,) = manager.get(WAITING).json["entries"]
        assert entry["data"] == {"chairs": 3}

    def test_address_of_another(self, booker, other_booker, manager):
        """Nobody gets the id of somebody else by sending their address."""
        first = join(booker)
        found = other_booker.post(WAITING, wish(email=ADA))
        assert found.status_code == 409
        assert first["id"] not in found.text
        assert join(manager, email=ADA)["id"] == first["id"]

    def test_free(self, booker):
        """What is free is refused, and it is said what to do."""
        found = booker.post(WAITING, wish("14:00", "15:00"))
        assert found.status_code == 409
        assert found.json["type"] == "urn:libres:problem:time-is-free"
        assert "reserve it" in found.json["detail"]

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(wish("10:00", "09:00"), id="reversed"),
            pytest.param(wish("09:00", "09:00"), id="empty"),
            pytest.param(wish("19:00", "20:00"), id="not allocated"),
            pytest.param(wish("11:00", "19:00"), id="too late"),
            pytest.param(wish(places=0), id="no place"),
            pytest.param(wish(places=10**30), id="too many places"),
            pytest.param(wish(places="1"), id="a word"),
            pytest.param(wish(email="nobody"), id="no address"),
            pytest.param(wish(email="a\0@example.org"), id="nul"),
            pytest.param(wish(email="\ud800@example.org"), id="surrogate"),
            pytest.param(wish(data=[1]), id="a list"),
            pytest.param(wish(data={"x": "\0"}), id="nul within"),
            pytest.param(wish(until="2026-11-29T10:00"), id="no zone"),
            pytest.param(wish(until="2026-11-01T10:00Z"), id="past"),
            pytest.param(wish(again=True), id="unknown field"),
            pytest.param({"start": iso(at("09:00"))}, id="no end"),
            pytest.param([wish()], id="list"),
            pytest.param({**wish(), "end": iso(at("09:00") + 40 * HOUR)}, id="long"),
        ],
    )
    def test_wrong(self, booker, body):
        """What makes no sense is refused."""
        assert booker.post(WAITING, body).status_code == 422

    def test_too_many_places(self, booker):
        """More places than there are will never be free."""
        assert booker.post(WAITING, wish(places=2)).status_code == 409

    def test_names(self, booker, manager):
        """What people write is told as they wrote it."""
        said = {"name": "<script>alert(1)</script>", "path": "../../x"}
        join(booker, data=said)
        found = manager.get(WAITING)
        assert found.json["entries"][0]["data"] == said
        assert found.content_type == "application/json"


@pytest.mark.usefixtures("taken")
class TestListing:
    def test_pages(self, manager):
        """The list is read page by page, by turn."""
        for number in range(5):
            join(manager, email=f"{number}@example.org")
        seen, cursor = [], {}
        while cursor is not None:
            found = manager.get(WAITING, limit=2, **cursor).json
            seen += [(each["email"], each["position"]) for each in found["entries"]]
            cursor = found["next"] and {"cursor": found["next"]}
        assert seen == [(f"{n}@example.org", n + 1) for n in range(5)]

    def test_range(self, manager):
        """Those are listed who wait for a part of a time."""
        join(manager, email=ADA)
        join(manager, email=BOB, first="10:00", last="11:00")
        within = {"from": iso(at("10:00")), "to": iso(at("11:00"))}
        found = manager.get(WAITING, **within).json["entries"]
        assert [each["email"] for each in found] == [BOB]

    def test_polled(self, manager):
        """What has not changed is not sent again."""
        join(manager, email=ADA)
        tag = manager.get(WAITING).headers["ETag"]
        again = manager.get(WAITING, headers={"If-None-Match": tag})
        assert again.status_code == 304

    @pytest.mark.parametrize(
        "query",
        [
            {"cursor": "nonsense"},
            {"cursor": "WzFlMzBd"},
            {"cursor": "Wy0xXQ"},
            {"limit": 0},
            {"limit": "many"},
            {"form": "2026-11-30T00:00Z"},
            {"from": "2026-11-30T00:00Z", "to": "2026-11-29T00:00Z"},
        ],
    )
    def test_wrong(self, manager, query):
        """What makes no sense is refused."""
        assert manager.get(WAITING, **query).status_code == 422


class TestServing:
    def test_serve(self, booker, manager, give_back):
        """Who is served has a reservation, and hears so."""
        entry = join(booker, data={"chairs": 3})
        give_back()
        served = manager.post(f"{WAITING}/{entry['id']}/serve")
        assert served.status_code == 201
        token = served.json["token"]
        found = manager.get(f"/resources/hall/reservations/{token}").json
        assert found["status"] == "approved"
        assert found["reservations"][0]["email"] == ADA
        assert found["reservations"][0]["data"] == {"chairs": 3}
        told = booker.get(f"{WAITING}/{entry['id']}")
        assert (told.json["status"], told.json["position"]) == ("served", None)
        assert token not in told.text
        assert manager.get(WAITING).json["entries"] == []

    def test_twice(self, booker, manager, give_back):
        """Who was served is served no more, and does not leave."""
        entry = join(booker)
        give_back()
        path = f"{WAITING}/{entry['id']}"
        assert manager.post(f"{path}/serve").status_code == 201
        assert manager.post(f"{path}/serve").status_code == 409
        assert booker.delete(path).status_code == 409

    def test_taken(self, booker, manager, taken):
        """What is still taken is refused."""
        assert taken
        entry = join(booker)
        found = manager.post(f"{WAITING}/{entry['id']}/serve")
        assert found.status_code == 409
        assert found.json["type"] == "urn:libres:problem:already-reserved"

    def test_expired(self, booker, manager, give_back, today):
        """Who waits no more is not served."""
        entry = join(booker, until=iso(today.now + HOUR))
        give_back()
        today.advance(HOUR)
        path = f"{WAITING}/{entry['id']}"
        assert booker.get(path).json["status"] == "expired"
        assert manager.post(f"{path}/serve").status_code == 409
        assert booker.delete(path).status_code == 204

    def test_race(self, booker, app, key_of, give_back):
        """Of several who serve the same entry one wins."""
        entry = join(booker)
        give_back()
        clients = [Client(app, key_of("manage")) for _ in range(4)]
        path = f"{WAITING}/{entry['id']}/serve"
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda each: each.post(path).status_code, clients))
        assert sorted(found) == [201, 409, 409, 409]


@pytest.mark.usefixtures("taken")
class TestAccess:
    def test_scopes(self, anyone, reader, booker, manager):
        """Each does what its key is for, and no more."""
        assert [each.get(WAITING).status_code for each in (anyone, reader, booker)] == [
            *(401, 403, 403)
        ]
        statuses = [each.post(WAITING, wish()).status_code for each in (anyone, reader)]
        assert statuses == [401, 403]
        path = f"{WAITING}/{join(booker)['id']}"
        assert [
            each.post(f"{path}/serve").status_code for each in (anyone, booker)
        ] == [*(401, 403)]
        assert [each.delete(path).status_code for each in (anyone, reader)] == [
            401,
            403,
        ]
        assert [each.get(path).status_code for each in (anyone, reader)] == [401, 200]
        assert manager.delete(path).status_code == 204

    def test_nothing_of_others(self, booker, other_booker):
        """Who has the id sees how far they are, and no address."""
        entry = join(booker, data={"phone": "079"})
        found = other_booker.get(f"{WAITING}/{entry['id']}")
        assert ADA not in found.text
        assert "079" not in found.text

    def test_other_resource(self, context, booker, manager):
        """An id is one of its own resource only."""
        attic = Place("attic", "The attic", "UTC")
        context.transaction(lambda: Directory(context).put(attic))
        path = f"/resources/attic/waiting/{join(booker)['id']}"
        assert booker.get(path).status_code == 404
        assert booker.delete(path).status_code == 404
        assert manager.post(f"{path}/serve").status_code == 404

    @pytest.mark.parametrize(
        "entry",
        [
            NOBODY,
            "1",
            "%00",
            "<script>",
            "..",
            "x" * 999,
        ],
    )
    def test_unknown(self, manager, entry):
        """What is no id leads nowhere."""
        path = f"{WAITING}/{entry}"
        assert manager.get(path).status_code == 404
        assert manager.delete(path).status_code in (404, 405)
        assert manager.post(f"{path}/serve").status_code == 404

    @pytest.mark.parametrize("name", ["attic", "%00", "<script>", "%ed%a0%80"])
    def test_unknown_resource(self, manager, name):
        """What is no resource has no list."""
        path = f"/resources/{name}/waiting"
        assert manager.get(path).status_code == 404
        assert manager.post(path, wish(email=ADA)).status_code == 404
        assert manager.get(path).json["detail"] == "Not found."

    def test_anonymous(self, context):
        """A host may let everybody wait; they still see nobody."""
        settings = WebSettings(anonymous=frozenset({"book"}))
        app = create_app(context, settings, secret_key="signs", secure_cookies=False)
        visitor = Client(app)
        assert join(visitor, email=BOB)["position"] == 1
        assert visitor.post(WAITING, wish(email=BOB)).status_code == 409
        assert visitor.get(WAITING).status_code == 401


@pytest.mark.usefixtures("taken")
def test_not_set_up(context, manager):
    """Without the table there is no list, and no failure."""
    session = context.get_service("session_provider").session()
    session.connection().exec_driver_sql("DROP TABLE waiting_entries")
    session.commit()
    assert manager.get(WAITING).status_code == 404
    assert manager.post(WAITING, wish(email=ADA)).status_code == 404
