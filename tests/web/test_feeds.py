"""Calendar feeds by way of HTTP: who may, what is told, and what changes do to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import uuid4

import pytest
from icalendar import Calendar
from sqlalchemy import event, text

from libres.domain.days import to_utc
from libres.modules.errors import Misuse
from libres.timetable import Timetable
from libres.web import Place
from libres.web.directory import Directory
from libres.web.errors import NotFound
from libres.web.feeds import Feeds, feed_url, reading
from tests.web.conftest import NOBODY, at

HOUR = timedelta(hours=1)
NOON = at("12:00")

CLOCK = text("""\
CREATE OR REPLACE FUNCTION web_feed_now() RETURNS timestamp LANGUAGE sql
RETURN timestamp '2026-11-30 12:00'""")


@pytest.fixture(autouse=True)
def noon(clock, context):
    """It is noon on the Monday of the tests, in the database as well."""
    clock.now = NOON
    session = context.get_service("session_provider").session()
    context.transaction(lambda: session.execute(CLOCK) and None)
    return clock


@pytest.fixture
def do(context):
    """Do something in a transaction."""
    return context.transaction


@pytest.fixture
def hall(place, context):
    """The scheduler of the hall."""
    return place.scheduler(context)


@pytest.fixture
def feed_of(context):
    """Makes feeds: feed_of("resource", "hall"); returns the path."""

    def make(*what):
        return feed_url(context.transaction(lambda: Feeds(context).create(*what)))

    return make


@pytest.fixture
def told(anyone, feed_of):
    """Tells the events of a feed: told("resource", "hall")."""

    def tell(*what):
        path = feed_of(*what)
        return lambda: read(anyone.get(path))

    return tell


def read(response):
    """The events of an answer, by start."""
    assert response.status_code == 200, response.text
    found = Calendar.from_ical(response.data).events
    return sorted(found, key=lambda each: str(each["dtstart"].to_ical()))


def reserved(hall, start="09:00", end="10:00", day=0, email="ada@example.org", **more):
    """Reserve a time of the hall; return the token."""
    return hall.reserve(email, (at(start, day), at(end, day)), **more)


def booked(hall, *args, **more):
    """Reserve a time of the hall, and approve it."""
    token = reserved(hall, *args, **more)
    hall.approve_reservations(token)
    return token


def short(events):
    """What tells events apart: status and sequence."""
    return [(str(each["status"]), int(each["sequence"])) for each in events]


def times(events):
    """Starts and ends."""
    return [(each["dtstart"].dt, each["dtend"].dt) for each in events]


# Who may ------------------------------------------------------------------------------

BODY = {"kind": "resource", "name": "hall"}


@pytest.mark.parametrize(
    ("who", "status"), [("anyone", 401), ("reader", 403), ("booker", 403)]
)
def test_only_managers(request, who, status):
    """Feeds are made, listed and revoked by who manages, and by nobody else."""
    client = request.getfixturevalue(who)
    assert client.post("/feeds", BODY).status_code == status
    assert client.get("/feeds").status_code == status
    assert client.delete(f"/feeds/{uuid4()}").status_code == status


def test_make(manager, anyone):
    """Who made a feed is told its address, which everybody who has it can read."""
    made = manager.post("/feeds", BODY)
    assert made.status_code == 201, made.text
    assert set(made.json) == {"id", "url", "secret"}
    path = feed_url(made.json["secret"])
    assert made.json["url"] == f"http://localhost{path}"
    found = anyone.get(path)
    assert found.status_code == 200
    assert found.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert found.headers["Content-Disposition"] == "inline"


def test_secret(manager, context):
    """A secret has 256 bits drawn at random, and only its hash is stored."""
    first, second = (manager.post("/feeds", BODY).json["secret"] for _ in range(2))
    drawn = first.removeprefix("libresfeed_")
    assert first != second
    assert len(drawn) * 6 >= 256
    with context.read_only() as session:
        rows = session.execute(text("SELECT web_feeds::text, hash FROM web_feeds"))
        stored = {row.hash: row[0] for row in rows}
    assert sha256(first.encode()).hexdigest() in stored
    assert drawn not in "".join(stored.values())


def test_list(manager):
    """The list tells what there is, page by page, and no secrets."""
    bodies = [BODY, {"kind": "person", "name": "Ada@Example.org", "level": "details"}]
    made = [manager.post("/feeds", body).json for body in bodies]
    first = manager.get("/feeds", limit=1).json
    (shown,) = first["feeds"]
    assert shown["id"] == made[0]["id"]
    assert (shown["kind"], shown["name"], shown["level"]) == (
        "resource",
        "hall",
        "busy",
    )
    second = manager.get("/feeds", limit=1, cursor=first["next"]).json
    assert second["next"] is None
    assert second["feeds"][0]["name"] == "ada@example.org"
    whole = manager.get("/feeds").text
    assert all(each["secret"] not in whole for each in made)


def test_revoke(manager, anyone):
    """A revoked feed answers like one that never was, and stays in the list."""
    made = manager.post("/feeds", BODY).json
    path = feed_url(made["secret"])
    assert manager.delete(f"/feeds/{made['id']}").status_code == 204
    revoked = anyone.get(path)
    unknown = anyone.get(feed_url("libresfeed_" + "A" * 43))
    assert revoked.status_code == unknown.status_code == 404
    assert revoked.data == unknown.data
    assert dict(revoked.headers) == dict(unknown.headers)
    (shown,) = manager.get("/feeds").json["feeds"]
    since = shown["revoked"]
    assert manager.delete(f"/feeds/{made['id']}").status_code == 204
    assert manager.get("/feeds").json["feeds"][0]["revoked"] == since is not None


HOSTILE = (
    pytest.param("x", id="short"),
    pytest.param("%00", id="NUL"),
    pytest.param("%ed%a0%80", id="half a character"),
    pytest.param("..%2f..%2fetc%2fpasswd", id="a path"),
    pytest.param("%3Cscript%3E", id="markup"),
    pytest.param("'%20OR%20''%3D'", id="SQL"),
    pytest.param("9" * 2000, id="long"),
)


@pytest.mark.parametrize("secret", HOSTILE)
def test_hostile_secrets(anyone, secret):
    """Whatever is guessed, there is no such feed."""
    for path in (f"/feeds/{secret}.ics", f"/feeds/{secret}.ifb"):
        found = anyone.get(path)
        assert found.status_code == 404
        assert found.json["detail"] == "Not found."


@pytest.mark.parametrize("name", ["x", "0", str(10**30), "%00", "..", NOBODY])
def test_hostile_ids(manager, name):
    """There is no feed of an id that is none."""
    assert manager.delete(f"/feeds/{name}").status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"kind": "resource", "name": "attic"}, 404, id="no resource"),
        pytest.param({"kind": "subject", "name": "nobody"}, 404, id="no subject"),
        pytest.param({"kind": "person", "name": "ada"}, 404, id="no e-mail"),
        pytest.param({"kind": "planet", "name": "Mars"}, 422, id="kind"),
        pytest.param({**BODY, "level": "all"}, 422, id="level"),
        pytest.param({**BODY, "name": ""}, 422, id="no name"),
        pytest.param({**BODY, "name": "x" * 255}, 422, id="long name"),
        pytest.param({**BODY, "name": "\0@"}, 422, id="NUL"),
        pytest.param({**BODY, "name": "\ud800"}, 422, id="half a character"),
        pytest.param({**BODY, "name": ["hall"]}, 422, id="a list"),
        pytest.param({**BODY, "more": 1}, 422, id="unknown"),
        pytest.param([], 422, id="no object"),
    ],
)
def test_wrong(manager, body, status):
    """What makes no sense is refused, and nothing is made."""
    assert manager.post("/feeds", body).status_code == status
    assert manager.get("/feeds").json["feeds"] == []


def test_unknown_kind(context):
    """The facade refuses what is no kind and no level."""
    for wrong in (("planet", "hall"), ("resource", "hall", "all")):
        with pytest.raises(Misuse):
            Feeds(context).create(*wrong)


def test_contexts(context, feed_of, anyone):
    """The feeds of a context are nothing to another one."""
    path = feed_of("resource", "hall")
    secret = path.removeprefix("/feeds/").removesuffix(".ics")
    other = context.registry.register_context("other")
    other.set_setting("dsn", context.get_setting("dsn"))
    (feed,) = Feeds(context).all()
    with pytest.raises(NotFound):
        Feeds(other).calendar(secret)
    with pytest.raises(NotFound):
        Feeds(other).revoke(feed.id)
    assert Feeds(other).all() == []
    other.get_service("session_provider").stop_service()
    assert anyone.get(path).status_code == 200


def test_removed_resource(context, do, feed_of, anyone):
    """The feed of a resource that was taken off the list is not there any more."""
    path = feed_of("resource", "hall")
    do(lambda: Directory(context).remove("hall"))
    assert anyone.get(path).status_code == 404


# What is told -------------------------------------------------------------------------


def test_levels(do, hall, told):
    """Titles and e-mails are told by the feeds that were made for it."""
    do(lambda: booked(hall, data={"title": "Chess"}))
    (busy,) = told("resource", "hall")()
    (detailed,) = told("resource", "hall", "details")()
    assert (busy["summary"], "description" in busy) == ("Reserved", False)
    assert detailed["summary"] == "Chess"
    assert detailed["description"] == "ada@example.org"
    assert busy["uid"] == detailed["uid"]


@pytest.mark.parametrize("title", [7, ["x"], {"x": 1}, None, ""])
def test_untitled(do, hall, told, title):
    """What is no text is no title."""
    do(lambda: booked(hall, data={"title": title}))
    (found,) = told("resource", "hall", "details")()
    assert found["summary"] == "ada@example.org"


def test_person(do, context, hall, told):
    """A person's feed tells what is reserved by an e-mail, of whatever resource."""
    attic = Place("attic", "The attic", "Europe/Zurich")

    def fill():
        Directory(context).put(attic)
        other = attic.scheduler(context)
        other.allocate((at("08:00"), at("18:00")), partly_available=True)
        booked(other, "14:00", "15:00", email="ADA@example.org")
        booked(hall, email="ada@example.org")
        booked(hall, "10:00", "11:00", email="bob@example.org")

    do(fill)
    found = told("person", "ada@example.org", "details")()
    assert [str(each["summary"]) for each in found] == ["The hall", "The attic"]
    assert len(told("person", "nobody@example.org")()) == 0


