"""Searching by HTTP: what is left, what matches, what fits, what else would do."""

from __future__ import annotations

import pytest

from libres.web import Place
from libres.web.directory import Directory
from tests.fixtures.statements import counted_on
from tests.web.conftest import DAY, HOUR, MONDAY, at, iso

WEEK = {"start": iso(MONDAY), "end": iso(MONDAY + 7 * DAY)}
RANGE = {"from": WEEK["start"], "to": WEEK["end"]}


@pytest.fixture
def attic(context):
    """A room in Zurich, from 10 to 12 local time on that Monday, two places."""
    place = Place("attic", "The attic", "Europe/Zurich")

    def fill():
        Directory(context).put(place)
        place.scheduler(context).allocate(
            (at("09:00"), at("11:00")), partly_available=True, raster=30, quota=2
        )

    context.transaction(fill)
    return place


def book(context, place, start, end, day=0, **more):
    """Book a time of a day."""

    def write():
        dates = (at(start, day), at(end, day))
        place.scheduler(context).book("ada@example.org", dates, **more)

    context.transaction(write)


def first(client, **wanted):
    """What fits first, as resources and starts."""
    found = client.post("/search", {**WEEK, "duration": 60, **wanted})
    assert found.status_code == 200, found.text
    return [(each["resource"], each["start"]) for each in found.json["spans"]]


class TestAvailability:
    def test_some(self, anyone, context, place):
        """What is left is told in percent."""
        book(context, place, "08:00", "13:00")
        query = {"from": iso(at("00:00")), "to": iso(at("00:00", 1))}
        found = anyone.get("/resources/hall/availability", **query)
        assert found.json == {"availability": 50.0}

    def test_nothing(self, anyone):
        """Where nothing is allocated, nothing is left."""
        query = {"from": iso(at("00:00", 10)), "to": iso(at("00:00", 11))}
        found = anyone.get("/resources/hall/availability", **query)
        assert found.json == {"availability": 0.0}

    def test_wrong(self, anyone):
        """A time is needed, of a resource that is there."""
        assert anyone.get("/resources/hall/availability").status_code == 422
        assert anyone.get("/resources/x/availability", **RANGE).status_code == 404


class TestMatches:
    def search(self, client, name="hall", **wanted):
        """What matches."""
        found = client.post(f"/resources/{name}/search", {**WEEK, **wanted})
        assert found.status_code == 200, found.text
        return found.json

    def test_all(self, anyone, context, place):
        """What matches is told with what is left of it."""
        book(context, place, "08:00", "13:00", 1)
        found = self.search(anyone, days=["tu", "we"])
        told = [(each["start"], each["availability"]) for each in found["allocations"]]
        assert told == [(iso(at("08:00", 1)), 50.0), (iso(at("08:00", 2)), 100.0)]
        assert found["more"] is False
        assert "data" not in found["allocations"][0]

    def test_available(self, anyone, context, place):
        """What is taken at those hours is left out."""
        book(context, place, "09:00", "10:00", 1)
        hours = {"start": iso(at("09:00")), "end": iso(at("10:00", 3))}
        found = self.search(anyone, **hours, available_only=True)["allocations"]
        assert [each["start"] for each in found] == [
            iso(at("08:00", day)) for day in (0, 2, 3)
        ]

    def test_local(self, anyone, attic):
        """Times of day are those of the resource: it opens at ten in Zurich."""
        early = {"start": "2026-11-30T09:00:00+01:00", "end": "2026-11-30T09:59:00Z"}
        assert self.search(anyone, "attic", **early)["allocations"]
        early["end"] = "2026-11-30T08:59:00Z"
        assert not self.search(anyone, "attic", **early)["allocations"]

    def test_limit(self, anyone):
        """What is left out is told."""
        found = self.search(anyone, limit=2)
        assert (len(found["allocations"]), found["more"]) == (2, True)

    def test_groups(self, anyone, manager):
        """What is there for its group only says so."""
        dates = [
            {"start": iso(start), "end": iso(start + HOUR)}
            for start in (at("08:00", 5), at("18:00", 6))
        ]
        body = {"dates": dates, "grouped": True}
        assert manager.post("/resources/hall/allocations", body).status_code == 201
        asked = {"start": iso(at("08:00")), "end": iso(at("09:00", 7))}
        found = self.search(anyone, **asked, groups="yes")["allocations"]
        assert [(each["grouped"], each["extra"]) for each in found] == [
            (True, False),
            (True, True),
        ]

    @pytest.mark.parametrize(
        ("wanted", "wrong"),
        [
            pytest.param({"days": ["monday"]}, "days.0", id="no weekday"),
            pytest.param({"days": "mo"}, "days", id="no list"),
            pytest.param({"minspots": -1}, "minspots", id="negative"),
            pytest.param({"minspots": 10**30}, "minspots", id="huge"),
            pytest.param({"whole_day": "maybe"}, "whole_day", id="no choice"),
            pytest.param({"start": WEEK["end"]}, "end", id="empty"),
            pytest.param({"end": "2029-01-01T00:00Z"}, "end", id="too long"),
            pytest.param({"limit": 0}, "limit", id="no rows"),
            pytest.param({"sort": "id"}, "sort", id="unknown"),
        ],
    )
    def test_wrong(self, anyone, wanted, wrong):
        """What makes no sense is refused, and told by field."""
        found = anyone.post("/resources/hall/search", {**WEEK, **wanted})
        assert found.status_code == 422, found.text
        assert wrong in found.json["errors"]


