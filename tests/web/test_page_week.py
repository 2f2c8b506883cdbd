"""The week of a resource, as a page that works without script."""

import re
from html import unescape

import pytest

from libres.db import new_scheduler
from libres.web import Place, WebSettings, create_app
from libres.web.directory import Directory
from libres.web.keys import COOKIE, Keys
from tests.fixtures.statements import counted_on
from tests.web.conftest import Client, at, iso


@pytest.fixture
def hall(context, place):
    """Does something with the scheduler of the hall, and commits."""
    scheduler = place.scheduler(context)
    return lambda do: context.transaction(lambda: do(scheduler))


def week(client, **query):
    """The page of the week of the tests."""
    found = client.get("/week/hall", **{"day": "2026-11-30", **query})
    assert found.status_code == 200, found.text
    return unescape(found.text)


def send(client, action, **form):
    """Send a form of the page."""
    return client.http.post(f"/week/hall/{action}", data=form, headers=client.headers)


def form(start="09:00", end="10:00", day=0, **more):
    """What is filled in."""
    times = {"start": iso(at(start, day)), "end": iso(at(end, day))}
    return {**times, "email": "ada@example.org", **more}


def parts(text):
    """What is drawn: kind, times, words."""
    found = re.findall(
        r'class="part (\w+) [^>]*>.*?"times">([^<]*)</span>\s*<span class="words">'
        r"([^<]*)<",
        text,
        re.DOTALL,
    )
    return [tuple(each) for each in found]


def on(text, day):
    """The part of a page that is about one day."""
    return re.search(rf'id="day-{day}".*?</section>', text, re.DOTALL)[0]


# Looking ------------------------------------------------------------------------------


def test_free(anyone):
    """Everybody sees what is free."""
    assert parts(week(anyone)) == [("free", "08:00 to 18:00", "free")] * 5


def test_taken(anyone, hall):
    """Others see that a time is taken, and nothing of whose it is."""
    hall(lambda s: s.book("bob@example.org", (at("09:00"), at("10:30"))))
    text = week(anyone)
    assert parts(text)[:3] == [
        ("free", "08:00 to 09:00", "free"),
        ("taken", "09:00 to 10:30", "taken"),
        ("free", "10:30 to 18:00", "free"),
    ]
    assert "bob" not in text


@pytest.mark.parametrize("data", [None, {"title": 7}, {"title": " "}])
def test_holder(reader, hall, data):
    """Who may read sees the e-mail of what has no title."""
    hall(lambda s: s.book("bob@example.org", (at("09:00"), at("10:30")), data=data))
    assert "bob@example.org" in week(reader)


def test_title(reader, hall):
    """A title is shown instead of the e-mail, and as a text, whatever it is."""
    data = {"title": "<script>alert(1)</script>"}
    hall(lambda s: s.book("bob@example.org", (at("09:00"), at("10:30")), data=data))
    text = reader.get("/week/hall", day="2026-11-30").text
    assert "&lt;script&gt;alert" in text
    assert "<script>alert" not in text
    assert "bob@" not in text


def test_blocked(anyone, hall):
    """What is blocked is drawn as such; its reason is not told."""
    hall(lambda s: s.add_blocker((at("15:00"), at("18:00")), reason="mould"))
    text = week(anyone)
    assert ("blocked", "15:00 to 18:00", "blocked") in parts(text)
    assert "mould" not in text


def test_mine_by_email(booker, hall):
    """What the address of a key has reserved is theirs."""
    hall(lambda s: s.book("Ada@example.org", (at("09:00"), at("10:30"))))
    hall(lambda s: s.reserve("ada@example.org", (at("13:00", 1), at("14:00", 1))))
    hall(lambda s: s.book("xada@example.org", (at("13:00", 2), at("14:00", 2))))
    kinds = [each for each in parts(week(booker)) if each[0] not in ("free", "taken")]
    assert kinds == [
        ("mine", "09:00 to 10:30", "yours"),
        ("mine", "13:00 to 14:00", "yours, waits for approval"),
    ]


