"""A device: edits at once, pushes when it can, pulls until it has all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

from libres.sync.client.errors import Refused, UnknownRow
from libres.sync.client.store import TEMPORARY, Edit, Row, Store
from libres.sync.client.talking import Talk

BATCH: Final = 500
"""Items of a push, and rows of a page."""

CURSOR: Final = "cursor"

GONE: Final = 410

UNCHANGED: Final = "unchanged"
"""The server keeps what it has, by the policy of the model."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What came of a push."""

    stored: int = 0
    refused: Sequence[Edit] = ()


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came of a pull."""

    rows: int = 0
    deleted: int = 0
    begun_anew: Sequence[str] = ()
    """The models whose rows came anew."""


class Device:
    """A device that keeps its rows in the SQLite file at *path*.

    It edits without a server. *url* is where the server is mounted; *transport* one of
    httpx, for tests (None: the network). Use it in a with-block, or close it.
    """

    def __init__(self, path: str | Path, url: str, transport: Any = None) -> None:
        self.store = Store(path)
        self._talk = Talk(url, self.store, transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and the connections."""
        self._talk.close()
        self.store.close()

    # Signing in -----------------------------------------------------------------------

    def sign_in(
        self,
        username: str,
        password: str,
        *,
        organization: str | None = None,
        name: str | None = None,
    ) -> dict[str, Any]:
        """Sign in by password; return what the server says of the user.

        *organization* is a slug, for those who belong to several; *name* that of the
        device, for the server's list. The password is not kept. Raises Refused.
        """
        body: dict[str, Any] = {"username": username, "password": password}
        more = {"organization": organization, "device": name}
        return self._talk.sign_in(body | {k: v for k, v in more.items() if v})

    def sign_in_by_key(self, key: str) -> dict[str, Any]:
        """Sign in by the key of the device, which is kept. Raises Refused."""
        return self._talk.sign_in({"device_key": key})

    # Reading --------------------------------------------------------------------------

    def rows(self, model: str) -> list[Row]:
        """Return the rows of a model, with what was edited here, by their ids."""
        return self.store.rows(model)

    def row(self, model: str, id: object) -> Row:  # noqa: A002 - as on the wire
        """Return a row. Raises UnknownRow."""
        found = self.store.row(model, id)
        if found is None:
            raise UnknownRow(model=model, id=id)
        return found

    @property
    def pending(self) -> list[Edit]:
        """What was edited and not pushed yet."""
        return self.store.edits()

    @property
    def refused(self) -> list[Edit]:
        """What the server has refused, until it is dismissed."""
        return self.store.refused()

    # Editing --------------------------------------------------------------------------

    def create(
        self,
        model: str,
        fields: Mapping[str, Any],
        id: object = None,  # noqa: A002 - as on the wire
    ) -> Any:
        """Make a row; return its id, a temporary one unless *id* is given."""
        chosen = f"{TEMPORARY}{uuid4()}" if id is None else id
        with self.store.writing():
            self.store.add_edit("create", model, chosen, fields)
        return chosen

    def change(self, model: str, id: object, fields: Mapping[str, Any]) -> None:  # noqa: A002 - as on the wire
        """Change some fields of a row. Raises UnknownRow."""
        with self.store.writing():
            self.row(model, id)
            self.store.add_edit("update", model, id, fields)

    def remove(self, model: str, id: object) -> None:  # noqa: A002 - as on the wire
        """Delete a row. Raises UnknownRow."""
        with self.store.writing():
            self.row(model, id)
            self.store.add_edit("delete", model, id, {})

    def dismiss(self, edit: Edit) -> None:
        """Forget an edit that was refused."""
        with self.store.writing():
            self.store.forget_edits([edit.number])

    def retry(self, edit: Edit) -> None:
        """Edit once more what was refused, on top of what the server has now."""
        with self.store.writing():
            self.store.forget_edits([edit.number])
            self.store.add_edit(edit.op, edit.model, edit.id, edit.fields)

    # Talking to the server ------------------------------------------------------------

    def sync(self) -> tuple[Pushed, Pulled]:
        """Push, then pull."""
        pushed = self.push()
        return pushed, self.pull()

    def push(self) -> Pushed:
        """Send what was edited, the oldest first; what was sent before, as it was.

        If no answer comes, it can be called again: the server knows by the ids of the
        edits what it has already. Raises SignInNeeded, Refused, ServerAway.
        """
        stored, refused = 0, list[Edit]()
        while edits := self.store.edits(BATCH):
            with self.store.writing():
                self.store.mark_sent(edits)
            answer = self._talk.ask("push/", {"data": [_item(each) for each in edits]})
            with self.store.writing():
                for edit, result in zip(edits, answer["results"], strict=True):
                    if self._settled(edit, result):
                        stored += 1
                    else:
                        refused.append(replace(edit, error=result["error"]))
        return Pushed(stored, refused)

    def _settled(self, edit: Edit, result: Mapping[str, Any]) -> bool:
        """Take what became of an edit; tell whether it was stored."""
        error = result.get("error")
        row = (result if error is None else error).get("row")
        if row is not None:
            self._take(row)
        if error is not None:
            self.store.refuse_edit(edit.number, error)
            return False
        if result["status"] == UNCHANGED:
            self.store.forget_edits([edit.number])
            return True
        self.store.take_stored(edit, result["id"], result["version"])
        return True

    def pull(self, batch: int = BATCH) -> Pulled:
        """Fetch what is new, page by page, until there is no more.

        What has come is kept together with the place that it belongs to; so whatever
        is interrupted goes on where it was. Raises SignInNeeded, Refused, ServerAway.
        """
        rows, deleted, anew, more = 0, 0, dict[str, None](), True
        while more:
            answer = self._page(batch)
            with self.store.writing():
                self.store.mark_stale(answer["resync"])
                for row in answer["data"]:
                    self._take(row)
                for row in answer["deleted"]:
                    self.store.drop(row["_model"], row["id"], row["_version"])
                more = answer["has_more"]
                if not more:
                    self.store.settle()
                self.store.set(CURSOR, answer["cursor"])
            rows, deleted = rows + len(answer["data"]), deleted + len(answer["deleted"])
            anew.update(dict.fromkeys(answer["resync"]))
        return Pulled(rows, deleted, tuple(anew))

    def _page(self, batch: int) -> dict[str, Any]:
        """Ask for a page; from the beginning, or as told if the place is not valid."""
        cursor = self.store.get(CURSOR)
        body: dict[str, Any] = {"batch_size": batch}
        if cursor is None:
            body["models"] = {}
        else:
            body["cursor"] = cursor
        try:
            return self._talk.ask("pull/", body)
        except Refused as error:
            if error.status != GONE:
                raise
            with self.store.writing():
                self.store.mark_stale(error.context["models"])
                self.store.set(CURSOR, error.context["cursor"])
            return self._page(batch)

    def _take(self, row: Mapping[str, Any]) -> None:
        fields = {
            name: value
            for name, value in row.items()
            if name not in ("_model", "_version", "id")
        }
        self.store.put(row["_model"], row["id"], row["_version"], fields)


def _item(edit: Edit) -> dict[str, Any]:
    """Write an edit as it is pushed."""
    item = {**edit.fields, "_model": edit.model, "_op": edit.op, "_op_id": edit.op_id}
    if edit.version is not None and edit.op != "create":
        item["_version"] = edit.version
    return item | {"id": edit.id}
