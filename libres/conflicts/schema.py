"""Creates in the database what tables alone cannot say: a type, functions, triggers.

All of it may be run again and again, and by several processes at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import DDL, Connection, event, func, select

from libres.conflicts import mirror_schema
from libres.conflicts.locking import MOST_LOCKS, in_turn, is_locked
from libres.conflicts.models import (
    CAPACITY,
    HASH,
    INHERITED,
    ConflictCapacity,
    ConflictClaim,
    ConflictMirror,
    ConflictResource,
    ConflictTracking,
    derived_part,
)
from libres.db.operations.setting_up import SETTING_UP

ddl: Callable[[str], DDL] = DDL

MODELS: Final = (
    ConflictClaim,
    ConflictCapacity,
    ConflictMirror,
    ConflictResource,
    ConflictTracking,
)

TEXT_SPAN: Final = """\
DO $$ BEGIN
    IF to_regtype('conflict_text_span') IS NULL THEN
        CREATE TYPE conflict_text_span AS RANGE (subtype = text, collation = "C");
    END IF;
END $$"""

HASHING: Final = f"""\
CREATE OR REPLACE FUNCTION conflict_hash(context text, resource text)
RETURNS int8range LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    {HASH}"""

COUNT_PLACES: Final = f"""\
CREATE OR REPLACE FUNCTION conflict_count_places() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    too_many record;
BEGIN
    IF NOT EXISTS (SELECT FROM fresh WHERE capacity IS NOT NULL AND exclusive) THEN
        RETURN NULL;
    END IF;
    INSERT INTO conflict_capacities (context, resource)
    SELECT DISTINCT context, resource FROM fresh
    WHERE capacity IS NOT NULL AND exclusive
    ORDER BY context, resource
    ON CONFLICT (context, resource)
    DO UPDATE SET counted = conflict_capacities.counted + 1;
    -- The fullest moment within a claim is its start, or the start of another one.
    SELECT fresh.hash, fresh.during, fresh.span, fresh.turn, fresh.capacity
    INTO too_many
    FROM fresh
    CROSS JOIN LATERAL (
        SELECT lower(other.during) AS at
        FROM conflict_claims AS other
        WHERE other.hash = fresh.hash AND other.during && fresh.during
        AND other.span && fresh.span
        AND other.context = fresh.context AND other.resource = fresh.resource
        AND other.capacity IS NOT NULL
        AND fresh.during @> lower(other.during)
        UNION SELECT lower(fresh.during)
    ) AS moments
    CROSS JOIN LATERAL (
        SELECT sum(other.places) AS places
        FROM conflict_claims AS other
        WHERE other.hash = fresh.hash AND other.during && fresh.during
        AND other.span && fresh.span
        AND other.context = fresh.context AND other.resource = fresh.resource
        AND other.capacity IS NOT NULL AND other.exclusive
        AND (other.expires IS NULL OR other.expires > statement_timestamp())
        AND CASE
            WHEN moments.at IS NULL THEN lower_inf(other.during)
            ELSE other.during @> moments.at
        END
    ) AS taken
    WHERE fresh.capacity IS NOT NULL AND fresh.exclusive
    AND taken.places > fresh.capacity
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'exclusion_violation',
            CONSTRAINT = '{CAPACITY}',
            TABLE = 'conflict_claims',
            MESSAGE = 'more places claimed than there are: ' || too_many.capacity,
            DETAIL = '=(' || concat_ws(
                ', ', too_many.hash, too_many.during, too_many.span, too_many.turn
            ) || ')';
    END IF;
    RETURN NULL;
END $$"""


CLAIM_PARTS: Final = f"""\
CREATE OR REPLACE FUNCTION conflict_claim_parts() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    few boolean;
BEGIN
    -- Triggers fire for statements without rows: these must not go on by themselves.
    IF TG_OP <> 'INSERT' THEN
        IF EXISTS (
            SELECT FROM gone CROSS JOIN LATERAL (
                SELECT FROM conflict_resources AS part
                WHERE part.context = gone.context AND part.parent = gone.resource
                OFFSET 0
            ) AS below
            WHERE gone.of_part IS NULL
        ) THEN
            DELETE FROM conflict_claims AS claim USING gone
            WHERE claim.context = gone.context AND claim.source = gone.source
            AND claim.source_id = gone.source_id AND claim.of_part = gone.part
            AND gone.of_part IS NULL;
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        IF EXISTS (
            SELECT FROM fresh CROSS JOIN LATERAL (
                SELECT FROM conflict_resources AS part
                WHERE part.context = fresh.context AND part.parent = fresh.resource
                OFFSET 0
            ) AS below
            WHERE fresh.of_part IS NULL
        ) THEN
            few := (SELECT count(*) <= {MOST_LOCKS} FROM fresh);
            WITH RECURSIVE tree AS (
                SELECT id, context, resource, false AS is_part FROM fresh
                WHERE of_part IS NULL
                UNION ALL
                SELECT tree.id, tree.context, below.resource, true
                FROM tree CROSS JOIN LATERAL (
                    SELECT resource FROM conflict_resources AS part
                    WHERE part.context = tree.context AND part.parent = tree.resource
                    OFFSET 0
                ) AS below
            )
            INSERT INTO conflict_claims (
                context, source, source_id, part, of_part, named, resource, modified,
                {", ".join(INHERITED)}
            )
            SELECT fresh.context, source, source_id,
                {derived_part("part", "tree.resource")}, part,
                fresh.resource, tree.resource, modified, {", ".join(INHERITED)}
            FROM {in_turn("tree", "context", "resource", "id", "few")} AS tree
            JOIN fresh USING (id)
            WHERE is_part AND {is_locked("tree.place", "few")};
        END IF;
    END IF;
    RETURN NULL;
END $$"""
"""Claims what a claimed resource consists of, and gives it back."""

TABLES: Final = {
    "INSERT": "NEW TABLE AS fresh",
    "UPDATE": "OLD TABLE AS gone NEW TABLE AS fresh",
    "DELETE": "OLD TABLE AS gone",
}


def _trigger(event_name: str, function: str) -> str:
    return f"""\
CREATE OR REPLACE TRIGGER {function}_on_{event_name.lower()}
AFTER {event_name} ON conflict_claims REFERENCING {TABLES[event_name]}
FOR EACH STATEMENT EXECUTE FUNCTION {function}()"""


NEEDED: Final = (TEXT_SPAN, HASHING)
"""What the table is made of."""

FUNCTIONS: Final = (
    *mirror_schema.READING,
    COUNT_PLACES,
    CLAIM_PARTS,
    _trigger("INSERT", "conflict_count_places"),
    _trigger("UPDATE", "conflict_count_places"),
    _trigger("INSERT", "conflict_claim_parts"),
    _trigger("UPDATE", "conflict_claim_parts"),
    _trigger("DELETE", "conflict_claim_parts"),
)


def create_missing(connection: Connection) -> None:
    """Create what is missing; processes that do so at the same moment wait in turn."""
    connection.execute(select(func.pg_advisory_xact_lock(SETTING_UP)))
    for statement in NEEDED:
        connection.execute(ddl(statement))
    tables: list[Any] = [model.__table__ for model in MODELS]
    ConflictClaim.metadata.create_all(connection, tables=tables)
    for statement in FUNCTIONS:
        connection.execute(ddl(statement))


def _attach() -> None:
    """Let whoever creates all tables of the base create the rest as well."""
    table: Any = ConflictClaim.__table__
    for statement in NEEDED:
        event.listen(table, "before_create", ddl(statement))
    for statement in FUNCTIONS:
        event.listen(table, "after_create", ddl(statement))


_attach()
