"""Timetables over HTTP: section 4.3 of their specification, and its checks."""

from datetime import timedelta
from urllib.parse import quote

import pytest

from libres.timetable import Timetable
from tests.timetable.conftest import at, span
from tests.web.conftest import DAY, iso
from tests.web.conftest import at as on

pytestmark = pytest.mark.usefixtures("table")

MIDNIGHT, NEXT = iso(at(0)), iso(at(24))


@pytest.fixture
def table(context, place):  # noqa: ARG001 - which has made the context's tables
    """John, who is free from 8 to 14, and Sara, from 10 to 11."""
    made = Timetable(context)

    def fill():
        made.add("John", timezone="UTC", tags=["french"])
        made.add("Sara", timezone="UTC")
        made.open(["John"], [span(8, 14)])
        made.open(["Sara"], [span(10, 11)])

    context.transaction(fill)
    return made


def free(client, name="John", start=MIDNIGHT, end=NEXT, **more):
    """Ask when somebody is free."""
    path = f"/timetable/{quote(name, safe='')}/free"
    return client.get(path, **{"from": start, "to": end, **more})


def interval(start, end):
    """A span of the day, as JSON has it."""
    found = span(start, end)
    return {"start": iso(found.start), "end": iso(found.end)}


def who(client, start, end, **more):
    """Ask who is free in a window."""
    body = {"windows": [interval(start, end)], **more}
    return client.post("/timetable/free-subjects", body)


def names(found):
    """Who was found."""
    assert found.status_code == 200, found.text
    return [each["name"] for each in found.json["subjects"]]


# One ----------------------------------------------------------------------------------


def test_free(anyone, table):
    """T1: one interval, in the shape of the specification."""
    found = free(anyone)
    assert found.status_code == 200, found.text
    assert found.json == {
        "subject": "John",
        "from": MIDNIGHT,
        "to": NEXT,
        "raster": 15,
        "free": [interval(8, 14)],
    }
    assert table.subject("John").name == "John"


def test_free_touching(anyone, table, context):
    """T5: what touches is one interval."""
    context.transaction(lambda: table.add("Kim", timezone="UTC"))
    spans = [span(8, 10), span(10, 14)]
    context.transaction(lambda: table.open(["Kim"], spans))
    assert free(anyone, "Kim").json["free"] == [interval(8, 14)]


def test_free_after_a_reservation(anyone, context, place):
    """T8 and T9: reserved time is not free, and is again when it is removed."""
    scheduler = type(place)("John", "John", "UTC").scheduler(context)
    token = context.transaction(
        lambda: scheduler.book("a@example.org", (at(9), at(9, 30)))[0].token
    )
    found = free(anyone).json["free"]
    assert found == [interval(8, 9), interval((9, 30), 14)]
    context.transaction(lambda: scheduler.remove_reservation(token))
    assert free(anyone).json["free"] == [interval(8, 14)]


def test_min(anyone):
    """What is shorter than min minutes is left out."""
    assert free(anyone, "Sara", min=60).json["free"] == [interval(10, 11)]
    assert free(anyone, "Sara", min=61).json["free"] == []


@pytest.mark.parametrize(
    "name", ["Sara Ann / Room 1", "/etc", "a//b", "x/free", "Zoë", "<script>", "a\nb"]
)
def test_names(anyone, table, context, name):
    """A name may hold what paths are made of."""
    context.transaction(lambda: table.add(name, timezone="UTC"))
    found = free(anyone, name)
    assert found.status_code == 200, found.text
    assert found.json["subject"] == name


@pytest.mark.parametrize("name", ["Nobody", "a\0b", " ", "x" * 300, "..", "10" * 30])
def test_unknown(anyone, name):
    """Who is not there is told in the shape of the specification."""
    found = free(anyone, name)
    assert found.status_code == 404
    assert found.json["detail"] == "Not found."


