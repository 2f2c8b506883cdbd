"""What a device keeps in its SQLite file: rows, edits to be pushed, and its place.

What the server has is kept apart from what was edited here; who reads sees both, the
edits on top.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, Final
from uuid import uuid4

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rows (
    model TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
    fields TEXT NOT NULL, gone INTEGER NOT NULL DEFAULT 0,
    stale INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (model, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS edits (
    number INTEGER PRIMARY KEY AUTOINCREMENT, op_id TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL, id TEXT NOT NULL, op TEXT NOT NULL, version INTEGER,
    fields TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0, error TEXT
);
CREATE INDEX IF NOT EXISTS edits_of_row ON edits (model, id);
"""

TEMPORARY: Final = "tmp:"
"""Begins the ids of rows that the server has not numbered yet."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the device sees it: what the server has, and its own edits on top."""

    model: str
    id: Any
    fields: Mapping[str, Any]
    version: int
    """0: the server has not seen it yet."""

    pending: bool
    """It was edited here, and the server does not know."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What was edited here and not yet pushed, or refused."""

    number: int
    op_id: str
    model: str
    id: Any
    op: str
    version: int | None
    fields: Mapping[str, Any]
    sent: bool
    """The server may have it: it must be sent again as it is."""

    error: Mapping[str, Any] | None
    """Why the server refused it; None: it did not."""


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


_EDIT: Final = "number, op_id, model, id, op, version, fields, sent, error"


def _edit(row: tuple[Any, ...]) -> Edit:
    number, op_id, model, id_, op, version, fields, sent, error = row
    return Edit(
        *(number, op_id, model, json.loads(id_), op, version, json.loads(fields)),
        sent=bool(sent),
        error=None if error is None else json.loads(error),
    )


