"""The SQL of the audit: what must not be there, in one pass per statement.

Each statement gives rows with the name of a check in ``check``. Two columns are not
about the row itself: ``mendable``, whether nothing has to be decided, and ``excused``,
whether something that was done later explains it. A row is told by the most basic
check that it fails, and by no other one of the same statement.

``resources`` is NULL, or an array of the resources to look at.
"""

from __future__ import annotations

from typing import Final

COLUMNS: Final = """
SELECT attrelid::regclass::text AS "table", attname AS "column"
FROM pg_attribute
WHERE attnum > 0 AND NOT attisdropped AND attrelid IN (
    to_regclass('allocations'), to_regclass('reserved_slots'),
    to_regclass('reservations'), to_regclass('reservation_blockers'))
"""

SLOTS: Final = """
SELECT CASE
        WHEN a.id IS NULL THEN 'slot-without-allocation'
        WHEN s.resource <> a.resource THEN 'slot-on-another-resource'
        WHEN s.start < a._start OR s."end" > a._end THEN 'slot-outside-allocation'
        ELSE 'slot-off-raster'
    END AS "check",
    s.resource, s.start, s."end", s.allocation_id, s.source_type, s.source_id,
    s.reservation_token
FROM reserved_slots AS s
LEFT JOIN allocations AS a ON a.id = s.allocation_id
WHERE (CAST(:resources AS uuid[]) IS NULL
        OR s.resource = ANY(CAST(:resources AS uuid[]))
        OR a.mirror_of = ANY(CAST(:resources AS uuid[])))
    AND (a.id IS NULL
        OR s.resource <> a.resource
        OR s.start < a._start
        OR s."end" > a._end
        OR CASE
            WHEN NOT a.partly_available THEN s.start <> a._start OR s."end" <> a._end
            WHEN a._raster IN (5, 10, 15, 30, 60) THEN
                s.start <> date_bin(make_interval(mins => greatest(a._raster, 1)),
                    s.start, timestamp '2000-01-01')
                OR s."end" <> s.start + make_interval(mins => a._raster)
                    - interval '1 microsecond'
        END)
ORDER BY s.resource, s.start
"""

OWNERS: Final = """
SELECT CASE
        WHEN r.status = 'pending' THEN 'slot-of-pending-reservation'
        ELSE 'slot-without-owner'
    END AS "check",
    s.resource, s.start, s."end", s.allocation_id, s.source_type, s.source_id,
    s.reservation_token,
    r.id IS NULL
        AND NOT EXISTS (SELECT FROM reservations AS o
            WHERE o.token = s.reservation_token)
        AND NOT EXISTS (SELECT FROM reservation_blockers AS o
            WHERE o.token = s.reservation_token)
        AND NOT EXISTS (SELECT FROM reservations AS o
            WHERE s.source_type = 'reservation' AND o.id = s.source_id)
        AND NOT EXISTS (SELECT FROM reservation_blockers AS o
            WHERE s.source_type = 'blocker' AND o.id = s.source_id)
    AS mendable
FROM reserved_slots AS s
LEFT JOIN allocations AS a ON a.id = s.allocation_id
LEFT JOIN reservations AS r ON s.source_type = 'reservation'
    AND r.id = s.source_id AND r.token = s.reservation_token
LEFT JOIN reservation_blockers AS b ON s.source_type = 'blocker'
    AND b.id = s.source_id AND b.token = s.reservation_token
WHERE (CAST(:resources AS uuid[]) IS NULL
        OR s.resource = ANY(CAST(:resources AS uuid[]))
        OR a.mirror_of = ANY(CAST(:resources AS uuid[])))
    AND ((r.id IS NULL AND b.id IS NULL) OR r.status = 'pending')
ORDER BY s.resource, s.start
"""

