"""Allocations by HTTP: allocate, list, change, remove."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from libres.web import Place
from libres.web.directory import Directory
from tests.web.conftest import DAY, HOUR, MONDAY, at, iso

ROOT = "/resources/hall/allocations"
SATURDAY = (at("08:00", 5), at("12:00", 5))


def dates(*ranges):
    """Times as a request has them."""
    return [{"start": iso(start), "end": iso(end)} for start, end in ranges]


def week(**more):
    """The query for all of that week."""
    return {"from": iso(MONDAY), "to": iso(MONDAY + 7 * DAY), **more}


def listed(client, **more):
    """What is listed of that week."""
    found = client.get(ROOT, **week(**more))
    assert found.status_code == 200, found.text
    return found.json["allocations"]


def add(manager, *ranges, **terms):
    """Allocate, and return what was."""
    made = manager.post(ROOT, {"dates": dates(*ranges), **terms})
    assert made.status_code == 201, made.text
    return made.json["allocations"]


def reserve(context, place, day=0, start="08:00", end="09:00", *, approve=True):
    """Reserve an hour of a day."""

    def write():
        scheduler = place.scheduler(context)
        times = (at(start, day), at(end, day))
        token = scheduler.reserve("ada@example.org", times)
        if approve:
            scheduler.approve_reservations(token)

    context.transaction(write)


class TestList:
    def test_all(self, anyone):
        """Everybody sees what is allocated, in the zone of the resource."""
        found = listed(anyone)
        assert [each["start"] for each in found] == [
            iso(at("08:00", day)) for day in range(5)
        ]
        assert {key: value for key, value in found[0].items() if key != "group"} == {
            "id": found[0]["id"],
            "start": "2026-11-30T08:00:00+00:00",
            "end": "2026-11-30T18:00:00+00:00",
            "quota": 1,
            "quota_limit": 0,
            "raster": 15,
            "partly_available": True,
            "whole_day": False,
            "grouped": False,
            "approve_manually": False,
        }

    def test_data(self, anyone, reader, manager):
        """Data is for those who may read."""
        add(manager, SATURDAY, data={"code": "1234"})
        assert "1234" not in anyone.get(ROOT, **week()).text
        assert listed(reader)[-1]["data"] == {"code": "1234"}

    def test_pages(self, anyone):
        """Pages follow each other without gaps, and the last says so."""
        starts, query = [], {"limit": 2}
        for _ in range(3):
            found = anyone.get(ROOT, **week(**query)).json
            starts += [each["start"] for each in found["allocations"]]
            query["cursor"] = found["next"]
        assert starts == [iso(at("08:00", day)) for day in range(5)]
        assert found["next"] is None

    def test_full_page(self, anyone):
        """A page that is just full is the last one."""
        assert anyone.get(ROOT, **week(limit=5)).json["next"] is None

    def test_half_open(self, anyone):
        """What begins at the end, or ends at the start, is not within."""
        query = {"from": iso(at("18:00")), "to": iso(at("08:00", 1))}
        assert anyone.get(ROOT, **query).json["allocations"] == []

    @pytest.mark.parametrize(
        "cursor",
        [
            pytest.param("x", id="a letter"),
            pytest.param("W10", id="an empty list"),
            pytest.param("WyIyMDI2LTExLTMwIiwxXQ", id="no zone"),
            pytest.param("WzEsMV0", id="no moment"),
            pytest.param(
                "WyIyMDI2LTExLTMwVDA4OjAwOjAwWiIsOTk5OTk5OTk5OTk5OTk5OTk5OTldCg",
                id="a number too large",
            ),
            pytest.param("\u00fc", id="not of this alphabet"),
        ],
    )
    def test_cursors(self, anyone, cursor):
        """A cursor that is none of ours is refused."""
        found = anyone.get(ROOT, **week(cursor=cursor))
        assert found.status_code == 422
        assert set(found.json["errors"]) == {"cursor"}

    @pytest.mark.parametrize(
        ("query", "wrong"),
        [
            pytest.param({"from": iso(at("08:00"))}, {"to"}, id="without an end"),
            pytest.param(
                {"from": iso(at("08:00")), "to": iso(at("08:00"))}, {"to"}, id="empty"
            ),
            pytest.param(week(limit=0), {"limit"}, id="no rows"),
            pytest.param(week(limit=10**30), {"limit"}, id="too many rows"),
            pytest.param(week(form="x"), {"form"}, id="a typo"),
            pytest.param(
                {"from": "1970-01-01T00:00Z", "to": "2030-01-01T00:00Z"},
                {"to"},
                id="too long",
            ),
        ],
    )
    def test_wrong(self, anyone, query, wrong):
        """What is wrong is told by field."""
        found = anyone.get(ROOT, **query)
        assert (found.status_code, set(found.json["errors"])) == (422, wrong)

    def test_hidden(self, anyone, manager, context):
        """What the exposure hides is there for managers only."""

        class Nothing:
            """Hides all."""

            @staticmethod
            def is_allocation_exposed(_):
                return False

        context.set_service("exposure", lambda _: Nothing())
        assert listed(anyone) == []
        hidden = listed(manager)
        assert len(hidden) == 5
        assert anyone.get(f"{ROOT}/{hidden[0]['id']}").status_code == 404

    @pytest.mark.parametrize(
        "name", ["attic", "%00", "<script>", "..%2fhall", "%ed%a0%80", "x" * 3000]
    )
    def test_names(self, anyone, name):
        """Names that are nobody's are not found, whatever is in them."""
        found = anyone.get(f"/resources/{name}/allocations", **week())
        assert found.status_code == 404
        assert found.content_type == "application/problem+json"


