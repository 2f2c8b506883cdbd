"""What keeps the entries of feeds: functions and triggers, as SQL.

They write when a reservation is changed or removed, and not when it is made: what was
never changed needs no entry. So a booking costs nothing.
"""

from __future__ import annotations

from typing import Final

CLOCK: Final = """\
CREATE OR REPLACE FUNCTION web_feed_now() RETURNS timestamp LANGUAGE sql
RETURN clock_timestamp() AT TIME ZONE 'UTC'"""

SHOWN: Final = "({0}.status = 'approved' OR {0}.session_id IS NULL)"
"""What lies in a cart is no wish yet."""

STARTS: Final = """\
CASE WHEN gone.target_type = 'group' THEN members.starts ELSE ARRAY[gone.start] END"""

ENDS: Final = """\
CASE WHEN gone.target_type = 'group' THEN members.ends ELSE ARRAY[gone."end"] END"""

MEMBERS: Final = """\
LEFT JOIN LATERAL (
        SELECT array_agg(_start ORDER BY _start) AS starts,
            array_agg(_end ORDER BY _start) AS ends
        FROM allocations WHERE "group" = gone.target AND resource = mirror_of
    ) AS members ON gone.target_type = 'group'"""

COLUMNS: Final = """\
id, token, resource, email, timezone, is_group, starts, ends,
        sequence, modified, changed_in"""


def _entered(record: str, starts: str, ends: str, among: str) -> str:
    """Write which records get an entry, or another number in the one they have."""
    return f"""\
    INSERT INTO web_feed_entries AS entry ({COLUMNS})
    SELECT {record}.id, {record}.token, {record}.resource, {record}.email,
        {record}.timezone, {record}.target_type = 'group', {starts}, {ends},
        1, web_feed_now(), pg_current_xact_id()::text
    FROM {among}
    ON CONFLICT (id) DO UPDATE SET
        token = excluded.token, resource = excluded.resource,
        email = excluded.email, timezone = excluded.timezone,
        is_group = excluded.is_group,
        starts = excluded.starts, ends = excluded.ends,
        sequence = entry.sequence
            + (entry.changed_in <> excluded.changed_in)::integer,
        modified = excluded.modified, changed_in = excluded.changed_in;"""  # noqa: S608 - of constants of ours


UPDATED: Final = _entered(
    "fresh",
    "'{}'",
    "'{}'",
    f"""\
fresh JOIN gone USING (id)
    WHERE (gone.status, gone.start, gone."end", gone.quota, gone.resource)
    IS DISTINCT FROM
    (fresh.status, fresh.start, fresh."end", fresh.quota, fresh.resource)
    AND {SHOWN.format("fresh")}""",
)

DELETED: Final = _entered(
    "gone",
    f"coalesce({STARTS}, '{{}}')",
    f"coalesce({ENDS}, '{{}}')",
    f"gone {MEMBERS} WHERE {SHOWN.format('gone')}",
)


def _function(name: str, body: str) -> str:
    return f"""\
CREATE OR REPLACE FUNCTION web_feed_{name}() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
{body}
    RETURN NULL;
END $$"""


def _trigger(event: str, reads: str, name: str) -> str:
    return f"""\
CREATE OR REPLACE TRIGGER web_feed_{name}
AFTER {event} ON reservations REFERENCING {reads}
FOR EACH STATEMENT EXECUTE FUNCTION web_feed_{name}()"""


INDEX: Final = """\
CREATE INDEX IF NOT EXISTS ix_web_feed_reservations_email
ON reservations (lower(email))"""
"""What has a person reserved, however the e-mail was typed?"""

CREATING: Final = (
    INDEX,
    CLOCK,
    _function("updated", UPDATED),
    _function("deleted", DELETED),
    _trigger("UPDATE", "OLD TABLE AS gone NEW TABLE AS fresh", "updated"),
    _trigger("DELETE", "OLD TABLE AS gone", "deleted"),
)
