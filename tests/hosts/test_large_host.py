"""An application that has everything of its own books through the library."""

from __future__ import annotations

import importlib
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import transaction
from sqlalchemy import cast, func, select, text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import undefer

from libres.db.models import Allocation, ORMBase, Reservation, ReservedSlot
from libres.db.models.types import JSON, UUID, UTCDateTime
from libres.modules import errors, events
from tests.fixtures.statements import counted_on

MONDAY = datetime.fromisoformat("2030-06-03")
GUEST = "guest@example.org"


def hours(start, end, day=0):
    """Make a naive range of that Monday (plus *day* days), in hours."""
    date = MONDAY + timedelta(days=day)
    return date + timedelta(hours=start), date + timedelta(hours=end)


@pytest.fixture(scope="module")
def application():
    """The application, with its own idea of JSON while the module is tested."""
    module = importlib.import_module("tests.hosts.application")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSON, "process_bind_param", module.bind_json)
        patch.setattr(JSON, "process_result_value", module.result_json)
        yield module
    module.forget()


@pytest.fixture
def host(application, dsn):
    """The application in its town."""
    host = application.Host(dsn)
    yield host
    host.close()


@pytest.fixture
def room(host):
    """The scheduler of a room that is open all Monday."""
    host.room.allocate(hours(8, 18), partly_available=True, raster=60, quota=2)
    transaction.commit()
    return host.room


def test_idempotency(host, room):
    """A request under a key is done once, in the schema of the town."""

    def book():
        [reservation] = room.book(GUEST, hours(9, 10), idempotency_key="k")
        return reservation.token

    token = host.context.transaction(book)
    transaction.commit()
    assert book() == token
    assert room.reserve(GUEST, hours(9, 10), idempotency_key="r") != token
    transaction.commit()
    assert room.managed_reservations().count() == 2
    later = datetime.now(UTC) + timedelta(days=1)
    assert room.queries.remove_expired_idempotency_keys(later) == 2
    transaction.commit()


class TestServices:
    def test_session_provider(self, host):
        """The object that the application returned is what it gets back."""
        assert host.context.get_service("session_provider") is host.provider
        assert host.room.session_provider is host.provider
        assert host.room.session is host.session

    def test_unknown_service(self, host):
        """A service that the library does not know is kept for the application."""
        assert next(host.context.get_service("ticket_numbers")) == 1

    def test_names_are_uuids(self, host):
        """With such a generator the name is the resource."""
        assert host.room.resource == host.room.name
        assert isinstance(host.room.resource, uuid.UUID)

    @pytest.mark.parametrize("kind", [tuple, set, frozenset])
    def test_blocking_names_are_uuids(self, host, kind):
        """Blocking names are resources, too, in any collection."""
        hall = host.new_room("hall", blocking=kind([host.room.name]))
        assert hall.blocking_resources == {host.room.resource}

    def test_construction_is_cheap(self, application, host):
        """A scheduler is made on every request, without asking the database."""
        resource = host.session.query(application.Resource).one()
        with counted_on(host.manager.engine) as statements:
            resource.scheduler(host.context, {uuid.uuid4()})
        assert statements == []