class TestAllocate:
    def test_one(self, manager):
        """What was allocated is told, and can be got."""
        (made,) = add(manager, SATURDAY, quota=3, quota_limit=2, data={"a": 1})
        assert (made["start"], made["quota"]) == (iso(SATURDAY[0]), 3)
        assert manager.get(f"{ROOT}/{made['id']}").json == made

    def test_grouped(self, manager):
        """Several in a group are told as that, a single one is none."""
        sunday = (SATURDAY[0] + DAY, SATURDAY[1] + DAY)
        made = add(manager, SATURDAY, sunday, grouped=True)
        assert len({each["group"] for each in made}) == 1
        assert [each["grouped"] for each in made] == [True, True]
        assert listed(manager)[-2:] == made
        later = (SATURDAY[0] + 3 * DAY, SATURDAY[1] + 3 * DAY)
        assert add(manager, later, grouped=True)[0]["grouped"] is False

    def test_whole_day(self, manager):
        """Whole days of the resource."""
        (made,) = add(manager, SATURDAY, whole_day=True)
        assert (made["start"], made["end"]) == (
            iso(MONDAY + 5 * DAY),
            iso(at("00:00", 6)),
        )
        assert made["whole_day"] is True

    def test_again(self, manager):
        """Sent again it is refused, so nothing is allocated twice."""
        add(manager, SATURDAY)
        again = manager.post(ROOT, {"dates": dates(SATURDAY)})
        assert again.status_code == 409
        assert again.json["type"] == "urn:libres:problem:overlapping-allocation"
        assert len(listed(manager)) == 6

    def test_all_or_none(self, manager):
        """If one overlaps something, nothing is allocated, unless it is skipped."""
        monday = (at("09:00"), at("10:00"))
        body = {"dates": dates(SATURDAY, monday)}
        assert manager.post(ROOT, body).status_code == 409
        assert len(listed(manager)) == 5
        made = add(manager, SATURDAY, monday, skip_overlapping=True)
        assert [each["start"] for each in made] == [iso(SATURDAY[0])]
        assert add(manager, monday, skip_overlapping=True) == []

    @pytest.mark.parametrize("who", ["anyone", "reader", "booker"])
    def test_scope(self, request, who, manager):
        """Only managers allocate, change and remove."""
        client = request.getfixturevalue(who)
        refused = 401 if who == "anyone" else 403
        path = f"{ROOT}/{listed(manager)[0]['id']}"
        answers = [
            client.post(ROOT, {"dates": dates(SATURDAY)}),
            client.patch(path, {"quota": 2}),
            client.delete(path),
            client.delete(f"{ROOT}?from=2026-11-30T00:00Z&to=2026-12-04T00:00Z"),
        ]
        assert [each.status_code for each in answers] == [refused] * 4
        assert len(listed(manager)) == 5

    @pytest.mark.parametrize(
        ("body", "wrong"),
        [
            pytest.param({}, "dates", id="nothing"),
            pytest.param({"dates": []}, "dates", id="no dates"),
            pytest.param({"dates": {}}, "dates", id="an object"),
            pytest.param({"dates": [1]}, "dates.0._schema", id="a number"),
            pytest.param(
                {"dates": dates(SATURDAY[::-1])}, "dates.0.end", id="reversed"
            ),
            pytest.param(
                {"dates": dates((SATURDAY[0], SATURDAY[0]))}, "dates.0.end", id="empty"
            ),
            pytest.param(
                {"dates": [{"start": "2026-12-05T08:00", "end": iso(SATURDAY[1])}]},
                "dates.0.start",
                id="without zone",
            ),
            pytest.param(
                {"dates": dates((MONDAY, MONDAY + 500 * DAY))}, "dates.0.end", id="long"
            ),
            pytest.param({"raster": 7}, "raster", id="no raster"),
            pytest.param({"quota": 0}, "quota", id="no place"),
            pytest.param({"quota": 10**30}, "quota", id="too many places"),
            pytest.param({"quota": 1.5}, "quota", id="half a place"),
            pytest.param({"grouped": "yes"}, "grouped", id="a word"),
            pytest.param({"data": [1]}, "data", id="data that is no object"),
            pytest.param({"data": {"a": "\0"}}, "data", id="NUL"),
            pytest.param({"color": "red"}, "color", id="unknown"),
        ],
    )
    def test_wrong(self, manager, body, wrong):
        """What makes no sense is refused, and told by field."""
        sent = (
            body if not body or "dates" in body else {"dates": dates(SATURDAY), **body}
        )
        found = manager.post(ROOT, sent)
        assert found.status_code == 422, found.text
        assert wrong in found.json["errors"]

    @pytest.mark.parametrize(
        "terms",
        [
            pytest.param({"grouped": True, "partly_available": True}, id="parts"),
            pytest.param({"grouped": True, "skip_overlapping": True}, id="skipped"),
        ],
    )
    def test_terms(self, manager, terms):
        """Terms that exclude each other are refused."""
        body = {"dates": dates(SATURDAY), **terms}
        assert manager.post(ROOT, body).status_code == 422

    def test_too_many(self, manager):
        """A thousand at once, and not more."""
        start = datetime(2027, 1, 1, tzinfo=UTC)
        many = [(start + n * HOUR, start + (n + 1) * HOUR) for n in range(1001)]
        assert manager.post(ROOT, {"dates": dates(*many)}).status_code == 422
        assert len(add(manager, *many[1:])) == 1000

    def test_not_json(self, manager):
        """What is no JSON is told as that."""
        headers = {**manager.headers, "Content-Type": "application/json"}
        assert manager.http.post(ROOT, data="{", headers=headers).status_code == 400