class TestFirst:
    def test_all(self, anyone, attic):
        """The first of all resources, by start, in the zone of each."""
        assert first(anyone, limit=3) == [
            ("hall", "2026-11-30T08:00:00+00:00"),
            ("attic", "2026-11-30T10:00:00+01:00"),
            ("hall", "2026-11-30T09:00:00+00:00"),
        ]

    def test_named(self, anyone, attic):
        """Only some, each once."""
        assert first(anyone, resources=["attic", "attic"]) == [
            ("attic", "2026-11-30T10:00:00+01:00"),
            ("attic", "2026-11-30T11:00:00+01:00"),
        ]
        assert first(anyone, resources=[]) == []

    def test_places(self, anyone, context, attic):
        """As many places as are wanted; how many are left is told."""
        book(context, attic, "09:00", "10:00")
        assert first(anyone, resources=["attic"], places=2) == [
            ("attic", "2026-11-30T11:00:00+01:00")
        ]
        body = {**WEEK, "duration": 60, "resources": ["attic"]}
        spans = anyone.post("/search", body).json["spans"]
        assert [each["places_left"] for each in spans] == [1, 2]

    def test_hours(self, anyone, attic):
        """Days and times of day are local."""
        hours = {"from_time": "11:00", "to_time": "12:00", "days": ["mo"]}
        assert first(anyone, **hours) == [
            ("attic", "2026-11-30T11:00:00+01:00"),
            ("hall", "2026-11-30T11:00:00+00:00"),
        ]

    def test_whose(self, anyone, context, place):
        """Nothing is told of who has taken what does not fit."""
        book(context, place, "08:00", "18:00")
        found = anyone.post("/search", {**WEEK, "duration": 60, "limit": 1})
        assert found.json["spans"] == [
            {
                "resource": "hall",
                "start": iso(at("08:00", 1)),
                "end": iso(at("09:00", 1)),
                "places_left": 1,
                "approve_manually": False,
            }
        ]

    @pytest.mark.parametrize(
        ("wanted", "wrong"),
        [
            pytest.param({"duration": 0}, "duration", id="no duration"),
            pytest.param({"duration": 1441}, "duration", id="more than a day"),
            pytest.param({"duration": None}, "duration", id="null"),
            pytest.param({"places": 0}, "places", id="no place"),
            pytest.param({"limit": 501}, "limit", id="too many"),
            pytest.param({"from_time": "24:00"}, "from_time", id="no time of day"),
            pytest.param({"from_time": "9:00"}, "from_time", id="a short one"),
            pytest.param({"from_time": "09:00\n"}, "from_time", id="a line end"),
            pytest.param({"from_time": 9}, "from_time", id="a number"),
            pytest.param({"resources": ["cellar"]}, "resources", id="unknown"),
            pytest.param({"resources": ["\0"]}, "resources.0", id="NUL"),
            pytest.param({"resources": ["\ud800"]}, "resources.0", id="half a pair"),
            pytest.param({"resources": "hall"}, "resources", id="no list"),
            pytest.param({"resources": ["x"] * 501}, "resources", id="many names"),
            pytest.param({"end": WEEK["start"]}, "end", id="empty"),
        ],
    )
    def test_wrong(self, anyone, wanted, wrong):
        """What makes no sense is refused, and told by field."""
        found = anyone.post("/search", {**WEEK, "duration": 60, **wanted})
        assert found.status_code == 422, found.text
        assert wrong in found.json["errors"]