def test_places_left(anyone, context):
    """Of several places it is told how many are left."""
    place = Place("pool", "The pool", "UTC")

    def fill():
        Directory(context).put(place)
        pool = place.scheduler(context)
        pool.allocate((at("08:00"), at("18:00")), partly_available=True, quota=3)
        pool.book("bob@example.org", (at("09:00"), at("10:00")), quota=2)
        pool.book("bob@example.org", (at("09:30"), at("10:00")))

    context.transaction(fill)
    text = unescape(anyone.get("/week/pool", day="2026-11-30").text)
    assert parts(text) == [
        ("free", "08:00 to 09:00", "3 of 3 places free"),
        ("free", "09:00 to 09:30", "1 of 3 places free"),
        ("taken", "09:30 to 10:00", "taken"),
        ("free", "10:00 to 18:00", "3 of 3 places free"),
    ]


def test_under_blocking(anyone, context, hall):
    """What is reserved of a resource that blocks ours is taken here."""
    half = Place("half", "Half of the hall", "UTC", ("hall",))

    def fill():
        Directory(context).put(half)
        allocated = (at("08:00"), at("18:00"))
        half.scheduler(context).allocate(allocated, partly_available=True, raster=15)

    context.transaction(fill)
    hall(lambda s: s.book("bob@example.org", (at("09:00"), at("10:00"))))
    text = unescape(anyone.get("/week/half", day="2026-11-30").text)
    assert ("taken", "09:00 to 10:00", "taken") in parts(text)


def test_over_midnight(anyone, hall):
    """What goes over midnight is drawn in both columns."""
    hall(lambda s: s.allocate((at("22:00"), at("02:00", 1)), partly_available=True))
    text = week(anyone)
    assert ("free", "22:00 to 24:00", "free") in parts(on(text, "2026-11-30"))
    assert ("free", "00:00 to 02:00", "free") in parts(on(text, "2026-12-01"))


def test_whole_over_midnight(anyone, hall):
    """What is reserved as a whole is chosen as a whole, from either column."""
    hall(lambda s: s.allocate((at("22:00"), at("02:00", 1))))
    whole = ("free", "Mon 30 Nov 22:00 to Tue 1 Dec 02:00", "free")
    text = week(anyone)
    assert whole in parts(on(text, "2026-11-30"))
    assert whole in parts(on(text, "2026-12-01"))
    wanted = "start=2026-11-30T22:00:00%2B00:00&end=2026-12-01T02:00:00%2B00:00"
    assert text.count(wanted) == 2


def test_whole_day(anyone, hall):
    """A whole day fills its column."""
    hall(lambda s: s.allocate((at("08:00", 5), at("09:00", 5)), whole_day=True))
    text = on(week(anyone), "2026-12-05")
    assert parts(text) == [("free", "00:00 to 24:00", "free")]
    assert "from-0 to-288" in text


def test_not_exposed(anyone, context):
    """What is not exposed is not shown."""

    class Nothing:
        def is_allocation_exposed(self, _allocation):
            return False

    context.set_service("exposure", lambda _: Nothing())
    assert parts(week(anyone)) == []


@pytest.mark.parametrize(
    "query",
    [
        {"day": "0001-01-01"},
        {"day": "9999-12-31"},
        {"day": "tomorrow"},
        {"start": "now", "end": "2026-11-30T09:00"},
        {"start": "2026-11-30T10:00Z", "end": "2026-11-30T09:00Z"},
        {"start": "1970-01-01T00:00Z", "end": "2999-01-01T00:00Z"},
        {"start": "2026-11-30T09:00Z", "end": "2026-11-30T10:00Z", "places": "9" * 99},
        {"start": "2026-11-30T09:00Z", "end": "2026-11-30T10:00Z", "places": "²"},
        {"email": "\0", "title": "<b>"},
    ],
)
def test_nonsense(anyone, query):
    """What makes no sense in an address is left out of account."""
    week(anyone, **query)


