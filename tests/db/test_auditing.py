"""What the auditor finds in a database where exactly one thing is wrong."""

# ruff: noqa: DTZ001 - naive times are in the zone of the scheduler
# ruff: noqa: S608 - the statements are made of constants

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from libres.context.registry import create_default_registry
from libres.db.auditing import CHECKS, MissingTablesError, audit, repair
from libres.db.auditing.repairing import MENDERS
from libres.db.scheduler import Scheduler
from libres.domain.days import to_utc
from libres.domain.places import mirror_resources
from tests.fixtures.statements import counted

MAY = datetime(2030, 5, 1)


def hours(day, start, end):
    """Two hours of a day of May, in the zone of the scheduler: UTC and two hours."""
    first = MAY + timedelta(days=day - 1)
    return first + timedelta(hours=start), first + timedelta(hours=end)


def mail(name):
    """The address by which a statement finds a reservation."""
    return f"{name}@example.org"


def fill(room):
    """Bring about everything that the library writes."""
    room.allocate(hours(6, 8, 18), partly_available=True, raster=15, quota=3)
    room.book(mail("pair"), hours(6, 9, 10), quota=2)
    room.book(mail("single"), hours(6, 9, 10))
    room.book(mail("afternoon"), hours(6, 15, 16))
    room.add_blocker(hours(6, 12, 13), reason="cleaning")

    grouped = room.allocate([hours(7, 8, 10), hours(8, 8, 10)], grouped=True, quota=2)
    room.book(mail("group"), group=grouped[0].group, quota=2)

    room.allocate(hours(9, 8, 10))
    room.book(mail("narrow"), hours(9, 8, 9))

    room.allocate(hours(10, 8, 10), quota=2)
    room.add_blocker(hours(10, 8, 9), reason="closed")

    room.allocate(hours(11, 8, 10), quota=2, approve_manually=True)
    room.reserve(mail("waiting"), hours(11, 8, 9), session_id=uuid4())

    room.allocate(hours(12, 8, 10), quota=3)
    (gone,) = room.book(mail("gone"), hours(12, 8, 10), quota=3)
    room.remove_reservation(gone.token)

    days = [hours(13, 8, 10), hours(14, 8, 10)]
    group = room.allocate(days, grouped=True, raster=60)[0].group
    room.reserve(mail("waiting-group"), group=group)

    group = room.allocate([hours(17, 8, 9), hours(18, 8, 9)], grouped=True)[0].group
    room.add_blocker(group=group, reason="away")

    room.allocate([hours(15, 8, 10), hours(16, 8, 10)], raster=30)


@pytest.fixture(scope="module")
def filled(module_dsn):
    """A database where a resource has everything, and another one, too."""
    context = create_default_registry().register_context("filled")
    context.set_setting("dsn", module_dsn)
    for name in ("room", "beside"):
        fill(Scheduler(context, name, "Europe/Zurich"))
    scheduler = Scheduler(context, "room", "Europe/Zurich")
    scheduler.commit()
    yield scheduler
    scheduler.session_provider.stop_service()


@pytest.fixture
def room(filled):
    """The resource that has everything; what a test does to it is rolled back."""
    yield filled
    filled.rollback()


def do(room, *statements):
    """Run statements for the resource, and return the rows of the last one."""
    for statement in statements:
        values = {"room": room.resource.hex} if ":room" in statement else {}
        if ":last" in statement:
            values["last"] = mirror_resources(room.resource, 3)[-1].hex
        result = room.session.execute(text(statement), values)
    return [dict(row) for row in result.mappings()]


def at(day, hour=6):
    """The condition that names the places of an allocation by their start in UTC."""
    return (
        f"_start = '2030-05-{day:02} {hour:02}:00' AND mirror_of = CAST(:room AS uuid)"
    )


MASTER = "AND resource = mirror_of"
MIRRORS = "AND resource <> mirror_of"


def owned_by(name):
    """The condition that names the slots of a reservation."""
    owner = f"SELECT id FROM reservations WHERE {whose(name)}"
    return f"source_type = 'reservation' AND source_id = ({owner})"


