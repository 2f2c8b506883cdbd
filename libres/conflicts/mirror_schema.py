"""What mirrors the core in the database: functions and triggers, as SQL.

A record is a reservation or a blocker. Whatever a statement changes of it, its claims
are made anew of its slots, at the end of that statement; so nothing can be forgotten.
"""

from __future__ import annotations

from typing import Final

from libres.conflicts.locking import MOST_LOCKS, in_turn, is_locked
from libres.conflicts.models import is_of

RESERVATIONS: Final = "libres.Reservation"
BLOCKERS: Final = "libres.Blocker"

SESSION_LIFETIME: Final = "15 minutes"
"""When the core takes a session for expired."""

COLUMNS: Final = (
    "source",
    "source_id",
    "part",
    "resource",
    "during",
    "exclusive",
    "capacity",
    "places",
    "tentative",
    "expires",
    "label",
)
"""What is mirrored of a record."""

MIRRORED: Final = f"""\
CREATE OR REPLACE FUNCTION conflict_mirrored(
    reservation_ids bigint[], blocker_ids bigint[], with_pending boolean
) RETURNS TABLE (
    source text, source_id text, part bigint, resource text, during tstzrange,
    exclusive boolean, capacity integer, places integer, tentative boolean,
    expires timestamptz, label text
) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN RETURN QUERY
WITH slots AS (
    SELECT '{RESERVATIONS}' AS source, source_id, allocation_id, start, "end"
    FROM reserved_slots
    WHERE source_type = 'reservation' AND source_id = ANY (reservation_ids)
    UNION ALL
    SELECT '{BLOCKERS}', source_id, allocation_id, start, "end"
    FROM reserved_slots
    WHERE source_type = 'blocker' AND source_id = ANY (blocker_ids)
),
-- How many places does a record have, from when to when?
places AS (
    SELECT slots.source, slots.source_id, master.resource, master.quota,
        slots.start, slots."end" + interval '1 microsecond' AS "end",
        count(*) AS places
    FROM slots JOIN allocations AS place ON place.id = slots.allocation_id
    JOIN allocations AS master
    ON master.resource = place.mirror_of AND master._start = place._start
    GROUP BY 1, 2, 3, 4, 5, 6
),
marked AS (
    SELECT *, start IS DISTINCT FROM lag("end") OVER neighbours AS begins
    FROM places
    WINDOW neighbours AS (
        PARTITION BY source, source_id, resource, quota, places ORDER BY start
    )
),
numbered AS (
    SELECT *, count(*) FILTER (WHERE begins) OVER neighbours AS stretch
    FROM marked
    WINDOW neighbours AS (
        PARTITION BY source, source_id, resource, quota, places ORDER BY start
    )
),
approved AS (
    SELECT source, source_id, resource, quota, places, false AS tentative,
        min(start) AS start, max("end") AS "end", NULL::timestamptz AS expires
    FROM numbered
    GROUP BY source, source_id, resource, quota, places, stretch
),
waiting AS (
    SELECT id, resource, target, target_type, quota, start, "end",
        CASE WHEN session_id IS NOT NULL THEN
            (coalesce(modified, created) + interval '{SESSION_LIFETIME}')
                AT TIME ZONE 'UTC'
        END AS expires
    FROM reservations
    WHERE with_pending AND status = 'pending' AND id = ANY (reservation_ids)
),
pending AS (
    SELECT '{RESERVATIONS}', id::bigint, resource, 0, quota::bigint, true,
        start, "end" + interval '1 microsecond', expires
    FROM waiting WHERE target_type = 'allocation'
    UNION ALL
    SELECT '{RESERVATIONS}', waiting.id, waiting.resource, 0, waiting.quota, true,
        member._start, member._end + interval '1 microsecond', expires
    FROM waiting JOIN allocations AS member
    ON member."group" = waiting.target AND member.resource = member.mirror_of
    WHERE waiting.target_type = 'group'
),
stretches AS (SELECT * FROM approved UNION ALL SELECT * FROM pending)
SELECT
    stretches.source,
    stretches.source_id::text,
    row_number() OVER (
        PARTITION BY stretches.source, stretches.source_id
        ORDER BY tentative, stretches.start, stretches.resource, stretches.places
    ) - 1,
    stretches.resource::text,
    tstzrange(stretches.start AT TIME ZONE 'UTC', stretches."end" AT TIME ZONE 'UTC'),
    NOT tentative,
    CASE WHEN stretches.quota > 1
        THEN greatest(stretches.quota, stretches.places)::integer END,
    CASE WHEN stretches.quota > 1 THEN stretches.places::integer ELSE 1 END,
    tentative,
    stretches.expires,
    coalesce(reservation.email, blocker.reason)::text
FROM stretches
LEFT JOIN reservations AS reservation
ON stretches.source = '{RESERVATIONS}' AND reservation.id = stretches.source_id
LEFT JOIN reservation_blockers AS blocker
ON stretches.source = '{BLOCKERS}' AND blocker.id = stretches.source_id;
END $$"""
"""What are the claims of these reservations and blockers? A row for each stretch of
time with the same number of places; ends are stored one microsecond short there."""

