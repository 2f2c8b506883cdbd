"""The desk: what waits is decided, and times are taken out of service."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from libres.db.models import Reservation, ReservationBlocker
from libres.web import Place
from libres.web.directory import Directory
from libres.web.pending import Key
from tests.fixtures.statements import counted_on
from tests.web.conftest import at
from tests.web.forms import HEADERS, Tab

ADA, BOB = "ada@example.org", "bob@example.org"


@pytest.fixture
def desk(app, key_of, clock):
    """Somebody at the desk, on the Sunday before the week."""
    clock.now = at("12:00", -1)
    return Tab(app, key_of("manage", name="Desk"))


def scheduler_of(context, place):
    """The scheduler of a resource."""
    return place.scheduler(context)


@pytest.fixture
def ask(context, place):
    """Reserves, pending: ask("ada@…", "10:00", "12:00"); returns the key."""

    def make(email, start, end, day=0, where=None, **more):
        scheduler = scheduler_of(context, where or place)
        dates = [(at(start, day), at(end, day))]
        token = context.transaction(lambda: scheduler.reserve(email, dates, **more))
        return Key(scheduler.resource, token)

    return make


@pytest.fixture
def state(context, place):
    """Tells the status of what a key stands for."""

    def tell(key):
        with context.read_only():
            query = scheduler_of(context, place).reservations_by_token(key.token)
            return [each.status for each in query.order_by(Reservation.id)]

    return tell


@pytest.fixture
def blockers(context, place):
    """Tells reasons and times of what is out of service."""

    def tell():
        with context.read_only():
            query = scheduler_of(context, place).managed_blockers()
            return [
                (each.reason, each.display_start(), each.display_end())
                for each in query.order_by(ReservationBlocker.start)
            ]

    return tell


class TestPending:
    def test_nothing(self, desk):
        """Without anything pending the page says so."""
        assert "Nothing waits for a decision." in desk.open("/desk").text

    def test_shown(self, desk, ask):
        """What waits is shown with who, where, when, and what they wrote."""
        ask(ADA, "10:00", "12:00", data={"Purpose": "Chess", "chairs": 12})
        page = desk.open("/desk").text
        for words in (ADA, "The hall", "Mon 30 Nov 2026, 10:00 to 12:00"):
            assert words in page
        assert "<dt>Purpose</dt><dd>Chess</dd>" in page
        assert "<dt>chairs</dt><dd>12</dd>" in page
        assert '<span class="state free">free</span>' in page

    def test_cart(self, desk, ask):
        """What is in a cart still is not for the desk."""
        ask(ADA, "10:00", "12:00", session_id="4f9b6ed1-45f0-4b44-9b4e-0d1d8a4f3f1f")
        assert ADA not in desk.open("/desk").text

    def test_approve(self, desk, ask, state):
        """One button approves one, and the next page tells."""
        key = ask(ADA, "10:00", "12:00")
        other = ask(BOB, "14:00", "15:00")
        found = desk.follow(desk.send("/desk/decide", one=f"approve:{key}"))
        assert f"Approved 1: {ADA}." in found.text
        assert state(key) == ["approved"]
        assert state(other) == ["pending"]

    def test_deny(self, desk, ask, state):
        """One button denies one."""
        key = ask(ADA, "10:00", "12:00")
        found = desk.follow(desk.send("/desk/decide", one=f"deny:{key}"))
        assert f"Denied 1: {ADA}." in found.text
        assert state(key) == []

    def test_several(self, desk, ask, state):
        """All that are chosen are decided at once."""
        keys = [ask(ADA, f"{hour}:00", f"{hour + 1}:00") for hour in range(10, 13)]
        chosen = [str(each) for each in keys[:2]]
        found = desk.send("/desk/decide", all="approve:", chosen=chosen)
        assert "Approved 2" in desk.follow(found).text
        assert [state(key) for key in keys] == [["approved"], ["approved"], ["pending"]]

    def test_none_chosen(self, desk):
        """Nothing happens if nothing is chosen, and that is told."""
        found = desk.send("/desk/decide", all="approve:")
        assert "Nothing was decided" in desk.follow(found).text

    def test_collision(self, desk, ask):
        """Who else wants or has the time is shown with it."""
        key = ask(ADA, "10:00", "12:00")
        ask(BOB, "11:00", "13:00")
        page = desk.open("/desk").text
        assert f"At the same time: {BOB} (asks for it)" in page
        desk.send("/desk/decide", one=f"approve:{key}")
        page = desk.open("/desk").text
        assert f"At the same time: {ADA} (has it)" in page
        assert '<span class="state taken">taken</span>' in page

    def test_refused(self, desk, ask, state):
        """Of several that want the same time the first gets it; why not, is told."""
        first, second = ask(ADA, "10:00", "12:00"), ask(BOB, "11:00", "13:00")
        chosen = [str(first), str(second)]
        page = desk.follow(
            desk.send("/desk/decide", all="approve:", chosen=chosen)
        ).text
        assert f"Approved 1: {ADA}." in page
        assert f"1 refused: {BOB} (" in page
        assert state(second) == ["pending"]

    def test_blocked(self, desk, ask, context, place):
        """What was taken out of service meanwhile is shown so."""
        ask(ADA, "10:00", "12:00")
        hall = scheduler_of(context, place)
        context.transaction(lambda: len(hall.add_blocker((at("09:00"), at("11:00")))))
        assert "out of service</span>" in desk.open("/desk").text

    def test_group(self, desk, context):
        """A group is one thing to decide, with all of its times."""
        room = Place("course", "Course", "UTC")

        def fill():
            Directory(context).put(room)
            dates = [(at("10:00", day), at("12:00", day)) for day in (0, 2)]
            (first, *_) = room.scheduler(context).allocate(dates, grouped=True)
            return room.scheduler(context).reserve(ADA, group=first.group)

        context.transaction(fill)
        page = desk.open("/desk").text
        assert page.count('name="chosen"') == 1
        assert "Mon 30 Nov 2026, 10:00 to 12:00" in page
        assert "Wed 2 Dec 2026, 10:00 to 12:00" in page

    def test_approved_before(self, desk, app, key_of, ask, state):
        """Who comes second is told that it was done, whatever they wanted to do."""
        second = Tab(app, key_of("manage", name="Second"))
        key = ask(ADA, "10:00", "12:00")
        desk.send("/desk/decide", one=f"approve:{key}")
        for verb in ("approve", "deny"):
            found = second.follow(second.send("/desk/decide", one=f"{verb}:{key}"))
            assert found.status_code == 200
            assert "1 approved already, by somebody else" in found.text
        assert state(key) == ["approved"]

    def test_denied_before(self, desk, app, key_of, ask):
        """What was denied meanwhile is not there any more, and that is no error."""
        second = Tab(app, key_of("manage", name="Second"))
        key = ask(ADA, "10:00", "12:00")
        desk.send("/desk/decide", one=f"deny:{key}")
        found = second.follow(second.send("/desk/decide", one=f"approve:{key}"))
        assert found.status_code == 200
        assert "not there any more" in found.text

    def test_search(self, desk, ask):
        """A part of an address is enough to find it; signs of patterns are letters."""
        ask(ADA, "10:00", "11:00")
        ask(BOB, "11:00", "12:00")
        page = desk.open("/desk", email="ADA@").text
        assert ADA in page
        assert BOB not in page
        assert "Nothing waits for a decision here" in desk.open("/desk", email="%").text

    def test_search_remains(self, desk, ask):
        """After a decision one is back at what one had searched."""
        key = ask(ADA, "10:00", "11:00")
        sent = desk.send(
            "/desk/decide", one=f"deny:{key}", email="ada", resource="hall"
        )
        assert sent.headers["Location"] == "/desk?resource=hall&email=ada"

    def test_resource(self, desk, ask, context):
        """What waits can be shown of one resource only."""
        attic = Place("attic", "The attic", "UTC")

        def fill():
            Directory(context).put(attic)
            attic.scheduler(context).allocate((at("08:00"), at("18:00")))

        context.transaction(fill)
        ask(BOB, "08:00", "18:00", where=attic)
        ask(ADA, "10:00", "11:00")
        page = desk.open("/desk", resource="attic").text
        assert BOB in page
        assert ADA not in page

    def test_many(self, desk, ask):
        """Of many the oldest are shown, and the others on later pages."""
        for number in range(22):
            start = at("08:00") + number * timedelta(minutes=15)
            end = start + timedelta(minutes=15)
            ask(f"p{number:02}@example.org", f"{start:%H:%M}", f"{end:%H:%M}")
        page = desk.open("/desk").text
        assert "p00@" in page
        assert "p20@" not in page
        after = page.partition("/desk?after=")[2].partition('"')[0]
        later = desk.open("/desk", after=after).text
        assert "p20@" in later
        assert "p21@" in later
        assert "p19@" not in later

    def test_statements(self, desk, ask):
        """What a page costs does not grow with what is on it."""
        ask(ADA, "08:00", "08:15")
        with counted_on(Engine) as few:
            desk.open("/desk")
        for number in range(1, 15):
            ask(ADA, f"{8 + number // 4:02}:{number % 4 * 15:02}", "18:00")
        with counted_on(Engine) as many:
            desk.open("/desk")
        assert len(many) == len(few)

    def test_other_context(self, desk, context, ask):
        """What is reserved of what is not listed here is nobody's here."""
        key = ask(ADA, "10:00", "12:00")
        context.transaction(lambda: Directory(context).remove("hall"))
        assert ADA not in desk.open("/desk").text
        found = desk.follow(desk.send("/desk/decide", one=f"approve:{key}"))
        assert "not there any more" in found.text

    @pytest.mark.parametrize(
        "form",
        [
            {},
            {"one": "burn:"},
            {"one": "approve:x"},
            {"one": "approve:" + "\0" * 5},
            {"all": "deny:", "chosen": ["", "x.y", "<script>", "0" * 5000]},
            {"one": f"approve:{'0' * 32}.{'0' * 32}"},
        ],
    )
    def test_hostile_form(self, desk, form):
        """Whatever is sent is refused, or is nobody's."""
        found = desk.send("/desk/decide", **form)
        assert found.status_code in (303, 422)

    @pytest.mark.parametrize(
        "query",
        [
            {"email": "\0"},
            {"email": "'; DROP TABLE reservations; --"},
            {"email": "x" * 3000},
            {"resource": "../../etc"},
            {"after": "9" * 30},
            {"after": "x"},
            {"after": "-1"},
        ],
    )
    def test_hostile_query(self, desk, query):
        """Whatever is searched, there is a page."""
        assert desk.open("/desk", **query).status_code == 200

    def test_hostile_texts(self, desk, ask, context):
        """What people wrote is text, whatever it is."""
        script = "<script>alert(1)</script>"
        hostile = Place("hostile", script, "UTC")

        def fill():
            Directory(context).put(hostile)
            hostile.scheduler(context).allocate((at("08:00"), at("18:00")))

        context.transaction(fill)
        ask("x@example.org", "08:00", "18:00", where=hostile, data={script: script})
        page = desk.open("/desk").text
        assert "&lt;script&gt;" in page
        assert script not in page