def test_other_context(anyone, table):
    """Nobody else's subjects are seen."""
    context = table.context.registry.register_context("other")
    context.set_setting("dsn", table.context.get_setting("dsn"))
    other = Timetable(context)
    context.transaction(lambda: other.add("Eve", timezone="UTC"))
    context.get_service("session_provider").stop_service()
    assert free(anyone, "Eve").status_code == 404


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (NEXT, MIDNIGHT),
        (MIDNIGHT, MIDNIGHT),
        ("2015-11-14T00:00", NEXT),
        ("now", NEXT),
        (MIDNIGHT, iso(at(0) + 500 * DAY)),
    ],
    ids=["reversed", "empty", "naive", "no time", "too long"],
)
def test_wrong_window(anyone, start, end):
    """T15: what is no window is refused with 400, and said why."""
    found = free(anyone, start=start, end=end)
    assert found.status_code == 400
    assert found.json["status"] == 400
    assert found.json["detail"]
    assert found.json["errors"]


def test_polled(anyone):
    """What has not changed is not sent again."""
    tag = free(anyone).headers["ETag"]
    again = free(anyone, headers={"If-None-Match": tag})
    assert again.status_code == 304


def test_busy(anyone, context, place):
    """Busy is what is allocated and taken; or all that is not free."""
    reserve(context, place)
    query = {"from": iso(at(8)), "to": iso(at(20))}
    found = anyone.get("/timetable/John/busy", **query)
    assert found.json["busy"] == [interval(9, 10)]
    found = anyone.get("/timetable/John/busy", **query, within="window")
    assert found.json["busy"] == [interval(9, 10), interval(14, 20)]


def reserve(context, place):
    """Reserve John from 9 to 10 for Ada."""
    scheduler = type(place)("John", "John", "UTC").scheduler(context)
    context.transaction(lambda: scheduler.book("ada@example.org", (at(9), at(10))))


def why_not(client):
    """Ask why John is not free from 9 to 15."""
    query = {"start": iso(at(9)), "end": iso(at(15))}
    return client.get("/timetable/John/why-not", **query)


def test_why_not(reader, context, place):
    """Who may read is told what is in the way."""
    reserve(context, place)
    found = why_not(reader)
    assert found.json["reasons"] == [
        interval(9, 10) | {"kind": "reservation", "label": "ada@example.org"},
        interval(14, 15) | {"kind": "closed", "label": None},
    ]


@pytest.mark.parametrize("who", ["anyone", "booker"])
def test_why_not_is_secret(request, context, place, who):
    """Others are told only when."""
    reserve(context, place)
    found = why_not(request.getfixturevalue(who))
    assert found.json["reasons"] == [interval(9, 10), interval(14, 15)]
    assert "ada" not in found.text


def test_bits(anyone):
    """T11: 32 zeros, 24 ones, 40 zeros."""
    found = anyone.get("/timetable/John/bits", day="2015-11-14")
    bits = "0" * 32 + "1" * 24 + "0" * 40
    assert found.json == {"day": "2015-11-14", "raster": 15, "bits": bits}


@pytest.mark.parametrize(
    ("day", "quarters", "hours"), [("2026-03-29", 92, 23), ("2026-10-25", 100, 25)]
)
def test_bits_where_clocks_move(anyone, table, context, day, quarters, hours):
    """T14: a local day has as many quarters as it has."""
    start = f"{day}T00:00+0{1 if quarters == 92 else 2}:00"

    def fill():
        table.add("Urs", timezone="Europe/Zurich")
        begin = at(0).fromisoformat(start)
        table.open(["Urs"], [(begin, begin + timedelta(hours=hours))])

    context.transaction(fill)
    found = anyone.get("/timetable/Urs/bits", day=day)
    assert found.json["bits"] == "1" * quarters


@pytest.mark.parametrize("day", ["", "today", "2015-02-30", "9999-12-31"])
def test_wrong_day(anyone, day):
    """What is no day is refused."""
    assert anyone.get("/timetable/John/bits", day=day).status_code == 400


# Who ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (8, 11, ["John"]),
        (10, 11, ["John", "Sara"]),
        (10, (11, 15), ["John"]),
        ((9, 50), (10, 50), ["John"]),
        (15, 16, []),
    ],
    ids=["T2", "T3", "T4", "rounded outwards", "nobody"],
)
def test_free_subjects(reader, start, end, expected):
    """Who is free during the whole of a window."""
    found = who(reader, start, end)
    assert names(found) == expected
    assert found.json["count"] == len(expected)
    assert found.json["next"] is None