def test_person_elsewhere(do, context, told):
    """What is reserved of a resource that is not in the list is not told."""
    hidden = Place("hidden", "Hidden", "UTC").scheduler(context)

    def fill():
        hidden.allocate((at("08:00"), at("18:00")), partly_available=True)
        booked(hidden)

    do(fill)
    assert told("person", "ada@example.org")() == []


def test_subject(do, context, told):
    """A subject's feed tells what is reserved of it."""
    table = Timetable(context)

    def fill():
        table.add("John", timezone="UTC")
        table.open(["John"], [(at("08:00"), at("12:00"))])
        booked(Place("John", "John", "UTC").scheduler(context))

    do(fill)
    (found,) = told("subject", "John")()
    assert found["dtstart"].dt == at("09:00")


def test_cart(do, hall, told):
    """What lies in a cart is not told, neither while it does nor when it is gone."""
    session = uuid4()
    do(lambda: reserved(hall, session_id=session))
    find = told("resource", "hall")
    assert find() == []
    do(lambda: hall.queries.remove_expired_reservation_sessions(NOON + 24 * HOUR))
    assert find() == []


def test_confirmed_cart(do, hall, told):
    """What was confirmed is told."""
    session = uuid4()

    def confirm():
        reserved(hall, session_id=session)
        hall.queries.confirm_reservations_for_session(session)

    do(confirm)
    assert short(told("resource", "hall")()) == [("TENTATIVE", 0)]


