"""Writes what an upgrade would do as a script of SQL, without a database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from libres.db.migrations import VERSION_TABLE
from libres.db.migrations.revisions import all_revisions, head, steps_of
from libres.db.operations.setting_up import SETTING_UP

if TYPE_CHECKING:
    from alembic.script import Script

    from libres.db.migrations.steps import Step

QUOTE: Final = "$libres$"

BEGIN: Final = f"""\
BEGIN;
SELECT pg_advisory_xact_lock({SETTING_UP});
"""

VERSIONS: Final = f"""\
CREATE TABLE IF NOT EXISTS {VERSION_TABLE} (
    version_num varchar(32) NOT NULL,
    CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num)
);
"""


def script() -> str:
    """Return the script. Each step looks for itself, so it fits any database."""
    return "\n".join(_parts())


def _parts() -> Iterator[str]:
    yield f"-- Brings the tables of libres to revision {head()}, from any other.\n"
    yield BEGIN
    yield VERSIONS
    yield _refusal()
    for revision in all_revisions():
        yield _title(revision)
        yield from (_block(step) for step in steps_of(revision))
    yield f"DELETE FROM {VERSION_TABLE};"
    yield f"INSERT INTO {VERSION_TABLE} (version_num) VALUES ('{head()}');\n"
    yield "COMMIT;"


def _refusal() -> str:
    """Stop where a newer library has been."""
    known = ", ".join(f"'{each.revision}'" for each in all_revisions())
    newer = f"EXISTS (SELECT FROM {VERSION_TABLE} WHERE version_num NOT IN ({known}))"
    message = "This database was upgraded by a newer libres."
    return _do(f"IF {newer} THEN\n    RAISE EXCEPTION '{message}';\nEND IF;")


def _title(revision: Script) -> str:
    return f"-- Revision {revision.revision}: {revision.doc}\n"


def _block(step: Step) -> str:
    statements = "\n".join(f"    {sql.strip()};" for sql in step.sql)
    return f"-- {step.says}\n" + _do(
        f"IF NOT {step.unless} THEN\n{statements}\nEND IF;"
    )


def _do(body: str) -> str:
    return f"DO {QUOTE} BEGIN\n{body}\nEND {QUOTE};\n"