class TestBooking:
    @pytest.mark.parametrize(
        "expire",
        [
            pytest.param(True, id="expire on commit"),
            pytest.param(False, id="keep on commit"),
        ],
    )
    def test_shopping_cart(self, application, dsn, expire):
        """From the search to the confirmed and approved reservation."""
        host = application.Host(dsn, expire_on_commit=expire)
        room, cart = host.room, uuid.uuid4()
        room.allocate([hours(8, 9), hours(9, 10)], data={"opened": MONDAY})
        transaction.commit()
        found = room.search_allocations(*hours(8, 10), available_only=True)
        assert [type(a) for a in found] == [application.HostAllocation] * 2
        dates = [(a.display_start(), a.display_end()) for a in found]
        token = room.reserve(GUEST, dates, session_id=cart, data={"accepted": True})
        transaction.commit()
        room.queries.confirm_reservations_for_session(cart)
        room.approve_reservations(token)
        transaction.commit()
        booked = room.reservations_by_token(token).all()
        assert [type(r) for r in booked] == [application.HostReservation] * 2
        assert {(r.status, r.session_id) for r in booked} == {("approved", None)}
        assert room.availability() == 0
        host.close()

    def test_stored(self, room):
        """What was booked is there after the transaction manager has committed."""
        room.book(GUEST, hours(8, 9))
        transaction.commit()
        assert room.managed_reserved_slots().count() == 1

    def test_never_commits(self, room):
        """What the library did is gone if the transaction is aborted."""
        room.book(GUEST, hours(8, 9))
        room.add_blocker(hours(10, 11))
        room.allocate(hours(20, 21))
        transaction.abort()
        assert room.managed_reserved_slots().count() == 0
        assert room.managed_allocations().count() == 1

    def test_joins(self, application, host, room):
        """The library works in the transaction that has begun already."""
        host.session.add(application.Payment(amount=1))
        host.session.flush()
        room.book(GUEST, hours(8, 9))
        transaction.abort()
        assert host.session.query(application.Payment).count() == 0
        assert room.managed_reservations().count() == 0

    def test_savepoints(self, host, room):
        """What happens in a savepoint can be undone alone."""
        room.book(GUEST, hours(8, 9))
        savepoint = transaction.savepoint()
        room.book(GUEST, hours(9, 10))
        savepoint.rollback()
        with host.session.begin_nested():
            room.book(GUEST, hours(10, 11))
        transaction.commit()
        assert room.managed_reservations().count() == 2

    def test_without_autoflush(self, host, room):
        """Reservations and slots are written on return, without autoflush."""
        with host.session.no_autoflush:
            token = room.reserve(GUEST, hours(8, 10), quota=2)
            assert room.reservations_by_token(token).count() == 1
            room.approve_reservations(token)
            assert room.reserved_slots_by_reservation(token).count() == 4

    def test_double_booking(self, room):
        """The refusals are those of the library."""
        room.book(GUEST, hours(8, 9), quota=2)
        with pytest.raises(errors.AlreadyReservedError):
            room.reserve(GUEST, hours(8, 9))

    def test_blocking(self, host, room):
        """A hall is taken when one of its rooms is."""
        hall = host.new_room("hall", blocking={room.name})
        hall.allocate(hours(8, 10))
        assert hall.availability() == 100
        room.book(GUEST, hours(8, 9), quota=2)
        transaction.commit()
        with pytest.raises(errors.AlreadyReservedError):
            hall.reserve(GUEST, hours(8, 10))

    def test_committed_events(self, room):
        """What waits for the commit is told by the transaction manager's."""
        heard = []

        def listener(context, reservations):
            heard.append((context, len(reservations)))

        events.on_reservations_approved.committed.append(listener)
        try:
            room.book(GUEST, hours(8, 9))
            transaction.abort()
            room.book(GUEST, hours(9, 10))
            assert heard == []
            transaction.commit()
        finally:
            events.on_reservations_approved.committed.remove(listener)
        assert heard == [(room.context, 1)]


OPERATIONS = {
    "deny": lambda r, _: r.deny_reservation(r.reserve(GUEST, hours(12, 13))),
    "remove": lambda r, b: r.remove_reservation(b.token, b.id),
    "change": lambda r, b: r.change_reservation(b.token, b.id, *hours(9, 11)),
    "change quota of one": lambda r, b: r.change_reservation(
        b.token, b.id, *hours(8, 9), quota=2
    ),
    "e-mail": lambda r, b: r.change_email(b.token, "new@example.org"),
    "data": lambda r, b: r.change_reservation_data(b.token, {"n": 2}),
    "move": lambda r, _: r.move_allocation(
        r.allocations_in_range(*hours(8, 9)).one().id, *hours(8, 20)
    ),
    "raise quota": lambda r, _: r.change_quota(
        r.allocations_in_range(*hours(8, 9)).one(), 5
    ),
    "lower quota": lambda r, _: r.change_quota(
        r.allocations_in_range(*hours(8, 9)).one(), 1
    ),
    "remove allocation": lambda r, _: r.remove_allocation(
        r.allocate(hours(20, 21), quota=2)[0].id
    ),
    "remove unused": lambda r, _: (
        r.allocate(hours(20, 21)),
        r.remove_unused_allocations(*hours(19, 22)),
    ),
    "block": lambda r, _: r.add_blocker(hours(12, 13)),
    "unblock": lambda r, _: r.remove_blocker(r.add_blocker(hours(12, 13))[0].token),
    "move blocker": lambda r, _: [
        r.change_blocker(one.token, one.id, *hours(14, 16))
        for one in r.add_blocker(hours(12, 13))
    ],
    "reason": lambda r, _: r.change_blocker_reason(
        r.add_blocker(hours(12, 13))[0].token, "paint"
    ),
    "confirm": lambda r, b: r.queries.confirm_reservations_for_session(b.session_id),
    "leave session": lambda r, b: r.queries.remove_reservation_from_session(
        b.session_id, b.token
    ),
    "expire": lambda r, b: (
        r.reserve(GUEST, hours(12, 13), session_id=b.session_id),
        r.queries.remove_expired_reservation_sessions(
            datetime.now(UTC) + timedelta(hours=1)
        ),
    ),
    "extinguish": lambda r, _: r.extinguish_managed_records(),
}