def test_window(do, noon, hall, told):
    """A feed tells of 90 days back and 400 days ahead, by days of UTC."""
    do(lambda: [booked(hall, day=day) for day in (0, 1)])
    find = told("resource", "hall")
    assert len(find()) == 2
    for moved, left in ((90, 2), (91, 1), (92, 0), (-399, 1), (-400, 0)):
        noon.now = NOON + timedelta(days=moved)
        assert len(find()) == left, moved


def test_most(monkeypatch, do, noon, hall, told):
    """Of more than can be told, those nearest to now are, by start."""
    monkeypatch.setattr(reading, "MOST", 3)
    do(lambda: [booked(hall, day=day) for day in range(5)])
    noon.now = at("12:00", 2)
    found = [start for start, _ in times(told("resource", "hall")())]
    assert found == [at("09:00", day) for day in (1, 2, 3)]


# Zones --------------------------------------------------------------------------------

ZONES = (
    pytest.param("Europe/Zurich", "2025-03-30", id="forward"),
    pytest.param("Europe/Zurich", "2025-10-26", id="back"),
    pytest.param("Australia/Lord_Howe", "2025-04-06", id="half an hour"),
    pytest.param("Pacific/Chatham", "2025-09-28", id="a quarter off the hour"),
    pytest.param("Asia/Kathmandu", "2025-06-01", id="5:45"),
    pytest.param("America/St_Johns", "2025-11-02", id="-3:30"),
)