class TestBlockers:
    FORM = {  # noqa: RUF012 - nobody changes it
        "resource": "hall",
        "day": "2026-12-01",
        "start": "09:00",
        "end": "11:30",
        "reason": "The floor is new",
    }

    def test_add(self, desk, blockers):
        """A time is taken out of service, with a reason."""
        found = desk.follow(desk.send("/desk/blockers", **self.FORM))
        assert "It is out of service." in found.text
        assert "Tue 1 Dec 2026, 09:00 to 11:30" in found.text
        assert blockers() == [("The floor is new", at("09:00", 1), at("11:30", 1))]

    def test_several_days(self, desk, blockers):
        """The same hours of several days are one blocker."""
        desk.send("/desk/blockers", **self.FORM, last="2026-12-03")
        assert [start for _, start, _ in blockers()] == [
            at("09:00", day) for day in (1, 2, 3)
        ]
        assert desk.open("/desk/blockers").text.count("Put into service") == 1

    def test_taken(self, desk, ask, blockers):
        """What somebody has is not taken from them; what was typed remains."""
        key = ask(ADA, "10:00", "12:00", day=1)
        desk.send("/desk/decide", one=f"approve:{key}")
        found = desk.send("/desk/blockers", **self.FORM)
        assert found.status_code == 409
        assert 'role="alert"' in found.text
        assert 'value="The floor is new"' in found.text
        assert 'value="2026-12-01"' in found.text
        assert blockers() == []

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"day": ""}, "Write it as 2026-11-27."),
            ({"day": "1.12.2026"}, "Write it as 2026-11-27."),
            ({"day": "0001-01-01"}, "The year must be"),
            ({"day": "9999-12-31"}, "The year must be"),
            ({"start": "nine"}, "Write it as 09:30."),
            ({"end": "25:00"}, "Write it as 09:30."),
            ({"end": "11:30+01:00"}, "Write it as 09:30."),
            ({"last": "2026-11-30"}, "The last day lies before the first."),
            ({"last": "2027-11-30"}, "No more than 62 days"),
            ({"reason": "x" * 1001}, "No more than 1000 characters."),
            ({"reason": "\0"}, "NUL"),
        ],
    )
    def test_wrong(self, desk, blockers, changed, said):
        """What is wrong is said beside it, and what was typed remains."""
        found = desk.send("/desk/blockers", **{**self.FORM, **changed})
        assert found.status_code == 422
        assert said in found.text
        assert 'value="2026-12-01"' in found.text or "day" in changed
        assert blockers() == []

    def test_unknown_resource(self, desk):
        """What is not listed cannot be taken out of service."""
        found = desk.send("/desk/blockers", **{**self.FORM, "resource": "attic"})
        assert found.status_code == 404

    def test_not_allocated(self, desk):
        """Where nothing is allocated there is nothing to take out of service."""
        found = desk.send("/desk/blockers", **{**self.FORM, "day": "2026-12-24"})
        assert found.status_code == 422
        assert 'role="alert"' in found.text

    def key(self, desk):
        """The key of the blocker on the page."""
        page = desk.open("/desk/blockers").text
        return page.partition('name="key" value="')[2].partition('"')[0]

    def test_change_reason(self, desk, blockers):
        """The reason can be changed."""
        desk.send("/desk/blockers", **self.FORM)
        sent = desk.send("/desk/blockers/change", key=self.key(desk), reason="Paint")
        assert "The reason is changed." in desk.follow(sent).text
        assert blockers()[0][0] == "Paint"

    def test_wrong_reason(self, desk):
        """A reason that cannot be stored is refused."""
        desk.send("/desk/blockers", **self.FORM)
        sent = desk.send("/desk/blockers/change", key=self.key(desk), reason="a\0")
        assert sent.status_code == 422

    def test_remove(self, desk, blockers):
        """What is out of service can be put into service again."""
        desk.send("/desk/blockers", **self.FORM)
        sent = desk.send("/desk/blockers/remove", key=self.key(desk))
        assert "It is in service again." in desk.follow(sent).text
        assert blockers() == []

    def test_removed_before(self, desk, app, key_of):
        """Who comes second is told that it was done."""
        second = Tab(app, key_of("manage", name="Second"))
        desk.send("/desk/blockers", **self.FORM)
        key = self.key(desk)
        desk.send("/desk/blockers/remove", key=key)
        for path in ("remove", "change"):
            sent = second.send(f"/desk/blockers/{path}", key=key)
            assert "somebody else was first" in second.follow(sent).text

    def test_over(self, desk, clock):
        """What is over is not shown any more."""
        desk.send("/desk/blockers", **self.FORM)
        clock.now = at("12:00", 1)
        assert "Everything is in service." in desk.open("/desk/blockers").text

    def test_hostile_reason(self, desk):
        """A reason is text, whatever it is."""
        form = {**self.FORM, "reason": "<script>alert(1)</script>"}
        page = desk.follow(desk.send("/desk/blockers", **form)).text
        assert "<script>alert" not in page

    @pytest.mark.parametrize("key", ["", "x", "\0", "0.0", "<script>"])
    def test_hostile_key(self, desk, key):
        """Whatever is sent as a key is nobody's."""
        assert desk.send("/desk/blockers/remove", key=key).status_code == 303


