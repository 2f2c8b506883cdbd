"""Reservations compared with what the sensors of the sample floor plan told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import MultipleResultsFound

from libres import conflicts
from libres.db import new_scheduler
from libres.db.models import Reservation
from libres.domain.spans import Span
from libres.modules import events
from libres.modules.errors import AlreadyReservedError
from libres.occupancy import Occupancy, on_finding
from libres.timetable import Timetable
from tests.fixtures.statements import counted
from tests.occupancy.conftest import at, event

QUARTER = timedelta(minutes=15)


def span(start, end):
    """A time of the day of the sample."""
    return Span(at(start), at(end))


@pytest.fixture
def table(context, house):
    """Let A be reserved by its timetable, from 8 to 18, in steps of 15 minutes."""
    house.add_space("A", timezone="UTC", parent="building", resource="A", capacity=3)
    made = Timetable(context)
    made.add("A", timezone="UTC")
    made.open(["A"], [(at("08:00"), at("18:00"))], raster=15)
    return made


@pytest.fixture
def room(context, table):  # noqa: ARG001 - A is open
    """The scheduler of A."""
    return new_scheduler(context, "A", "UTC")


@pytest.fixture
def told():
    """Collect what is told."""
    found = []

    def listen(_context, finding):
        found.append(finding)

    on_finding.append(listen)
    yield found
    on_finding.remove(listen)


def book(room, start, end, email="late@example.org", **options):
    """Reserve and approve a time; return the record."""
    (made,) = room.book(email, (at(start), at(end)), **options)
    return made


def alive(house, start="08:00", end="18:00", *, codes=("283", "423")):
    """Let sensors tell every ten minutes that they are alive."""
    moment = at(start)
    while moment <= at(end):
        house.sign_alive(*codes, at=moment)
        moment += timedelta(minutes=10)


@pytest.fixture
def missed(house, room):
    """O17: A is reserved from 12 to 13, empty from 11:50 on, and nothing happens."""
    house.record([event("283", "11:00", 1), event("283", "11:50", -1)])
    alive(house, "11:00", "12:10")
    return book(room, "12:00", "13:00")


class TestNoShow:
    def test_released(self, context, house, table, room, missed, told):
        """O17: one finding, and what is left is free for others at once."""
        claims = conflicts.setup(context, mirror_reservations=True)
        wanted = conflicts.Proposal(
            resource=str(room.resource), during=span("12:15", "13:00")
        )
        (found,) = house.find_no_shows(at("12:15"), QUARTER, release=True)
        assert (found.kind, found.action) == ("no_show", "released")
        assert (found.reservation, found.email) == (missed.id, "late@example.org")
        assert found.during == span("12:00", "12:15")
        assert found.evidence["released"] == [
            "2018-02-24T12:15:00+00:00",
            "2018-02-24T13:00:00+00:00",
        ]
        assert told == [found] == house.findings()
        assert table.free("A", at("11:00"), at("14:00")) == [
            span("11:00", "12:00"),
            span("12:15", "14:00"),
        ]
        assert claims.check(wanted) == []

    def test_offered(self, house, table, missed):
        """If nothing is to be released, nothing is."""
        (found,) = house.find_no_shows(at("12:15"))
        assert (found.action, house.strikes()) == (None, {"late@example.org": 1})
        assert table.free("A", at("12:00"), at("13:00")) == []

    def test_silent(self, house, room, table, told):
        """O18: nobody knows, so nothing is stored, told or released."""
        house.record([event("283", "11:00", 1), event("283", "11:50", -1)])
        alive(house, "11:00", "11:40", codes=["423"])
        alive(house, "11:00", "12:10", codes=["283"])
        book(room, "12:00", "13:00")
        for _ in range(2):
            (found,) = house.find_no_shows(at("12:15"), release=True)
            assert (found.kind, found.id, found.action) == ("unknown", None, None)
        assert house.findings() == told == []
        assert house.strikes() == {}
        assert table.free("A", at("12:00"), at("13:00")) == []

    def test_unknown_at_first(self, house, room):
        """What was unknown may be known later."""
        alive(house, "11:00", "11:40")
        book(room, "12:00", "13:00")
        assert house.find_no_shows(at("12:15"))[0].kind == "unknown"
        alive(house, "11:50", "12:10")
        assert house.find_no_shows(at("12:15"))[0].kind == "no_show"

    def test_again(self, house, missed, told):
        """What was found is not found again, released or not."""
        assert len(house.find_no_shows(at("12:15"))) == 1
        assert house.find_no_shows(at("12:20"), release=True) == []
        assert len(house.findings()) == len(told) == 1

    def test_too_soon(self, house, missed):
        """The grace has to be over."""
        assert house.find_no_shows(at("12:14")) == []

    def test_used(self, house, room):
        """Who is inside has come; also when several have reserved."""
        alive(house, "11:00", "13:00")
        house.record([event("283", "12:05", 1)])
        book(room, "12:00", "13:00")
        assert house.find_no_shows(at("12:30")) == []

    def test_pending(self, house, room):
        """Only who is approved is waited for."""
        alive(house, "11:00", "13:00")
        room.reserve("late@example.org", (at("12:00"), at("13:00")))
        assert house.find_no_shows(at("12:30")) == []

    def test_another_context(self, house, missed, context):
        """Nobody looks at the reservations of others."""
        provider = context.get_service("session_provider")
        other = Occupancy(context.registry.register_context("other"))
        other.context.set_service("session_provider", lambda _context: provider)
        assert other.find_no_shows(at("12:15")) == []
        assert other.check_in(missed.id) is False

    def test_long_ago(self, house, missed):
        """What began more than a day ago is looked at only if it is asked for."""
        later = at("12:15", day=26)
        assert house.find_no_shows(later) == []
        assert len(house.find_no_shows(later, since=at("00:00"))) == 1

    def test_future(self, house, clock, missed):
        """Nobody knows what will be."""
        clock.now = at("12:10")
        assert house.find_no_shows(at("12:15")) == []
        clock.now = at("12:15")
        assert len(house.find_no_shows(at("15:00"))) == 1

    def test_between_slots(self, house, table, missed):
        """A slot that has begun stays reserved."""
        alive(house, "12:10", "12:20")
        house.find_no_shows(at("12:20"), release=True)
        assert table.free("A", at("12:00"), at("13:00")) == [span("12:30", "13:00")]

    def test_came_later(self, house, table, missed):
        """Who is late is not thrown out."""
        house.record([event("283", "12:18", 1)])
        (found,) = house.find_no_shows(at("12:20"), release=True)
        assert (found.action, found.evidence["kept"]) == (None, "came_later")
        assert table.free("A", at("12:00"), at("13:00")) == []

    def test_late_event(self, house, table, missed):
        """An event that arrives afterwards undoes nothing; a check-in takes the strike
        back."""
        house.find_no_shows(at("12:15"), release=True)
        house.record([event("283", "12:05", 1)])
        assert house.find_no_shows(at("12:20")) == []
        assert [each.kind for each in house.findings()] == ["no_show"]
        assert house.strikes() == {"late@example.org": 1}
        assert house.check_in(missed.id, at("12:05"))
        assert house.strikes() == {}
        assert table.free("A", at("12:00"), at("13:00")) == [span("12:15", "13:00")]

    def test_checked_in(self, house, missed):
        """A check-in is presence, whatever the sensors say."""
        assert house.check_in(missed, at("11:55"))
        assert house.find_no_shows(at("12:15"), release=True) == []

    def test_exempt(self, house, table, missed):
        """Who is exempt loses nothing and has no strike."""
        exempt = ["LATE@example.org"]
        (found,) = house.find_no_shows(at("12:15"), release=True, exempt=exempt)
        assert (found.action, found.evidence["kept"]) == (None, "exempt")
        assert (house.findings(), house.strikes()) == ([found], {})
        assert table.free("A", at("12:00"), at("13:00")) == []

    def test_refused(self, house, table, missed):
        """What the scheduler refuses stays as it was, and others are judged."""

        def refuse(_context, _removed):
            raise AlreadyReservedError

        events.on_reservations_removed.append(refuse)
        try:
            (found,) = house.find_no_shows(at("12:15"), release=True)
        finally:
            events.on_reservations_removed.remove(refuse)
        assert (found.action, found.evidence["kept"]) == (None, "refused")
        assert table.free("A", at("12:00"), at("13:00")) == []
        assert house.findings() == [found]

    def test_host_class(self, house, room):
        """A reservation of a class of the host remains one, with its data."""
        alive(house, "11:00", "12:10")
        room.reservation_cls = type(
            "Special",
            (Reservation,),
            {"__mapper_args__": {"polymorphic_identity": "special"}},
        )
        made = book(room, "12:00", "13:00", data={"why": "x"})
        house.find_no_shows(at("12:15"), release=True)
        (left,) = room.managed_reservations()
        assert (left.id, left.token, left.type) == (made.id, made.token, "special")
        assert left.data == {"why": "x"}
        assert left.display_end("UTC") == at("12:15")


class TestWhole:
    @pytest.fixture
    def room(self, context, house):
        """B can be reserved as a whole only."""
        house.add_space("B", timezone="UTC", parent="building", resource="B")
        return new_scheduler(context, "B", "UTC")

    def test_not_partly_available(self, house, room):
        """Nothing of it can be given back."""
        room.allocate((at("12:00"), at("13:00")))
        alive(house, "11:00", "12:10")
        book(room, "12:00", "13:00")
        (found,) = house.find_no_shows(at("12:15"), release=True)
        assert (found.action, found.evidence["kept"]) == (None, "not_partly_available")
        assert room.managed_reserved_slots().count() == 1

    def test_several_places(self, house, room):
        """The scheduler changes only what holds one place."""
        times = at("12:00"), at("13:00")
        room.allocate(times, partly_available=True, quota=2)
        alive(house, "11:00", "12:10")
        book(room, "12:00", "13:00", quota=2)
        (found,) = house.find_no_shows(at("12:15"), release=True)
        assert (found.action, found.evidence["kept"]) == (None, "several_places")
        with pytest.raises(MultipleResultsFound):
            room.change_reservation(
                *room.managed_reservations()
                .with_entities(Reservation.token, Reservation.id)
                .one(),
                at("12:00"),
                at("12:15"),
            )

    def test_group(self, house, room, told):
        """Each time of a group is waited for; the first that is missed is found."""
        times = [(at("10:00"), at("11:00")), (at("12:00"), at("13:00"))]
        group = room.allocate([*times, (at("14:00"), at("15:00"))], grouped=True)
        room.book("late@example.org", group=group[0].group)
        alive(house, "09:50", "14:30")
        house.record([event("423", "10:05", -1), event("423", "10:55", 1)])
        assert house.find_no_shows(at("10:20"), release=True) == []
        (found,) = house.find_no_shows(at("14:20"), release=True)
        assert found.during == span("12:00", "12:15")
        assert found.evidence["kept"] == "not_partly_available"
        assert house.find_no_shows(at("14:30")) == []
        assert told == [found]
        assert room.managed_reserved_slots().count() == 3


class TestEndedEarly:
    @pytest.fixture
    def left(self, house, room):
        """A is reserved from 12 to 13, and used until 12:20."""
        house.record([event("283", "12:01", 1), event("283", "12:20", -1)])
        alive(house, "11:00", "13:00")
        return book(room, "12:00", "13:00")

    def test_offered(self, house, table, left, told):
        """It is empty since; the rest may be offered."""
        assert house.find_ended_early(at("12:34")) == []
        (found,) = house.find_ended_early(at("12:35"))
        assert (found.kind, found.action) == ("ended_early", None)
        assert found.during == span("12:20", "13:00")
        assert told == [found]
        assert house.find_ended_early(at("12:50")) == []
        assert table.free("A", at("12:00"), at("13:00")) == []
        assert house.strikes() == {}

    def test_released(self, house, table, left):
        """What has not begun is free."""
        (found,) = house.find_ended_early(at("12:35"), release=True)
        assert found.action == "released"
        assert table.free("A", at("12:00"), at("13:00")) == [span("12:45", "13:00")]

    def test_over(self, house, left):
        """Afterwards it is found, too, but nothing can be given back."""
        (found,) = house.find_ended_early(at("14:00"), release=True)
        assert (found.action, found.evidence["kept"]) == (None, "begun")


class TestReports:
    def test_over_capacity(self, house, room, told):
        """Four are too many for three; what lasts longer is the same."""
        alive(house)
        house.record([event("283", f"12:0{each}", 1) for each in range(4)])
        (found,) = house.find_over_capacity(at("12:00"), at("12:10"))
        assert found.during == span("12:03", "12:10")
        assert found.evidence == {"highest": 4, "capacity": 3}
        assert house.find_over_capacity(at("12:00"), at("12:10")) == []
        house.record([event("283", "12:30", -1)])
        (longer,) = house.find_over_capacity(at("12:10"), at("13:00"))
        assert longer.during == span("12:03", "12:30")
        assert (longer.id, told) == (found.id, [found])
        assert [each.during for each in house.findings("over_capacity")] == [
            longer.during
        ]

    def test_unbooked(self, house, room):
        """Somebody is inside before and after what is reserved."""
        alive(house)
        book(room, "12:15", "12:30")
        house.record([event("283", "12:05", 1), event("283", "12:40", -1)])
        found = house.find_unbooked(at("12:00"), at("13:00"))
        assert [each.during for each in found] == [
            span("12:05", "12:15"),
            span("12:30", "12:40"),
        ]
        assert {each.reservation for each in found} == {None}
        assert house.find_unbooked(at("12:00"), at("13:00")) == []
        assert house.findings(start=at("12:35"), end=at("13:00")) == found[1:]

    def test_future(self, house, room, clock):
        """What has not come yet is not reported."""
        clock.now = at("12:00")
        house.record([event("283", "11:50", 1)])
        alive(house, "11:00", "11:50")
        (found,) = house.find_unbooked(at("11:00"), at("18:00"))
        assert found.during == span("11:50", "12:00")
        assert house.find_unbooked(at("13:00"), at("18:00")) == []


class TestUtilisation:
    def test_hours(self, house, room):
        """Reserved, used, both, and what nobody knows."""
        alive(house, "08:00", "14:00")
        book(room, "12:00", "13:00", quota=1)
        house.record([event("283", "12:30", 1), event("283", "12:40", 1)])
        house.record([event("283", f"13:3{each}", -1) for each in range(2)])
        found = house.utilisation("A", at("10:00"), at("16:00"))
        assert found.reserved == timedelta(hours=1)
        assert found.used == timedelta(minutes=61)
        assert found.reserved_and_used == timedelta(minutes=30)
        assert found.open == timedelta(hours=6)
        assert found.unknown == timedelta(hours=1, minutes=45)
        assert (found.peak, found.quota) == (2, 1)

    def test_moved(self, house, room):
        """Only while no sensor hangs there, nobody knows."""
        alive(house)
        house.unassign("283", at("10:00"))
        house.assign("283", "X", 1, at("11:00"))
        found = house.utilisation("A", at("09:00"), at("12:00"))
        assert found.unknown == timedelta(hours=1)


class TestStatements:
    @pytest.mark.parametrize(
        ("sent", "numbers"),
        [
            pytest.param([], [9, 9], id="nobody came: stored in one statement"),
            pytest.param([event("283", "8:00", 1)], [7, 7], id="somebody is there"),
        ],
    )
    def test_reservations(self, house, room, sent, numbers):
        """A reservation more does not cost a statement more."""
        alive(house)
        house.record(sent)
        found = []
        for first, last in ((8, 9), (9, 16)):
            for hour in range(first, last):
                book(room, f"{hour}:00", f"{hour}:30")
            with counted(house.session) as statements:
                house.find_no_shows(at("17:00"))
            found.append(len(statements))
        assert found == numbers