def test_free_subjects_have_ids(reader, table):
    """The id of a subject is its resource."""
    (found,) = who(reader, 8, 11).json["subjects"]
    assert found == {"id": str(table.subject("John").resource), "name": "John"}


def test_several_windows(reader):
    """T12: free in all of them."""
    body = {"windows": [interval(10, 11), interval(12, 13)]}
    assert names(reader.post("/timetable/free-subjects", body)) == ["John"]


def test_pages(reader):
    """A page tells where the next one begins, and how many there are in all."""
    found = who(reader, 10, 11, limit=1)
    assert (names(found), found.json["count"]) == (["John"], 2)
    rest = who(reader, 10, 11, limit=1, after=found.json["next"])
    assert (names(rest), rest.json["next"]) == (["Sara"], None)


def test_tags(reader):
    """Only those who have all tags."""
    assert names(who(reader, 10, 11, tags=["french"])) == ["John"]


def test_duration(reader):
    """For half an hour, somewhere in the window."""
    assert names(who(reader, 9, 12, duration=30)) == ["John", "Sara"]


def test_fraction(reader):
    """For a third of the window."""
    assert names(who(reader, 9, 12, fraction=0.3)) == ["John", "Sara"]
    assert names(who(reader, 9, 12, fraction=0.5)) == ["John"]


@pytest.mark.parametrize(
    "more",
    [
        {"windows": []},
        {"windows": [interval(8, 9)] * 101},
        {"windows": [{"start": iso(at(9)), "end": iso(at(8))}]},
        {"windows": [{"start": "2015-11-14T08:00", "end": iso(at(9))}]},
        {"windows": {}},
        {"fraction": 0},
        {"fraction": 2},
        {"fraction": "1"},
        {"fraction": True},
        {"duration": 0},
        {"duration": 10**30},
        {"limit": 0},
        {"after": "a\0b"},
        {"tags": ["\ud800"]},
        {"tags": "french"},
        {"tag": ["french"]},
    ],
)
def test_wrong_question(reader, more):
    """What makes no sense is refused with 400."""
    found = who(reader, 8, 9, **more)
    assert found.status_code == 400, found.text
    assert found.json["errors"]


def test_names_are_for_those_who_may(anyone, booker, key_of, app):
    """Who is free is told to those who may read, or book."""
    assert who(anyone, 8, 9).status_code == 401
    assert who(booker, 8, 9).status_code == 200
    sensor = type(anyone)(app, key_of("sensor"))
    assert who(sensor, 8, 9).status_code == 403


def common(client, *subjects, **more):
    """Ask what subjects have in common from 8 to 14."""
    body = {"subjects": list(subjects), **interval(8, 14), **more}
    return client.post("/timetable/common", body)


def test_common(anyone):
    """T16: when all of them are free, or one."""
    found = common(anyone, "John", "Sara", min=30)
    assert found.json["intervals"] == [
        interval(10, 11) | {"subjects": ["John", "Sara"]}
    ]
    found = common(anyone, "John", "Sara", quorum=1)
    assert found.json["intervals"] == [interval(8, 14) | {"subjects": ["John"]}]


def test_common_of_nobody(anyone):
    """Nobody has nothing in common, and who is not there is not found."""
    assert common(anyone).json == {"intervals": []}
    assert common(anyone, "Eve").status_code == 404
    assert common(anyone, "\0").status_code == 400


def test_heatmap(anyone):
    """How many are free in each step, not who."""
    query = {"from": iso(at(9)), "to": iso(at(12)), "step": 60}
    found = anyone.get("/timetable/heatmap", **query)
    assert found.json == {
        "from": iso(at(9)),
        "to": iso(at(12)),
        "step": 60,
        "counts": [1, 2, 1],
    }
    found = anyone.get("/timetable/heatmap", **query, among=["Sara"])
    assert found.json["counts"] == [0, 1, 0]
    found = anyone.get("/timetable/heatmap", **query, tags=["french"])
    assert found.json["counts"] == [1, 1, 1]