class TestBulkStatements:
    """Bulk statements get a RETURNING of the application's and are re-run."""

    @pytest.mark.parametrize(
        "operate", [pytest.param(o, id=name) for name, o in OPERATIONS.items()]
    )
    def test_everything_works(self, room, operate):
        """Every operation does its work under the application's listener."""
        room.book(GUEST, hours(8, 9), session_id=uuid.uuid4())
        transaction.commit()
        operate(room, room.managed_reservations().one())
        transaction.commit()
        slots = room.managed_reserved_slots().with_entities(ReservedSlot.source_id)
        sources = {source for (source,) in slots}
        records = [*room.managed_reservations(), *room.managed_blockers()]
        assert sources <= {record.id for record in records}

    def test_announced(self, application, host, room):
        """What a removal deletes in bulk is announced as models."""
        (booked,) = room.book(GUEST, hours(8, 10))
        host.manager.announced.clear()
        room.remove_reservation(booked.token)
        own = application.HostReservation
        assert set(host.manager.announced) <= {
            ("deleted", own),
            ("deleted", ReservedSlot),
        }
        assert room.managed_reservations().count() == 0

    def test_control(self, application, host, room):
        """The listener announces a bulk statement of the application itself."""
        host.manager.announced.clear()
        assert room.managed_allocations().update({"quota_limit": 1}) == 1
        assert room.managed_allocations().delete() == 1
        own = application.HostAllocation
        assert host.manager.announced == [("updated", own), ("deleted", own)]


class TestSchemas:
    @pytest.fixture
    def tenants(self, host):
        """Two tenants that both know the room, and a function that switches."""
        host.manager.make_schema("village")

        def switch(schema):
            transaction.abort()
            host.manager.schema = schema
            return host.room

        return switch

    def test_separate(self, tenants):
        """The same room is booked in both, and neither sees the other."""
        for schema in ("town", "village"):
            room = tenants(schema)
            room.allocate(hours(8, 10))
            room.book(f"{schema}@example.org", hours(8, 10))
            transaction.commit()
        for schema in ("town", "village"):
            (found,) = tenants(schema).managed_reservations()
            assert found.email == f"{schema}@example.org"

    def test_nothing_is_remembered(self, tenants):
        """A scheduler that has seen one tenant finds nothing of it in the other."""
        room = tenants("town")
        room.allocate(hours(8, 10), quota=3)
        room.book(GUEST, hours(8, 10), quota=3)
        transaction.commit()
        room = tenants("village")
        assert room.availability() == 0
        assert room.search_allocations(*hours(8, 10)) == []
        room.allocate(hours(8, 10))
        assert room.book(GUEST, hours(8, 10))

    def test_no_fixed_schema(self, host, tenants):
        """Nothing is written to any other schema."""
        tenants("town").allocate(hours(8, 10))
        transaction.commit()
        for schema in ("public", "village"):
            query = text(f'SELECT count(*) FROM "{schema}".allocations')  # noqa: S608
            assert host.session.execute(query).scalar() == 0


class TestModels:
    def test_walked(self):
        """The subclasses of the base are models, each with its mapper."""
        names = {model.__name__ for model in ORMBase.__subclasses__()}
        assert {"Allocation", "Reservation", "Resource"} <= names
        assert all(hasattr(m, "__mapper__") for m in ORMBase.__subclasses__())

    def test_annotations(self, application):
        """Plain annotations lead to the types of the library."""
        columns = application.Resource.__table__.columns
        kinds = {name: type(columns[name].type) for name in ("id", "meta", "opened")}
        assert kinds == {"id": UUID, "meta": JSON, "opened": UTCDateTime}

    def test_own_names(self, application, host, room):
        """The names that the application has taken stay its own."""
        allocation = room.managed_allocations().one()
        assert allocation.is_cached is False
        allocation.is_cached = True
        assert allocation.session_manager is host.manager
        found = allocation.get_polymorphic_class("tests.hosts")
        assert found is application.HostAllocation

    def test_other_base(self, application, host, room):
        """A reservation has relations to tables of another base."""
        (booked,) = room.book(GUEST, hours(8, 9))
        booked.payments.append(application.Payment(amount=5))
        transaction.commit()
        booked = room.managed_reservations().one()
        assert booked.is_paid
        room.remove_reservation(booked.token)
        transaction.commit()
        assert host.session.query(application.Payment).count() == 1

    def test_slot_by_hand(self, host, room):
        """A slot is made by hand, attribute by attribute, and appended."""
        allocation = room.managed_allocations().one()
        slot = ReservedSlot()
        slot.start, slot.end = next(iter(allocation.all_slots()))
        slot.resource = allocation.resource
        slot.reservation_token = uuid.uuid4()
        slot.source_type, slot.source_id = "reservation", 1
        allocation.reserved_slots.append(slot)
        transaction.commit()
        allocation = room.managed_allocations().one()
        assert not allocation.is_available(*hours(8, 9))
        assert allocation.is_available(*hours(9, 10))

    def test_own_json(self, room):
        """The application's own idea of JSON decides what is stored."""
        when = MONDAY.replace(tzinfo=UTC)
        room.book(GUEST, hours(8, 9), data={"when": when})
        transaction.commit()
        assert room.managed_reservations().one().data == {"when": when}

    def test_changed_in_place(self, room):
        """A change within the data is stored."""
        room.book(GUEST, hours(8, 9), data={"accepted": False})
        transaction.commit()
        records = room.managed_reservations().one(), room.managed_allocations().one()
        records[0].data["accepted"] = True
        records[1].data["note"] = "new"
        transaction.commit()
        assert room.managed_reservations().one().data == {"accepted": True}
        assert room.managed_allocations().one().data == {"note": "new"}