@pytest.mark.parametrize(("timezone", "day"), ZONES)
def test_clock_changes(do, context, noon, told, timezone, day):
    """What is read back is what was reserved, on days on which clocks are moved."""
    room = Place("room", "Room", timezone)
    scheduler = room.scheduler(context)
    first = to_utc(datetime.fromisoformat(day), timezone)
    noon.now = first
    spans = [
        (first + number * HOUR, first + (number + 1) * HOUR) for number in range(8)
    ]

    def fill():
        Directory(context).put(room)
        scheduler.allocate((first, first + 10 * HOUR), partly_available=True, raster=15)
        for span in spans:
            scheduler.reserve("ada@example.org", span)

    do(fill)
    found = [
        tuple(each.astimezone(UTC) for each in span)
        for span in times(told("resource", "room")())
    ]
    assert sorted(found) == spans


@pytest.mark.parametrize("day", ["2025-03-30", "2025-10-26", "2025-06-01"])
def test_whole_days(do, context, noon, told, day):
    """A whole day is a date, though it has 23 or 25 hours."""
    room = Place("room", "Room", "Europe/Zurich")
    scheduler = room.scheduler(context)
    first = datetime.fromisoformat(day)
    noon.now = to_utc(first, "UTC")

    def fill():
        Directory(context).put(room)
        scheduler.allocate((first, first), whole_day=True)
        scheduler.reserve("ada@example.org", (first, first + timedelta(days=1)))

    do(fill)
    ((start, end),) = times(told("resource", "room")())
    assert (start, end) == (first.date(), first.date() + timedelta(days=1))


def grouped(context):
    """A room with a group of three times, reserved; return its scheduler and token."""
    room = Place("room", "Room", "Europe/Zurich")
    scheduler = room.scheduler(context)
    Directory(context).put(room)
    dates = [(at("19:00", day), at("21:00", day)) for day in range(3)]
    (first, *_) = scheduler.allocate(dates, grouped=True)
    token = scheduler.reserve("ada@example.org", group=first.group)
    scheduler.approve_reservations(token)
    return scheduler, token