def whose(name):
    """The condition that names a reservation."""
    return f"email = '{mail(name)}' AND resource = CAST(:room AS uuid)"


def blocked_for(reason):
    """The condition that names the slots of a blocker."""
    owner = f"SELECT id FROM reservation_blockers WHERE {named(reason)}"
    return f"source_type = 'blocker' AND source_id = ({owner})"


def named(reason):
    """The condition that names a blocker."""
    return f"reason = '{reason}' AND resource = CAST(:room AS uuid)"


RAN = "gen_random_uuid()"
HOUR = "interval '1 hour'"
KEY = "RETURNING resource, start"
OWNER = "RETURNING source_id AS id, reservation_token AS token"


def slot(name, place, start, *, key="reservation_token", source="source_id"):
    """Insert a slot like one of a reservation's, at another time and place."""
    return f"""
        INSERT INTO reserved_slots (resource, start, "end", allocation_id,
            source_type, reservation_token, source_id, created)
        SELECT p.resource, CAST('{start}' AS timestamp),
            CAST('{start}' AS timestamp) + (s."end" - s.start), p.id,
            source_type, {key}, {source}, s.created
        FROM reserved_slots AS s, allocations AS p
        WHERE {owned_by(name)}
            AND p.id = (SELECT min(id) FROM allocations WHERE {place})
        ORDER BY s.start LIMIT 1 """


def mirror(day, start="_start"):
    """Insert a mirror that no master has."""
    return f"""
        INSERT INTO allocations (resource, _start, mirror_of, type, "group", quota,
            quota_limit, partly_available, approve_manually, timezone, _end, _raster,
            created)
        SELECT {RAN}, {start}, mirror_of, type, "group", quota, quota_limit,
            partly_available, approve_manually, timezone, _end, _raster, created
        FROM allocations WHERE {at(day)} {MASTER} RETURNING id"""


def row(check, *statements, mended=False, notice=False, why):
    """Make a row: the last statement returns what identifies the rows to be found."""
    return pytest.param(check, statements, mended, notice, id=f"{check}: {why}")


FOREIGN_KEY = (
    "ALTER TABLE reserved_slots DROP CONSTRAINT reserved_slots_allocation_id_fkey"
)