POSTS = [
    "/desk/decide",
    "/desk/blockers",
    "/desk/blockers/change",
    "/desk/blockers/remove",
    "/desk/waiting/serve",
    "/desk/waiting/remove",
]


@pytest.mark.parametrize("path", POSTS)
def test_no_token(desk, path):
    """Nothing is done for the page of somebody else."""
    found = desk.http.post(path, data={}, headers=HEADERS)
    assert found.status_code == 403
    assert "form is not ours" in found.text


class TestWaiting:
    @pytest.fixture
    def waiting(self, context, place, desk):
        """Bob waits for what Ada has; returns the key of Ada's and the id of Bob's."""
        from libres.waiting import WaitingList  # noqa: PLC0415 - of these tests only

        hall = scheduler_of(context, place)

        def fill():
            WaitingList(context).setup()
            (ada, *_) = hall.book(ADA, [(at("10:00"), at("12:00"))])
            entry = WaitingList(context).join(hall, BOB, at("10:00"), at("12:00"))
            return Key(hall.resource, ada.token), str(entry.id)

        return context.transaction(fill)

    @pytest.fixture
    def freed(self, context, place, waiting):
        """What Bob waits for is free; returns the id of his entry."""
        key, entry = waiting
        hall = scheduler_of(context, place)
        context.transaction(lambda: hall.remove_reservation(key.token))
        return entry

    def test_shown(self, desk, waiting):
        """Who waits is shown, for what, and that it is taken."""
        page = desk.open("/desk/waiting").text
        assert BOB in page
        assert "Mon 30 Nov 2026, 10:00 to 12:00" in page
        assert '<span class="state taken">taken</span>' in page

    def test_refused(self, desk, waiting):
        """What is taken cannot be reserved for who waits, and that is told."""
        sent = desk.send("/desk/waiting/serve", id=waiting[1])
        assert "Refused:" in desk.follow(sent).text

    def test_served(self, desk, freed):
        """What is free again is reserved for who waits for it."""
        assert "free now" in desk.open("/desk/waiting").text
        page = desk.follow(desk.send("/desk/waiting/serve", id=freed)).text
        assert f"Reserved for {BOB}." in page
        assert "Nobody waits." in page

    def test_served_before(self, desk, app, key_of, freed):
        """Who comes second is told that it was done."""
        second = Tab(app, key_of("manage", name="Second"))
        desk.send("/desk/waiting/serve", id=freed)
        for path in ("serve", "remove"):
            sent = second.send(f"/desk/waiting/{path}", id=freed)
            assert "somebody else was first" in second.follow(sent).text

    def test_removed(self, desk, waiting):
        """Who does not wait any more is taken off the list."""
        sent = desk.send("/desk/waiting/remove", id=waiting[1])
        page = desk.follow(sent).text
        assert "Taken off the list." in page
        assert BOB not in page

    @pytest.mark.parametrize("id_", ["", "x", "\0", "0" * 32, "<script>"])
    def test_hostile_id(self, desk, waiting, id_):
        """Whatever is sent as an id is nobody's."""
        for path in ("serve", "remove"):
            sent = desk.send(f"/desk/waiting/{path}", id=id_)
            assert "somebody else was first" in desk.follow(sent).text