@pytest.mark.parametrize("name", ["attic", "<script>", "%00", "..%2F..", "%F0%9F"])
def test_unknown(anyone, name):
    """A week of what is not there is not found."""
    assert anyone.get(f"/week/{name}").status_code == 404


def test_today(anyone, clock):
    """Without a day it is the week of today, in the zone of the resource."""
    clock.now = at("23:00", 8)
    text = unescape(anyone.get("/week/hall").text)
    assert "Mon 7 Dec to Sun 13 Dec 2026" in text
    assert "day=2026-12-01" in text
    assert "day=2026-12-15" in text


def test_first(anyone, context):
    """The week without a resource leads to the first one, or to the chosen one."""
    context.transaction(lambda: Directory(context).put(Place("a b", "A", "UTC")))
    assert anyone.get("/week").headers["Location"] == "/week/a%20b"
    chosen = anyone.get("/week", name="hall", day="2026-11-30")
    assert chosen.headers["Location"] == "/week/hall?day=2026-11-30"


def test_nothing_yet(anyone, context):
    """Without resources there is a page that says so."""
    context.transaction(lambda: Directory(context).remove("hall"))
    assert "nothing to reserve" in anyone.get("/week").text


@pytest.mark.parametrize("chosen", [{}, {"start": "00:00", "end": "01:00"}])
def test_statements(context, booker, hall, chosen):
    """A week takes as many statements for 50 allocations as for one."""
    query = {key: iso(at(value, 14)) for key, value in chosen.items()}

    def counting(days):
        first = at("00:00", 14)
        for number in range(days):
            start = first + (at("01:00") - at("00:00")) * 3 * number
            end = start + (at("02:00") - at("00:00"))
            hall(lambda s, d=(start, end): s.allocate(d, partly_available=True))
            hall(lambda s, d=(start, end): s.book("ada@example.org", d))
        engine = context.get_service("session_provider").read_only_engine
        with counted_on(engine) as statements:
            week(booker, day="2026-12-14", **query)
        hall(lambda s: s.extinguish_managed_records())
        return len(statements)

    assert counting(1) == counting(50) <= (7 if chosen else 5)


# Booking ------------------------------------------------------------------------------


def test_book(booker):
    """A form books, leads back to its week, and says so there."""
    found = send(booker, "book", **form(title="Choir"))
    assert found.status_code == 303
    assert found.headers["Location"] == "/week/hall?day=2026-11-30"
    text = week(booker)
    assert "Booked: The hall, Mon 30 Nov, 09:00 to 10:00." in text
    assert ("mine", "09:00 to 10:00", "yours") in parts(text)
    assert "Choir" in text


def test_book_twice(booker, context, place):
    """The same form sent twice books once; changed, it books again."""
    once = "6f1f0f9e-1111-4222-8333-444455556666"
    assert send(booker, "book", **form(once=once)).status_code == 303
    assert send(booker, "book", **form(once=once)).status_code == 303
    assert send(booker, "book", **form(once=once, day=1)).status_code == 303
    found = place.scheduler(context).managed_reservations()
    assert found.count() == 2


def test_book_span(booker):
    """Start and end may come from one button."""
    span = f"{iso(at('09:00'))}/{iso(at('10:00'))}"
    found = send(booker, "book", span=span, email="ada@example.org")
    assert found.status_code == 303


def test_approval(booker, hall):
    """What is approved manually is asked for, and waits."""
    hall(
        lambda s: s.allocate(
            (at("08:00", 5), at("18:00", 5)),
            partly_available=True,
            approve_manually=True,
        )
    )
    times = {"start": iso(at("09:00", 5)), "end": iso(at("10:00", 5))}
    assert "Ask for it" in week(booker, **times)
    assert send(booker, "book", **form(day=5)).status_code == 303
    text = week(booker)
    assert "waits for approval" in text
    assert ("mine", "09:00 to 10:00", "yours, waits for approval") in parts(text)