DAMAGES = [
    row(
        "old-schema",
        "ALTER TABLE reserved_slots RENAME source_id TO unknown",
        "SELECT ARRAY['reserved_slots.source_id'] AS missing",
        why="a column that came later",
    ),
    row(
        "old-schema",
        "DROP TABLE reservation_blockers",
        "SELECT ARRAY['reservation_blockers.id'] AS missing",
        why="a table that came later",
    ),
    row(
        "slot-without-allocation",
        FOREIGN_KEY,
        slot("afternoon", at(6), "2030-05-06 15:00"),
        "UPDATE reserved_slots SET allocation_id = 0 WHERE start = '2030-05-06 15:00' "
        f"{KEY}",
        mended=True,
        why="without a foreign key anything can be written",
    ),
    row(
        "slot-on-another-resource",
        f"UPDATE reserved_slots SET resource = {RAN} WHERE {owned_by('afternoon')} "
        f"AND start = '2030-05-06 13:15' {KEY}",
        why="the key guards a place that is nobody's",
    ),
    row(
        "slot-outside-allocation",
        f"""UPDATE reserved_slots SET "end" = "end" + {HOUR}
        WHERE {owned_by("narrow")} {KEY}""",
        why="ends later",
    ),
    row(
        "slot-off-raster",
        f"""UPDATE reserved_slots SET "end" = "end" - {HOUR}
        WHERE {owned_by("narrow")} {KEY}""",
        why="not the whole of what is reserved as a whole",
    ),
    row(
        "slot-off-raster",
        f"""UPDATE reserved_slots SET start = start + interval '5 minutes'
        WHERE {owned_by("afternoon")} AND start = '2030-05-06 13:15' {KEY}""",
        why="begins within a step",
    ),
    row(
        "slot-off-raster",
        f"""UPDATE reserved_slots SET "end" = "end" + interval '15 minutes'
        WHERE {owned_by("afternoon")} AND start = '2030-05-06 13:15' {KEY}""",
        why="longer than a step",
    ),
    row(
        "slot-without-owner",
        slot("afternoon", at(6), "2030-05-06 15:00", key=RAN, source="0") + KEY,
        mended=True,
        why="neither id nor token is known",
    ),
    row(
        "slot-without-owner",
        f"UPDATE reserved_slots SET source_id = 0 WHERE {owned_by('afternoon')} {KEY}",
        why="only the token is known, as after an upgrade",
    ),
    row(
        "slot-without-owner",
        f"UPDATE reserved_slots SET reservation_token = {RAN} "
        f"WHERE {owned_by('afternoon')} AND start = '2030-05-06 13:15' {KEY}",
        why="only the id is known",
    ),
    row(
        "slot-without-owner",
        f"UPDATE reserved_slots SET source_type = 'blocker', source_id = 0 "
        f"WHERE {owned_by('narrow')} {KEY}",
        why="of the wrong kind",
    ),
    row(
        "slot-of-pending-reservation",
        f"UPDATE reservations SET status = 'pending' WHERE {whose('narrow')}",
        f"SELECT resource, start FROM reserved_slots WHERE {owned_by('narrow')}",
        why="its owner is not approved",
    ),
    row(
        "reservation-without-slots",
        f"DELETE FROM reserved_slots WHERE {owned_by('narrow')} {OWNER}",
        why="its slot is gone",
    ),
    row(
        "reservation-without-slots",
        f"UPDATE reservations SET status = 'approved' WHERE {whose('waiting')} "
        "RETURNING id, token",
        why="approved by hand",
    ),
    row(
        "reservation-with-missing-slots",
        f"DELETE FROM reserved_slots WHERE {owned_by('afternoon')} "
        f"AND start = '2030-05-06 13:15' {OWNER}",
        why="a step in the middle",
    ),
    row(
        "reservation-with-missing-slots",
        f"DELETE FROM reserved_slots WHERE {owned_by('afternoon')} "
        f"AND start = '2030-05-06 13:00' {OWNER}",
        why="the first step",
    ),
    row(
        "reservation-with-missing-slots",
        f"""WITH gone AS (DELETE FROM reserved_slots WHERE {owned_by("pair")}
            AND resource <> CAST(:room AS uuid) {OWNER})
        SELECT DISTINCT id, token FROM gone""",
        why="one of two places",
    ),
    row(
        "reservation-with-missing-slots",
        f"UPDATE reservations SET quota = 3 WHERE {whose('pair')} RETURNING id, token",
        why="fewer places than its quota",
    ),
    row(
        "reservation-with-missing-slots",
        f"DELETE FROM reserved_slots WHERE {owned_by('group')} "
        f"AND start >= '2030-05-08' AND resource = CAST(:room AS uuid) {OWNER}",
        why="one place of one member",
    ),
    row(
        "reservation-with-missing-slots",
        f"""WITH gone AS (DELETE FROM reserved_slots WHERE {owned_by("group")}
            AND start >= '2030-05-08' {OWNER})
        SELECT DISTINCT id, token FROM gone""",
        why="all places of one member",
    ),
    row(
        "reservation-with-missing-slots",
        f"""UPDATE reservations SET "end" = "end" + {HOUR} WHERE {whose("afternoon")}
        RETURNING id, token""",
        why="it lasts longer",
    ),
    row(
        "reservation-with-surplus-slots",
        slot("afternoon", f"{at(6)} {MASTER}", "2030-05-06 14:00") + OWNER,
        why="a step too many",
    ),
    row(
        "reservation-with-surplus-slots",
        slot("afternoon", f"{at(6)} {MIRRORS}", "2030-05-06 13:00") + OWNER,
        why="a place too many",
    ),
    row(
        "reservation-with-surplus-slots",
        slot("narrow", f"{at(15)} {MASTER}", "2030-05-15 06:00") + OWNER,
        why="an allocation that it is not about",
    ),
    row(
        "reservation-with-surplus-slots",
        slot("group", f"{at(15)} {MASTER}", "2030-05-15 06:00") + OWNER,
        why="an allocation outside of the group",
    ),
    row(
        "reservation-with-surplus-slots",
        f"UPDATE reservations SET quota = 1 WHERE {whose('pair')} RETURNING id, token",
        why="more places than its quota",
    ),
    row(
        "blocker-without-slots",
        f"""WITH gone AS (DELETE FROM reserved_slots WHERE {blocked_for("cleaning")}
            {OWNER})
        SELECT DISTINCT id, token FROM gone""",
        why="all gone",
    ),
    row(
        "blocker-on-some-places",
        f"DELETE FROM reserved_slots WHERE {blocked_for('closed')} "
        f"AND resource <> CAST(:room AS uuid) {OWNER}",
        why="the mirror is free",
    ),
    row(
        "blocker-on-some-places",
        f"DELETE FROM reserved_slots WHERE {blocked_for('cleaning')} "
        "AND resource = CAST(:room AS uuid) AND start = '2030-05-06 10:15' "
        f"{OWNER}",
        why="a step is free",
    ),
    row(
        "blocker-on-some-places",
        f"UPDATE allocations SET quota = 3 WHERE {at(10)}",
        f"SELECT id, token FROM reservation_blockers WHERE {named('closed')}",
        why="a place was added later",
    ),
    row(
        "blocker-on-some-places",
        f"DELETE FROM reserved_slots WHERE {blocked_for('away')} "
        f"AND start >= '2030-05-18' {OWNER}",
        why="a member of the group is free",
    ),
    row(
        "blocker-with-surplus-slots",
        f"""UPDATE reservation_blockers SET start = start + interval '15 minutes'
        WHERE {named("cleaning")} RETURNING id, token""",
        why="it begins later",
    ),
    row(
        "group-without-members",
        f"UPDATE reservations SET target = {RAN} WHERE {whose('waiting-group')} "
        "RETURNING 'reservations' AS \"table\", id",
        why="pending",
    ),
    row(
        "group-without-members",
        f"UPDATE reservations SET target = {RAN} WHERE {whose('group')} "
        "RETURNING 'reservations' AS \"table\", id",
        why="approved",
    ),
    row(
        "group-without-members",
        f"UPDATE reservation_blockers SET target = {RAN} WHERE {named('away')} "
        "RETURNING 'reservation_blockers' AS \"table\", id",
        why="blocked",
    ),
    row(
        "reservation-without-allocation",
        f"DELETE FROM allocations WHERE {at(11)}",
        f"SELECT id FROM reservations WHERE {whose('waiting')}",
        why="its allocation is gone",
    ),
    row(
        "expired-session",
        f"UPDATE reservations SET created = created - {HOUR} WHERE {whose('waiting')} "
        "RETURNING session_id",
        mended=True,
        notice=True,
        why="nobody came back",
    ),
    row(
        "overlapping-masters",
        f"""UPDATE allocations SET _end = _end + interval '1 day' WHERE {at(15)}""",
        f"""SELECT id, (SELECT id FROM allocations WHERE {at(15)}) AS overlapped
        FROM allocations WHERE {at(16)}""",
        why="one reaches into the next",
    ),
    row(
        "mirror-without-master",
        mirror(12, f"_start + {HOUR}"),
        mended=True,
        why="there is no allocation then",
    ),
    row(
        "mirror-without-master",
        f"DELETE FROM allocations WHERE {at(12)} {MASTER}",
        f"SELECT id FROM allocations WHERE {at(12)}",
        mended=True,
        why="its master is gone",
    ),
    row(
        "mirror-without-master",
        mirror(12, f"_start - {HOUR}"),
        slot("narrow", at(12, 5), "2030-05-12 05:00"),
        """UPDATE reserved_slots SET "end" = '2030-05-12 07:59:59.999999'
        WHERE start = '2030-05-12 05:00' RETURNING allocation_id AS id""",
        why="and it holds a slot",
    ),
    row(
        "mirror-beyond-quota",
        f"UPDATE allocations SET quota = 2 WHERE {at(12)}",
        f"SELECT id FROM allocations WHERE {at(12)} AND resource = CAST(:last AS uuid)",
        mended=True,
        why="the quota is lower",
    ),
    row(
        "mirror-beyond-quota",
        mirror(12),
        mended=True,
        why="its resource is nobody's",
    ),
    row(
        "mirror-beyond-quota",
        f"UPDATE allocations SET quota = 1 WHERE {at(7)} OR {at(8)}",
        f"SELECT id FROM allocations WHERE ({at(7)} OR {at(8)}) {MIRRORS}",
        why="and it holds a slot",
    ),
    row(
        "mirror-unlike-master",
        f"UPDATE allocations SET _end = _end + {HOUR} WHERE {at(12)} {MIRRORS} "
        "RETURNING id",
        mended=True,
        why="it ends later",
    ),
    row(
        "mirror-unlike-master",
        f"UPDATE allocations SET _raster = 30, partly_available = true "
        f"WHERE {at(12)} {MIRRORS} RETURNING id",
        mended=True,
        why="it is divided in another way",
    ),
    row(
        "mirror-unlike-master",
        f'UPDATE allocations SET "group" = {RAN}, timezone = NULL '
        f"WHERE {at(6)} {MIRRORS} RETURNING id",
        mended=True,
        why="its slots do not depend on it",
    ),
    row(
        "mirror-unlike-master",
        f"UPDATE allocations SET _end = _end + {HOUR} WHERE {at(6)} {MIRRORS} "
        "RETURNING id",
        why="and it holds slots",
    ),
    row(
        "mirror-with-old-terms",
        f"UPDATE allocations SET quota_limit = 2 WHERE {at(12)} {MASTER}",
        f"SELECT id FROM allocations WHERE {at(12)} {MIRRORS}",
        mended=True,
        notice=True,
        why="the master's have changed",
    ),
    row(
        "group-with-differing-terms",
        f"UPDATE allocations SET quota = 2 WHERE {at(13)} "
        'RETURNING resource, "group", ARRAY[2, 1] AS quotas',
        why="quota",
    ),
    row(
        "group-with-differing-terms",
        f"UPDATE allocations SET quota_limit = 2 WHERE {at(14)} "
        'RETURNING resource, "group", ARRAY[0, 2] AS quota_limits',
        why="limit",
    ),
    row(
        "group-with-differing-terms",
        f"UPDATE allocations SET approve_manually = true WHERE {at(13)} "
        'RETURNING resource, "group"',
        why="approval",
    ),
    row(
        "allocation-off-raster",
        f"UPDATE allocations SET _start = _start + interval '5 minutes' "
        f"WHERE {at(15)} RETURNING id",
        why="begins within a step",
    ),
    row(
        "allocation-off-raster",
        f"UPDATE allocations SET _end = _end + interval '1 microsecond' "
        f"WHERE {at(15)} RETURNING id",
        why="its end is not one microsecond short",
    ),
    row(
        "invalid-span",
        f"UPDATE allocations SET _end = _start - {HOUR} WHERE {at(15)} "
        "RETURNING 'allocations' AS \"table\", id",
        why="an allocation that ends before it starts",
    ),
    row(
        "invalid-span",
        f"""UPDATE reservations SET "end" = start WHERE {whose("waiting")}
        RETURNING 'reservations' AS "table", id""",
        why="a reservation that ends when it starts",
    ),
    row(
        "invalid-span",
        f"""UPDATE reservation_blockers SET start = NULL WHERE {named("closed")}
        RETURNING 'reservation_blockers' AS "table", id""",
        why="a blocker without start",
    ),
    row(
        "invalid-raster",
        f"UPDATE allocations SET _raster = 0 WHERE {at(15)} RETURNING id",
        why="that none can be divided by",
    ),
    row(
        "invalid-raster",
        f"UPDATE allocations SET _raster = 7 WHERE {at(9)} RETURNING id",
        why="of an allocation that is reserved",
    ),
    row(
        "invalid-quota",
        f"UPDATE allocations SET quota = 0 WHERE {at(15)} RETURNING id",
        why="of an allocation",
    ),
    row(
        "invalid-quota",
        f"UPDATE allocations SET quota_limit = -1 WHERE {at(15)} RETURNING id",
        why="a limit",
    ),
    row(
        "invalid-quota",
        f"UPDATE reservations SET quota = 0 WHERE {whose('waiting')} RETURNING id",
        why="of a reservation",
    ),
    row(
        "unknown-timezone",
        f"UPDATE allocations SET timezone = 'Mars/Base' WHERE {at(15)} "
        "RETURNING 'allocations' AS \"table\", id, timezone",
        why="of an allocation",
    ),
    row(
        "unknown-timezone",
        f"UPDATE reservations SET timezone = 'Berlin' WHERE {whose('waiting')} "
        "RETURNING 'reservations' AS \"table\", id, timezone",
        why="of a reservation",
    ),
]


