"""Tables as older libraries have made them, written by hand, and rows to keep.

One function per age. The rows are the same in each, as far as there are columns: an
allocation that is reserved in part, one in steps of 15 minutes, two places, a group; a
token of several reservations, slots that nobody or two may own, odd JSON and none.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


def uuid(letter: str) -> str:
    """Make a UUID that is easily told from others."""
    return str(UUID(letter * 32))


ROOM, HALL, MIRROR, DESK = (uuid(letter) for letter in "abcd")
WHOLE, STEPS, PLACES, GROUP = (uuid(letter) for letter in "1234")
ALONE, CART, PAIR, CLUB, TWINS, GHOST, REPAIR = (uuid(letter) for letter in "56789ef")

ALLOCATIONS = [
    # id, resource, mirror_of, group, quota, partly, raster, start, end, type, data
    (1, ROOM, ROOM, WHOLE, 1, False, 5, "08:00", "10:00", None, '{"a": "\\u00e9"}'),
    (2, ROOM, ROOM, STEPS, 1, True, 15, "12:00", "14:00", "custom", None),
    (3, HALL, HALL, PLACES, 2, True, 60, "08:00", "12:00", None, ' {"a":1,"a":2}\n'),
    (4, MIRROR, HALL, PLACES, 2, True, 60, "08:00", "12:00", None, "{}"),
    (5, DESK, DESK, GROUP, 1, False, 5, "08:00", "09:00", None, "null"),
    (6, DESK, DESK, GROUP, 1, False, 5, "10:00", "11:00", None, '{"n": 1e2}'),
]

RESERVATIONS = [
    # id, token, target, type of it, resource, start, end, status, quota, data
    (1, ALONE, WHOLE, "allocation", ROOM, "08:30", "09:00", "approved", 1, "{}"),
    (2, CART, STEPS, "allocation", ROOM, "12:00", "12:30", "approved", 1, None),
    (3, CART, STEPS, "allocation", ROOM, "13:00", "13:30", "approved", 1, '{"b": []}'),
    (4, PAIR, PLACES, "allocation", HALL, "08:00", "09:00", "approved", 2, None),
    (5, PAIR, PLACES, "allocation", HALL, "10:00", "11:00", "approved", 1, None),
    (6, CLUB, GROUP, "group", DESK, None, None, "approved", 1, None),
    (7, TWINS, PLACES, "allocation", HALL, "11:00", "12:00", "approved", 1, None),
    (8, TWINS, PLACES, "allocation", HALL, "11:00", "12:00", "approved", 1, None),
    (10, REPAIR, STEPS, "allocation", ROOM, "13:30", "14:00", "approved", 1, None),
    (9, CART, STEPS, "allocation", ROOM, "12:00", "12:15", "pending", 1, None),
]

BLOCKERS = [(1, REPAIR, STEPS, "allocation", ROOM, "13:30", "14:00", "paint")]

SLOTS = [
    # resource, start, end, allocation, token, source type, owner as written by 1.2
    (ROOM, "08:00", "10:00", 1, ALONE, "reservation", 1),
    (ROOM, "12:00", "12:15", 2, CART, "reservation", 2),
    (ROOM, "12:15", "12:30", 2, CART, "reservation", 2),
    (ROOM, "13:00", "13:15", 2, CART, "reservation", 3),
    (ROOM, "13:15", "13:30", 2, CART, "reservation", 3),
    (HALL, "08:00", "09:00", 3, PAIR, "reservation", 4),
    (MIRROR, "08:00", "09:00", 4, PAIR, "reservation", 4),
    (HALL, "09:00", "10:00", 3, GHOST, "reservation", 99),
    (HALL, "10:00", "11:00", 3, PAIR, "reservation", 5),
    (HALL, "11:00", "12:00", 3, TWINS, "reservation", 7),
    (MIRROR, "11:00", "12:00", 4, TWINS, "reservation", 8),
    (DESK, "08:00", "09:00", 5, CLUB, "reservation", 6),
    (DESK, "10:00", "11:00", 6, CLUB, "reservation", 6),
]

BLOCKED = [
    (ROOM, "13:30", "13:45", 2, REPAIR, "blocker", 1),
    (ROOM, "13:45", "14:00", 2, REPAIR, "blocker", 1),
]

UNKNOWN = {(HALL, "09:00"), (HALL, "11:00"), (MIRROR, "11:00")}
"""The slots that nobody owns, or one of two."""

FEW_INDEXES = """
CREATE INDEX mirror_resource_ix ON allocations (mirror_of, resource);
CREATE INDEX reservation_resource_ix ON reserved_slots (reservation_token, resource);
CREATE INDEX target_status_ix ON reservations (status, target, id);
"""

GIST_INDEX = """
CREATE INDEX start_end_tsrange_ix ON reserved_slots
    USING gist (tsrange(start, "end"));
