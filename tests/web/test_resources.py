"""Resources and their calendars."""

import pytest

from libres.web import Place
from libres.web.directory import Directory
from tests.fixtures.statements import counted_on
from tests.web.conftest import at, iso


def test_calendar(anyone, place):
    """What is allocated and how much of it is left is told to everybody."""
    place.scheduler  # noqa: B018 - it is a fixture
    found = anyone.get(
        "/resources/hall/calendar",
        **{"from": iso(at("00:00")), "to": iso(at("00:00", 1))},
    )
    assert found.status_code == 200, found.text
    (shown,) = found.json["allocations"]
    assert shown["availability"] == 100.0
    again = anyone.get(
        "/resources/hall/calendar",
        headers={"If-None-Match": found.headers["ETag"]},
        **{"from": iso(at("00:00")), "to": iso(at("00:00", 1))},
    )
    assert again.status_code == 304


def test_unknown(anyone):
    """What is not there is told in the shape of the specifications."""
    found = anyone.get(
        "/resources/attic/calendar",
        **{"from": "2026-01-01T00:00Z", "to": "2026-01-02T00:00Z"},
    )
    assert found.status_code == 404
    assert found.json["detail"] == "Not found."
    assert found.content_type == "application/problem+json"


def test_put(manager, reader, anyone):
    """Only managers add resources."""
    body = {"title": "The attic", "timezone": "Europe/Zurich"}
    assert anyone.put("/resources/attic", body).status_code == 401
    assert reader.put("/resources/attic", body).status_code == 403
    assert manager.put("/resources/attic", body).status_code == 204
    names = [each["name"] for each in anyone.get("/resources").json["resources"]]
    assert names == ["attic", "hall"]


def test_wrong(anyone):
    """What is wrong is told by field."""
    found = anyone.get(
        "/resources/hall/calendar", **{"from": "2026-01-01T00:00", "to": "now"}
    )
    assert found.status_code == 422
    assert set(found.json["errors"]) == {"from", "to"}, found.json


def test_document(anyone):
    """The document can be had."""
    found = anyone.get("/openapi.json").json
    assert found["openapi"] == "3.1.0"
    assert "/resources/{name}/calendar" in found["paths"]


DAY = {"from": iso(at("00:00")), "to": iso(at("00:00", 1))}


def calendar(client, **query):
    """The allocations of a calendar of the hall."""
    found = client.get("/resources/hall/calendar", **{**DAY, **query})
    assert found.status_code == 200, found.text
    return found.json["allocations"]


class TestOne:
    def test_get(self, anyone):
        """A resource can be got by its name."""
        assert anyone.get("/resources/hall").json == {
            "name": "hall",
            "title": "The hall",
            "timezone": "UTC",
        }
        assert anyone.get("/resources/attic").status_code == 404

    def test_delete(self, manager, anyone):
        """What is off the list is not found; added again, it is as it was."""
        assert anyone.delete("/resources/hall").status_code == 401
        assert manager.delete("/resources/hall").status_code == 204
        assert anyone.get("/resources").json == {"resources": []}
        assert manager.delete("/resources/hall").status_code == 404
        body = {"title": "The hall", "timezone": "UTC"}
        assert manager.put("/resources/hall", body).status_code == 204
        assert len(calendar(anyone)) == 1

    def test_scope(self, booker):
        """Only managers take resources off the list."""
        assert booker.delete("/resources/hall").status_code == 403

    @pytest.mark.parametrize("name", ["%00", "<script>", "..%2f..", "x" * 3000])
    def test_names(self, manager, name):
        """Names that are nobody's are not found, whatever is in them."""
        path = f"/resources/{name}"
        assert manager.get(path).status_code == 404
        assert manager.delete(path).status_code in (404, 405)

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param({"title": "", "timezone": "UTC"}, id="no title"),
            pytest.param({"title": "\0", "timezone": "UTC"}, id="NUL"),
            pytest.param({"title": "x" * 201, "timezone": "UTC"}, id="long"),
            pytest.param({"title": "x", "timezone": "Mars"}, id="no zone"),
            pytest.param({"title": "x", "timezone": "../UTC"}, id="a path"),
            pytest.param(
                {"title": "x", "timezone": "UTC", "position": 10**30}, id="far down"
            ),
            pytest.param([], id="a list"),
        ],
    )
    def test_wrong(self, manager, body):
        """What makes no sense is refused."""
        assert manager.put("/resources/attic", body).status_code == 422

    def test_host(self, context, manager):
        """A list that the application keeps is shown, and not changed here."""

        class Ours:
            """Knows one room."""

            def all(self):
                return [Place("room", "A room", "UTC")]

        context.set_service("resources", lambda _: Ours())
        assert manager.get("/resources/room").status_code == 200
        assert manager.get("/resources/hall").status_code == 404
        assert manager.delete("/resources/room").status_code == 403
        body = {"title": "The attic", "timezone": "UTC"}
        assert manager.put("/resources/attic", body).status_code == 403