def test_group(do, context, told):
    """Each time of a group is an event, and all are cancelled with it."""
    room, token = do(lambda: grouped(context))
    find = told("resource", "room")
    before = find()
    assert times(before) == [(at("19:00", day), at("21:00", day)) for day in range(3)]
    do(lambda: room.remove_reservation(token))
    after = find()
    assert times(after) == times(before)
    assert [each["uid"] for each in after] == [each["uid"] for each in before]
    assert short(after) == [("CANCELLED", 2)] * 3


# Changes ------------------------------------------------------------------------------


def test_life(do, hall, told):
    """A reservation waits, is approved, moved and removed: one event, ever newer."""
    token = do(lambda: reserved(hall))
    find = told("resource", "hall")
    seen = find()
    (number,) = (each.id for each in hall.reservations_by_token(token))
    do(lambda: hall.approve_reservations(token))
    seen += find()
    moved = (at("13:00"), at("14:00"))
    do(lambda: hall.change_reservation(token, number, *moved) and None)
    seen += find()
    do(lambda: hall.remove_reservation(token))
    seen += find()
    assert short(seen) == [
        ("TENTATIVE", 0),
        ("CONFIRMED", 1),
        ("CONFIRMED", 2),
        ("CANCELLED", 3),
    ]
    assert len({str(each["uid"]) for each in seen}) == 1
    nine, one = (at("09:00"), at("10:00")), moved
    assert times(seen) == [nine, nine, one, one]


def test_denied(do, hall, told):
    """What is denied is cancelled."""
    token = do(lambda: reserved(hall))
    do(lambda: hall.deny_reservation(token))
    assert short(told("resource", "hall")()) == [("CANCELLED", 1)]


def test_quota(do, context, told):
    """Another number of places is a change; another e-mail or data is none."""
    room = Place("room", "Room", "UTC")
    scheduler = room.scheduler(context)

    def fill():
        Directory(context).put(room)
        scheduler.allocate((at("08:00"), at("18:00")), quota=5, quota_limit=5)
        return scheduler.reserve("ada@example.org", (at("08:00"), at("18:00")), quota=2)

    token = do(fill)
    find = told("resource", "room", "details")
    (number,) = (each.id for each in scheduler.reservations_by_token(token))
    change = (token, number, at("08:00"), at("18:00"), 3)
    do(lambda: scheduler.change_reservation(*change) and None)
    (found,) = find()
    assert (int(found["sequence"]), found["description"]) == (
        1,
        "ada@example.org\n3 places",
    )
    do(lambda: scheduler.change_email(token, "bob@example.org"))
    do(lambda: scheduler.change_reservation_data(token, {"title": "Chess"}))
    (found,) = find()
    assert (int(found["sequence"]), found["summary"]) == (1, "Chess")


def test_one_transaction(do, hall, told):
    """Several changes in one transaction are one, as nobody has seen the others."""
    token = do(lambda: reserved(hall))

    def change():
        hall.approve_reservations(token)
        hall.remove_reservation(token)

    do(change)
    assert short(told("resource", "hall")()) == [("CANCELLED", 1)]


def test_rolled_back(do, hall, told):
    """What was not committed is no change."""
    token = do(lambda: reserved(hall))

    def fail():
        hall.remove_reservation(token)
        raise KeyError

    with pytest.raises(KeyError):
        do(fail)
    assert short(told("resource", "hall")()) == [("TENTATIVE", 0)]


def test_many_at_once(do, hall, told):
    """One statement that removes many has them all told."""
    do(lambda: [reserved(hall, day=day) for day in range(5)])
    do(hall.extinguish_managed_records)
    assert short(told("resource", "hall")()) == [("CANCELLED", 1)] * 5


def test_kept(do, noon, hall, told):
    """That something was removed is told for 90 days, whenever it was meant to be."""
    token = do(lambda: reserved(hall, day=4))
    do(lambda: hall.remove_reservation(token))
    find = told("resource", "hall")
    noon.now = NOON + timedelta(days=90) - HOUR
    assert short(find()) == [("CANCELLED", 1)]
    noon.now = NOON + timedelta(days=90) + HOUR
    assert find() == []