def comparable(rows, names):
    """Some columns of rows, as texts, in a fixed order."""
    return sorted(
        [str(each[name]).replace("+00:00", "") for name in names] for each in rows
    )


@pytest.mark.parametrize(("check", "statements", "mended", "notice"), DAMAGES)
def test_damage(room, check, statements, mended, notice):
    """One damage is one finding, which names its rows; once mended there is none."""
    expected = do(room, *statements)
    (finding,) = audit(room.session, notices=True)
    assert finding.check == check
    assert comparable(finding.rows, expected[0]) == comparable(expected, expected[0])
    assert finding.repairable is mended
    assert finding.level == ("notice" if notice else "error")
    assert audit(room.session) == ([] if notice else [finding])

    repaired = repair(room.session, [finding])
    assert repaired == ([finding] if mended else [])
    assert audit(room.session, notices=True) == ([] if mended else [finding])
    assert repair(room.session, [finding]) == []


def test_every_check_is_tested():
    """There is a damage for each check, and a mender for those that say so."""
    assert {damage.values[0] for damage in DAMAGES} == {each.name for each in CHECKS}
    assert {each.name for each in CHECKS if each.mended} == set(MENDERS)


class TestClean:
    def test_everything(self, room):
        """What the library writes is in order."""
        assert audit(room.session, notices=True) == []

    def test_reserved_more_than_once(self, room):
        """What is approved, removed and blocked again is in order."""
        token = room.reservations_by_token(
            room.reserve(mail("again"), hours(6, 15.1, 15.6))
        )
        room.approve_reservations(token.one().token)
        room.remove_reservation(token.one().token)
        room.add_blocker(hours(12, 8, 10))
        assert audit(room.session, notices=True) == []

    def test_changes(self, room):
        """Reservations, blockers and allocations that are moved are in order."""
        (afternoon,) = room.managed_reservations().filter_by(email=mail("afternoon"))
        key = afternoon.token, afternoon.id
        room.change_reservation(*key, *hours(6, 16, 17), quota=3)
        (cleaning,) = room.managed_blockers().filter_by(reason="cleaning")
        room.change_blocker(cleaning.token, cleaning.id, *hours(6, 13, 14.5))
        master = room.allocation_by_date(*room_utc(room, hours(6, 8, 18)))
        room.move_allocation(master.id, *hours(6, 9, 20), data={"moved": True})
        empty = room.allocation_by_date(*room_utc(room, hours(15, 8, 10)))
        room.move_allocation(empty.id, *hours(15, 12, 14), new_quota=5)
        assert audit(room.session, notices=True) == []

    def test_gaps(self, room):
        """Places that move when the quota is lowered are in order."""
        (pair,) = room.managed_reservations().filter_by(email=mail("pair"))
        (cleaning,) = room.managed_blockers().filter_by(reason="cleaning")
        room.remove_reservation(pair.token)
        room.remove_blocker(cleaning.token)
        master = room.allocation_by_date(*room_utc(room, hours(6, 8, 18)))
        room.change_quota(master, 2)
        assert audit(room.session, notices=True) == []

    def test_another_raster(self, room):
        """A reservation beside the raster holds the steps that it touches."""
        room.allocate(hours(20, 8, 10), partly_available=True, raster=30)
        room.book(mail("beside"), hours(20, 8.3, 9.2))
        assert room.managed_reserved_slots().filter_by(source_type="reservation")
        assert audit(room.session, notices=True) == []

    @pytest.mark.parametrize("timezone", ["Asia/Kathmandu", "Australia/Lord_Howe"])
    def test_zones(self, room, timezone):
        """Zones whose hours begin at odd minutes are in order."""
        other = Scheduler(room.context, timezone, timezone)
        other.allocate(hours(20, 8, 10), partly_available=True, raster=60)
        other.allocate(hours(21, 8, 10), raster=60)
        other.book(mail("hour"), hours(20, 8, 9))
        other.book(mail("whole"), hours(21, 8, 10))
        assert audit(room.session, notices=True) == []