class TestAlternatives:
    def ask(self, client, name="hall", start="08:00", end="10:00", **query):
        """What else would do on that Monday."""
        query = {"start": iso(at(start)), "end": iso(at(end)), **query}
        return client.get(f"/resources/{name}/alternatives", **query)

    def test_both(self, anyone, context, place, attic, clock):
        """The nearest here, and others at the same time."""
        clock.now = MONDAY
        book(context, place, "08:00", "17:00")
        found = self.ask(anyone, start="09:00", end="10:00", limit=2).json
        assert [each["start"] for each in found["here"]] == [
            iso(at("17:00")),
            iso(at("09:00", 1)),
        ]
        assert found["elsewhere"] == [
            {
                "resource": "attic",
                "start": "2026-11-30T10:00:00+01:00",
                "end": "2026-11-30T11:00:00+01:00",
                "places_left": 2,
                "approve_manually": False,
            }
        ]

    def test_past(self, anyone, context, place, clock):
        """What lies in the past is no alternative."""
        clock.now = at("07:00", 1)
        book(context, place, "08:00", "18:00", 1)
        query = {"start": iso(at("08:00", 1)), "end": iso(at("18:00", 1))}
        found = anyone.get("/resources/hall/alternatives", **query).json
        assert [each["start"] for each in found["here"]] == [
            iso(at("08:00", day)) for day in (2, 3, 4)
        ]

    def test_places(self, anyone, attic):
        """A resource with fewer places is none."""
        found = self.ask(anyone, start="09:00", end="10:00", places=2).json
        assert [each["resource"] for each in found["elsewhere"]] == ["attic"]
        assert found["here"] == []

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            pytest.param({"name": "cellar"}, 404, id="unknown"),
            pytest.param({"end": "08:00"}, 422, id="empty"),
            pytest.param({"places": 0}, 422, id="no place"),
            pytest.param({"places": "many"}, 422, id="a word"),
            pytest.param({"limit": 51}, 422, id="too many"),
            pytest.param({"place": 2}, 422, id="a typo"),
        ],
    )
    def test_wrong(self, anyone, query, status):
        """What makes no sense is refused."""
        assert self.ask(anyone, **query).status_code == status

    def test_long(self, anyone):
        """What is too long to be reserved is not looked for."""
        query = {"start": iso(MONDAY), "end": iso(MONDAY + 3 * DAY)}
        found = anyone.get("/resources/hall/alternatives", **query)
        assert found.status_code == 422


@pytest.mark.parametrize("number", [1, 10])
@pytest.mark.usefixtures("place")
def test_statements(anyone, context, number):
    """However many resources there are, a search costs the same."""

    def fill():
        for each in range(number):
            room = Place(f"room {each}", "A room", "UTC")
            Directory(context).put(room)
            dates = (at("08:00"), at("10:00"))
            room.scheduler(context).allocate(dates, partly_available=True)

    context.transaction(fill)
    provider = context.get_service("session_provider")
    with counted_on(provider.read_only_engine) as statements:
        assert first(anyone)
    assert len(statements) == 3
    query = {"start": iso(at("08:00")), "end": iso(at("10:00"))}
    with counted_on(provider.read_only_engine) as statements:
        anyone.get("/resources/hall/alternatives", **query)
    assert len(statements) == 5
