"""The plans that operations rely on: no table is read from end to end.

On a database of 200 rooms with 200 allocations each, and with 100,000 slots, every
statement that an operation sends is explained with its own parameters. Statements that
read are also run by EXPLAIN ANALYZE, which counts the rows they look at: narrow reads
are why transactions on different days, and in different rooms, do not abort each other.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4, uuid5

import pytest
from pytest_postgresql.janitor import DatabaseJanitor
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import OperationalError

from libres.context.registry import create_default_registry
from libres.db import new_scheduler
from libres.db.models import Allocation, Reservation
from libres.db.operations import reserving
from libres.modules.errors import AlreadyReservedError, OverlappingAllocationError
from tests.fixtures.database import PREFIX

ROOMS, DAYS = 200, 200
FIRST_DAY = datetime(2030, 1, 1, tzinfo=UTC)
GUEST = "guest@example.org"

TABLES = {"allocations", "reserved_slots", "reservations", "reservation_blockers"}

ALLOCATE = """
INSERT INTO allocations (
    resource, mirror_of, "group", type, quota, quota_limit, partly_available,
    approve_manually, timezone, data, _start, _end, _raster, created
)
SELECT
    room, room,
    CASE day % 4 WHEN 3 THEN md5(room::text || day / 20)::uuid
        ELSE gen_random_uuid() END,
    'generic', CASE day % 4 WHEN 2 THEN 3 ELSE 1 END, 0, day % 4 = 0,
    false, 'UTC', '{}', opens, opens + interval '10 hours' - interval '1 microsecond',
    15, now()
FROM
    unnest(CAST(:rooms AS uuid[])) AS room,
    generate_series(0, :days - 1) AS day,
    LATERAL (SELECT timestamp '2030-01-01 08:00' + day * interval '1 day') AS t (opens)
"""
"""Each room is open from 8 to 18: on day 0 and each fourth from there partly available,
on day 1 as a whole, on day 2 with three places, on day 3 as one of a group of five."""

MIRROR = """
INSERT INTO allocations (
    resource, mirror_of, "group", type, quota, quota_limit, partly_available,
    approve_manually, timezone, data, _start, _end, _raster, created
)
SELECT
    mirror, mirror_of, "group", type, quota, quota_limit, partly_available,
    approve_manually, timezone, data, _start, _end, _raster, created
FROM allocations
JOIN unnest(CAST(:rooms AS uuid[]), CAST(:mirrors AS uuid[])) AS m (room, mirror)
    ON resource = room
WHERE quota = 3
"""

RESERVE = """
INSERT INTO reservations (
    token, target, target_type, type, resource, start, "end", timezone, status, data,
    email, quota, created, session_id
)
SELECT
    gen_random_uuid(), "group", 'allocation', 'generic', resource, _start,
    CASE WHEN partly_available THEN _start + interval '1 hour 45 minutes' ELSE _end END,
    timezone, 'approved', '{}', 'guest@example.org', 1, now(),
    CASE WHEN id % 50 = 0 THEN gen_random_uuid() END
FROM allocations
WHERE resource = mirror_of AND extract(epoch FROM _start)::bigint / 86400 % 4 <> :groups
"""

WAIT = """
INSERT INTO reservations (
    token, target, target_type, type, resource, status, data, email, quota, created
)
SELECT DISTINCT ON ("group")
    gen_random_uuid(), "group", 'group', 'generic', resource, 'pending',
    CAST('{}' AS jsonb), 'guest@example.org', 1, now()
FROM allocations
WHERE extract(epoch FROM _start)::bigint / 86400 % 4 = :groups
    AND _start >= timestamp '2030-03-01'
"""

FILL = """
INSERT INTO reserved_slots (
    resource, start, "end", allocation_id, source_type, reservation_token, source_id,
    created
)
SELECT
    a.resource, slot,
    slot + CASE WHEN partly_available THEN interval '15 minutes'
        ELSE interval '10 hours' END - interval '1 microsecond',
    a.id, 'reservation', r.token, r.id, now()