class TestChange:
    def test_move(self, manager):
        """An allocation moves."""
        first = listed(manager)[0]
        times = {"start": iso(at("07:00")), "end": iso(at("19:00"))}
        found = manager.patch(f"{ROOT}/{first['id']}", times)
        assert found.status_code == 200, found.text
        assert {key: found.json[key] for key in times} == times

    def test_end(self, manager):
        """What is left out stays."""
        first = listed(manager)[0]
        found = manager.patch(f"{ROOT}/{first['id']}", {"end": iso(at("19:00"))}).json
        assert found["start"] == first["start"]
        assert found["end"] == iso(at("19:00"))

    def test_terms(self, manager):
        """Terms change without the time; null is a value of data."""
        (made,) = add(manager, SATURDAY, data={"a": 1})
        path = f"{ROOT}/{made['id']}"
        terms = {"quota": 4, "quota_limit": 2, "approve_manually": True}
        found = manager.patch(path, terms).json
        assert found == {**made, **terms}
        assert not manager.patch(path, {"data": None}).json["data"]

    def test_group(self, manager):
        """An allocation joins the group of another."""
        one, other = listed(manager)[:2]
        group = {"group": other["group"]}
        found = manager.patch(f"{ROOT}/{one['id']}", group).json
        assert (found["group"], found["grouped"]) == (other["group"], True)

    def test_taken(self, manager, context, place):
        """What would leave a reservation without its time is refused."""
        reserve(context, place)
        first = listed(manager)[0]
        found = manager.patch(f"{ROOT}/{first['id']}", {"start": iso(at("08:30"))})
        assert found.status_code == 409
        assert "ada@" not in found.text
        overlapping = {"end": iso(at("09:00", 1))}
        assert manager.patch(f"{ROOT}/{first['id']}", overlapping).status_code == 409
        assert listed(manager)[0] == first

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param({"start": iso(at("18:00"))}, id="empty"),
            pytest.param({"end": iso(at("07:00"))}, id="reversed"),
            pytest.param({"end": iso(at("07:00")), "whole_day": True}, id="whole days"),
            pytest.param({"quota": 0}, id="no place"),
            pytest.param({"quota": None}, id="null"),
            pytest.param({"group": "mine"}, id="no group"),
            pytest.param({"raster": 5}, id="the raster stays"),
            pytest.param([], id="a list"),
        ],
    )
    def test_wrong(self, manager, body):
        """What makes no sense is refused."""
        first = listed(manager)[0]
        found = manager.patch(f"{ROOT}/{first['id']}", body)
        assert found.status_code == 422, found.text
        assert listed(manager)[0] == first

    @pytest.mark.parametrize("id_", ["0", "4711", str(2**31), str(10**30), "-1", "x"])
    def test_unknown(self, manager, id_):
        """What is not there is not found."""
        path = f"{ROOT}/{id_}"
        answers = [manager.get(path), manager.patch(path, {"quota": 2})]
        answers.append(manager.delete(path))
        assert [each.status_code for each in answers] == [404] * 3

    def test_others(self, manager, context):
        """What belongs to another resource is not found, nor is a mirror."""

        def write():
            attic = Place("attic", "The attic", "UTC")
            Directory(context).put(attic)
            scheduler = attic.scheduler(context)
            scheduler.allocate((at("08:00"), at("09:00")), quota=2)
            scheduler.book("ada@example.org", (at("08:00"), at("09:00")), quota=2)
            return [each.id for each in scheduler.managed_allocations()]

        ids = context.transaction(write)
        assert len(ids) == 2
        for each in ids:
            assert manager.delete(f"{ROOT}/{each}").status_code == 404
        found = [
            manager.get(f"/resources/attic/allocations/{each}").status_code
            for each in ids
        ]
        assert sorted(found) == [200, 404]


