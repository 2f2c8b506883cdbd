"""The statements that feeds are made of; what varies comes in parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ARRAY, Boolean, Integer, Text, bindparam, column, text

from libres.db.models.types import UUID, UTCDateTime

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, TextualSelect

_COLUMNS: Final = (
    column("id", Integer),
    column("token", UUID),
    column("resource", UUID),
    column("start", UTCDateTime),
    column("end", UTCDateTime),
    column("timezone", Text),
    column("status", Text),
    column("sequence", Integer),
    column("modified", UTCDateTime),
    column("email", Text),
    column("title", Text),
    column("quota", Integer),
    column("is_group", Boolean),
)

_OF_RESOURCES: Final = "resource = ANY (:resources)"
_OF_PERSON: Final = "resource = ANY (:resources) AND lower(email) = lower(:email)"

_EVENTS: Final = """\
WITH wishes AS NOT MATERIALIZED (
    SELECT id, token, resource, target, target_type, start, "end", timezone, status,
        greatest(created, modified) AS modified, email, quota,
        CASE WHEN :details AND jsonb_typeof(data -> 'title') = 'string'
            THEN left(data ->> 'title', 200) END AS title
    FROM reservations
    WHERE {whom} AND (status = 'approved' OR session_id IS NULL)
),
spans AS (
    SELECT wishes.*, start AS starts, "end" AS ends
    FROM wishes
    WHERE target_type = 'allocation' AND start < :until AND "end" >= :since
    UNION ALL
    SELECT wishes.*, member._start, member._end
    FROM wishes JOIN allocations AS member
    ON member."group" = wishes.target AND member.resource = member.mirror_of
    WHERE target_type = 'group' AND member._start < :until AND member._end >= :since
),
shown AS (
    SELECT id, spans.token, spans.resource, spans.starts, spans.ends, spans.timezone,
        status::text, coalesce(entry.sequence, 0) AS sequence,
        greatest(spans.modified, entry.modified) AS modified,
        spans.email, title, quota, target_type = 'group' AS is_group
    FROM spans LEFT JOIN web_feed_entries AS entry USING (id)
    UNION ALL
    SELECT id, token, resource, starts, ends, timezone, 'cancelled', sequence,
        modified, email, NULL, 1, is_group
    FROM (
        SELECT id, token, resource, unnest(starts) AS starts, unnest(ends) AS ends,
            timezone, sequence, modified, email, is_group
        FROM web_feed_entries AS entry
        WHERE {whom} AND modified > :kept
        AND NOT EXISTS (SELECT FROM reservations WHERE reservations.id = entry.id)
    ) AS removed
    WHERE starts < :until AND ends >= :since
)
SELECT id, token, resource, starts AS start, ends AS "end", timezone, status, sequence,
    modified, email, title, quota, is_group
FROM shown
ORDER BY abs(extract(epoch FROM starts - :now)), starts, id
LIMIT :most"""

_TAKEN: Final = """\
WITH slots AS (
    SELECT slot.start, slot."end"
    FROM allocations AS place
    JOIN allocations AS master
    ON master.resource = place.mirror_of AND master._start = place._start
    JOIN reserved_slots AS slot ON slot.allocation_id = place.id
    WHERE place.mirror_of = :resource
    AND place._start < :until AND place._end >= :since
    AND slot.start < :until AND slot."end" >= :since
    GROUP BY slot.start, slot."end", master.quota
    HAVING count(*) >= master.quota
    UNION ALL
    SELECT slot.start, slot."end"
    FROM allocations AS place JOIN reserved_slots AS slot
    ON slot.allocation_id = place.id
    WHERE place.mirror_of = ANY (:blocking)
    AND place._start < :until AND place._end >= :since
    AND slot.start < :until AND slot."end" >= :since
)
SELECT lower(span) AS start, upper(span) AS "end"
FROM (
    SELECT unnest(range_agg(
        tsrange(slots.start, slots."end" + interval '1 microsecond')
    )) AS span
    FROM slots
) AS joined
ORDER BY span"""

_MOMENTS: Final[tuple[BindParameter[Any], ...]] = tuple(
    bindparam(name, type_=UTCDateTime()) for name in ("since", "until")
)
_UUIDS: Final = ARRAY(UUID())

_READING: Final[tuple[BindParameter[Any], ...]] = (
    *_MOMENTS,
    bindparam("now", type_=UTCDateTime()),
    bindparam("kept", type_=UTCDateTime()),
    bindparam("resources", type_=_UUIDS),
)


def _events(whom: str) -> TextualSelect:
    query = text(_EVENTS.format(whom=whom))
    return query.bindparams(*_READING).columns(*_COLUMNS)


OF_RESOURCES: Final = _events(_OF_RESOURCES)
"""What is reserved, or was until lately, of some resources; those nearest to now."""

OF_PERSON: Final = _events(_OF_PERSON)
"""The same by one person."""

TAKEN: Final = (
    text(_TAKEN)
    .bindparams(
        *_MOMENTS,
        bindparam("resource", type_=UUID()),
        bindparam("blocking", type_=_UUIDS),
    )
    .columns(column("start", UTCDateTime), column("end", UTCDateTime))
)
"""When has a resource no place left, be it reserved or blocked?"""

FORGET: Final = text("""\
DELETE FROM web_feed_entries AS entry
WHERE modified <= :before
AND NOT EXISTS (SELECT FROM reservations WHERE reservations.id = entry.id)
""").bindparams(bindparam("before", type_=UTCDateTime()))
"""Forget what was removed before a moment; of what still stands the number is kept."""
