"""Conflicts over HTTP: section 4.4 of their specification, and its checks."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from libres.conflicts import Claims
from tests.web.conftest import Client

pytestmark = pytest.mark.usefixtures("claims")

SOURCE = "scheduling_app.Reservation"
DAY = "2025-12-01T"


def moment(clock):
    """A moment of the day of the specification."""
    return datetime.fromisoformat(f"{DAY}{clock}:00+00:00")


@pytest.fixture
def claims(context, place):  # noqa: ARG001 - which has made the context's tables
    """The base data of the specification: reservation 1 of HMMWV-123 from 9 to 10."""
    made = Claims(context)
    during = (moment("09:00"), moment("10:00"))
    context.transaction(
        lambda: made.put(SOURCE, 1, "HMMWV-123", during, label="Ada", url="https://a")
    )
    return made


def proposal(start="09:30", end="10:30", resource="HMMWV-123", zone="Z", **more):
    """A proposal as it is sent."""
    return {
        "resource_id": resource,
        "start_time": f"{DAY}{start}{zone}",
        "end_time": f"{DAY}{end}{zone}",
        **more,
    }


def check(client, *args, **more):
    """Ask whether something is free."""
    return client.post("/conflicts/check", proposal(*args, **more))


def met(client, *args, **more):
    """How many claims are in the way."""
    found = check(client, *args, **more)
    assert found.status_code == 200, found.text
    return len(found.json)


BUSY = {
    "lower": f"{DAY}09:00:00+00:00",
    "upper": f"{DAY}10:00:00+00:00",
    "bounds": {"lower_inclusive": True, "upper_inclusive": False},
}

# Checking -----------------------------------------------------------------------------


def test_item(reader):
    """C1: the keys that clients depend on."""
    (item,) = check(reader).json
    assert item.pop("id") > 0
    assert item == {
        "resource_id": "HMMWV-123",
        "temporal_range": BUSY,
        "integer_range": None,
        "arbitrary_dims": None,
        "source_app": SOURCE,
        "source_object_id": "1",
    }


def test_touching(reader):
    """C2: what touches is free."""
    assert check(reader, "10:00", "11:00").json == []


def test_elsewhere(reader):
    """C3: another resource is free."""
    assert met(reader, resource="Room 201") == 0


@pytest.mark.parametrize("number", [1, "1"])
def test_itself(reader, number):
    """C4: a record is not in its own way."""
    assert met(reader, source_app=SOURCE, id=number) == 0
    assert met(reader, source_app=SOURCE, id=2) == 1


def test_new_record(reader):
    """A new record has no id yet: nothing is left out."""
    assert met(reader, source_app=SOURCE, id=None) == 1


def test_zones(reader):
    """C5: moments are compared, not clocks."""
    assert met(reader, "09:30", "10:00", zone="+01:00") == 0
    assert met(reader, "10:30", "11:30", zone="+01:00") == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"resource_id": None}, "resource_id"),
        ({"resource_id": ""}, "resource_id"),
        ({"resource_id": "a\0b"}, "resource_id"),
        ({"resource_id": 5}, "resource_id"),
        ({"start_time": None}, "start_time"),
        ({"end_time": f"{DAY}09:30Z"}, "end_time"),
        ({"end_time": f"{DAY}08:00Z"}, "end_time"),
        ({"end_time": "2035-01-01T00:00Z"}, "end_time"),
        ({"start_time": f"{DAY}09:30"}, "start_time"),
        ({"integer_range": {"lower": 1}}, "integer_range.upper"),
        ({"integer_range": [1, 2]}, "integer_range._schema"),
        ({"integer_range": {"lower": "1", "upper": 2}}, "integer_range.lower"),
        ({"integer_range": {"lower": True, "upper": 2}}, "integer_range.lower"),
        ({"arbitrary_dims": []}, "arbitrary_dims"),
        ({"arbitrary_dims": {"a": "\0"}}, "arbitrary_dims"),
        ({"id": 1}, "source_app"),
        ({"id": 10**30, "source_app": SOURCE}, "id"),
        ({"id": 1.0, "source_app": SOURCE}, "id"),
        ({"id": True, "source_app": SOURCE}, "id"),
        ({"id": " ", "source_app": SOURCE}, "id"),
        ({"equipment_serial": "other"}, "resource_id"),
        ({"resource": "HMMWV-123"}, "resource"),
    ],
)
def test_wrong(reader, wrong, field):
    """C6: what is missing or contradictory is an error by field, never 'it is free'."""
    found = reader.post("/conflicts/check", proposal() | wrong)
    assert found.status_code == 400, found.text
    assert found.json["detail"]
    assert set(found.json["errors"]) == {field}


@pytest.mark.parametrize("body", [{}, [], None, "a", {"start_time": f"{DAY}09:00Z"}])
def test_empty(reader, body):
    """C6: an empty question has no answer."""
    assert reader.post("/conflicts/check", body).status_code == 400


@pytest.mark.parametrize(
    "numbers",
    [
        {"lower": 2, "upper": 1},
        {"lower": 1, "upper": 1, "bounds": {"upper_inclusive": False}},
        {"lower": 10**200, "upper": None},
        {"lower": float("nan"), "upper": 1},
        {"lower": float("inf"), "upper": None},
    ],
)
def test_wrong_numbers(reader, numbers):
    """A span of numbers that holds none is an error."""
    assert check(reader, integer_range=numbers).status_code == 400


def test_id_of_nothing(reader):
    """The text of None is no id."""
    assert check(reader, source_app=SOURCE, id="None").status_code == 400


def test_numbers(reader, claims, context):
    """C7: spans collide where they have a number in common; their bounds are kept."""
    during, span = (moment("09:00"), moment("10:00")), (10_000, 15_000)
    context.transaction(lambda: claims.put(SOURCE, 2, "AIR-1", during, span=span))

    def numbers(lower, upper, **bounds):
        asked = {"lower": lower, "upper": upper}
        asked |= {"bounds": bounds} if bounds else {}
        return check(reader, resource="AIR-1", integer_range=asked).json

    (item,) = numbers(14_000, 16_000)
    assert item["integer_range"] == {
        "lower": 10_000,
        "upper": 15_000,
        "bounds": {"lower_inclusive": True, "upper_inclusive": True},
    }
    assert numbers(16_000, 17_000) == []
    assert len(numbers(15_000, 16_000)) == 1
    assert numbers(15_000, 16_000, lower_inclusive=False) == []
    assert len(numbers(None, None)) == 1


def test_no_numbers(reader):
    """C8: a claim that says no span has all of it."""
    assert met(reader, integer_range={"lower": 500, "upper": 600}) == 1


def test_dims(reader, claims, context):
    """C18: the stored pairs contain those that are asked for."""
    during, dims = (moment("09:00"), moment("10:00")), {"lane": 2, "dir": "N"}
    context.transaction(lambda: claims.put(SOURCE, 2, "road", during, dims=dims))
    assert met(reader, resource="road", arbitrary_dims={"lane": 2}) == 1
    assert met(reader, resource="road", arbitrary_dims={"lane": 3}) == 0


def test_alias(reader):
    """Older clients call the resource equipment_serial."""
    asked = proposal()
    asked["equipment_serial"] = asked.pop("resource_id")
    assert len(reader.post("/conflicts/check", asked).json) == 1


def test_who_may_check(anyone, booker, key_of, app):
    """Who books checks; nobody else."""
    assert check(anyone).status_code == 401
    assert check(Client(app, key_of("sensor"))).status_code == 403
    assert check(booker).status_code == 200


def test_reduced(booker):
    """Without permission to read, one sees that it is busy, and when."""
    assert check(booker).json == [{"busy": True, "temporal_range": BUSY}]


def test_other_context(reader, context):
    """C15: another context is in nobody's way."""
    other = context.registry.register_context("other")
    other.set_setting("dsn", context.get_setting("dsn"))
    during = (moment("09:00"), moment("10:00"))
    other.transaction(lambda: Claims(other).put(SOURCE, 1, "Room 201", during))
    other.get_service("session_provider").stop_service()
    assert met(reader, resource="Room 201") == 0