class TestMovedGroups:
    """What a later move explains is a notice."""

    def test_joined(self, room):
        """A member that came later is not held, and may have other terms."""
        lonely = room.allocation_by_date(*room_utc(room, hours(15, 8, 10)))
        (group,) = room.managed_reservations().filter_by(email=mail("group"))
        room.move_allocation(lonely.id, group=group.target)
        assert audit(room.session) == []
        found = {each.check: each.rows for each in audit(room.session, notices=True)}
        [missing] = found.pop("reservation-with-missing-slots")
        assert (missing["id"], missing["allocation_id"]) == (group.id, lonely.id)
        assert set(found) == {"group-with-differing-terms"}

    def test_left(self, room):
        """A member that has left is held all the same."""
        member = room.allocation_by_date(*room_utc(room, hours(7, 8, 10)))
        room.move_allocation(member.id, group=uuid4())
        assert audit(room.session) == []
        (finding,) = audit(room.session, notices=True)
        assert finding.check == "reservation-with-surplus-slots"
        assert finding.rows[0]["allocation_id"] == member.id

    def test_joined_by_what_is_reserved(self, room):
        """The last member takes its reservation along into a group of others."""
        group = room.allocate([hours(20, 8, 9), hours(21, 8, 9)], grouped=True)[0].group
        (booked,) = room.book(mail("both"), group=group)
        members = room.allocations_by_group(group).all()
        others = room.allocate([hours(22, 8, 9), hours(23, 8, 9)], grouped=True)
        for member in members:
            room.move_allocation(member.id, group=others[0].group)
        assert audit(room.session) == []
        (finding,) = audit(room.session, notices=True)
        missing = {(row["id"], row["allocation_id"]) for row in finding.rows}
        assert missing == {(booked.id, other.id) for other in others}

    def test_no_excuse(self, room):
        """That a member has moved does not explain that another place is free."""
        member = room.allocation_by_date(*room_utc(room, hours(7, 8, 10)))
        room.move_allocation(member.id, *hours(7, 8, 10), data={"a": 1})
        do(
            room,
            f"DELETE FROM reserved_slots WHERE {owned_by('group')} AND start = "
            "'2030-05-07 06:00' AND resource = CAST(:room AS uuid) RETURNING start",
        )
        (finding,) = audit(room.session)
        assert finding.check == "reservation-with-missing-slots"