HOLDINGS: Final = """
WITH owners AS (
    -- Who should hold something, and how many places? NULL: every one.
    SELECT CAST('reservation' AS text) AS kind, id, token, resource, target,
        CAST(target_type AS text) AS target_type, start, "end", quota, created
    FROM reservations WHERE status = 'approved'
    UNION ALL
    SELECT 'blocker', id, token, resource, target, CAST(target_type AS text),
        start, "end", NULL, created
    FROM reservation_blockers
), places AS (
    -- What does an owner hold of one place?
    SELECT CAST(source_type AS text) AS kind, source_id, reservation_token AS token,
        allocation_id, count(*) AS slots, min(start) AS first, max(start) AS last
    FROM reserved_slots
    GROUP BY source_type, source_id, reservation_token, allocation_id
), unclear AS (
    -- Whose slots are of an unknown owner, and so perhaps of one of these?
    SELECT DISTINCT kind, source_id, token FROM places AS h
    WHERE NOT EXISTS (SELECT FROM owners AS o WHERE o.kind = h.kind
        AND o.id = h.source_id AND o.token = h.token)
), told AS (
    -- Unknown owners, invalid times, and groups without members are told elsewhere.
    SELECT * FROM owners AS o
    WHERE (CAST(:resources AS uuid[]) IS NULL
            OR o.resource = ANY(CAST(:resources AS uuid[])))
        AND CASE
            WHEN o.target_type = 'allocation' THEN o.start < o."end"
            ELSE EXISTS (SELECT FROM allocations AS m WHERE m."group" = o.target
                AND m.mirror_of = o.resource AND m.resource = m.mirror_of)
        END
        AND NOT EXISTS (SELECT FROM unclear AS u WHERE u.token = o.token)
        AND NOT EXISTS (SELECT FROM unclear AS u WHERE u.kind = o.kind
            AND u.source_id = o.id)
), masters AS (
    SELECT id, resource, "group", quota, partly_available, _start, _end, modified,
        make_interval(mins => _raster) AS step
    FROM allocations
    WHERE resource = mirror_of AND _raster IN (5, 10, 15, 30, 60) AND _end > _start
), held AS (
    -- And what should it hold there?
    SELECT o.kind, o.id, o.token, o.target_type, o.created, m.id AS master,
        m.modified, m.partly_available, m."group" <> o.target AS is_stranger,
        coalesce(o.quota, m.quota) AS quota, h.slots, h.first, h.last,
        CASE WHEN o.target_type = 'group'
            THEN m.resource = o.resource AND m."group" = o.target
            ELSE m.resource = o.resource
                AND m._start <= o."end" AND m._end >= o.start
        END AS is_target,
        CASE WHEN m.partly_available AND o.target_type = 'allocation'
            THEN greatest(m._start,
                date_bin(m.step, o.start, timestamp '2000-01-01'))
            ELSE m._start
        END AS wanted_first,
        CASE WHEN NOT m.partly_available THEN m._start
            WHEN o.target_type = 'allocation' THEN date_bin(m.step,
                least(m._end, date_trunc('minute', o."end") - interval '1 microsecond'),
                timestamp '2000-01-01')
            ELSE m._end + interval '1 microsecond' - m.step
        END AS wanted_last,
        m.step
    FROM places AS h
    JOIN told AS o ON o.kind = h.kind AND o.id = h.source_id
        AND o.token = h.token
    JOIN allocations AS p ON p.id = h.allocation_id
    JOIN masters AS m ON m.resource = p.mirror_of AND m._start = p._start
), judged AS (
    SELECT *,
        is_target AND slots > extract(epoch FROM wanted_last - wanted_first)
                / extract(epoch FROM step)
            AND first <= wanted_first AND last >= wanted_last AS is_full,
        NOT is_target OR first < wanted_first OR last > wanted_last AS is_beyond
    FROM held
), counted AS (
    SELECT kind, id, token, master, quota,
        count(*) AS places, count(*) FILTER (WHERE is_full) AS full_places,
        bool_or(is_beyond) AS is_beyond, bool_and(is_target) AS is_target,
        bool_or(target_type = 'group' AND modified >= created
            AND (is_stranger OR partly_available)) AS is_moved
    FROM judged
    GROUP BY kind, id, token, master, quota
)
SELECT CASE kind WHEN 'reservation' THEN 'reservation-with-missing-slots'
        ELSE 'blocker-on-some-places' END AS "check",
    id, token, master AS allocation_id, quota AS wanted_places,
    full_places AS held_places, is_moved AND places = quota AS excused
FROM counted WHERE is_target AND full_places < quota
UNION ALL
SELECT CASE kind WHEN 'reservation' THEN 'reservation-with-surplus-slots'
        ELSE 'blocker-with-surplus-slots' END,
    id, token, master, CASE WHEN is_target THEN quota ELSE 0 END, places,
    is_moved AND (places <= quota OR NOT is_target)
FROM counted WHERE is_beyond OR places > quota
UNION ALL
SELECT CASE kind WHEN 'reservation' THEN 'reservation-without-slots'
        ELSE 'blocker-without-slots' END,
    id, token, NULL, quota, 0, false
FROM told AS o
WHERE NOT EXISTS (SELECT FROM places AS h WHERE h.kind = o.kind
    AND h.source_id = o.id AND h.token = o.token)
UNION ALL
-- Which members of a group does an owner not hold at all, although it holds others?
SELECT CASE kind WHEN 'reservation' THEN 'reservation-with-missing-slots'
        ELSE 'blocker-on-some-places' END,
    o.id, o.token, m.id, coalesce(o.quota, m.quota), 0,
    EXISTS (SELECT FROM masters AS c WHERE c."group" = o.target
        AND c.resource = o.resource AND c.modified >= o.created)
FROM told AS o
JOIN masters AS m ON m."group" = o.target AND m.resource = o.resource
WHERE o.target_type = 'group'
    AND EXISTS (SELECT FROM places AS h WHERE h.kind = o.kind
        AND h.source_id = o.id AND h.token = o.token)
    AND NOT EXISTS (SELECT FROM counted AS c WHERE c.kind = o.kind
        AND c.id = o.id AND c.master = m.id)
ORDER BY 1, 2, 4
"""

