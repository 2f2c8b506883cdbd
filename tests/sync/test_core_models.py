"""What devices see of the core is the same from tables and from what triggers note."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from libres.context.exposure import Exposure
from libres.db.models import Reservation
from libres.occupancy import Occupancy
from libres.sync.capture import installing
from libres.sync.core_models import ALLOCATION, CHECK_IN, RESERVATION, Names
from libres.sync.errors import NotRegistrable
from libres.sync.fields import InvalidValue
from libres.sync.filters import Filter
from tests.fixtures.statements import counted
from tests.sync.rooms import at, member, organization, pending

ROOM = "Room 201"
ADA = "ada@example.org"


@pytest.fixture
def session(sync):
    """The session of the context."""
    return sync.session


@pytest.fixture
def acme(session):
    """An organisation."""
    return organization(session, "acme-corp")


@pytest.fixture
def room(sync, acme, context):
    """The scheduler of a room of the organisation, open on Monday from 8 to 18."""
    made = sync.resources.add(acme, ROOM, "Europe/Zurich").scheduler(context)
    made.allocate((at("8:00"), at("18:00")), partly_available=True, quota=3)
    return made


@pytest.fixture
def reservations(sync):
    """The model of reservations."""
    return sync.registry.named(RESERVATION)


@pytest.fixture
def allocations(sync):
    """The model of allocations."""
    return sync.registry.named(ALLOCATION)


def from_tables(session, model):
    """What is sent of all rows, as read from the table; by id."""
    session.flush()
    columns = [each.column.label(name) for name, each in model.fields.items()]
    query = select(model.key[0].column.label("id"), *columns).where(model.where)
    return {
        row["id"]: {name: each.write(row[name]) for name, each in model.fields.items()}
        for row in session.execute(query).mappings()
    }


def from_images(session, model):
    """The same, as noted by the triggers."""
    found = {}
    for each in pending(session, model.relation):
        (key,) = model.key_values(each.key)
        found.pop(key, None)
        if each.after is not None and model.holds(each.after):
            found[key] = sent(model, each.after)
    return found


def sent(model, image):
    """What is sent of an image."""
    return {name: f.write(f.of_image(image)) for name, f in model.fields.items()}


SPRING, AUTUMN = datetime(2027, 3, 28, tzinfo=UTC), datetime(2027, 10, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    "day",
    [
        pytest.param(SPRING, id="a day of 23 hours"),
        pytest.param(AUTUMN, id="a day of 25 hours"),
        pytest.param(SPRING - timedelta(days=1), id="any day"),
    ],
)
@pytest.mark.parametrize(
    "zone",
    [
        pytest.param("UTC", id="as stored"),
        pytest.param("Europe/Zurich", id="with summer time"),
        pytest.param("Asia/Kathmandu", id="of a quarter of an hour"),
        pytest.param("America/St_Johns", id="west"),
    ],
)
def test_tables_and_images(room, session, sync, day, zone):
    """Whatever zone the session has and the day is: both say the same."""
    session.execute(text(f"SET LOCAL TimeZone = '{zone}'"))
    room.allocate(
        (day, day + timedelta(hours=5)),
        partly_available=True,
        raster=15,
        quota=2,
        data={"floor": 2, "tags": ["é", None]},
    )
    hour = timedelta(hours=1)
    room.book(ADA, (day + hour, day + 2 * hour), data={"n": 1.5}, quota=2)
    room.reserve(ADA, (day + 2 * hour, day + 3 * hour))
    for name, count in ((RESERVATION, 2), (ALLOCATION, 2)):
        model = sync.registry.named(name)
        rows = from_tables(session, model)
        assert len(rows) == count
        assert rows == from_images(session, model)


def test_row(room, session, reservations):
    """Times are as people say them, in UTC; the resource has its name."""
    token = room.book(ADA, (at("9:00"), at("10:00")), data={"why": "x"})[0].token
    (row,) = from_tables(session, reservations).values()
    group = room.managed_allocations().first().group
    assert row.pop("created").endswith("+00:00")
    assert row == {
        "resource": ROOM,
        "resource_id": str(room.resource),
        "token": str(token),
        "start": "2026-11-30T09:00:00+00:00",
        "end": "2026-11-30T10:00:00+00:00",
        "group": str(group),
        "target_type": "allocation",
        "timezone": "Europe/Zurich",
        "status": "approved",
        "quota": 1,
        "email": ADA,
        "data": {"why": "x"},
        "modified": None,
    }


def test_end_compares_with_the_column(room, session, reservations):
    """What Python holds of an end that was sent is what the column holds."""
    room.book(ADA, (at("9:00"), at("10:00")))
    field = reservations.fields["end"]
    wanted = field.read("2026-11-30T11:00:00+01:00")
    assert session.scalar(select(field.column).where(field.column == wanted)) == wanted


@pytest.mark.usefixtures("room")
def test_filter_by_name(session, allocations, acme, sync):
    """A filter names a resource as clients do, for tables and for images."""
    other = sync.resources.add(acme, "Room 202", "UTC").scheduler(sync.context)
    other.allocate((at("8:00"), at("18:00")))
    wanted = [{"field": "resource", "op": "in", "value": ["Room 202", "x"]}]
    bound = Filter.of(allocations, wanted).bound(member(acme))
    resource = allocations.fields["resource"].column
    assert session.scalars(select(resource).where(bound.sql())).all() == [
        other.resource
    ]
    noted = pending(session, "allocations")
    assert [bound.shows(each.after) for each in noted] == [False, True]


def test_raw_null_data(room, session, reservations):
    """Data that somebody has set to NULL is empty, from either side."""
    room.book(ADA, (at("9:00"), at("10:00")))
    session.execute(text("UPDATE reservations SET data = NULL"))
    rows = from_tables(session, reservations)
    assert [each["data"] for each in rows.values()] == [{}]
    assert rows == from_images(session, reservations)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("resource", "", id="no name"),
        pytest.param("resource", 7, id="no text"),
        pytest.param("data", ["a"], id="data are named"),
        pytest.param("end", "0001-01-01T00:00:00+00:00", id="before all time"),
        pytest.param("end", "2026-11-30T10:00:00", id="no zone"),
        pytest.param("status", "done", id="no status"),
        pytest.param("email", "x" * 255, id="too long"),
    ],
)
def test_not_readable(reservations, field, value):
    """What cannot be a value is refused."""
    with pytest.raises(InvalidValue):
        reservations.fields[field].read(value)


def test_unknown_context_has_no_names():
    """Where there is no context, a resource is called as it is stored."""
    assert Names(None).write(UUID(int=1)) == str(UUID(int=1))
    with pytest.raises(InvalidValue):
        Names(None).read(ROOM)


def test_masters_only(room, session, allocations):
    """Places beyond the first are nobody's business; nobody is told of them."""
    room.book(ADA, (at("9:00"), at("10:00")), quota=3)
    assert len(from_tables(session, allocations)) == 1
    noted = pending(session, "allocations")
    assert len(noted) == 3
    assert [each.tenant for each in noted if allocations.holds(each.after)] == [
        "acme-corp"
    ]