"""

INSERT = "INSERT INTO {table} ({names}) VALUES ({literals});"

BLOCKER_INDEX = """
CREATE INDEX blocker_target_ix ON reservation_blockers (target, id);
"""

MORE_INDEXES = """
CREATE INDEX ix_allocations_resource ON allocations (resource);
CREATE INDEX ix_allocations_type ON allocations (type);
CREATE INDEX ix_allocations_mirror_of ON allocations (mirror_of);
CREATE INDEX ix_allocations_group ON allocations ("group");
CREATE INDEX ix_reserved_slots_allocation_id ON reserved_slots (allocation_id);
CREATE INDEX ix_reserved_slots_source_type ON reserved_slots (source_type);
CREATE INDEX ix_reservations_token ON reservations (token);
CREATE INDEX ix_reservations_target ON reservations (target);
CREATE INDEX ix_reservations_target_type ON reservations (target_type);
CREATE INDEX ix_reservations_type ON reservations (type);
CREATE INDEX ix_reservations_resource ON reservations (resource);
CREATE INDEX ix_reservations_status ON reservations (status);
CREATE INDEX ix_reservations_session_id ON reservations (session_id);
CREATE INDEX ix_reservation_blockers_token ON reservation_blockers (token);
CREATE INDEX ix_reservation_blockers_target ON reservation_blockers (target);
CREATE INDEX ix_reservation_blockers_target_type ON reservation_blockers (target_type);
CREATE INDEX ix_reservation_blockers_resource ON reservation_blockers (resource);
"""

SOURCE_INDEX = """
CREATE INDEX ix_reserved_slots_source_id ON reserved_slots (source_id);
"""

ALL_INDEXES = """
CREATE INDEX ix_allocations_start ON allocations (_start);
CREATE INDEX ix_allocations_end ON allocations (_end);
CREATE INDEX ix_reserved_slots_end ON reserved_slots ("end");
CREATE INDEX ix_reservations_start ON reservations (start);
CREATE INDEX ix_reservations_end ON reservations ("end");
CREATE INDEX ix_reservations_email ON reservations (email);
CREATE INDEX ix_reservation_blockers_start ON reservation_blockers (start);
CREATE INDEX ix_reservation_blockers_end ON reservation_blockers ("end");
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the tables of an age have."""

    name: str
    """What it is called when it is recognised."""

    data: str = "jsonb"
    type: str | None = "text NOT NULL"
    blockers: bool = True
    source_id: bool = False
    indexes: str = FEW_INDEXES

    def sql(self) -> str:
        """Return statements that make the tables and fill them."""
        return "\n".join((*self._tables(), self.indexes, *self._rows()))

    def _tables(self):
        type_ = f"type {self.type}," if self.type else ""
        source = f"{self._source_type()} {self._source_id()}"
        yield f"""
        CREATE TYPE reservation_target_type AS ENUM ('group', 'allocation');
        CREATE TYPE reservation_status AS ENUM ('pending', 'approved');
        CREATE TABLE allocations (
            id serial PRIMARY KEY, resource uuid NOT NULL, {type_}
            mirror_of uuid NOT NULL, "group" uuid NOT NULL, quota integer NOT NULL,
            quota_limit integer NOT NULL, partly_available boolean NOT NULL,
            approve_manually boolean NOT NULL, timezone varchar, data {self.data},
            _start timestamp NOT NULL, _end timestamp NOT NULL,
            _raster integer NOT NULL,
            created timestamp NOT NULL, modified timestamp,
            CONSTRAINT resource_start_ix UNIQUE (resource, _start));
        CREATE TABLE reservations (
            id serial PRIMARY KEY, token uuid NOT NULL, target uuid NOT NULL,
            target_type reservation_target_type NOT NULL, {type_}
            resource uuid NOT NULL, start timestamp, "end" timestamp, timezone varchar,
            status reservation_status NOT NULL, data {self.data},
            email varchar(254) NOT NULL, session_id uuid, quota integer NOT NULL,
            created timestamp NOT NULL, modified timestamp);
        """
        if self.blockers:
            yield """
            CREATE TYPE reserved_slot_source_type AS ENUM ('reservation', 'blocker');
            CREATE TYPE reservation_blocker_target_type AS ENUM ('group', 'allocation');
            CREATE TABLE reservation_blockers (
                id serial PRIMARY KEY, token uuid NOT NULL, target uuid NOT NULL,
                target_type reservation_blocker_target_type NOT NULL,
                resource uuid NOT NULL, start timestamp, "end" timestamp,
                timezone varchar, reason varchar,
                created timestamp NOT NULL, modified timestamp);
            """
        yield f"""
        CREATE TABLE reserved_slots (
            resource uuid NOT NULL, start timestamp NOT NULL, "end" timestamp NOT NULL,
            allocation_id integer NOT NULL REFERENCES allocations (id), {source}
            reservation_token uuid NOT NULL,
            created timestamp NOT NULL, modified timestamp,
            PRIMARY KEY (resource, start));
        """

    def _source_type(self):
        return "source_type reserved_slot_source_type NOT NULL," * self.blockers

    def _source_id(self):
        return "source_id integer NOT NULL," * self.source_id

    def _rows(self):
        yield from map(self._allocation, ALLOCATIONS)
        yield from map(self._reservation, RESERVATIONS)
        yield from map(self._slot, SLOTS)
        if self.blockers:
            yield from map(self._blocker, BLOCKERS)
            yield from map(self._slot, BLOCKED)
        for table in ("allocations", "reservations"):
            yield f"SELECT setval('{table}_id_seq', 100);"

    def _type(self, value):
        """The identity that the mapper has written."""
        if self.type is None:
            return {}
        return {"type": value or (None if self.type == "text" else "generic")}

    def _allocation(self, row):
        id_, resource, mirror_of, group, quota, partly, raster, *times, type_, data = (
            row
        )
        return insert(
            "allocations",
            {
                "id": id_,
                "resource": resource,
                "mirror_of": mirror_of,
                "group": group,
                "quota": quota,
                "quota_limit": 0,
                "data": data,
                "partly_available": partly,
                "approve_manually": False,
                "timezone": "Europe/Zurich",
                "_raster": raster,
                "_start": moment(times[0]),
                "_end": ending(times[1]),
                **self._type(type_),
            },
        )

    def _reservation(self, row):
        id_, token, target, target_type, resource, *times, status, quota, data = row
        return insert(
            "reservations",
            {
                "id": id_,
                "token": token,
                "target": target,
                "resource": resource,
                "target_type": target_type,
                "status": status,
                "quota": quota,
                "start": moment(times[0]),
                "end": ending(times[1]),
                "data": data,
                "timezone": "Europe/Zurich" if times[0] else None,
                "email": "ada@example.org",
                "session_id": GHOST,
                **self._type(None),
            },
        )

    def _blocker(self, row):
        id_, token, target, target_type, resource, *times, reason = row
        return insert(
            "reservation_blockers",
            {
                "id": id_,
                "token": token,
                "target": target,
                "reason": reason,
                "target_type": target_type,
                "resource": resource,
                "start": moment(times[0]),
                "end": ending(times[1]),
                "timezone": "Europe/Zurich",
            },
        )

    def _slot(self, row):
        resource, start, end, allocation, token, source_type, source_id = row
        return insert(
            "reserved_slots",
            {
                "resource": resource,
                "start": moment(start),
                "end": ending(end),
                "allocation_id": allocation,
                "reservation_token": token,
                **({"source_type": source_type} if self.blockers else {}),
                **({"source_id": source_id} if self.source_id else {}),
            },
        )


def moment(time: str | None) -> str | None:
    """A time of the day that everything is on."""
    return time and f"2020-03-02 {time}:00"


def ending(time: str | None) -> str | None:
    """The same as an end, one microsecond short."""
    if time is None:
        return None
    hour, minute = (int(part) for part in time.split(":"))
    total = hour * 60 + minute - 1
    return f"2020-03-02 {total // 60:02}:{total % 60:02}:59.999999"


def insert(table: str, values: dict[str, object]) -> str:
    """Write a row; every one was created at the same time."""
    values = {**values, "created": "2020-01-01 12:00:00", "modified": None}
    names = ", ".join(f'"{name}"' for name in values)
    literals = ", ".join(map(literal, values.values()))
    return INSERT.format(table=table, names=names, literals=literals)


def literal(value: object) -> str:
    """Write a value as SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def without_type() -> Shape:
    """The oldest, without types of records."""
    return Shape("Libres 0.5 to 0.8", data="text", type=None, blockers=False)


