"""Fills a database with claims, and with the tables they are compared to."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

from libres.conflicts import schema

HOURS: Final = 500
"""Of each resource, from the first day of 2025."""

SEPARATE: Final = """\
CREATE TABLE separate (
    id bigint PRIMARY KEY, resource text NOT NULL, during tstzrange NOT NULL
)"""

UNGUARDED: Final = """\
CREATE TABLE unguarded (
    LIKE conflict_claims INCLUDING ALL EXCLUDING INDEXES,
    PRIMARY KEY (id), UNIQUE (context, source, source_id, part)
)"""


def fill(connection: Connection, claims: int, busy: int) -> None:
    """Make *claims* of one hour, on resources that are *busy* percent of the time."""
    schema.create_missing(connection)
    resources = resources_of(claims, busy)
    connection.execute(
        text("""\
INSERT INTO conflict_claims (context, source, source_id, resource, during)
SELECT 'bench', 'bench.Booking', number::text, 'room ' || number % :resources,
    tstzrange(start, start + interval '1 hour')
FROM (
    SELECT number, timestamptz '2025-01-01 00:00+00'
        + (number / :resources * 100 / :busy) * interval '1 hour' AS start
    FROM generate_series(0, :claims - 1) AS number
) AS bookings ORDER BY hashint4(number)"""),
        {"claims": claims, "resources": resources, "busy": busy},
    )
    connection.execute(text(SEPARATE))
    connection.execute(
        text("INSERT INTO separate SELECT id, resource, during FROM conflict_claims")
    )
    connection.execute(text("CREATE INDEX ON separate (resource)"))
    connection.execute(text("CREATE INDEX ON separate USING gist (during)"))


def resources_of(claims: int, busy: int) -> int:
    """Return how many resources it takes, each open for HOURS."""
    return max(claims * 100 // (HOURS * busy), 1)