@pytest.mark.parametrize("more", [{"step": 7}, {"to": iso(at(9) + 100 * DAY)}])
def test_wrong_heatmap(anyone, more):
    """Steps are those of rasters, and it does not last for ever."""
    query = {"from": iso(at(9)), "to": iso(at(12)), **more}
    assert anyone.get("/timetable/heatmap", **query).status_code == 400


# Hours --------------------------------------------------------------------------------

MONDAYS = {"weekday": 0, "start": "08:00", "end": "12:00"}


def plan(client, *hours, name="John", **more):
    """Put the hours of somebody."""
    return client.put(f"/timetable/{name}/template", {"hours": list(hours), **more})


def test_template(manager):
    """Weekly hours are replaced, and told."""
    found = plan(manager, MONDAYS)
    assert found.status_code == 200, found.text
    hours = MONDAYS | {"valid_from": None, "valid_until": None}
    assert found.json == {"subject": "John", "hours": [hours], "applied": None}
    assert plan(manager).json["hours"] == []


def test_template_applied(manager, anyone, clock):
    """They are allocated until a day, if one is said."""
    clock.now = on("00:00")
    found = plan(manager, MONDAYS, until="2026-12-07")
    assert found.json["applied"] == {"opened": 2, "cut": 0, "outside": []}
    shown = free(anyone, start=iso(on("00:00")), end=iso(on("00:00", 1)))
    assert shown.json["free"] == [{"start": iso(on("08:00")), "end": iso(on("12:00"))}]


@pytest.mark.parametrize(
    "change",
    [
        {"weekday": 7},
        {"weekday": True},
        {"start": "8"},
        {"start": "24:00"},
        {"start": "08:00+01:00"},
        {"end": "08:00"},
        {"valid_from": "2026-02-01", "valid_until": "2026-01-01"},
    ],
)
def test_wrong_hours(manager, change):
    """What are no hours is refused with 400."""
    assert plan(manager, MONDAYS | change).status_code == 400


def test_wrong_until(manager, clock):
    """A calendar is not filled for ever, nor in the past."""
    clock.now = on("00:00")
    assert plan(manager, MONDAYS, until="2030-01-01").status_code == 400
    assert plan(manager, MONDAYS, until="2026-01-01").status_code == 400


def test_hours_are_for_managers(anyone, booker, reader, manager):
    """Only managers change hours, of those who are there."""
    assert plan(anyone, MONDAYS).status_code == 401
    assert plan(booker, MONDAYS).status_code == 403
    assert plan(reader, MONDAYS).status_code == 403
    assert plan(manager, MONDAYS, name="Eve").status_code == 404


# All together -------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"1" * 5000, b"\xff"])
def test_malformed(manager, body):
    """What is no JSON is no error of ours."""
    headers = {**manager.headers, "Content-Type": "application/json"}
    for path in ("/timetable/free-subjects", "/timetable/common"):
        found = manager.http.post(path, data=body, headers=headers)
        assert found.status_code == 400, found.text


def test_no_json(manager):
    """What is not sent as JSON is of a wrong type."""
    headers = {**manager.headers, "Content-Type": "text/plain"}
    found = manager.http.post("/timetable/common", data=b"{}", headers=headers)
    assert found.status_code == 415, found.text


def test_other_methods(manager):
    """What cannot be done is told with what can."""
    found = manager.delete("/timetable/John/free")
    assert found.status_code == 405
    assert "GET" in found.headers["Allow"]


def test_not_set_up(manager, table):
    """A room without tables is not there, and is no error of ours."""
    session = table.session
    session.connection().exec_driver_sql("DROP TABLE timetable_subjects CASCADE")
    session.commit()
    assert free(manager).json["detail"] == "Not found."
    query = {"from": iso(at(9)), "to": iso(at(12))}
    found = [
        free(manager),
        who(manager, 8, 9),
        common(manager, "John"),
        plan(manager, MONDAYS),
        manager.get("/timetable/John/busy", **query),
        manager.get("/timetable/John/bits", day="2015-11-14"),
        why_not(manager),
        manager.get("/timetable/heatmap", **query),
    ]
    assert [each.status_code for each in found] == [404] * 8