def test_refused(booker, hall):
    """What was taken meanwhile is told with what else is free; nothing is lost."""
    hall(lambda s: s.book("bob@example.org", (at("09:00"), at("10:00"))))
    found = send(booker, "book", **form(title="Choir"))
    assert found.status_code == 409
    text = unescape(found.text)
    assert "This time is taken: somebody was faster." in text
    assert 'value="Choir"' in text
    assert f'value="{iso(at("08:00"))}/{iso(at("09:00"))}"' in text
    assert "Wait for this time" in text


def test_taken_chosen(booker, hall):
    """A taken time that is chosen answers at once with what else is free."""
    hall(lambda s: s.book("bob@example.org", (at("09:00"), at("10:00"))))
    text = week(booker, start=iso(at("09:00")), end=iso(at("10:00")))
    assert "This time is taken." in text
    assert 'aria-label="Book 08:00 to 09:00"' in text


def test_elsewhere(anyone, context, hall):
    """Other resources that are free at the time are offered, too."""
    place = Place("attic", "The <b>attic</b>", "UTC")

    def fill():
        Directory(context).put(place)
        place.scheduler(context).allocate((at("09:00"), at("10:00")))

    context.transaction(fill)
    hall(lambda s: s.book("bob@example.org", (at("09:00"), at("10:00"))))
    text = anyone.get("/week/hall", start=iso(at("09:00")), end=iso(at("10:00"))).text
    assert "The &lt;b&gt;attic&lt;/b&gt;, 09:00 to 10:00" in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"email": ""}, "Missing data for required field."),
        ({"email": "nobody"}, "not an e-mail address"),
        ({"email": "a\0b@example.org"}, "NUL"),
        ({"start": "9"}, "A moment is ISO 8601"),
        ({"end": iso(at("08:00"))}, "It must end after it starts."),
        ({"places": "0"}, "Places: Must be greater than"),
        ({"places": "1" * 40}, "Places: Must be greater than"),
        ({"places": "2"}, "Places that are left at this time: 1."),
        ({"title": "x" * 201}, "Longer than maximum length 200."),
        ({"end": iso(at("19:00"))}, "This is not offered from start to end."),
        ({"start": iso(at("01:00")), "end": iso(at("02:00"))}, "Nothing is offered"),
        ({"end": iso(at("12:00", 3))}, "less than 24 hours"),
        ({"end": "2999-01-01T00:00Z"}, "less than 24 hours"),
    ],
)
def test_wrong(booker, change, said):
    """What is wrong is said on the page, where everything typed is still there."""
    found = send(booker, "book", **{**form(title="Choir & Co"), **change})
    assert found.status_code == (409 if "are left" in said else 422)
    text = unescape(found.text)
    assert said in text
    if "title" not in change:
        assert 'value="Choir & Co"' in text


def test_who_books(anyone, reader):
    """Without the scope nobody books, and no form is shown."""
    assert send(anyone, "book", **form()).status_code == 401
    assert send(reader, "book", **form()).status_code == 403
    assert "Sign in</a> to book" in week(anyone)
    assert "does not let you book" in week(reader)


@pytest.mark.usefixtures("place")
def test_anonymous(context):
    """Who is nobody books if the settings let them, and has it in this browser."""
    settings = WebSettings(anonymous=frozenset({"book"}), requests_per_minute=None)
    app = create_app(context, settings, secret_key="x", secure_cookies=False)
    client = Client(app)
    token = re.search(r'csrf_token" value="([^"]+)"', week(client))[1]
    sent = form(csrf_token=token, email="eve@example.org")
    assert send(client, "book", **sent).status_code == 303
    assert ("mine", "09:00 to 10:00", "yours") in parts(week(client))
    assert ("taken", "09:00 to 10:00", "taken") in parts(week(Client(app)))


def test_forged(app, context, key_of):
    """A page of somebody else cannot book with our cookie."""
    key = key_of("book")
    client = Client(app)
    with context.read_only():
        holder = Keys(context).holder(key)
    with client.http.session_transaction() as session:
        session[COOKIE] = holder.id
    assert send(client, "book", **form()).status_code == 403
    assert send(client, "book", **form(csrf_token="x")).status_code == 403
    token = re.search(r'csrf_token" value="([^"]+)"', week(client))[1]
    assert send(client, "book", **form(csrf_token=token)).status_code == 303


