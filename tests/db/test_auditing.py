"""What the auditor finds in a database where exactly one thing is wrong."""

# ruff: noqa: DTZ001 - naive times are in the zone of the scheduler
# ruff: noqa: S608 - the statements are made of constants

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from libres.context.registry import create_default_registry
from libres.db.auditing import CHECKS, audit, repair
from libres.db.auditing.repairing import MENDERS
from libres.db.scheduler import Scheduler
from libres.domain.places import mirror_resources

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


def test_clean(room):
    """What the library writes is in order."""
    assert audit(room.session, notices=True) == []