RESERVED: Final = r"""
CREATE OR REPLACE FUNCTION conflict_reserved(
    asked_context text, asked text, first timestamptz, last timestamptz
) RETURNS TABLE (
    source text, source_id text, part bigint, resource text, during tstzrange,
    exclusive boolean, capacity integer, places integer, tentative boolean,
    expires timestamptz, label text
) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    reservation_ids bigint[];
    blocker_ids bigint[];
    since timestamp := coalesce(first AT TIME ZONE 'UTC', '-infinity');
    until timestamp := coalesce(last AT TIME ZONE 'UTC', 'infinity');
BEGIN
    IF asked !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    OR EXISTS (SELECT FROM conflict_mirrors WHERE context = asked_context) THEN
        RETURN;
    END IF;
    SELECT
        array_agg(DISTINCT slot.source_id) FILTER (WHERE source_type = 'reservation'),
        array_agg(DISTINCT slot.source_id) FILTER (WHERE source_type = 'blocker')
    INTO reservation_ids, blocker_ids
    FROM allocations AS place
    JOIN reserved_slots AS slot ON slot.allocation_id = place.id
    WHERE place.mirror_of = asked::uuid AND place._start < until AND place._end >= since
    AND slot.start < until AND slot."end" >= since;
    RETURN QUERY SELECT mirrored.*
    FROM conflict_mirrored(reservation_ids, blocker_ids, false) AS mirrored
    WHERE mirrored.resource = lower(asked)
    AND mirrored.during && tstzrange(first, last);
END $$"""
"""What has the scheduler given away of a resource, unless it is mirrored? As it reads
the tables of the core, it can be made before them, but not called."""

FEW: Final = f"""\
coalesce(cardinality(reservation_ids), 0) + coalesce(cardinality(blocker_ids), 0)
        <= {MOST_LOCKS}"""

MIRRORED_IN_TURN: Final = in_turn(
    "conflict_mirrored(reservation_ids, blocker_ids, mirror.pending) AS mirrored",
    "mirror.context",
    "resource",
    "lower(during)",
    FEW,
)

FOLLOW: Final = f"""\
CREATE OR REPLACE FUNCTION conflict_mirror(
    reservation_ids bigint[], blocker_ids bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    mirror record;
BEGIN
    SELECT * INTO mirror FROM conflict_mirrors;
    IF NOT FOUND OR (reservation_ids IS NULL AND blocker_ids IS NULL) THEN
        RETURN;
    END IF;
    DELETE FROM conflict_claims AS claim
    USING (
        SELECT '{RESERVATIONS}' AS source, unnest(reservation_ids)::text AS source_id
        UNION ALL SELECT '{BLOCKERS}', unnest(blocker_ids)::text
    ) AS record
    WHERE claim.context = mirror.context AND claim.source = record.source
    AND claim.source_id = record.source_id;
    DELETE FROM conflict_claims AS claim
    USING conflict_mirrored(reservation_ids, blocker_ids, false) AS mirrored
    WHERE {is_of("claim", "mirror.context", "mirrored.resource")}
    AND claim.during && mirrored.during AND claim.expires <= statement_timestamp();
    INSERT INTO conflict_claims (context, {", ".join(COLUMNS)})
    SELECT mirror.context, {", ".join(COLUMNS)}
    FROM {MIRRORED_IN_TURN} AS ordered
    WHERE {is_locked("ordered.place", FEW)};
END $$"""
"""Makes the claims of some records anew."""


def _function(name: str, body: str) -> str:
    return f"""\
CREATE OR REPLACE FUNCTION conflict_mirror_{name}() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    reservation_ids bigint[];
    blocker_ids bigint[];
BEGIN
{body}
    RETURN NULL;
END $$"""


def _slots_of(table: str) -> str:
    return f"""\
    SELECT array_agg(DISTINCT source_id) FILTER (WHERE source_type = 'reservation'),
        array_agg(DISTINCT source_id) FILTER (WHERE source_type = 'blocker')
    INTO reservation_ids, blocker_ids FROM {table};
    PERFORM conflict_mirror(reservation_ids, blocker_ids);"""


BOTH: Final = "(SELECT * FROM gone UNION ALL SELECT * FROM fresh) AS slots"

RECORDS: Final = """\
    SELECT array_agg(DISTINCT id) INTO reservation_ids FROM ({changed}) AS changed;
    PERFORM conflict_mirror(reservation_ids, NULL);"""