class TestRemove:
    def test_one(self, manager):
        """An allocation is gone, and again not found."""
        path = f"{ROOT}/{listed(manager)[0]['id']}"
        assert manager.delete(path).status_code == 204
        assert manager.delete(path).status_code == 404
        assert len(listed(manager)) == 4

    @pytest.mark.parametrize("approve", [True, False])
    def test_reserved(self, manager, context, place, approve):
        """What is reserved, or waited for, is not removed."""
        reserve(context, place, approve=approve)
        first = listed(manager)[0]
        found = manager.delete(f"{ROOT}/{first['id']}")
        assert found.status_code == 409
        assert manager.delete(f"{ROOT}?group={first['group']}").status_code == 409
        assert len(listed(manager)) == 5

    def test_group(self, manager):
        """A group is removed as a whole."""
        sunday = (SATURDAY[0] + DAY, SATURDAY[1] + DAY)
        group = add(manager, SATURDAY, sunday, grouped=True)[0]["group"]
        found = manager.delete(f"{ROOT}?group={group}")
        assert found.json == {"removed": 2}
        assert manager.delete(f"{ROOT}?group={group}").status_code == 404
        assert len(listed(manager)) == 5

    def test_unused(self, manager, context, place):
        """What nobody uses is removed from a time; the rest stays."""
        reserve(context, place)
        found = manager.delete(f"{ROOT}?from=2026-11-30T00:00Z&to=2026-12-04T00:00Z")
        assert found.json == {"removed": 3}
        assert [each["start"] for each in listed(manager)] == [
            iso(at("08:00", day)) for day in (0, 4)
        ]

    def test_days(self, manager):
        """Only some weekdays."""
        times = "from=2026-11-30T00:00Z&to=2026-12-07T00:00Z"
        found = manager.delete(f"{ROOT}?{times}&days=mo&days=we")
        assert found.json == {"removed": 2}

    @pytest.mark.parametrize(
        "query",
        [
            pytest.param("", id="nothing is not everything"),
            pytest.param("from=2026-11-30T00:00Z", id="no end"),
            pytest.param("days=mo", id="only days"),
            pytest.param("group=all", id="no group"),
            pytest.param(
                "from=2026-11-30T00:00Z&to=2026-12-07T00:00Z&days=monday", id="no day"
            ),
            pytest.param("from=2026-12-07T00:00Z&to=2026-11-30T00:00Z", id="reversed"),
            pytest.param(
                "group=6f1c2b9e-0000-4000-8000-000000000000&days=mo", id="both"
            ),
        ],
    )
    def test_wrong(self, manager, query):
        """What is not said clearly removes nothing."""
        assert manager.delete(f"{ROOT}?{query}").status_code == 422
        assert len(listed(manager)) == 5