def test_several_places(booker, hall):
    """Several places are booked at once, if so many are left."""
    hall(
        lambda s: s.allocate(
            (at("08:00", 5), at("18:00", 5)), partly_available=True, quota=3
        )
    )
    assert 'name="places"' in week(booker)
    assert send(booker, "book", **form(day=5, places="2")).status_code == 303
    refused = send(booker, "book", **form(day=5, places="2"))
    assert refused.status_code == 409
    assert 'value="2"' in refused.text
    times = {"start": iso(at("09:00", 5)), "end": iso(at("10:00", 5))}
    assert "1 places left" in week(booker, **times)


def test_group(booker, context, hall, place):
    """A group is shown as one, and booked as one."""
    dates = [(at("08:00", 5), at("09:00", 5)), (at("08:00", 6), at("09:00", 6))]
    hall(lambda s: s.allocate(dates, grouped=True))
    times = {"start": iso(at("08:00", 5)), "end": iso(at("09:00", 5))}
    text = week(booker, **times)
    assert "free, with its group" in text
    assert "Sat 5 Dec, 08:00 to 09:00" in text
    assert "Sun 6 Dec, 08:00 to 09:00" in text
    assert send(booker, "book", **form("08:00", "09:00", 5)).status_code == 303
    mine = [each for each in parts(week(booker)) if each[0] == "mine"]
    assert len(mine) == 2
    (booked,) = place.scheduler(context).managed_reservations()
    assert booked.target_type == "group"


# Giving back --------------------------------------------------------------------------


def test_give_back(booker, hall):
    """One's own is given back."""
    (booked,) = hall(
        lambda s: ids(s.book("ada@example.org", (at("09:00"), at("10:00"))))
    )
    assert "Give it back" in week(booker)
    found = send(booker, "give-back", **booked, day="2026-11-30")
    assert found.status_code == 303
    assert parts(week(booker))[0] == ("free", "08:00 to 18:00", "free")


def test_give_back_of_others(booker, anyone, hall, context, place):
    """What is not one's own is not found; without the scope nothing is given back."""
    (booked,) = hall(
        lambda s: ids(s.book("bob@example.org", (at("09:00"), at("10:00"))))
    )
    assert send(booker, "give-back", **booked).status_code == 404
    assert send(anyone, "give-back", **booked).status_code == 401
    assert place.scheduler(context).managed_reservations().count() == 1


@pytest.mark.parametrize("number", ["", "x", "0", "-1", "9" * 30])
def test_give_back_nothing(booker, number):
    """What is none is not found."""
    token = "6f1f0f9e-1111-4222-8333-444455556666"
    assert send(booker, "give-back", token=token, id=number).status_code == 404
    assert send(booker, "give-back", token="x", id="1").status_code == 404


def ids(reservations):
    """What names reservations in a form."""
    return [{"token": str(each.token), "id": str(each.id)} for each in reservations]


# Waiting ------------------------------------------------------------------------------


def test_wait(booker, anyone, hall, clock):
    """Who wants what is taken waits for it, with a number."""
    clock.now = at("07:00")
    hall(lambda s: s.book("bob@example.org", (at("09:00"), at("10:00"))))
    assert send(anyone, "wait", **form()).status_code == 401
    assert send(booker, "wait", **form()).status_code == 303
    assert "You wait for The hall, Mon 30 Nov, 09:00 to 10:00, as number 1." in week(
        booker
    )


def test_wait_for_free(booker, clock):
    """Nobody waits for what is free: it can be booked."""
    clock.now = at("07:00")
    found = send(booker, "wait", **form())
    assert found.status_code == 409
    assert "This time is free again: book it." in found.text


def test_same_scheduler(context):
    """The page asks the scheduler that the library makes of the same arguments."""
    place = Place("hall", "The hall", "UTC")
    assert (
        place.scheduler(context).resource
        == new_scheduler(context, "hall", "UTC").resource
    )