SLOTS_GONE: Final = f"""\
    DELETE FROM conflict_claims USING conflict_mirrors AS mirror
    WHERE conflict_claims.context = mirror.context
    AND source IN ('{RESERVATIONS}', '{BLOCKERS}') AND exclusive;"""

RESERVATIONS_GONE: Final = f"""\
    DELETE FROM conflict_claims USING conflict_mirrors AS mirror
    WHERE conflict_claims.context = mirror.context
    AND source = '{RESERVATIONS}' AND conflict_claims.tentative;"""

ALLOCATIONS_CHANGED: Final = """\
    IF NOT EXISTS (
        SELECT FROM gone JOIN fresh USING (id)
        WHERE (gone.quota, gone.mirror_of, gone."group", gone._start, gone._end)
        IS DISTINCT FROM
        (fresh.quota, fresh.mirror_of, fresh."group", fresh._start, fresh._end)
    ) THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(DISTINCT source_id) FILTER (WHERE source_type = 'reservation'),
        array_agg(DISTINCT source_id) FILTER (WHERE source_type = 'blocker')
    INTO reservation_ids, blocker_ids
    FROM (
        SELECT source_type::text, source_id
        FROM fresh JOIN allocations AS place
        ON place.mirror_of = fresh.mirror_of AND place._start = fresh._start
        JOIN reserved_slots ON reserved_slots.allocation_id = place.id
        UNION ALL
        SELECT 'reservation', reservations.id FROM reservations
        WHERE status = 'pending' AND target_type = 'group' AND target IN (
            SELECT "group" FROM gone UNION SELECT "group" FROM fresh
        )
    ) AS records;
    PERFORM conflict_mirror(reservation_ids, blocker_ids);"""

RESERVATIONS_CHANGED: Final = """\
SELECT id FROM fresh LEFT JOIN gone USING (id)
        WHERE (
            gone.status, gone.email, gone.start, gone."end", gone.quota, gone.resource,
            gone.target, gone.session_id
        ) IS DISTINCT FROM (
            fresh.status, fresh.email, fresh.start, fresh."end", fresh.quota,
            fresh.resource, fresh.target, fresh.session_id
        )
        OR (fresh.status = 'pending' AND fresh.session_id IS NOT NULL)
        UNION SELECT gone.id FROM gone LEFT JOIN fresh USING (id)
        WHERE fresh.id IS NULL"""

FUNCTIONS: Final = {
    "slots_inserted": _slots_of("fresh"),
    "slots_updated": _slots_of(BOTH),
    "slots_deleted": _slots_of("gone"),
    "slots_gone": SLOTS_GONE,
    "reservations_inserted": RECORDS.format(
        changed="SELECT id FROM fresh WHERE status = 'pending'"
    ),
    "reservations_updated": RECORDS.format(changed=RESERVATIONS_CHANGED),
    "reservations_deleted": RECORDS.format(
        changed="SELECT id FROM gone WHERE status = 'pending'"
    ),
    "reservations_gone": RESERVATIONS_GONE,
    "allocations_updated": ALLOCATIONS_CHANGED,
}

NEW: Final = "REFERENCING NEW TABLE AS fresh"
OLD: Final = "REFERENCING OLD TABLE AS gone"
BOTH_TABLES: Final = "REFERENCING OLD TABLE AS gone NEW TABLE AS fresh"

WATCHED: Final = (
    ("reserved_slots", "INSERT", NEW, "slots_inserted"),
    ("reserved_slots", "UPDATE", BOTH_TABLES, "slots_updated"),
    ("reserved_slots", "DELETE", OLD, "slots_deleted"),
    ("reserved_slots", "TRUNCATE", "", "slots_gone"),
    ("reservations", "INSERT", NEW, "reservations_inserted"),
    ("reservations", "UPDATE", BOTH_TABLES, "reservations_updated"),
    ("reservations", "DELETE", OLD, "reservations_deleted"),
    ("reservations", "TRUNCATE", "", "reservations_gone"),
    ("allocations", "UPDATE", BOTH_TABLES, "allocations_updated"),
)
"""Table, event, what the trigger reads, and the function it calls."""


def _trigger(table: str, event: str, reads: str, function: str) -> str:
    return f"""\
CREATE OR REPLACE TRIGGER conflict_mirror_{function}
AFTER {event} ON {table} {reads}
FOR EACH STATEMENT EXECUTE FUNCTION conflict_mirror_{function}()"""


READING: Final = (MIRRORED, RESERVED)

CREATING: Final = (
    FOLLOW,
    *(_function(name, body) for name, body in FUNCTIONS.items()),
    *(_trigger(*watched) for watched in WATCHED),
)

DROPPING: Final = tuple(
    f"DROP TRIGGER IF EXISTS conflict_mirror_{function} ON {table}"
    for table, _event, _reads, function in WATCHED
)