class TestQueries:
    @pytest.fixture
    def token(self, room):
        """The token of a booking with data."""
        (booked,) = room.book(GUEST, hours(8, 9), data={"accepted": True, "n": 7})
        token = uuid.UUID(str(booked.token))
        transaction.commit()
        return token

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("managed_allocations", id="allocations"),
            pytest.param("visible_allocations", id="visible"),
            pytest.param("managed_reserved_slots", id="slots"),
            pytest.param("managed_reservations", id="reservations"),
            pytest.param("managed_blockers", id="blockers"),
            pytest.param("change_reservation_time_candidates", id="candidates"),
        ],
    )
    def test_own_query_class(self, application, room, name):
        """Public query methods build on the query class of the application."""
        query = getattr(room, name)()
        assert isinstance(query, application.FetchingQuery)
        assert query.order_by(None).filter(text("true")).count() == len(query.all())

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("reservations_by_token", id="token"),
            pytest.param("allocations_by_reservation", id="joined"),
            pytest.param("reserved_slots_by_reservation", id="slots of a token"),
            pytest.param("allocations_by_group", id="group"),
            pytest.param("reservations_by_group", id="reservations of a group"),
            pytest.param("blockers_by_token", id="blockers"),
        ],
    )
    def test_own_query_class_by_uuid(self, application, room, token, name):
        """So do those that take a UUID."""
        query = getattr(room, name)(token)
        assert isinstance(query, application.FetchingQuery)
        assert query.count() == len(query.all())

    def test_filtered_by_data(self, room, token):
        """The data is filtered in SQL."""
        accepted, query = True, room.managed_reservations()
        data = Reservation.data
        assert query.filter(data["accepted"] == accepted).one().token == token
        assert query.filter(data["accepted"].isnot(None)).count() == 1
        assert query.filter(data["n"].as_integer() > 6).count() == 1

    def test_hex_strings(self, room, token):
        """UUIDs are compared with hex strings, and are keys beside plain ones."""
        query = room.managed_reservations()
        (found,) = query.filter(Reservation.token == token.hex)
        assert {token: "found"}[found.token] == "found"
        assert {found.token: "found"}[token] == "found"

    def test_joined_with_text(self, application, host, room, token):
        """UUIDs are joined with columns of text that are cast."""
        ticket = application.Ticket
        host.session.add(ticket(handler_id=token.hex))
        handled = room.managed_reservations().join(
            ticket, Reservation.token == cast(ticket.handler_id, UUID)
        )
        assert handled.one().token == token

    def test_undeferred(self, room, token):
        """Deferred columns are loaded at once if asked for."""
        (found,) = room.reservations_by_token(token).options(
            undefer(Reservation.data), undefer(Reservation.created)
        )
        transaction.abort()
        assert found.data["n"] == 7
        assert found.created is not None

    def test_as_subquery(self, host, room, token):
        """A query is used as a scalar subquery of another."""
        targets = room.reservations_by_token(token).with_entities(Reservation.target)
        query = select(func.count(Allocation.id)).where(
            Allocation.group == targets.scalar_subquery()
        )
        assert host.session.execute(query).scalar() == 1

    def test_deleted(self, room, token):
        """A query is deleted by the caller, with synchronisation."""
        (found,) = room.reservations_by_token(token)
        assert room.reserved_slots_by_reservation(token).delete("evaluate") == 1
        assert room.reservations_by_token(token).delete("fetch") == 1
        with pytest.raises(InvalidRequestError):
            room.session.refresh(found)
