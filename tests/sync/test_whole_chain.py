"""A day in Room 201, through all rooms of the house: reserved on a phone, approved, in
the way of others, shown by a kiosk, given back as nobody came, and proven.

The day is played once; each test looks at what was seen in the course of it.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from libres import conflicts, jobs
from libres.conflicts import Period, Proposal
from libres.context.registry import create_default_registry
from libres.db import new_scheduler
from libres.db.models.timestamp import TimestampMixin
from libres.domain.spans import Span
from libres.occupancy import Occupancy, on_finding
from libres.sync import Flags, Sync, audit, configure
from libres.sync.client import Device
from libres.sync.values import ALL
from libres.timetable import Timetable
from libres.web import WebSettings, create_app
from tests.fixtures.clock import Clock
from tests.sync.conftest import CONTEXT
from tests.sync.phones import Wire
from tests.sync.rooms import HOUR, at, iso

ROOM, JOHN, KIOSK, CLERK = "Room 201", "john_manager", "kiosk", "clare"
NO_SHOW = "system:no_show"
HOURS = at("9:00"), at("12:00")

RESERVATION = "libres.Reservation"

URL = "http://server.example"


class House:
    """All rooms on one database, and an application in front of them."""

    def __init__(self, context):
        self.context = context
        self.sync = Sync(context)
        self.sync.register_core()
        self.audit = audit.setup(context)
        self.claims = conflicts.setup(context, mirror_reservations=True)
        self.times = Timetable(context)
        self.sensors = Occupancy(context)
        self.sync.commit()
        settings = WebSettings(pages=False, requests_per_minute=None)
        self.wire = Wire(create_app(context, settings, secret_key="signs cookies"))

    def device(self, username, organization, folder, flags):
        """A device of a user who may do something with reservations; signed in."""
        user = self.sync.users.add(username, email=f"{username}@example.org")
        role = self.sync.roles.add(username.replace("_", "-"), username)
        self.sync.memberships.add(user, organization, role)
        self.sync.permissions.set(organization, role, RESERVATION, flags)
        made = self.sync.devices.add(user, organization, username)
        self.sync.commit()
        device = Device(folder / f"{username}.db", URL, self.wire)
        device.sign_in_by_key(made.key)
        return device

    def scheduler(self, name):
        """The scheduler of the room, or of John."""
        return new_scheduler(self.context, name, "UTC")

    def open(self, acme):
        """Allocate the room and John from 9 to 17; both have to be approved."""
        self.times.add(ROOM, JOHN, timezone="UTC")
        for name in (ROOM, JOHN):
            self.sync.resources.add(acme, name, "UTC")
            self.scheduler(name).allocate(
                (at("9:00"), at("17:00")),
                partly_available=True,
                raster=15,
                approve_manually=True,
            )

    def watch(self):
        """Hang a sensor above the door of the room, under which nobody walks."""
        self.sensors.add_space(ROOM, timezone="UTC", resource=ROOM)
        self.sensors.add_doorway("door", ROOM, None)
        self.sensors.add_sensor("d1", heartbeat=HOUR)
        self.sensors.assign("d1", "door", 1, at("7:00"))

    def approve(self):
        """Let the clerk approve what is pending."""
        with self.audit.acting(CLERK, request="desk-1", reason="by telephone"):
            for desk in map(self.scheduler, (ROOM, JOHN)):
                (row,) = desk.managed_reservations().filter_by(status="pending")
                desk.approve_reservations(row.token)
            self.sync.commit()

    def release(self):
        """Run the job that gives back what nobody has come to."""
        for moment in ("9:30", "10:00", "10:15"):
            self.sensors.sign_alive("d1", at=at(moment))
        self.sync.commit()
        outcome = jobs.run(self.context, "no_show").check()
        (found,) = self.sensors.findings()
        return outcome, found

    def shorten(self, _context, finding):
        """Give John the time back that was given back of the room, as hosts do it."""
        calendar = self.scheduler(JOHN)
        (row,) = calendar.managed_reservations().filter_by(email=finding.email)
        calendar.change_reservation(
            row.token, row.id, finding.during.start, finding.during.end
        )

    def look(self, kiosk):
        """What each of the rooms says at this moment."""
        during = at("10:30"), at("11:30")
        wanted = Proposal(resource=self.scheduler(ROOM).resource, during=during)
        seen = SimpleNamespace(
            claims=self.claims.check(wanted),
            free={name: self.times.free(name, *HOURS) for name in (ROOM, JOHN)},
        )
        self.sync.commit()
        seen.pulled = kiosk.pull()
        seen.rows = {each.fields["resource"]: each for each in kiosk.rows(RESERVATION)}
        return seen


def play(house, clock, folder):
    """Live through the day; return what was seen after each step of it."""
    acme = house.sync.organizations.add("Acme Corporation", "acme-corp")
    house.open(acme)
    house.watch()
    phone = house.device(JOHN, acme, folder, ALL)
    kiosk = house.device(KIOSK, acme, folder, Flags(pull=True, read=True))
    day = SimpleNamespace(house=house, clock=clock, morning=house.look(kiosk))
    clock.now = at("9:00")
    for name in (ROOM, JOHN):
        times = {"start": iso("10:00"), "end": iso("11:00")}
        phone.create(RESERVATION, {"resource": name, **times})
    day.pushed = phone.push()
    house.approve()
    day.reserved = house.look(kiosk)
    clock.now = at("10:15")
    day.outcome, day.found = house.release()
    day.released = house.look(kiosk)
    for device in (phone, kiosk):
        device.close()
    return day


@pytest.fixture(scope="module")
def day(module_dsn, tmp_path_factory):
    """What was seen in the course of the day."""
    context = create_default_registry().register_context(CONTEXT)
    context.set_setting("dsn", module_dsn)
    configure(context, {"k": "s" * 64})
    clock = Clock(at("8:00"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TimestampMixin, "timestamp", staticmethod(clock.timestamp))
        house = House(context)
        on_finding.append(house.shorten)
        try:
            yield play(house, clock, tmp_path_factory.mktemp("devices"))
        finally:
            on_finding.remove(house.shorten)
            context.get_service("session_provider").stop_service()


def test_all_free_in_the_morning(day):
    """Nothing is in the way, room and John are free, and the kiosk has nothing."""
    assert day.morning.claims == []
    assert day.morning.free == {ROOM: [Span(*HOURS)], JOHN: [Span(*HOURS)]}
    assert day.morning.rows == {}


def test_pushed(day):
    """The phone has both stored in one push."""
    assert (day.pushed.stored, day.pushed.refused) == (2, [])


def test_in_the_way(day):
    """A check of half past ten to half past eleven reports the meeting of John."""
    (claim,) = day.reserved.claims
    assert (claim.source, claim.label) == (RESERVATION, f"{JOHN}@example.org")
    assert claim.during == Period(at("10:00"), at("11:00"))


@pytest.mark.parametrize("name", [ROOM, JOHN])
def test_not_free(day, name):
    """Room and John are free before and after, and not in between."""
    assert day.reserved.free[name] == [
        Span(at("9:00"), at("10:00")),
        Span(at("11:00"), at("12:00")),
    ]


def test_kiosk_shows_it(day):
    """The kiosk has pulled both, approved."""
    assert {
        name: (row.fields["status"], row.fields["end"])
        for name, row in day.reserved.rows.items()
    } == dict.fromkeys((ROOM, JOHN), ("approved", iso("11:00")))


def test_nobody_came(day):
    """The room was empty until a quarter past ten: the rest of it is released."""
    assert (day.outcome.status, day.outcome.count) == ("ok", 1)
    assert (day.found.kind, day.found.action) == ("no_show", "released")
    assert day.found.evidence["released"] == [iso("10:15"), iso("11:00")]


def test_nothing_in_the_way(day):
    """The same check is clean."""
    assert day.released.claims == []


@pytest.mark.parametrize("name", [ROOM, JOHN])
def test_free_again(day, name):
    """Room and John are free again, from a quarter past ten on."""
    assert day.released.free[name] == [
        Span(at("9:00"), at("10:00")),
        Span(at("10:15"), at("12:00")),
    ]


def test_kiosk_is_told(day):
    """The kiosk has got what is left of both, and nothing else."""
    assert day.released.pulled.rows == 2
    assert {row.fields["end"] for row in day.released.rows.values()} == {iso("10:15")}


def history_of(day, name):
    """The changes of the reservation of the room, or of John, the first one first."""
    found = day.house.audit.history(RESERVATION, day.reserved.rows[name].id)
    return found[::-1]


@pytest.mark.parametrize("name", [ROOM, JOHN])
def test_who_did_what(day, name):
    """Reserved by John, approved by the clerk, and shortened as nobody came."""
    reserved, approved, *released = history_of(day, name)
    assert (reserved.actor, reserved.action) == (JOHN, "insert")
    assert (approved.actor, approved.reason) == (CLERK, "by telephone")
    assert ("status", "pending", "approved") in fields_of(approved)
    assert {each.actor for each in released} == {NO_SHOW}
    assert "end" in {field for each in released for field, *_ in fields_of(each)}


def fields_of(entry):
    """What has changed, as tuples."""
    return [(each.field, each.before, each.after) for each in entry.changes]


def test_which_request(day):
    """Both reservations are of one request, that of the phone; and of John."""
    reserved, *_ = history_of(day, ROOM)
    found = day.house.audit.history(request=reserved.request, action="insert")
    told = {(each.actor, each.tenant) for each in found if each.model == RESERVATION}
    assert reserved.request
    assert told == {(JOHN, reserved.tenant)}


def test_verified(day):
    """The chain of all that has happened verifies."""
    verdict = day.house.audit.verify()
    assert verdict.problem == ""
    assert (verdict.first, verdict.checked) == (1, verdict.last)
    assert verdict.last >= len(history_of(day, ROOM)) + len(history_of(day, JOHN))