# Many ---------------------------------------------------------------------------------


def batch(client, proposals):
    """Ask about several."""
    return client.post("/conflicts/check-batch", {"proposals": proposals})


def test_batch(reader):
    """C14: which claims and which of the others are in the way, in order."""
    asked = [
        proposal("12:00", "13:00", "Room 201"),
        proposal("12:30", "13:30", "Room 201"),
        proposal(),
    ]
    found = batch(reader, asked).json["results"]
    assert [each["index"] for each in found] == [0, 1, 2]
    assert [each["within"] for each in found] == [[1], [0], []]
    assert [len(each["conflicts"]) for each in found] == [0, 0, 1]


def test_batch_is_reduced(booker):
    """Who may not read is told of busy times only."""
    (found,) = batch(booker, [proposal()]).json["results"]
    assert found["conflicts"] == [{"busy": True, "temporal_range": BUSY}]


def test_large_batch(reader):
    """A thousand are answered, also if they say much; one more is too large."""
    dims = {"text": "x" * 300}
    found = batch(reader, [proposal(arbitrary_dims=dims)] * 1000)
    assert len(found.json["results"]) == 1000
    found = batch(reader, [proposal()] * 1001)
    assert (found.status_code, found.json["status"]) == (413, 413)


@pytest.mark.parametrize("proposals", [[], {}, [1], [{}], None, "abc"])
def test_wrong_batch(reader, proposals):
    """What are no proposals is refused."""
    assert batch(reader, proposals).status_code == 400