def test_forget(do, context, noon, hall, told):
    """What was removed long ago is forgotten; the numbers of what stands are kept."""
    kept = do(lambda: booked(hall))
    removed = do(lambda: reserved(hall, day=1))
    do(lambda: hall.approve_reservations(removed))
    do(lambda: hall.remove_reservation(removed))
    feeds = Feeds(context)
    assert do(feeds.forget) == 0
    noon.now = NOON + timedelta(days=90)
    assert do(feeds.forget) == 1
    assert do(feeds.forget) == 0
    noon.now = NOON
    assert short(told("resource", "hall")()) == [("CONFIRMED", 1)]
    assert do(lambda: hall.remove_reservation(kept)) is None
    for wrong in (-1, 10**30):
        with pytest.raises(Misuse):
            feeds.forget(wrong)


def test_setup_again(do, context, hall, told):
    """Setting up again changes nothing."""
    from libres.web import setup  # noqa: PLC0415 - the name is that of pytest's hook

    token = do(lambda: booked(hall))
    do(lambda: setup(context))
    do(lambda: hall.remove_reservation(token))
    assert short(told("resource", "hall")()) == [("CANCELLED", 2)]


# Asked again --------------------------------------------------------------------------


def test_etag(do, hall, anyone, feed_of):
    """What a calendar has already is not sent again."""
    token = do(lambda: reserved(hall))
    path = feed_of("resource", "hall")
    first = anyone.get(path)
    known = {"If-None-Match": first.headers["ETag"]}
    again = anyone.get(path, headers=known)
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    do(lambda: hall.approve_reservations(token))
    changed = anyone.get(path, headers=known)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_last_modified(do, context, noon, hall, anyone, feed_of):
    """The time of the last change is told, once it is a minute ago."""
    do(lambda: reserved(hall))
    path = feed_of("resource", "hall")
    assert "Last-Modified" not in anyone.get(path).headers
    noon.now = NOON + timedelta(minutes=2)
    session = context.get_service("session_provider").session()
    create = text("UPDATE web_feeds SET created = '2026-11-30 08:00Z'")
    do(lambda: session.execute(create) and None)
    said = anyone.get(path).headers["Last-Modified"]
    assert said == "Mon, 30 Nov 2026 12:00:00 GMT"
    known = anyone.get(path, headers={"If-Modified-Since": said})
    assert known.status_code == 304
    later = "Fri, 01 Jan 2100 00:00:00 GMT"
    assert anyone.get(path, headers={"If-Modified-Since": later}).status_code == 200
    both = {"If-Modified-Since": said, "If-None-Match": '"other"'}
    assert anyone.get(path, headers=both).status_code == 200


def test_private(anyone, feed_of):
    """No cache that others share keeps it."""
    found = anyone.get(feed_of("resource", "hall"))
    assert found.headers["Cache-Control"] == "private, no-cache"


# Free and busy ------------------------------------------------------------------------


def busy(response):
    """The times of a VFREEBUSY, by kind."""
    (found,) = Calendar.from_ical(response.data).walk("VFREEBUSY")
    listed = found.get("freebusy", [])
    listed = listed if isinstance(listed, list) else [listed]
    return [(each.params["FBTYPE"], *each.dt) for each in listed]


def freebusy(anyone, path):
    """The same, of a feed; by both of its addresses."""
    first = anyone.get(path, freebusy="1")
    second = anyone.get(path.replace(".ics", ".ifb"))
    assert first.data == second.data
    assert first.headers["Content-Type"] == "text/calendar; charset=utf-8"
    return busy(first)


def test_freebusy(do, hall, anyone, feed_of):
    """A resource is busy while it is reserved or blocked; perhaps, while asked for."""

    def fill():
        booked(hall)
        booked(hall, "10:00", "11:00")
        reserved(hall, "12:00", "13:00")
        hall.add_blocker((at("15:00"), at("16:00")))

    do(fill)
    assert freebusy(anyone, feed_of("resource", "hall")) == [
        ("BUSY", at("09:00"), at("11:00")),
        ("BUSY", at("15:00"), at("16:00")),
        ("BUSY-TENTATIVE", at("12:00"), at("13:00")),
    ]


