"""Reads the notes of the clients: figures, and what was acknowledged of each token."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class Ledger:
    """What all clients have done so far."""

    seconds: defaultdict[str, list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """How long the steps took, by name; the refused ones are among them."""
    refusals: defaultdict[str, Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    """The errors, by name of the step."""
    conflicts: Counter[str] = field(default_factory=Counter)
    """The SQLSTATE of what was retried, or "lost"."""
    retries: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[str, list[str]] = field(default_factory=dict)
    """What has to be stored of each token."""
    surprises: list[str] = field(default_factory=list)
    """Errors that the library does not document, with the name of the step."""
    uncertain: set[str] = field(default_factory=set)
    """Tokens of which nobody knows, because a client was killed at it."""

    @property
    def operations(self) -> int:
        """How many steps have come to an end."""
        return sum(map(len, self.seconds.values()))


class Notes:
    """The file of one client and of its successors."""

    def __init__(self, path: Path, ledger: Ledger) -> None:
        path.touch()
        self.path = path
        self.items: dict[str, list[str]] = {}
        """What the client holds, as far as it has said so."""
        self._ledger = ledger
        self._begun: dict[str, Any] | None = None
        self._offset = 0

    def read(self) -> None:
        """Take in what is new; a line that is not complete waits."""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                self._take(json.loads(line))

    def client_died(self) -> None:
        """Give up what the client was about to change."""
        self.read()
        if self._begun is not None and self._begun["token"]:
            self._give_up(self._begun["token"])
        self._begun = None

    def _take(self, note: dict[str, Any]) -> None:
        if "begin" in note:
            self._begun = note
            return
        name, token = note["end"], (self._begun or {}).get("token")
        self._begun = None
        self._ledger.seconds[name].append(note["seconds"])
        self._ledger.conflicts.update(note["conflicts"])
        self._ledger.retries[name] += note["retries"]
        if "error" in note:
            self._ledger.refusals[name][note["error"]] += 1
            if not note["certain"]:
                self._ledger.surprises.append(
                    f"{name}: {note['error']}: {note['text']}"
                )
                if token:
                    self._give_up(token)
        elif note["token"]:
            self._acknowledge(note)

    def _acknowledge(self, note: dict[str, Any]) -> None:
        token = note["token"]
        self._ledger.acknowledged[token] = note["state"] or []
        if note["item"]:
            self.items[token] = note["item"]
        else:
            self.items.pop(token, None)

    def _give_up(self, token: str) -> None:
        self._ledger.uncertain.add(token)
        self.items.pop(token, None)