class Store:
    """The file of a device. Threads may share it; they take turns."""

    def __init__(self, path: str | Path) -> None:
        self._connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False
        )
        self._lock = RLock()
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write all of a block, or nothing of it; blocks may be nested."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._run("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._run("ROLLBACK")
                raise
            self._run("COMMIT")

    def _run(self, sql: str, *values: object) -> sqlite3.Cursor:
        with self._lock:
            return self._connection.execute(sql, values)

    # State ----------------------------------------------------------------------------

    def get(self, name: str) -> str | None:
        """Return what was kept under a name."""
        found = self._run("SELECT value FROM state WHERE name = ?", name).fetchone()
        return None if found is None else str(found[0])

    def set(self, name: str, value: str | None) -> None:
        """Keep something under a name; None: forget it."""
        if value is None:
            self._run("DELETE FROM state WHERE name = ?", name)
        else:
            self._run("INSERT OR REPLACE INTO state VALUES (?, ?)", name, value)

    # What the server has --------------------------------------------------------------

    def mark_stale(self, models: Iterable[str]) -> None:
        """Expect all rows of models anew; what does not come is gone."""
        for model in models:
            self._run("UPDATE rows SET stale = 1 WHERE model = ?", model)

    def put(
        self, model: str, id_: object, version: int, fields: Mapping[str, Any]
    ) -> None:
        """Keep a row of the server, unless a newer one is there already."""
        self._run(
            "INSERT INTO rows (model, id, version, fields) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (model, id) DO UPDATE SET version = excluded.version, "
            "fields = excluded.fields, gone = 0, stale = 0 "
            "WHERE rows.stale OR excluded.version >= rows.version",
            *(model, _json(id_), version, _json(fields)),
        )

    def drop(self, model: str, id_: object, version: int) -> None:
        """Forget a row, unless a newer one is there; older news of it are ignored."""
        self._run(
            "INSERT INTO rows (model, id, version, fields, gone) "
            "VALUES (?, ?, ?, '{}', 1) "
            "ON CONFLICT (model, id) DO UPDATE SET version = excluded.version, "
            "fields = '{}', gone = 1, stale = 0 "
            "WHERE rows.stale OR excluded.version >= rows.version",
            *(model, _json(id_), version),
        )

    def settle(self) -> None:
        """Forget what did not come anew, and what is gone for good: all is here."""
        self._run("DELETE FROM rows WHERE stale OR gone")

    # Reading --------------------------------------------------------------------------

    def rows(self, model: str) -> list[Row]:
        """Return the rows of a model, edits included, by their ids."""
        found: dict[str, Row] = {}
        for id_, version, fields in self._run(
            "SELECT id, version, fields FROM rows WHERE model = ? AND NOT gone", model
        ):
            known = json.loads(fields)
            found[id_] = Row(model, json.loads(id_), known, version, pending=False)
        for edit in self.edits():
            if edit.model == model:
                _overlay(found, edit)
        return [found[each] for each in sorted(found)]

    def counts(self) -> dict[str, int]:
        """Return how many rows of the server there are, by model."""
        sql = "SELECT model, count(*) FROM rows WHERE NOT gone GROUP BY 1 ORDER BY 1"
        return dict(self._run(sql).fetchall())

    def row(self, model: str, id_: object) -> Row | None:
        """Return a row, edits included; None: there is none."""
        kept = self._kept(model, id_)
        found = {} if kept is None else {_json(id_): kept}
        for edit in self._edits_of(model, id_):
            _overlay(found, edit)
        return found.get(_json(id_))

    def version(self, model: str, id_: object) -> int | None:
        """Return the version of the server's row; None: it has none."""
        kept = self._kept(model, id_)
        return None if kept is None else kept.version

    def _kept(self, model: str, id_: object) -> Row | None:
        """Return what the server has of a row; None: nothing."""
        found = self._run(
            "SELECT version, fields FROM rows WHERE model = ? AND id = ? AND NOT gone",
            *(model, _json(id_)),
        ).fetchone()
        if found is None:
            return None
        version, fields = found
        return Row(model, id_, json.loads(fields), version, pending=False)

    # Edits ----------------------------------------------------------------------------

    def edits(self, most: int = -1) -> list[Edit]:
        """Return what is to be pushed, the oldest first."""
        sql = f"SELECT {_EDIT} FROM edits WHERE error IS NULL ORDER BY number LIMIT ?"
        return [_edit(row) for row in self._run(sql, most)]

    def refused(self) -> list[Edit]:
        """Return what the server has refused, the oldest first."""
        sql = f"SELECT {_EDIT} FROM edits WHERE error IS NOT NULL ORDER BY number"
        return [_edit(row) for row in self._run(sql)]

    def _edit(self, number: int) -> Edit:
        sql = f"SELECT {_EDIT} FROM edits WHERE number = ?"
        return _edit(self._run(sql, number).fetchone())

    def _edits_of(self, model: str, id_: object) -> list[Edit]:
        sql = (
            f"SELECT {_EDIT} FROM edits WHERE model = ? AND id = ? "
            "AND error IS NULL ORDER BY number"
        )
        return [_edit(row) for row in self._run(sql, model, _json(id_))]

    def add_edit(
        self, op: str, model: str, id_: object, fields: Mapping[str, Any]
    ) -> None:
        """Note an edit; what was edited before and not sent yet becomes one with it."""
        before = [each for each in self._edits_of(model, id_) if not each.sent]
        last = before[-1] if before else None
        if last is not None and op == "update" and last.op != "delete":
            self._change_edit(last.number, {**last.fields, **fields})
            return
        if op == "delete":
            self.forget_edits(each.number for each in before)
            if last is not None and before[0].op == "create":
                return
        self._run(
            "INSERT INTO edits (op_id, model, id, op, version, fields) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            *(str(uuid4()), model, _json(id_), op),
            *(self.version(model, id_), _json(fields)),
        )

    def _change_edit(self, number: int, fields: Mapping[str, Any]) -> None:
        self._run("UPDATE edits SET fields = ? WHERE number = ?", _json(fields), number)

    def mark_sent(self, edits: Iterable[Edit]) -> None:
        """Note that edits are on their way: from now on they stay as they are."""
        for each in edits:
            self._run("UPDATE edits SET sent = 1 WHERE number = ?", each.number)

    def forget_edits(self, numbers: Iterable[int]) -> None:
        """Forget edits: they were stored, or nobody wants them any more."""
        for each in numbers:
            self._run("DELETE FROM edits WHERE number = ?", each)

    def refuse_edit(self, number: int, error: Mapping[str, Any]) -> None:
        """Note that the server has refused an edit."""
        self._run("UPDATE edits SET error = ? WHERE number = ?", _json(error), number)

    def take_stored(self, edit: Edit, id_: object, version: int) -> None:
        """Take over an edit that the server has stored; later ones build on it.

        What was *sent* before, and its answer lost, may have been changed by others
        since then, and pulled: then the row is left to what was, or will be, pulled.
        """
        # Not as it was read: new rows have got their ids meanwhile.
        fresh = self._edit(edit.number)
        if not edit.sent:
            self._keep_stored(fresh, id_, version)
        self.forget_edits([edit.number])
        self._follow(fresh, id_, version)

    def _keep_stored(self, edit: Edit, id_: object, version: int) -> None:
        if edit.op == "delete":
            self.drop(edit.model, edit.id, version)
            return
        kept = self._kept(edit.model, edit.id)
        if kept is not None or edit.op == "create":
            known = {} if kept is None else kept.fields
            self.put(edit.model, id_, version, {**known, **edit.fields})

    def _follow(self, edit: Edit, id_: object, version: int) -> None:
        where = "WHERE model = ? AND id = ? AND number > ?"
        values = (edit.model, _json(edit.id), edit.number)
        self._run(f"UPDATE edits SET version = ? {where}", version, *values)
        if id_ != edit.id:
            self._rename(edit.id, id_)

    def _rename(self, old: object, new: object) -> None:
        """Replace a temporary id by that of the server, wherever it is referred to."""
        self._run("UPDATE edits SET id = ? WHERE id = ?", _json(new), _json(old))
        for each in self.edits():
            if old in each.fields.values():
                renamed = {
                    name: new if value == old else value
                    for name, value in each.fields.items()
                }
                self._change_edit(each.number, renamed)


def _overlay(found: dict[str, Row], edit: Edit) -> None:
    """Show what an edit makes of a row."""
    key = _json(edit.id)
    before = found.get(key)
    if edit.op == "delete":
        found.pop(key, None)
    elif before is not None or edit.op == "create":
        known = before.fields if before is not None else {}
        version = before.version if before is not None else 0
        fields = {**known, **edit.fields}
        found[key] = Row(edit.model, edit.id, fields, version, pending=True)