def test_freebusy_places(do, context, anyone, feed_of):
    """A resource of several places is busy when none is left."""
    room = Place("room", "Room", "UTC")
    scheduler = room.scheduler(context)

    def fill():
        Directory(context).put(room)
        scheduler.allocate(
            (at("08:00"), at("18:00")), quota=2, partly_available=True, raster=15
        )
        booked(scheduler, "09:00", "11:00")
        booked(scheduler, "10:00", "12:00")

    do(fill)
    assert freebusy(anyone, feed_of("resource", "room")) == [
        ("BUSY", at("10:00"), at("11:00"))
    ]


def test_freebusy_blocking(do, context, hall, anyone, feed_of):
    """What a resource is blocked by makes it busy."""
    room = Place("room", "Room", "UTC", ("hall",))

    def fill():
        Directory(context).put(room)
        booked(hall)

    do(fill)
    assert freebusy(anyone, feed_of("resource", "room")) == [
        ("BUSY", at("09:00"), at("10:00"))
    ]


def test_freebusy_person(do, hall, anyone, feed_of):
    """A person is busy with what is approved, and perhaps with what waits."""

    def fill():
        booked(hall)
        reserved(hall, "10:00", "10:30")
        booked(hall, "14:00", "15:00", email="bob@example.org")

    do(fill)
    assert freebusy(anyone, feed_of("person", "ada@example.org")) == [
        ("BUSY", at("09:00"), at("10:00")),
        ("BUSY-TENTATIVE", at("10:00"), at("10:30")),
    ]


def test_freebusy_subject(do, context, anyone, feed_of):
    """A subject is busy when its timetable says so."""
    table = Timetable(context)

    def fill():
        table.add("John", timezone="UTC")
        table.open(["John"], [(at("08:00"), at("12:00"))])
        booked(Place("John", "John", "UTC").scheduler(context))

    do(fill)
    assert freebusy(anyone, feed_of("subject", "John")) == [
        ("BUSY", at("09:00"), at("10:00"))
    ]


def test_freebusy_etag(do, hall, anyone, feed_of):
    """What is busy as before is not sent again."""
    path = feed_of("resource", "hall")
    known = {"If-None-Match": anyone.get(path, freebusy="1").headers["ETag"]}
    assert anyone.get(path, freebusy="1", headers=known).status_code == 304
    do(lambda: booked(hall))
    assert anyone.get(path, freebusy="1", headers=known).status_code == 200


# Cost ---------------------------------------------------------------------------------


@pytest.fixture
def statements(context):
    """Collects what is sent to the database."""
    sent = []
    with context.read_only() as session:
        engine = session.connection().engine

    def note(_connection, _cursor, statement, *_more):
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("kind", ["resource", "person"])
def test_statements(do, context, hall, anyone, feed_of, statements, kind):
    """A feed is read by three statements, be it of one reservation or of fifty."""
    name = {"resource": "hall", "person": "ada@example.org"}[kind]
    path = feed_of(kind, name)
    counts = []
    for number in (1, 50):
        tokens = do(lambda number=number: _fill(hall, number))
        statements.clear()
        assert len(read(anyone.get(path))) == number
        counts.append(len(statements))
        do(lambda tokens=tokens: [hall.remove_reservation(each) for each in tokens])
        do(lambda: Feeds(context).forget(days=0))
    assert counts == [3, 3]


def _fill(hall, number):
    """Reserve so many quarters of an hour; return the tokens."""
    quarter = timedelta(minutes=15)
    starts = [at("08:00", each % 5) + each // 5 * quarter for each in range(number)]
    return [hall.reserve("ada@example.org", (each, each + quarter)) for each in starts]