def room_utc(room, dates):
    """The dates in UTC, as queries take them."""
    return tuple(to_utc(date, room.timezone) for date in dates)


class TestRepair:
    def test_only_what_was_found(self, room):
        """What has come later is left for the next time."""
        orphan = slot("afternoon", at(6), "2030-05-06 15:00", key=RAN, source="0")
        do(room, orphan + KEY)
        findings = audit(room.session)
        do(room, orphan.replace("15:00", "15:15") + KEY)
        (mended,) = repair(room.session, findings)
        assert len(mended.rows) == 1
        (left,) = audit(room.session)
        assert left.rows[0]["start"].minute == 15

    def test_only_what_is_still_wrong(self, room):
        """What somebody else has mended is not touched."""
        do(room, f"UPDATE allocations SET quota = 2 WHERE {at(12)}", SELECT_ONE)
        findings = audit(room.session)
        do(room, f"UPDATE allocations SET quota = 3 WHERE {at(12)}", SELECT_ONE)
        assert repair(room.session, findings) == []

    def test_several_at_once(self, room):
        """All that can be mended is, and the rest is left."""
        orphan = slot("afternoon", at(6), "2030-05-06 15:00", key=RAN, source="0")
        lost = f"DELETE FROM reserved_slots WHERE {owned_by('narrow')} {OWNER}"
        do(room, orphan + KEY, lost)
        assert len(repair(room.session, audit(room.session))) == 1
        (left,) = audit(room.session)
        assert left.check == "reservation-without-slots"

    def test_nothing_decided(self, room):
        """Of slots without owner only those are deleted that nobody may miss."""
        orphan = slot("afternoon", at(6), "2030-05-06 15:00", key=RAN, source="0")
        unclear = f"UPDATE reserved_slots SET source_id = 0 WHERE {owned_by('narrow')}"
        do(room, orphan + KEY, unclear + KEY)
        findings = audit(room.session)
        assert [each.repairable for each in findings] == [False, True]
        (mended,) = repair(room.session, findings)
        assert len(mended.rows) == 1
        assert [each.repairable for each in audit(room.session)] == [False]


