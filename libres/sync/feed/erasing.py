"""Writes the SQL of the one function that may erase: values, and their salts.

It runs with the rights of its owner, so that who calls it need not be able to change
anything of what was noted, and it notes itself who has called it, and why.
"""

from __future__ import annotations

from typing import Final

from libres.sync.feed import chain

NAME: Final = "audit_erase(text, text, text, text[], text)"
"""As PostgreSQL identifies it."""

ERASE: Final = """\
CREATE OR REPLACE FUNCTION audit_erase(
    of_context text, of_relation text, of_key text, names text[], because text
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {schema}, pg_temp SET libres.feed = 'all' AS $$
DECLARE
    erased bigint;
BEGIN
    IF coalesce(trim(because), '') = '' THEN
        RAISE EXCEPTION 'Say why values are to be erased.'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF of_relation = 'audit_erasures' THEN
        RAISE EXCEPTION 'What was erased, and why, stays.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (
        SELECT FROM sync_pending
        WHERE context = of_context AND relation = of_relation AND key = of_key
    ) THEN
        RAISE EXCEPTION 'Changes of this row have no number yet.'
            USING ERRCODE = 'serialization_failure',
            HINT = 'Begin another transaction, and do it again.';
    END IF;
    UPDATE sync_changes AS change SET
        before = audit_blanked(change.before, found.gone),
        after = audit_blanked(change.after, found.gone),
        salts = found.salts
    FROM (
        SELECT noted.position, noted.numbered,
            array_agg(field) FILTER (
                WHERE field = ANY (names) AND noted.salts[number] IS NOT NULL
            ) AS gone,
            array_agg(
                CASE WHEN field = ANY (names) THEN NULL ELSE noted.salts[number] END
                ORDER BY number
            ) AS salts
        FROM sync_changes AS noted CROSS JOIN LATERAL {fields}
        WHERE noted.context = of_context AND noted.relation = of_relation
            AND noted.key = of_key
        GROUP BY noted.position, noted.numbered
    ) AS found
    WHERE change.context = of_context AND change.position = found.position
        AND change.numbered = found.numbered AND found.gone IS NOT NULL;
    GET DIAGNOSTICS erased = ROW_COUNT;
    IF erased > 0 THEN
        INSERT INTO audit_erasures (
            context, relation, key, fields, position, count, actor, reason
        )
        SELECT of_context, of_relation, of_key, names, max(position), erased,
            coalesce(
                nullif(current_setting('libres.actor', true), ''),
                'database:' || session_user
            ), because
        FROM sync_changes
        WHERE context = of_context AND relation = of_relation AND key = of_key;
    END IF;
    RETURN erased;
END $$""".replace("{fields}", chain.FIELDS.format(row="noted"))

REVOKE: Final = f"REVOKE ALL ON FUNCTION {NAME} FROM PUBLIC"

FUNCTIONS: Final = (ERASE, REVOKE)