class TestCalendar:
    def test_partitions(self, anyone, context, place):
        """What is taken is told, and not by whom."""

        def write():
            dates = (at("10:00"), at("15:00"))
            place.scheduler(context).book("ada@example.org", dates)

        context.transaction(write)
        (shown,) = calendar(anyone)
        assert shown["availability"] == 50.0
        assert shown["partitions"] == [
            {"percent": 20.0, "free": True},
            {"percent": 50.0, "free": False},
            {"percent": 30.0, "free": True},
        ]
        assert set(shown) == {
            *("id", "start", "end", "quota", "availability", "partitions")
        }

    def test_changed(self, anyone, context, place):
        """Once something has changed, it is told again."""
        found = anyone.get("/resources/hall/calendar", **DAY)
        headers = {"If-None-Match": found.headers["ETag"]}

        def write():
            dates = (at("10:00"), at("11:00"))
            place.scheduler(context).book("ada@example.org", dates)

        context.transaction(write)
        again = anyone.get("/resources/hall/calendar", headers=headers, **DAY)
        assert again.status_code == 200

    def test_half_open(self, anyone):
        """What begins at the end, or ends at the start, is not within."""
        query = {"from": iso(at("18:00")), "to": iso(at("08:00", 1))}
        assert calendar(anyone, **query) == []

    def test_as_scheduler(self, anyone, context, place):
        """The figures are those of the scheduler, also with several places."""

        def write():
            scheduler = place.scheduler(context)
            scheduler.allocate((at("08:00", 5), at("10:00", 5)), quota=3)
            scheduler.allocate(
                (at("08:00", 6), at("10:00", 6)), quota=2, partly_available=True
            )
            scheduler.book("ada@example.org", (at("08:00", 5), at("10:00", 5)))
            scheduler.book("ada@example.org", (at("09:00", 6), at("10:00", 6)))
            scheduler.add_blocker((at("12:00", 1), at("13:00", 1)))

        context.transaction(write)
        week = at("00:00"), at("00:00", 7)
        shown = calendar(anyone, **{"from": iso(week[0]), "to": iso(week[1])})
        expected = place.scheduler(context).allocations_with_availability_by_range(
            *week
        )
        assert [
            (
                each["id"],
                each["availability"],
                [(part["percent"], not part["free"]) for part in each["partitions"]],
            )
            for each in shown
        ] == [(each.id, left, parts) for each, left, parts in expected]

    def test_blocked(self, anyone, context, place):
        """What is taken on a resource that blocks it is taken here."""

        def write():
            room = Place("room", "A room", "UTC", ("hall",))
            Directory(context).put(room)
            room.scheduler(context).allocate(
                (at("09:00"), at("11:00")), partly_available=True, raster=60
            )
            dates = (at("10:00"), at("10:15"))
            place.scheduler(context).book("ada@example.org", dates)

        context.transaction(write)
        found = anyone.get("/resources/room/calendar", **DAY).json["allocations"]
        assert [each["availability"] for each in found] == [50.0]

    def test_hidden(self, anyone, context):
        """What the exposure hides is not shown."""

        class Nothing:
            """Hides all."""

            @staticmethod
            def is_allocation_exposed(_):
                return False

        context.set_service("exposure", lambda _: Nothing())
        assert calendar(anyone) == []

    @pytest.mark.parametrize("number", [1, 40])
    def test_statements(self, anyone, context, place, number):
        """However much there is, a calendar costs two statements."""

        def write():
            dates = [(at("20:00", day), at("21:00", day)) for day in range(number)]
            place.scheduler(context).allocate(dates)

        context.transaction(write)
        provider = context.get_service("session_provider")
        query = {"from": iso(at("00:00")), "to": iso(at("00:00", 50))}
        with counted_on(provider.read_only_engine) as statements:
            assert len(calendar(anyone, **query)) == 5 + number
        assert len(statements) == 2


def test_document_tags(anyone):
    """Operations are told in groups: what belongs together stands together."""
    paths = anyone.get("/openapi.json").json["paths"]
    assert paths["/resources"]["get"]["tags"] == ["Resources"]
    assert paths["/spaces"]["get"]["tags"] == ["Occupancy"]