SELECT_ONE = "SELECT 1 AS one"


class TestScope:
    def test_resources(self, room):
        """Only the resources that are named are looked at, with their mirrors."""
        do(room, f"DELETE FROM reserved_slots WHERE {owned_by('narrow')} {OWNER}")
        do(
            room,
            f"UPDATE reserved_slots SET source_id = 0 WHERE resource = "
            f"CAST(:last AS uuid) AND {owned_by('single')} {KEY}",
        )
        beside = Scheduler(room.context, "beside", "UTC").resource
        assert len(audit(room.session, [room.resource])) == 2
        assert len(audit(room.session, [str(room.resource), beside])) == 2
        assert audit(room.session, [beside]) == []
        assert audit(room.session, []) == []

    def test_statements(self, room):
        """However much there is, and however much is wrong, they are as many."""
        with counted(room.session) as clean:
            audit(room.session)
        do(room, f"UPDATE reserved_slots SET source_id = 0 {KEY}")
        with counted(room.session) as damaged:
            audit(room.session)
        assert len(clean) == len(damaged) == 12

    def test_progress(self, room):
        """What is looked at is told before."""
        told = []
        audit(room.session, progress=told.append)
        assert told[0] == "slots and allocations"
        assert len(told) == len(set(told)) == 11

    def test_without_a_commit(self, room):
        """What the session has not even flushed is seen."""
        master = room.managed_allocations().filter_by(quota=1).first()
        master.quota = 0
        (finding,) = audit(room.session)
        assert finding.check == "invalid-quota"

    def test_huge_quota(self, room):
        """Mirrors are named only as far as there are some."""
        (master,) = room.allocate(hours(20, 8, 10), quota=2**31 - 1)
        room.book(mail("some"), hours(20, 8, 10), quota=100)
        assert audit(room.session, [room.resource]) == []
        mirror_of_nobody = mirror(20)
        expected = do(room, mirror_of_nobody)
        (finding,) = audit(room.session)
        assert [each["id"] for each in finding.rows] == [
            each["id"] for each in expected
        ]
        assert finding.rows[0]["master_id"] == master.id

    def test_no_tables(self, room):
        """Without one of the oldest tables there is nothing to look at."""
        do(room, "ALTER TABLE reserved_slots RENAME TO gone", SELECT_ONE)
        with pytest.raises(MissingTablesError, match="libres db upgrade"):
            audit(room.session)
