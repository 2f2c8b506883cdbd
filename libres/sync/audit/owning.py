"""Lets a role of its own own what was noted, so that the application only adds to it.

Who owns a table can switch its triggers off, and drop it; so the role as which the
application connects must own neither the tables nor their schema. Partitions are made
by their owner then: ahead of time, in a job of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, text

from libres.modules.errors import insist
from libres.sync.capture.triggers import DIALECT
from libres.sync.feed import erasing, guarding

if TYPE_CHECKING:
    from sqlalchemy import Connection

TABLES: Final = (guarding.CHANGES, guarding.SIGNATURES, guarding.ERASURES)

FUNCTIONS: Final = (
    *(
        "FUNCTION audit_link(bytea, bytea, bytea)",
        "AGGREGATE audit_chain(bytea, bytea)",
    ),
    *("FUNCTION audit_blanked(jsonb, text[])", "FUNCTION audit_guard_changes()"),
    *("FUNCTION audit_guard_rows()", "FUNCTION audit_guard_table()"),
    f"FUNCTION {erasing.NAME}",
)

ROLES: Final = text("""\
SELECT coalesce(bool_or(rolname = :role AND rolsuper), false) AS is_super,
    coalesce(bool_or(
        rolname = :role AND EXISTS (
            SELECT FROM pg_roles AS other
            WHERE other.rolname = :owner
                AND pg_has_role(pg_roles.oid, other.oid, 'MEMBER')
        )
    ), false) AS is_member
FROM pg_roles
""").bindparams(bindparam("role"), bindparam("owner"))

SCHEMA: Final = text("""\
SELECT quote_ident(nspname) AS name, coalesce(
    (
        SELECT pg_has_role(pg_roles.oid, nspowner, 'USAGE') FROM pg_roles
        WHERE rolname = :role
    ), false
) AS is_theirs
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE pg_class.oid = to_regclass('sync_changes')
""").bindparams(bindparam("role"))


def protect(connection: Connection, owner: str, role: str) -> list[str]:
    """Return the statements, in their order, for a superuser or who is both roles.

    Raises Misuse if *role* could do all that *owner* can, or is a superuser.
    """
    insist(owner != role, "The owner has to be another role than the application's.")
    rights = connection.execute(ROLES, {"role": role, "owner": owner}).one()
    insist(not rights.is_super, f"{role} is a superuser: nothing would be refused.")
    insist(not rights.is_member, f"{role} is a member of {owner}, and can do the same.")
    return [
        *_of_schema(connection, owner, role),
        *_of_tables(connection, _quoted(owner), _quoted(role)),
        *_of_functions(_quoted(owner), _quoted(role)),
    ]


def _of_schema(connection: Connection, owner: str, role: str) -> Iterator[str]:
    """Who owns a schema can drop all that is in it."""
    schema = connection.execute(SCHEMA, {"role": role}).one()
    yield f"GRANT USAGE, CREATE ON SCHEMA {schema.name} TO {_quoted(owner)}"
    if schema.is_theirs:
        yield f"ALTER SCHEMA {schema.name} OWNER TO {_quoted(owner)}"
        yield f"GRANT USAGE, CREATE ON SCHEMA {schema.name} TO {_quoted(role)}"


def _of_tables(connection: Connection, owner: str, role: str) -> Iterator[str]:
    for name in (*TABLES, *guarding.partitions_of(connection)):
        yield f"ALTER TABLE {name} OWNER TO {owner}"
        yield f"REVOKE ALL ON {name} FROM PUBLIC, {role}"
    for name in TABLES:
        yield f"GRANT SELECT, INSERT ON {name} TO {role}"
    # Erasures are noted as well, and what is dropped is told to the feed.
    yield f"GRANT SELECT, INSERT ON sync_pending TO {owner}"
    yield f"GRANT SELECT, UPDATE ON sync_feeds TO {owner}"


def _of_functions(owner: str, role: str) -> Iterator[str]:
    for name in FUNCTIONS:
        yield f"ALTER {name} OWNER TO {owner}"
    yield f"REVOKE ALL ON FUNCTION {erasing.NAME} FROM PUBLIC"
    yield f"GRANT EXECUTE ON FUNCTION {erasing.NAME} TO {role}"


def _quoted(role: str) -> str:
    return str(DIALECT.identifier_preparer.quote(role))
