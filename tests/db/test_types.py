"""Column types: what goes in, what comes out, what is refused."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import uuid4

import pytest
import pytz
from sedate import NotTimezoneAware
from sqlalchemy import Text, cast, func, literal, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.types import TypeDecorator

from libres.context.session import SessionProvider
from libres.db.models import Allocation, Reservation
from libres.db.models.types import (
    JSON,
    UUID,
    UTCDateTime,
    json_type,
    utcdatetime,
    uuid_type,
)
from libres.db.models.types.uuid_type import SoftUUID

MONDAY = datetime.fromisoformat("2030-06-03")
PLAIN = uuid.UUID("a7f5c3e1-0b2d-4f68-9c1e-3d5b7f90a2c4")
GUEST = "guest@example.org"


def hours(start, end):
    """Make a naive range of that Monday, in hours."""
    return MONDAY + timedelta(hours=start), MONDAY + timedelta(hours=end)


class TestSoftUUID:
    @pytest.mark.parametrize(
        ("other", "equal"),
        [
            pytest.param(PLAIN, True, id="a plain UUID of this number"),
            pytest.param(SoftUUID(PLAIN.hex), True, id="another soft one"),
            pytest.param(str(PLAIN), True, id="a string with dashes"),
            pytest.param(PLAIN.hex, True, id="a string without dashes"),
            pytest.param(f" {PLAIN} ", True, id="a string between blanks"),
            pytest.param(PLAIN.hex.upper(), False, id="a string in upper case"),
            pytest.param(uuid4(), False, id="another number"),
            pytest.param(uuid4().hex, False, id="a string of another number"),
            pytest.param("", False, id="an empty string"),
            pytest.param(PLAIN.int, False, id="the number itself"),
            pytest.param(None, False, id="nothing"),
        ],
    )
    def test_equality(self, other, equal):
        """It equals UUIDs and strings of the same number, from either side."""
        soft = SoftUUID(PLAIN.hex)
        assert (soft == other) is equal
        assert (other == soft) is equal
        assert (soft != other) is not equal
        assert (other != soft) is not equal

    def test_hash(self):
        """It is found in a dict under the plain UUID, and the other way round."""
        soft = SoftUUID(PLAIN.hex)
        assert hash(soft) == hash(PLAIN)
        assert {PLAIN: "found"}[soft] == {soft: "found"}[PLAIN] == "found"

    def test_is_a_uuid(self):
        """It is a UUID and prints as one."""
        soft = SoftUUID(PLAIN.hex)
        assert isinstance(soft, uuid.UUID)
        assert str(soft) == str(PLAIN)


class TestTypes:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            pytest.param(JSON, json_type.JSON, id="JSON"),
            pytest.param(UUID, uuid_type.UUID, id="UUID"),
            pytest.param(UTCDateTime, utcdatetime.UTCDateTime, id="UTCDateTime"),
        ],
    )
    def test_homes(self, one, other):
        """Each type is a decorator, cacheable, and found in both its modules."""
        assert one is other
        assert issubclass(one, TypeDecorator)
        assert one.cache_ok is True

    def test_json_is_replaceable(self):
        """The JSON type has its two methods itself, over JSONB."""
        assert {"process_bind_param", "process_result_value"} <= set(vars(JSON))
        assert isinstance(JSON().impl_instance, JSONB)


class TestUUID:
    @pytest.mark.parametrize(
        "given",
        [
            pytest.param(PLAIN, id="UUID"),
            pytest.param(SoftUUID(PLAIN.hex), id="SoftUUID"),
            pytest.param(str(PLAIN), id="string with dashes"),
            pytest.param(PLAIN.hex, id="string without dashes"),
        ],
    )
    def test_bound(self, scheduler, given):
        """Whatever prints as a UUID can be bound, and comes back soft."""
        found = scheduler.session.query(literal(given, UUID())).scalar()
        assert found == PLAIN
        assert type(found) is SoftUUID

    def test_none(self, scheduler):
        """None is NULL both ways."""
        assert scheduler.session.query(literal(None, UUID())).scalar() is None

    def test_fresh_object(self, scheduler):
        """A fresh object keeps what it was given until it is reloaded."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        allocation.group = PLAIN
        scheduler.session.flush()
        assert allocation.group is PLAIN
        scheduler.commit()
        assert type(allocation.group) is SoftUUID

    def test_compared_with_strings(self, scheduler):
        """A column of UUIDs is compared with hex strings, and with casts of text."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        query = scheduler.session.query(Allocation.id)
        group = allocation.group
        assert query.filter(Allocation.group == group.hex).scalar() == allocation.id
        joined = Allocation.group == cast(literal(str(group)), UUID())
        assert query.filter(joined).scalar() == allocation.id


class TestUTCDateTime:
    @pytest.mark.parametrize(
        "offset",
        [
            pytest.param(UTC, id="UTC"),
            pytest.param(timezone(timedelta(hours=5, minutes=30)), id="east"),
            pytest.param(pytz.timezone("Europe/Zurich"), id="pytz"),
        ],
    )
    def test_converted(self, scheduler, offset):
        """What is bound is converted to UTC and comes back aware, in UTC."""
        given = datetime(2030, 6, 3, 8, tzinfo=UTC).astimezone(offset)
        found = scheduler.session.query(literal(given, UTCDateTime())).scalar()
        assert found == given
        assert found.tzinfo is pytz.UTC

    def test_stored_naive(self, scheduler):
        """The database holds naive UTC timestamps."""
        given = datetime(2030, 6, 3, 8, tzinfo=timezone(timedelta(hours=2)))
        stored = cast(cast(literal(given, UTCDateTime()), UTCDateTime), Text)
        assert scheduler.session.query(stored).scalar() == "2030-06-03 06:00:00"

    def test_naive_is_refused(self, scheduler):
        """A naive value is refused when it is bound."""
        with pytest.raises(StatementError) as raised:
            scheduler.session.query(literal(MONDAY, UTCDateTime())).scalar()
        assert isinstance(raised.value.orig, NotTimezoneAware)

    def test_none(self, scheduler):
        """None is NULL both ways."""
        assert scheduler.session.query(literal(None, UTCDateTime())).scalar() is None

    def test_aggregates(self, scheduler):
        """Aggregates such as max keep the type."""
        _, second = scheduler.allocate([hours(8, 9), hours(9, 10)])
        found = scheduler.session.query(func.max(Allocation._start)).scalar()
        assert found == second.start
        assert found.tzinfo is pytz.UTC


def raw_data(scheduler):
    """What the column of the only reservation holds, past the type."""
    return scheduler.session.query(cast(Reservation.data, Text)).scalar()


class TestJSON:
    @pytest.fixture
    def reserve(self, scheduler):
        """Reserve with this data, store it, and give the reloaded reservation."""
        scheduler.allocate(hours(8, 10))

        def reserve(data):
            scheduler.reserve(GUEST, hours(8, 10), data=data)
            scheduler.commit()
            return scheduler.managed_reservations().one()

        return reserve

    def test_round_trip(self, reserve):
        """What goes in comes out, as a dict that tracks its changes."""
        data = {"a": [1, 2.5, None, True], "b": {"c": "ä"}}
        found = reserve(data).data
        assert found == data
        assert isinstance(found, MutableDict)

    def test_none(self, scheduler, reserve):
        """None is stored as an empty object."""
        record = reserve(None)
        assert raw_data(scheduler) == "{}"
        assert record.data == {}

    def test_null(self, scheduler, reserve):
        """A NULL that somebody else has stored reads as an empty dict."""
        record = reserve({"a": 1})
        scheduler.session.execute(text("UPDATE reservations SET data = NULL"))
        scheduler.commit()
        assert record.data == {}

    def test_fresh(self, scheduler):
        """A fresh object shows None until it is reloaded."""
        (allocation,) = scheduler.allocate(hours(8, 10))
        assert allocation.data is None
        scheduler.commit()
        assert allocation.data == {}

    @pytest.mark.parametrize(
        "model",
        [
            pytest.param(Allocation, id="allocation"),
            pytest.param(Reservation, id="reservation"),
        ],
    )
    def test_changed_in_place(self, scheduler, model):
        """A change within the dict is stored with the next flush."""
        scheduler.allocate(hours(8, 10), data={"a": 1})
        scheduler.reserve(GUEST, hours(8, 10), data={"a": 1})
        scheduler.commit()
        record = scheduler.session.query(model).one()
        record.data["b"] = 2
        record.data.pop("a")
        scheduler.commit()
        assert record.data == {"b": 2}

    def test_changed_when_fresh(self, scheduler):
        """A change of what was just handed in is stored as well."""
        (allocation,) = scheduler.allocate(hours(8, 10), data={"a": 1})
        allocation.data["b"] = 2
        scheduler.commit()
        assert allocation.data == {"a": 1, "b": 2}

    def test_began_empty(self, scheduler, reserve):
        """Something can be put where there was nothing."""
        record = reserve(None)
        record.data["a"] = 1
        scheduler.commit()
        assert record.data == {"a": 1}

    def test_filtered(self, scheduler, reserve):
        """Values are compared and cast in SQL."""
        reserve({"accepted": True, "n": 7})
        accepted = True
        query = scheduler.managed_reservations()
        data = Reservation.data
        assert query.filter(data["accepted"] == accepted).count() == 1
        assert query.filter(data["accepted"].isnot(None)).count() == 1
        assert query.filter(data["n"].astext == "7").count() == 1
        assert query.filter(data["accepted"] != accepted).count() == 0

    def test_bulk_update(self, scheduler, reserve):
        """Bulk updates go through the type."""
        record = reserve({"a": 1})
        scheduler.session.execute(update(Reservation).values(data={"b": 2}))
        scheduler.commit()
        assert record.data == {"b": 2}

    def test_not_serialisable(self, scheduler):
        """What cannot be serialised is refused at the flush, with its reason."""
        with pytest.raises((TypeError, StatementError), match="JSON serializable"):
            scheduler.allocate(hours(8, 10), data={"when": MONDAY.date()})


class TestSerialisers:
    def test_own(self, context, dsn, scheduler_factory):
        """The engine takes serialisers that know more than plain JSON."""

        def dumps(value):
            return json.dumps(value, default=lambda day: f"day:{day.isoformat()}")

        def loads(value):
            found = json.loads(value)
            when = found.get("when", "").removeprefix("day:")
            return {"when": date.fromisoformat(when)} if when else found

        config = {"json_serializer": dumps, "json_deserializer": loads}
        provider = SessionProvider(dsn, engine_config=config)
        context.set_service("session_provider", lambda _: provider)
        scheduler = scheduler_factory()
        scheduler.allocate(hours(8, 10), data={"when": MONDAY.date()})
        scheduler.commit()
        assert scheduler.managed_allocations().one().data == {"when": MONDAY.date()}
        scheduler.close()
        provider.stop_service()
