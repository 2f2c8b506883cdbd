"""Writes the triggers that note changes, in the statement that makes them.

They are triggers for statements with transition tables: they see flushes, bulk
statements, COPY, cascades and raw SQL. TRUNCATE has no transition tables: before it,
all rows are noted as deleted. What they do not see is what switches triggers off:
``session_replication_role = replica``, and rows that come by logical replication.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sqlalchemy.dialects import postgresql

from libres.sync.registry import SyncModel

DIALECT: Final = postgresql.dialect(  # type: ignore[no-untyped-call]
    paramstyle="named"
)
"""Quotes names; those with percent signs as they are."""

EVENTS: Final = {
    "INSERT": "AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh",
    "UPDATE": "AFTER UPDATE ON {table} "
    "REFERENCING OLD TABLE AS gone NEW TABLE AS fresh",
    "DELETE": "AFTER DELETE ON {table} REFERENCING OLD TABLE AS gone",
    "TRUNCATE": "BEFORE TRUNCATE ON {table}",
}

PREFIX: Final = "libres_sync"

LONGEST: Final = 63
"""Bytes of a name in PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger, and the function it calls, of the same name."""

    table: str
    """As SQL names it."""

    name: str
    event: str
    body: str

    @property
    def creating(self) -> tuple[str, str]:
        """The statements that make function and trigger."""
        quotes = "$capture$"
        while quotes in self.body:
            quotes = f"{quotes[:-1]}_$"
        function = f"""\
CREATE OR REPLACE FUNCTION {self.name}() RETURNS trigger
LANGUAGE plpgsql AS {quotes}
BEGIN
{self.body}
    RETURN NULL;
END {quotes}"""
        trigger = f"""\