def test_not_what_lies_in_a_cart(room, session, reservations):
    """What is not confirmed is seen by nobody; once it is, it comes."""
    id_ = UUID(int=5)
    room.reserve(ADA, (at("9:00"), at("10:00")), session_id=id_)
    assert from_tables(session, reservations) == {}
    assert from_images(session, reservations) == {}
    room.queries.confirm_reservations_for_session(id_)
    assert len(from_tables(session, reservations)) == 1
    assert len(from_images(session, reservations)) == 1


def test_approving_is_an_update(room, session, sync):
    """Approving changes the row, by whoever acts."""
    token = room.reserve(ADA, (at("9:00"), at("10:00")))
    with sync.acting("mary", request="r7"):
        room.approve_reservations(token)
        session.flush()
    first, second = pending(session)
    assert (first.operation, second.operation) == ("insert", "update")
    assert (second.before["status"], second.after["status"]) == ("pending", "approved")
    assert (second.actor, second.request, second.tenant) == ("mary", "r7", "acme-corp")


@pytest.mark.damaged("slots remain, as raw SQL does not know of them")
def test_bulk_and_raw(room, session):
    """Statements of any kind are seen."""
    for hour in (9, 11, 13):
        room.book(ADA, (at(f"{hour}:00"), at(f"{hour + 1}:00")))
    session.execute(update(Reservation).values(email="eve@example.org"))
    session.execute(text("UPDATE reservations SET quota = 2"))
    session.execute(text("DELETE FROM reservations"))
    operations = [each.operation for each in pending(session)]
    assert operations == ["insert"] * 3 + ["update"] * 6 + ["delete"] * 3