def libres_0_5() -> Shape:
    """Types that may be NULL, and JSON as text."""
    return Shape("Libres 0.5 to 0.8", data="text", type="text", blockers=False)


def libres_0_9() -> Shape:
    """JSONB."""
    return Shape("Libres 0.9", type="text", blockers=False)


def libres_0_10_0() -> Shape:
    """Blockers, and the type of the source of a slot."""
    return Shape("Libres 0.10.0", type="text", indexes=FEW_INDEXES + BLOCKER_INDEX)


def libres_0_10_1() -> Shape:
    """Types that may not be NULL."""
    return Shape("Libres 0.10.1 to 1.0", indexes=FEW_INDEXES + BLOCKER_INDEX)


def libres_1_1_0() -> Shape:
    """Slots indexed as ranges."""
    indexes = FEW_INDEXES + BLOCKER_INDEX + GIST_INDEX
    return Shape("Libres 1.1", indexes=indexes)


def libres_1_1_1() -> Shape:
    """More indexes."""
    indexes = FEW_INDEXES + BLOCKER_INDEX + GIST_INDEX + MORE_INDEXES
    return Shape("Libres 1.1", indexes=indexes)


def libres_1_2() -> Shape:
    """The id of the source of a slot."""
    indexes = FEW_INDEXES + BLOCKER_INDEX + GIST_INDEX + MORE_INDEXES + SOURCE_INDEX
    return Shape("Libres 1.2 to 1.4", source_id=True, indexes=indexes)


def libres_1_4() -> Shape:
    """All indexes."""
    older = libres_1_2()
    indexes = older.indexes + ALL_INDEXES
    return Shape(older.name, source_id=True, indexes=indexes)


SHAPES = {
    make.__name__: make()
    for make in (
        without_type,
        libres_0_5,
        libres_0_9,
        libres_0_10_0,
        libres_0_10_1,
        libres_1_1_0,
        libres_1_1_1,
        libres_1_2,
        libres_1_4,
    )
}