OVERLAPS: Final = """
SELECT 'overlapping-masters' AS "check", id, resource, start, "end",
    (SELECT min(o.id) FROM allocations AS o WHERE o.resource = later.resource
        AND o.resource = o.mirror_of AND o._start < later.start
        AND o._end >= later.start) AS overlapped
FROM (
    SELECT id, resource, _start AS start, _end AS "end", max(_end) OVER (
        PARTITION BY resource ORDER BY _start
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
    FROM allocations
    WHERE resource = mirror_of AND _end > _start
        AND (CAST(:resources AS uuid[]) IS NULL
            OR resource = ANY(CAST(:resources AS uuid[])))
) AS later
WHERE reached >= start
ORDER BY resource, start
"""

VALUES: Final = """
SELECT * FROM (
    SELECT CASE
            WHEN _end <= _start THEN 'invalid-span'
            WHEN _raster NOT IN (5, 10, 15, 30, 60) THEN 'invalid-raster'
            WHEN quota < 1 OR quota_limit < 0 THEN 'invalid-quota'
            WHEN date_bin(make_interval(mins => greatest(_raster, 1)), _start,
                    timestamp '2000-01-01') <> _start
                OR date_bin(make_interval(mins => greatest(_raster, 1)),
                    _end + interval '1 microsecond', timestamp '2000-01-01')
                    <> _end + interval '1 microsecond'
                THEN 'allocation-off-raster'
        END AS "check",
        'allocations' AS "table", id, resource, _start AS start, _end AS "end",
        quota, _raster AS raster
    FROM allocations WHERE resource = mirror_of
    UNION ALL
    SELECT CASE
            WHEN target_type = 'allocation' AND (start < "end") IS NOT TRUE
                THEN 'invalid-span'
            WHEN quota < 1 THEN 'invalid-quota'
        END,
        'reservations', id, resource, start, "end", quota, NULL
    FROM reservations
    UNION ALL
    SELECT CASE WHEN target_type = 'allocation' AND (start < "end") IS NOT TRUE
            THEN 'invalid-span' END,
        'reservation_blockers', id, resource, start, "end", NULL, NULL
    FROM reservation_blockers
) AS looked_at
WHERE "check" IS NOT NULL
    AND (CAST(:resources AS uuid[]) IS NULL
        OR resource = ANY(CAST(:resources AS uuid[])))
ORDER BY "table", id
"""

MIRRORS: Final = """
SELECT CASE
        WHEN m.id IS NULL THEN 'mirror-without-master'
        WHEN (p._end, p._raster, p.partly_available, p."group")
                <> (m._end, m._raster, m.partly_available, m."group")
            OR p.timezone IS DISTINCT FROM m.timezone THEN 'mirror-unlike-master'
        ELSE 'mirror-with-old-terms'
    END AS "check",
    p.id, p.resource, p.mirror_of, p._start AS start, p._end AS "end",
    m.id AS master_id,
    coalesce((p._end, p._raster, p.partly_available)
            = (m._end, m._raster, m.partly_available), false)
        OR NOT EXISTS (SELECT FROM reserved_slots AS s WHERE s.allocation_id = p.id)
    AS mendable
FROM allocations AS p
LEFT JOIN allocations AS m ON m.resource = p.mirror_of
    AND m.resource = m.mirror_of AND m._start = p._start
WHERE p.resource <> p.mirror_of
    AND (CAST(:resources AS uuid[]) IS NULL
        OR p.mirror_of = ANY(CAST(:resources AS uuid[])))
    AND (m.id IS NULL
        OR (p._end, p._raster, p.partly_available, p."group", p.quota, p.quota_limit,
                p.approve_manually)
            <> (m._end, m._raster, m.partly_available, m."group", m.quota,
                m.quota_limit, m.approve_manually)
        OR p.timezone IS DISTINCT FROM m.timezone)
ORDER BY p.mirror_of, p._start, p.id
"""

