"""Writes the SQL of the hash chain: what a change commits to, and how changes follow.

Each field of a change has a salt of its own; the change commits to SHA-256 of salt,
name and values. Its entry is SHA-256 of everything else that is noted, and of these
commitments; the digest of the chain is SHA-256 of the digest before and the entry. So
a value can be erased together with its salt, and nobody can tell what it was; the chain
does not notice, as it has never known values.

Numbering and verifying use the same words of SQL, and what they make is text of jsonb,
which is the same in all versions of PostgreSQL.
"""

from __future__ import annotations

from typing import Final

BYTES: Final = 32
"""Of a digest, and of a commitment."""

FUNCTIONS: Final = (
    """\
CREATE OR REPLACE FUNCTION audit_link(state bytea, before bytea, entry bytea)
RETURNS bytea LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN sha256(coalesce(state, before) || entry);
END $$""",
    """\
CREATE OR REPLACE AGGREGATE audit_chain(bytea, bytea)
(SFUNC = audit_link, STYPE = bytea)""",
)
"""The functions of the database: the digest up to each row, as a window."""

GENESIS: Final = "sha256(convert_to('libres.sync.audit/' || {context}, 'UTF8'))"
"""What the first change of a context follows upon."""

FIELDS: Final = """\
jsonb_object_keys(coalesce({row}.before, '{{}}') || coalesce({row}.after, '{{}}'))
    WITH ORDINALITY AS fields (field, number)"""
"""The names of the fields of both images, in the order of jsonb."""

COMMITMENT: Final = """\
sha256(convert_to({salt}::text
    || jsonb_build_array(field, {row}.before -> field, {row}.after -> field)::text,
    'UTF8'))"""
"""What is committed to, of a field."""

SALTED: Final = """\
SELECT array_agg(salt ORDER BY number) AS salts,
    string_agg({commitment}, ''::bytea ORDER BY number) AS commitments
FROM (
    SELECT field, number, gen_random_uuid() AS salt
    FROM {fields} OFFSET 0
) AS salted""".format(
    commitment=COMMITMENT.format(row="{row}", salt="salt"), fields=FIELDS
)
"""The salts of a new change, and its commitments."""

ENTRY_TEXT: Final = """\
jsonb_build_array(
    {row}.context, {row}.position, {row}.seq, {row}.xid, {row}.tx_end, {row}.relation,
    {row}.key, {row}.operation, {row}.tenant, {row}.tenant_before, {row}.actor,
    {row}.request, {row}.reason, extract(epoch FROM {row}.at),
    extract(epoch FROM {row}.numbered)
)::text"""
"""What is noted of a change, but for its values."""

ENTRY: Final = f"""\
sha256(convert_to({ENTRY_TEXT}, 'UTF8') || coalesce({{row}}.commitments, ''::bytea))"""
"""What a change adds to the chain."""