CREATE OR REPLACE TRIGGER {self.name}
{EVENTS[self.event].format(table=self.table)}
FOR EACH STATEMENT EXECUTE FUNCTION {self.name}()"""
        return function, trigger

    @property
    def dropping(self) -> str:
        """The statement that drops both."""
        return f"DROP FUNCTION IF EXISTS {self.name}() CASCADE"


@dataclass(frozen=True)
class Capture:
    """Notes the changes of a model for the feed of a context."""

    context: str
    model: SyncModel

    @cached_property
    def table(self) -> str:
        """The table as SQL names it."""
        return _PREPARER.format_table(self.model.table)

    @cached_property
    def triggers(self) -> tuple[Trigger, ...]:
        """The triggers of the table, one per event."""
        bodies = {
            "INSERT": _noted(self._row("fresh", "insert", after="to_jsonb(fresh)")),
            "UPDATE": _noted(self._updated()),
            "DELETE": _noted(self._row("gone", "delete", before="to_jsonb(gone)")),
            "TRUNCATE": _noted(
                self._row("gone", "delete", before="to_jsonb(gone)", table=self.table)
            ),
        }
        return tuple(
            Trigger(self.table, self._name(event), event, body)
            for event, body in bodies.items()
        )

    def moving(self, condition: str) -> str:
        """Return SQL that notes rows as ``:tenant`` has taken them from ``:before``.

        *condition* says which, with ``{row}`` for the row.
        """
        row, image = "moved", self._kept("to_jsonb(moved)")
        return _noted(f"""\
    SELECT {literal(self.context)}, {literal(self.model.relation)}, {self._key(row)},
        'update', {image}, {image}, CAST(:tenant AS text), CAST(:before AS text)
    FROM {self.table} AS {row} WHERE {condition.format(row=row)}""").rstrip(";")

    @property
    def digest(self) -> str:
        """What all of it is recognised by."""
        text = "\n".join(sql for each in self.triggers for sql in each.creating)
        return hashlib.sha256(text.encode()).hexdigest()

    def _name(self, event: str) -> str:
        """Name a trigger; unlike for each context, and never too long."""
        known = hashlib.sha256(
            f"{self.context}\0{self.model.relation}".encode()
        ).hexdigest()[:8]
        plain = "".join(
            each if each.isascii() and each.isalnum() else "_"
            for each in self.model.table.name.lower()
        )
        tail = f"_{known}_{event.lower()}"
        return f"{PREFIX}_{plain[: LONGEST - len(PREFIX) - len(tail) - 1]}{tail}"

    # Rows -----------------------------------------------------------------------------

    def _row(
        self,
        row: str,
        operation: str,
        *,
        before: str = "NULL::jsonb",
        after: str = "NULL::jsonb",
        table: str | None = None,
    ) -> str:
        source = row if table is None else f"{table} AS {row}"
        where = "" if self.model.noted is None else f"\n    WHERE {self._noted(row)}"
        return f"""\
    SELECT {literal(self.context)}, {literal(self.model.relation)}, {self._key(row)},
        '{operation}', {self._kept(before)}, {self._kept(after)},
        {self._tenant(row)}, NULL::text
    FROM {source}{where}"""

    def _updated(self) -> str:
        """Pair the rows by their keys. What changes its key was deleted, and is new;
        what is as it was is not noted."""
        same = " AND ".join(f"gone.{each} = fresh.{each}" for each in self._columns)
        first = self._columns[0]
        was, is_ = self._tenant("gone"), self._tenant("fresh")
        ours = "" if self.model.noted is None else self._ours()
        return f"""\
    SELECT {literal(self.context)}, {literal(self.model.relation)},
        CASE WHEN fresh.{first} IS NULL THEN {self._key("gone")}
            ELSE {self._key("fresh")} END,
        CASE WHEN fresh.{first} IS NULL THEN 'delete'
            WHEN gone.{first} IS NULL THEN 'insert' ELSE 'update' END,
        CASE WHEN gone.{first} IS NOT NULL THEN {self._kept("to_jsonb(gone)")} END,
        CASE WHEN fresh.{first} IS NOT NULL THEN {self._kept("to_jsonb(fresh)")} END,
        CASE WHEN fresh.{first} IS NULL THEN {was} ELSE {is_} END,
        CASE WHEN gone.{first} IS NOT NULL AND fresh.{first} IS NOT NULL
            THEN nullif({was}, {is_}) END
    FROM gone FULL JOIN fresh ON {same}
    WHERE (gone.{first} IS NULL OR fresh.{first} IS NULL
        OR {self._compared("gone")} IS DISTINCT FROM {self._compared("fresh")}){ours}"""

    def _ours(self) -> str:
        """Leave out what is noted elsewhere, be it before or after."""
        return f"\n        AND (({self._noted('gone')}) OR ({self._noted('fresh')}))"

    def _noted(self, row: str) -> str:
        assert self.model.noted is not None  # noqa: S101 - as who calls it has seen
        return self.model.noted.format(row=row, context=literal(self.context))

    @cached_property
    def _columns(self) -> list[str]:
        return [_quoted(each.column.name) for each in self.model.key]

    def _key(self, row: str) -> str:
        texts = [f"{row}.{each}::text" for each in self._columns]
        if len(texts) == 1:
            return texts[0]
        return f"jsonb_build_array({', '.join(texts)})::text"

    def _kept(self, image: str) -> str:
        """Leave out of an image what is secret, and what is ignored."""
        if image.startswith("NULL"):
            return image
        return _without(image, self.model.secret | self.model.ignored)

    def _compared(self, row: str) -> str:
        """Leave out of a row what is no change of it."""
        return _without(f"to_jsonb({row})", self.model.ignored)

    def _tenant(self, row: str) -> str:
        """Say whose a row is: of nobody, if nothing says so."""
        if self.model.shared:
            return "NULL::text"
        if self.model.tenant_sql is not None:
            context = literal(self.context)
            told = self.model.tenant_sql.format(row=row, context=context)
            return f"coalesce(({told}), '')"
        assert self.model.tenant is not None  # noqa: S101 - as registering has seen
        return f"coalesce({row}.{_quoted(self.model.tenant.name)}::text, '')"


def _noted(rows: str) -> str:
    return f"""\
    INSERT INTO sync_pending (
        xid, actor, request, reason,
        context, relation, key, operation, before, after, tenant, tenant_before
    )
    SELECT pg_current_xact_id()::text::bigint,
        coalesce(
            nullif(current_setting('libres.actor', true), ''),
            'database:' || session_user
        ),
        nullif(current_setting('libres.request', true), ''),
        nullif(current_setting('libres.reason', true), ''),
        noted.*
    FROM (
{rows}
    ) AS noted;"""


_PREPARER: Final = DIALECT.identifier_preparer


def _without(image: str, names: frozenset[str]) -> str:
    if not names:
        return image
    listed = ", ".join(literal(each) for each in sorted(names))
    return f"({image} - ARRAY[{listed}])"


def _quoted(name: str) -> str:
    return str(_PREPARER.quote(name))


def literal(value: str) -> str:
    """Write a text as SQL does."""
    return "'" + value.replace("'", "''") + "'"