FROM allocations AS a
JOIN reservations AS r ON r.target = a."group" AND r.status = 'approved'
CROSS JOIN LATERAL generate_series(
    a._start,
    CASE WHEN partly_available THEN r."end" ELSE a._start END,
    interval '15 minutes'
) AS slot
WHERE NOT (partly_available AND slot = r."end")
"""

BLOCK = """
INSERT INTO reservation_blockers (
    token, target, target_type, resource, start, "end", timezone, created
)
SELECT
    gen_random_uuid(), "group", 'allocation', resource, _start + interval '9 hours',
    _start + interval '10 hours' - interval '1 microsecond', timezone, now()
FROM allocations
WHERE partly_available AND extract(doy FROM _start)::int % 40 = 1
"""

FILL_BLOCKED = """
INSERT INTO reserved_slots (
    resource, start, "end", allocation_id, source_type, reservation_token, source_id,
    created
)
SELECT
    a.resource, slot, slot + interval '15 minutes' - interval '1 microsecond', a.id,
    'blocker', b.token, b.id, now()
FROM allocations AS a
JOIN reservation_blockers AS b ON b.target = a."group"
CROSS JOIN LATERAL generate_series(b.start, b."end", interval '15 minutes') AS slot
"""


def on(day, start, end):
    """A range of hours of a day, counted from the first one."""
    midnight = FIRST_DAY + timedelta(days=day)
    return midnight + timedelta(hours=start), midnight + timedelta(hours=end)


APART, WHOLE, PLACES, GROUPED = 24, 25, 26, 23
"""Days in the middle: partly available, as a whole, with three places, in a group."""

MONTH = on(20, 8, 18)[0], on(49, 8, 18)[1]
LATER = 5000


@dataclass
class Explained:
    """A statement, its plan, and how many rows of our tables it looked at."""

    sql: str
    plan: dict
    rows: int | None = None

    @property
    def nodes(self):
        """All nodes of the plan."""
        return list(walk(self.plan))

    @property
    def sequential(self):
        """The tables that are read from end to end."""
        return {
            node["Relation Name"]
            for node in self.nodes
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in TABLES
        }

    @property
    def indexes(self):
        """The indexes that are used."""
        return {node["Index Name"] for node in self.nodes if "Index Name" in node}


def walk(node):
    """A node of a plan and all below it."""
    yield node
    for below in node.get("Plans", ()):
        yield from walk(below)


def looked_at(plan):
    """The rows that were read, whether they were kept or filtered out."""
    removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    return round(
        sum(
            (node["Actual Rows"] + sum(node.get(name, 0) for name in removed))
            * node["Actual Loops"]
            for node in walk(plan)
            if node.get("Relation Name") in TABLES
        )
    )


@dataclass
class House:
    """The rooms of a context, and what their operations send."""

    context: object
    known: dict = field(default_factory=dict)

    def room(self, number=100, **options):
        """The scheduler of a room, in UTC."""
        return new_scheduler(self.context, f"room {number}", "UTC", **options)

    def explained(self, case):
        """The statements of a case with their plans; it is run once, and undone."""
        if case.name not in self.known:
            room = self.room(**case.options)
            try:
                self.known[case.name] = self._explain(room, case.prepare(room))
            finally:
                room.rollback()
        return self.known[case.name]

    def _explain(self, room, act):
        """Explain each statement at the moment when it is sent, on its connection."""
        found = []

        def explain(_connection, cursor, statement, parameters, *_):
            if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
                found.append(explained(cursor.connection, statement, parameters))

        room.session.flush()
        room.session.expunge_all()
        engine = room.session.get_bind()
        event.listen(engine, "before_cursor_execute", explain)
        try:
            act()
            room.session.flush()
        finally:
            event.remove(engine, "before_cursor_execute", explain)
        return found


def explained(connection, statement, parameters):
    """Ask for the plan of a statement; run it if it only reads."""
    reads = statement.startswith("SELECT")
    options = "ANALYZE, TIMING OFF, FORMAT JSON" if reads else "FORMAT JSON"
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN ({options}) {statement}", parameters)
        plan = cursor.fetchone()[0][0]["Plan"]
    return Explained(statement, plan, looked_at(plan) if reads else None)


@pytest.fixture(scope="module")
def house(server, template):
    """A house of many rooms."""
    with filled(server, template, "plans", range(ROOMS), DAYS) as made:
        yield made


@pytest.fixture(scope="module")
def lodge(server, template):
    """A house of three rooms, each with many years of allocations."""
    with filled(server, template, "lodge", range(100, 103), 4000) as made:
        yield made


@contextmanager
def filled(server, template, name, numbers, days):
    """A database of its own, filled once for this module."""
    context = create_default_registry().register_context(name)
    name = f"{PREFIX}{name}"
    janitor = DatabaseJanitor(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        dbname=name,
        template_dbname=template.template_dbname,
    )
    with janitor:
        context.set_setting("dsn", server.dsn(name))
        house = House(context)
        fill(house, numbers, days)
        yield house
        context.get_service("session_provider").stop_service()


def fill(house, numbers, days):
    """Write the rooms, in one statement per table, and gather statistics."""
    rooms = [house.room(number).resource for number in numbers]
    values = {
        "rooms": [str(room) for room in rooms],
        "mirrors": [str(uuid5(room, "1")) for room in rooms],
        "days": days,
        "groups": (int(FIRST_DAY.timestamp()) // 86400 + 3) % 4,
    }
    engine = house.room().session.get_bind()
    with engine.begin() as connection:
        for statement in (ALLOCATE, MIRROR, RESERVE, WAIT, FILL, BLOCK, FILL_BLOCKED):
            needed = {key: values[key] for key in values if f":{key}" in statement}
            connection.execute(text(statement), needed)
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection:
        connection.execute(text("ANALYZE"))


# What is explained ------------------------------------------------------------------


def allocation_on(room, day):
    """The master of a day."""
    return room.allocation_by_date(*on(day, 8, 18))


def approved_on(room, day):
    """The reservation that was approved first on a day."""
    found = room.managed_reservations().filter(
        Reservation.start == on(day, 8, 18)[0], Reservation.status == "approved"
    )
    return found.one()


@dataclass
class Case:
    """What is done, which indexes it relies on, and how many rows it may look at.

    *prepare* takes a scheduler and returns what is explained. Of names that are
    separated by a bar, any one will do. *rows* is per statement that reads.
    """

    name: str
    prepare: object
    indexes: str
    rows: int = 25
    options: dict = field(default_factory=dict)


CASES = []


def case(indexes, rows=25, **options):
    """Add what a function prepares to the cases."""

    def add(prepare):
        name = prepare.__name__
        CASES.append(Case(name, prepare, indexes, rows, options))
        return prepare

    return add


FIND = "resource_start_ix|ix_allocations_mirror_of_start"
BUSY = "ix_allocations_mirror_of_start reserved_slots_pkey"
BESIDE = {"blocking_names": ("room 101", "room 102")}


@case(FIND)
def allocate(room):
    """One date."""
    return lambda: room.allocate(on(LATER, 8, 18), quota=3)


@case(FIND, rows=200)
def allocate_fifty(room):
    """Fifty dates that are free."""
    dates = [on(LATER + number, 8, 18) for number in range(50)]
    return lambda: room.allocate(dates)


@case(FIND, rows=1600)
def allocate_a_year(room):
    """The days of a year, of which those that are allocated already are left out."""
    dates = [on(number, 8, 18) for number in range(365)]
    return lambda: room.allocate(dates, skip_overlapping=True)


@case(f"{FIND} {BUSY} ix_allocations_group")
def reserve(room):
    """A part of a day."""
    return lambda: room.reserve(GUEST, on(APART, 11, 12))


@case(f"{FIND} {BUSY}")
def reserve_places(room):
    """A place beside others."""
    return lambda: room.reserve(GUEST, on(PLACES, 8, 18))


@case(f"{FIND} {BUSY}", rows=250)
def reserve_many(room):
    """Parts of fifty days."""
    dates = [on(4 * number, 11, 12) for number in range(50)]
    return lambda: room.reserve(GUEST, dates)


@case(f"{FIND} {BUSY} ix_reservations_session_id")
def reserve_in_a_session(room):
    """A part of a day, into a shopping cart."""
    options = {"session_id": uuid4(), "single_token_per_session": True}
    return lambda: room.reserve(GUEST, on(APART, 11, 12), **options)


@case("ix_allocations_group|mirror_resource_ix reserved_slots_pkey")
def reserve_group(room):
    """Five days that go together."""
    group = allocation_on(room, GROUPED).group
    return lambda: room.reserve(GUEST, group=group)


@case(f"{FIND} {BUSY}", rows=50, **BESIDE)
def reserve_beside(room):
    """A part of a day that two other rooms can block."""
    return lambda: room.reserve(GUEST, on(APART, 11, 12))


APPROVE = f"ix_reservations_token {FIND} {BUSY} resource_start_ix reservations_pkey"


@case(APPROVE)
def approve(room):
    """A part of a day."""
    token = room.reserve(GUEST, on(APART, 11, 12))
    return lambda: room.approve_reservations(token)


@case(APPROVE, rows=250)
def approve_many(room):
    """Parts of fifty days, under one token."""
    token = room.reserve(GUEST, [on(4 * number, 11, 12) for number in range(50)])
    return lambda: room.approve_reservations(token)


@case(f"{APPROVE} allocations_pkey")
def approve_places(room):
    """A place that is no record yet."""
    token = room.reserve(GUEST, on(PLACES, 8, 18))
    return lambda: room.approve_reservations(token)


@case(APPROVE, rows=50)
def approve_group(room):
    """Five days that go together."""
    token = room.reserve(GUEST, group=allocation_on(room, GROUPED).group)
    return lambda: room.approve_reservations(token)


@case(f"{FIND} {BUSY} resource_start_ix")
def book(room):
    """A part of a day, in one step."""
    return lambda: room.book(GUEST, on(APART, 11, 12))


@case("ix_reservations_token reservations_pkey")
def deny(room):
    """What was just reserved."""
    token = room.reserve(GUEST, on(APART, 11, 12))
    return lambda: room.deny_reservation(token)


BY_SOURCE = "reservation_resource_ix|ix_reserved_slots_source_id"


@case(f"ix_reservations_token reservations_pkey {BY_SOURCE}")
def remove(room):
    """An approved reservation and its slots."""
    token = approved_on(room, APART).token
    return lambda: room.remove_reservation(token)


@case(f"ix_reservations_token reservations_pkey {BY_SOURCE}")
def remove_one(room):
    """One of a token."""
    found = approved_on(room, APART)
    key = found.token, found.id
    return lambda: room.remove_reservation(*key)


@case(f"ix_reservations_token {BY_SOURCE} {FIND} {BUSY} resource_start_ix")
def change(room):
    """An approved reservation, an hour later."""
    (booked,) = room.book(GUEST, on(APART, 11, 12))
    key = booked.token, booked.id
    return lambda: room.change_reservation(*key, *on(APART, 12, 13))


@case(f"{FIND} {BUSY} resource_start_ix")
def block(room):
    """A part of a day."""
    return lambda: room.add_blocker(on(APART, 11, 12))


@case(f"ix_reservation_blockers_token {BY_SOURCE}")
def unblock(room):
    """A blocker and its slots."""
    token = room.managed_blockers().first().token
    return lambda: room.remove_blocker(token)


OF_AN_ALLOCATION = "ix_reserved_slots_allocation_id"
OF_A_ROOM = "ix_allocations_mirror_of_start"


@case(f"{OF_A_ROOM} {OF_AN_ALLOCATION}", rows=150)
def availability(room):
    """Of a month."""
    return lambda: room.availability(*MONTH)


@case(f"{OF_AN_ALLOCATION}", rows=1200)
def availability_for_all_time(room):
    """Of everything in the room, no more."""
    return room.availability


@case(f"{OF_A_ROOM} {OF_AN_ALLOCATION}", rows=450, **BESIDE)
def availability_beside(room):
    """Of a month, with two rooms that can block it."""
    return lambda: room.availability(*MONTH)


@case(f"{OF_A_ROOM} {OF_AN_ALLOCATION}", rows=300)
def availability_by_day(room):
    """Of a month and two rooms, day by day."""
    resources = [room.resource, new_scheduler(room.context, "room 7", "UTC").resource]
    return lambda: room.queries.availability_by_day(*MONTH, resources)


@case(f"{OF_A_ROOM} {OF_AN_ALLOCATION}", rows=150)
def rows(room):
    """Every allocation of a month with its availability."""
    return lambda: list(room.allocations_with_availability_by_range(*MONTH))


@case(f"{OF_A_ROOM} {OF_AN_ALLOCATION}", rows=450, **BESIDE)
def rows_beside(room):
    """The same, with two rooms that can block them."""
    return lambda: list(room.allocations_with_availability_by_range(*MONTH))


@case("resource_start_ix", rows=150)
def search(room):
    """A month, with the rest of the groups."""
    return lambda: room.search_allocations(*MONTH)


@case(f"{OF_A_ROOM} {OF_AN_ALLOCATION}", rows=250)
def search_free(room):
    """A month, what is free in it."""
    options = {"minspots": 1, "available_only": True, "strict": True}
    return lambda: room.search_allocations(*MONTH, **options)


@case(f"{OF_A_ROOM} {OF_AN_ALLOCATION}", rows=450, **BESIDE)
def search_free_beside(room):
    """The same, with two rooms that can block it."""
    options = {"minspots": 1, "available_only": True, "strict": True}
    return lambda: room.search_allocations(*MONTH, **options)


@case(f"{OF_A_ROOM} {OF_AN_ALLOCATION}", rows=150)
def slots_by_range(room):
    """The steps of five minutes of a month."""
    return lambda: room.reserved_slots_by_range(*MONTH)


@case(f"{OF_A_ROOM} {OF_AN_ALLOCATION} ix_allocations_group", rows=150)
def remove_unused(room):
    """What nobody has reserved in a month."""
    return lambda: room.remove_unused_allocations(*MONTH)


@case(f"allocations_pkey {OF_A_ROOM} {OF_AN_ALLOCATION} target_status_ix", rows=50)
def move(room):
    """An allocation, to a later day."""
    master = allocation_on(room, GROUPED).id
    return lambda: room.move_allocation(master, *on(LATER, 8, 18))


@case(OF_A_ROOM)
def lower_the_quota(room):
    """From three places, of which two are taken, to two."""
    master = allocation_on(room, PLACES).id

    def act():
        room.change_quota(room.allocation_by_id(master), 2)

    return act


@case(f"allocations_pkey {OF_A_ROOM} {OF_AN_ALLOCATION} target_status_ix", rows=50)
def remove_allocation(room):
    """An allocation that nobody has reserved."""
    master = allocation_on(room, GROUPED).id
    return lambda: room.remove_allocation(master)


@case(OF_A_ROOM, rows=60)
def in_range(room):
    """The query for the allocations of a month, counted."""
    return lambda: room.allocations_in_range(*MONTH).count()


@case(f"ix_reservations_token {BY_SOURCE}|{OF_AN_ALLOCATION}", rows=60)
def by_reservation(room):
    """The query for the allocations that a reservation holds slots of."""
    token = approved_on(room, APART).token
    return lambda: room.allocations_by_reservation(token).count()


@case("reservation_resource_ix", rows=400)
def slots_of_a_reservation(room):
    """The query for the slots of a reservation."""
    token = approved_on(room, APART).token
    return lambda: room.reserved_slots_by_reservation(token).count()


@case("ix_reservations_target ix_reservations_token")
def reservations_by_group(room):
    """The query for the reservations of a group."""
    group = allocation_on(room, APART).group
    return lambda: room.reservations_by_group(group).count()


@case("ix_reservations_session_id")
def reservations_by_session(room):
    """The query for the contents of a shopping cart."""
    return lambda: room.queries.reservations_by_session(uuid4()).count()


@case("ix_reservations_session_id", rows=1000)
def expired_sessions(room):
    """The shopping carts that nobody has touched."""
    return lambda: room.queries.find_expired_reservation_sessions(None)


@case("ix_reservations_resource ix_reservation_blockers_resource", rows=1500)
def extinguish(room):
    """Everything of a room."""
    return room.extinguish_managed_records


# What must hold ---------------------------------------------------------------------

ACROSS_ROOMS = {
    "ix_allocations_start",
    "ix_allocations_end",
    "ix_reserved_slots_end",
    "start_end_tsrange_ix",
    "ix_reservations_start",
    "ix_reservations_end",
    "ix_reservation_blockers_start",
    "ix_reservation_blockers_end",
}
"""Indexes that begin with a time: who reads them meets strangers from other rooms."""


every_case = pytest.mark.parametrize(
    "case", [pytest.param(each, id=each.name) for each in CASES]
)


NARROW = [each for each in CASES if each.rows <= 60]


def told(statements, facts):
    """The facts of those statements that have any, with their SQL."""
    return {each.sql: found for each in statements if (found := facts(each))}


@every_case
def test_no_sequential_scan(house, case):
    """None of our tables is read from end to end."""
    assert told(house.explained(case), lambda each: each.sequential) == {}


@every_case
def test_indexes(house, case):
    """The operation uses the indexes that it relies on."""
    used = {index for each in house.explained(case) for index in each.indexes}
    missing = [
        names for names in case.indexes.split() if used.isdisjoint(names.split("|"))
    ]
    assert missing == [], used


@every_case
def test_stays_in_its_room(house, case):
    """No statement goes through an index that begins with a time."""
    across = told(house.explained(case), lambda each: each.indexes & ACROSS_ROOMS)
    assert across == {}


@every_case
def test_reads_narrowly(house, case):
    """No statement looks at many more rows than there are to be seen."""
    wide = told(
        house.explained(case),
        lambda each: each.rows if (each.rows or 0) > case.rows else None,
    )
    assert wide == {}


@pytest.mark.parametrize("case", NARROW, ids=lambda each: each.name)
def test_few_large_rooms(lodge, case):
    """It is the same where the resource says little about which rows are meant."""
    wide = told(
        lodge.explained(case),
        lambda each: each.rows if (each.rows or 0) > case.rows else None,
    )
    assert wide == {}


@every_case
def test_no_zone(house, case):
    """No time is compared in the zone of the session, which is not always UTC."""
    zoned = told(
        house.explained(case),
        lambda each: [node for node in each.nodes if "with time zone" in str(node)],
    )
    assert zoned == {}


# What is locked by reading ----------------------------------------------------------

PREDICATE_LOCKS = text("""
SELECT relation::regclass::text AS name, locktype FROM pg_locks
WHERE mode = 'SIReadLock' AND pid = pg_backend_pid()
""")


@pytest.mark.parametrize("case", NARROW, ids=lambda each: each.name)
def test_no_table_is_locked(house, case):
    """Under SERIALIZABLE an operation watches pages and rows, never a whole table.

    PostgreSQL watches a table as a whole once more than 32 of its pages were read.
    """
    room = house.room(**case.options)
    try:
        act = case.prepare(room)
        before = locked_tables(room)
        act()
        assert locked_tables(room) == before
    finally:
        room.rollback()


def locked_tables(room):
    """Our tables that this transaction watches as a whole."""
    found = room.session.execute(PREDICATE_LOCKS)
    return TABLES & {row.name for row in found if row.locktype == "relation"}


class TestStrangers:
    """Schedulers of different rooms do their work at the same time."""

    @pytest.fixture
    def both(self, house, monkeypatch):
        """Two rooms, each with a session of its own, and tokens far from each other."""
        tokens = iter([UUID(int=1 << 100), UUID(int=1 << 127)])
        monkeypatch.setattr(reserving, "uuid4", lambda: next(tokens))
        dsn = house.context.get_setting("dsn")
        rooms = []
        for number in (10, 190):
            context = create_default_registry().register_context("plans")
            context.set_setting("dsn", dsn)
            rooms.append(new_scheduler(context, f"room {number}", "UTC"))
        yield rooms
        for room in rooms:
            room.rollback()
            room.context.get_service("session_provider").stop_service()

    def test_no_abort(self, both):
        """Neither gets in the way of the other."""
        work(both, hour=11)

    def test_control(self, both):
        """They would, if whole tables were read."""
        for room in both:
            for scan in ("indexscan", "bitmapscan", "indexonlyscan"):
                room.session.execute(text(f"SET LOCAL enable_{scan} = off"))
        with pytest.raises(OperationalError, match="could not serialize"):
            work(both, hour=13)


def work(rooms, hour):
    """Reserve, approve and commit in each room, step by step at the same time."""
    dates = on(APART, hour, hour + 1)
    tokens = [room.reserve(GUEST, dates) for room in rooms]
    for room, token in zip(rooms, tokens, strict=True):
        room.approve_reservations(token)
    for room in rooms:
        room.commit()


class TestTheHouse:
    def test_size(self, house):
        """There is enough in the tables for plans to matter."""
        room = house.room()
        counts = {
            table: room.session.execute(text(f"SELECT count(*) FROM {table}")).scalar()  # noqa: S608 - our own names
            for table in sorted(TABLES)
        }
        room.rollback()
        assert counts["allocations"] == ROOMS * DAYS + ROOMS * DAYS // 4
        assert counts["reserved_slots"] >= 100_000
        assert counts["reservations"] >= 30_000
        assert counts["reservation_blockers"] >= 1_000

    def test_known(self, house):
        """What was written by SQL is what the library would have written."""
        room = house.room()
        master = allocation_on(room, PLACES)
        places = master.siblings()
        assert [place.is_transient for place in places] == [False, False, True]
        assert room.free_allocations_count(master, *on(PLACES, 8, 18)) == 1
        assert (
            room.allocations_by_group(allocation_on(room, GROUPED).group).count() == 5
        )
        assert allocation_on(room, APART).availability == 100 * (1 - 7 / 40)
        assert isinstance(master, Allocation)
        room.rollback()


@pytest.fixture
def abroad(dsn):
    """A room in a database whose sessions are not in UTC, as many servers have it."""
    options = {"options": "-c timezone=Europe/Zurich"}
    url = make_url(dsn).update_query_dict(options)
    context = create_default_registry().register_context("abroad")
    context.set_setting("dsn", url.render_as_string(hide_password=False))
    yield new_scheduler(context, "room", "UTC")
    context.get_service("session_provider").stop_service()


class TestZoneOfTheSession:
    """What test_no_zone finds does harm as far from Greenwich as Zurich in summer."""

    SUMMER = 180

    def test_the_zone(self, abroad):
        """The session is abroad indeed."""
        assert abroad.session.execute(text("SHOW timezone")).scalar() == "Europe/Zurich"

    def test_first_allocation(self, abroad):
        """The first allocation of a room is found by who looks from an hour before."""
        abroad.allocate(on(self.SUMMER, 10, 11))
        asked = on(self.SUMMER, 9, 12)
        assert abroad.allocations_in_range(*asked).count() == 1
        assert abroad.availability(*asked) == 100
        assert len(abroad.search_allocations(*asked)) == 1

    def test_overlap(self, abroad):
        """No allocation is moved over the first one of a room."""
        abroad.allocate(on(self.SUMMER, 10, 11))
        (later,) = abroad.allocate(on(self.SUMMER, 14, 15))
        with pytest.raises(OverlappingAllocationError):
            abroad.move_allocation(later.id, *on(self.SUMMER, 9.5, 10.5))

    def test_fresh_session(self, abroad):
        """A shopping cart that was filled a moment ago has not expired."""
        abroad.allocate(on(self.SUMMER, 10, 11))
        abroad.reserve(GUEST, on(self.SUMMER, 10, 11), session_id=uuid4())
        assert abroad.queries.find_expired_reservation_sessions(None) == []

    def test_double_booking(self, abroad):
        """Reserving and allocating are safe: their moments have their type."""
        abroad.allocate(on(self.SUMMER, 10, 11))
        with pytest.raises(OverlappingAllocationError):
            abroad.allocate(on(self.SUMMER, 9, 12))
        abroad.book(GUEST, on(self.SUMMER, 10, 11))
        with pytest.raises(AlreadyReservedError):
            abroad.book(GUEST, on(self.SUMMER, 10, 11))