def test_released(room, session, sync, clock):
    """What nobody came for is shortened, by the job that found it."""
    clock.now = at("9:30")
    occupancy = Occupancy(sync.context)
    space = occupancy.add_space(ROOM, timezone="Europe/Zurich", resource=ROOM)
    occupancy.add_doorway("door", space, None)
    occupancy.add_sensor("d1")
    occupancy.assign("d1", "door", 1, at("7:00"))
    for minute in range(0, 91, 10):
        occupancy.sign_alive("d1", at=at("8:00") + timedelta(minutes=minute))
    booked = room.book(ADA, (at("9:00"), at("11:00")))[0].id
    with sync.acting("system:no_show"):
        (found,) = occupancy.find_no_shows(release=True)
    assert "released" in found.evidence
    *_, last = pending(session)
    assert (last.key, last.actor) == (str(booked), "system:no_show")
    model = sync.registry.named(RESERVATION)
    assert sent(model, last.after)["end"] == "2026-11-30T09:30:00+00:00"


def test_check_in(room, session, sync):
    """A check-in belongs to whom the room does; the latest of a reservation is seen."""
    occupancy = Occupancy(sync.context)
    occupancy.add_space(ROOM, timezone="Europe/Zurich", resource=ROOM)
    booked = room.book(ADA, (at("9:00"), at("11:00")))[0].id
    for moment in ("9:01", "9:05"):
        occupancy.check_in(booked, at(moment))
    model = sync.registry.named(CHECK_IN)
    row = {"reservation": booked, "at": "2026-11-30T09:05:00+00:00"}
    assert from_tables(session, model) == {booked: row}
    session.execute(text("SET LOCAL TimeZone = 'Asia/Kathmandu'"))
    assert from_images(session, model) == {booked: row}
    noted = pending(session, "occ_check_ins")
    assert {each.tenant for each in noted} == {"acme-corp"}


class Nothing(Exposure):
    """Shows nothing."""

    def is_allocation_exposed(self, allocation):
        """Hide everything."""
        return False


def test_exposure(sync, context):
    """What is hidden from people is not shown to devices, unless it is said."""
    context.set_service("exposure", lambda _context: Nothing())
    with pytest.raises(NotRegistrable, match="exposure"):
        sync.register_core()
    assert len(sync.register_core(allocations=False)) == 2
    assert len(sync.register_core(unexposed=True)) == 3


def test_registered_twice(sync):
    """Once more does nothing."""
    first = list(sync.registry)
    sync.register_core()
    assert list(sync.registry) == first


def test_names_are_read_once(room, session, reservations):
    """However many rows there are, the names are read by one statement."""
    field = reservations.fields["resource"]
    with counted(session) as statements:
        assert {field.write(room.resource) for _ in range(50)} == {ROOM}
    assert len(statements) == 1


def test_installed_once(sync, session):
    """What the names are read by does not count for the triggers."""
    session.flush()
    models = [sync.registry.named(each) for each in (RESERVATION, ALLOCATION, CHECK_IN)]
    assert installing.install(session.connection(), "test", models) == 0