def test_batch_is_not_for_everybody(anyone):
    """Nobody checks without a key."""
    assert batch(anyone, [proposal()]).status_code == 401


# Claiming -----------------------------------------------------------------------------


def claim(client, *args, **more):
    """Claim something."""
    return client.post("/conflicts/claims", proposal(*args, **more))


def test_claim(manager, reader):
    """A claim is answered as an item, and is in the way from then on."""
    made = claim(manager, "13:00", "14:00", label="Fair", arbitrary_dims={"lane": 2})
    assert made.status_code == 201, made.text
    assert made.json["arbitrary_dims"] == {"lane": 2}
    assert check(reader, "13:30", "15:00").json == [made.json]


def test_taken(manager):
    """Who comes second is told who was first."""
    found = claim(manager)
    assert found.status_code == 409
    assert found.content_type == "application/problem+json"
    (item,) = found.json["conflicts"]
    assert item["source_object_id"] == "1"
    assert "Ada" not in found.text


def test_record(manager):
    """A record that claims again moves."""
    moved = claim(manager, "11:00", "12:00", source_app=SOURCE, id=1)
    assert moved.status_code == 201
    assert claim(manager).status_code == 201


def test_record_by_its_other_name(manager):
    """The id may be called as in the items."""
    made = claim(manager, "11:00", "12:00", source_app=SOURCE, source_object_id="7")
    assert made.json["source_object_id"] == "7"


def test_tentative(manager, reader):
    """What is not certain yet is told so."""
    claim(manager, "11:00", "12:00", tentative=True)
    (item,) = check(reader, "11:00", "12:00").json
    assert item["tentative"] is True