KEYS: Final = """
SELECT p.id, p.resource, p.mirror_of, p._start AS start, m.id AS master_id, m.quota
FROM allocations AS p
JOIN allocations AS m ON m.resource = p.mirror_of AND m.resource = m.mirror_of
    AND m._start = p._start
WHERE p.resource <> p.mirror_of
    AND (CAST(:resources AS uuid[]) IS NULL
        OR p.mirror_of = ANY(CAST(:resources AS uuid[])))
ORDER BY p.mirror_of, p._start, p.id
"""

OCCUPIED: Final = """
SELECT DISTINCT allocation_id FROM reserved_slots
WHERE allocation_id = ANY(CAST(:ids AS integer[]))
"""

GROUPS: Final = """
SELECT 'group-with-differing-terms' AS "check", resource, "group",
    array_agg(id ORDER BY _start) AS ids, array_agg(quota ORDER BY _start) AS quotas,
    array_agg(quota_limit ORDER BY _start) AS quota_limits,
    array_agg(approve_manually ORDER BY _start) AS approve_manually,
    bool_or(modified IS NOT NULL) AS excused
FROM allocations
WHERE resource = mirror_of
    AND (CAST(:resources AS uuid[]) IS NULL
        OR resource = ANY(CAST(:resources AS uuid[])))
GROUP BY resource, "group"
HAVING min(quota) <> max(quota) OR min(quota_limit) <> max(quota_limit)
    OR bool_and(approve_manually) <> bool_or(approve_manually)
ORDER BY resource, "group"
"""

TARGETS: Final = """
SELECT 'group-without-members' AS "check", 'reservations' AS "table", id, token,
    resource, target, start, "end"
FROM reservations AS r
WHERE target_type = 'group'
    AND (CAST(:resources AS uuid[]) IS NULL
        OR resource = ANY(CAST(:resources AS uuid[])))
    AND NOT EXISTS (SELECT FROM allocations AS m WHERE m."group" = r.target
        AND m.mirror_of = r.resource AND m.resource = m.mirror_of)
UNION ALL
SELECT 'group-without-members', 'reservation_blockers', id, token, resource, target,
    start, "end"
FROM reservation_blockers AS b
WHERE target_type = 'group'
    AND (CAST(:resources AS uuid[]) IS NULL
        OR resource = ANY(CAST(:resources AS uuid[])))
    AND NOT EXISTS (SELECT FROM allocations AS m WHERE m."group" = b.target
        AND m.mirror_of = b.resource AND m.resource = m.mirror_of)
UNION ALL
SELECT 'reservation-without-allocation', 'reservations', id, token, resource, target,
    start, "end"
FROM reservations AS r
WHERE target_type = 'allocation' AND status = 'pending' AND start < "end"
    AND (CAST(:resources AS uuid[]) IS NULL
        OR resource = ANY(CAST(:resources AS uuid[])))
    AND NOT EXISTS (SELECT FROM allocations AS m WHERE m."group" = r.target
        AND m.resource = r.resource AND m.mirror_of = r.resource
        AND m._start <= r."end" AND m._end >= r.start)
    AND NOT EXISTS (SELECT FROM allocations AS m WHERE m.resource = r.resource
        AND m.mirror_of = r.resource
        AND m._start <= r."end" AND m._end >= r.start)
ORDER BY 1, 2, 3
"""

SESSIONS: Final = """
SELECT 'expired-session' AS "check", session_id, array_agg(id ORDER BY id) AS ids,
    max(greatest(created, modified)) AS touched
FROM reservations
WHERE session_id IS NOT NULL AND status = 'pending'
GROUP BY session_id
HAVING max(greatest(created, modified)) < :expired
    AND (CAST(:resources AS uuid[]) IS NULL
        OR bool_or(resource = ANY(CAST(:resources AS uuid[]))))
ORDER BY session_id
"""

TIMEZONES: Final = """
SELECT timezone FROM allocations WHERE timezone IS NOT NULL
UNION SELECT timezone FROM reservations WHERE timezone IS NOT NULL
UNION SELECT timezone FROM reservation_blockers WHERE timezone IS NOT NULL
ORDER BY 1
"""

IN_TIMEZONES: Final = """
SELECT 'unknown-timezone' AS "check", * FROM (
    SELECT 'allocations' AS "table", id, resource, timezone FROM allocations
    WHERE resource = mirror_of
    UNION ALL SELECT 'reservations', id, resource, timezone FROM reservations
    UNION ALL SELECT 'reservation_blockers', id, resource, timezone
        FROM reservation_blockers
) AS looked_at
WHERE timezone = ANY(CAST(:names AS text[]))
    AND (CAST(:resources AS uuid[]) IS NULL
        OR resource = ANY(CAST(:resources AS uuid[])))
ORDER BY 2, 3
"""