@pytest.mark.parametrize(
    "wrong",
    [
        {"source_app": SOURCE},
        {"id": 5},
        {"source_app": SOURCE, "id": 5, "source_object_id": 6},
        {"part": -1},
        {"part": 10**30},
        {"places": 3},
        {"capacity": 2, "places": 3},
        {"url": "javascript:alert(1)"},
        {"exclusive": "perhaps"},
        {"expires": "2026-01-01T00:00"},
        {"label": "a\0b"},
        {"end_time": f"{DAY}01:00Z"},
    ],
)
def test_wrong_claim(manager, wrong):
    """What cannot be claimed is refused with 400."""
    found = claim(manager, **wrong)
    assert found.status_code == 400, found.text


def test_who_may_claim(anyone, reader, booker):
    """Only managers claim."""
    assert claim(anyone).status_code == 401
    assert claim(reader).status_code == 403
    assert claim(booker).status_code == 403


def test_race(app, key_of):
    """C12: of eight at the same moment one has it, the others are told who."""
    key = key_of("manage")

    def attempt(_number):
        return claim(Client(app, key), "13:00", "14:00")

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(attempt, range(8)))
    codes = sorted(each.status_code for each in found)
    assert codes == [201] + [409] * 7
    (made,) = [each.json for each in found if each.status_code == 201]
    told = [each.json["conflicts"] for each in found if each.status_code == 409]
    assert [[item["source_object_id"] for item in items] for items in told] == [
        [made["source_object_id"]]
    ] * 7


# Listing ------------------------------------------------------------------------------


def listed(client, **query):
    """List claims."""
    if "start" in query:
        query["from"] = query.pop("start")
    return client.get("/conflicts/claims", **query)


def test_list(reader, manager):
    """Claims of a resource come by start, page by page."""
    claim(manager, "07:00", "08:00")
    first = listed(reader, resource="HMMWV-123", limit=1).json
    assert first["claims"][0]["temporal_range"]["lower"] == f"{DAY}07:00:00+00:00"
    rest = listed(reader, resource="HMMWV-123", limit=1, after=first["next"]).json
    assert rest["claims"][0]["source_object_id"] == "1"
    assert rest["next"] is None


def test_list_of_a_time(reader):
    """Claims of a time, of any resource."""
    query = {"start": f"{DAY}09:00Z", "to": f"{DAY}10:00Z"}
    assert len(listed(reader, **query).json["claims"]) == 1
    query = {"start": f"{DAY}10:00Z", "to": f"{DAY}11:00Z"}
    assert listed(reader, **query).json == {"claims": [], "next": None}


def test_list_is_reduced(booker, anyone):
    """Who may not read is told of busy times only; who has no key of nothing."""
    found = listed(booker, resource="HMMWV-123").json
    assert found["claims"] == [{"busy": True, "temporal_range": BUSY}]
    assert listed(anyone, resource="HMMWV-123").status_code == 401


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"resource": ""},
        {"resource": "a\x1fb"},
        {"start": f"{DAY}09:00Z"},
        {"to": f"{DAY}09:00Z"},
        {"start": f"{DAY}09:00Z", "to": f"{DAY}09:00Z"},
        {"resource": "a", "limit": 0},
        {"resource": "a", "limit": 10**30},
        {"resource": "a", "after": "x"},
        {"resource": "a", "cursor": "x"},
    ],
)
def test_wrong_list(reader, query):
    """A question without a condition, or with half of one, has no answer."""
    assert listed(reader, **query).status_code == 400


def test_not_set_up(manager, claims):
    """A room without tables is not there, and is no error of ours."""
    session = claims.session
    session.connection().exec_driver_sql("DROP TABLE conflict_claims CASCADE")
    session.commit()
    found = [
        check(manager),
        batch(manager, [proposal()]),
        claim(manager),
        listed(manager, resource="a"),
    ]
    assert [each.status_code for each in found] == [404] * 4
    assert found[0].json["detail"] == "Not found."


def test_moments(reader):
    """Times are told with an offset."""
    (item,) = check(reader).json
    lower = datetime.fromisoformat(item["temporal_range"]["lower"])
    assert lower == datetime(2025, 12, 1, 9, tzinfo=UTC)
