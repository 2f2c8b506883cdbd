"""Looks whether an export of the audit is as it was, without any database.

An auditor needs the file, this module, and, to check signatures, the public key or the
secret. It computes what PostgreSQL has computed, from the very text that was hashed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final, NamedTuple

from libres.domain.days import UTC
from libres.modules.errors import Misuse
from libres.sync.audit import anchors
from libres.sync.audit.values import Verdict
from libres.sync.feed.anchoring import Anchor, holds
from libres.sync.keyring import Key, keys_of

KIND: Final = "libres.sync.audit"
VERSION: Final = 1
"""What the first line of an export says that it is."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

TOLD: Final = (
    *(("position", 1), ("relation", 5), ("key", 6), ("action", 7), ("tenant", 8)),
    *(("actor", 10), ("request", 11), ("reason", 12)),
)
"""What a line tells, and where it stands in the text that was hashed."""

TIMES: Final = (("at", 13), ("numbered", 14))

ERASURES: Final = "audit_erasures"


class _Wrong(Exception):
    """Something is wrong with a change."""

    def __init__(self, position: int, said: str) -> None:
        super().__init__(said)
        self.position, self.said = position, said


def verify_export(
    lines: Iterable[str | bytes], keys: Mapping[str, Any] | None = None
) -> Verdict:
    """Compute the chain of an export anew, as `Audit.export` has written it.

    *lines* may be an open file; they are read once. *keys* are secrets or public keys
    by their ids, as `libres.sync.configure` takes them (None: signatures are compared,
    but nobody knows whether they are real). Changes that were left out are computed by
    what they add to the chain.

    Raises Misuse for what is no export, and for keys that are none.
    """
    read = iter(lines)
    reading = _Reading(_header(read), keys_of(keys or {}))
    try:
        for line in read:
            reading.read(_parsed(line, reading.position + 1))
        reading.end()
    except _Wrong as wrong:
        return reading.verdict(wrong)
    return reading.verdict()


# Lines --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Header:
    context: str
    first: int
    last: int
    follows: bytes
    is_whole: bool


def _header(read: Iterator[str | bytes]) -> _Header:
    try:
        line = json.loads(next(read, ""))
        is_ours = line["export"] == KIND and line["version"] == VERSION
        made = _Header(
            context=line["context"],
            first=int(line["first"]),
            last=int(line["last"]),
            follows=bytes.fromhex(line["follows"]),
            is_whole=line["whole"] is True,
        )
    except (KeyError, TypeError, ValueError):
        is_ours = False
    if not is_ours:
        message = "This is no export of an audit, as Audit.export writes it."
        raise Misuse(message)
    return made


def _parsed(line: str | bytes, position: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        said = f"What should be change {position} cannot be read."
        raise _Wrong(position, said)
    return found


class _Field(NamedTuple):
    name: str
    commitment: bytes
    is_erased: bool


@dataclass
class _Reading:
    """Computes the chain, line by line, in constant memory."""

    header: _Header
    keys: Mapping[str, Key]
    digest: bytes = b""
    position: int = 0
    checked: int = 0
    erased: int = 0
    anchors: int = 0
    anchored: int = 0
    unsaid: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """What was erased, and nobody has said so yet: the last change of each field."""

    is_over: bool = False

    def __post_init__(self) -> None:
        self.digest, self.position = self.header.follows, self.header.first - 1
        if self.header.first == 1:
            self.digest = sha256(f"{KIND}/{self.header.context}".encode()).digest()

    def read(self, line: dict[str, Any]) -> None:
        """Read a line: a change, some that were left out, a signature, or the end."""
        place = self.position + 1
        if self.is_over:
            raise _Wrong(place, "Something follows after the end.")
        try:
            self._read(line)
        except (AttributeError, LookupError, Misuse, TypeError, ValueError):
            said = f"What should be change {place} cannot be read."
            raise _Wrong(place, said) from None

    def _read(self, line: dict[str, Any]) -> None:
        if "end" in line:
            self.is_over = True
        elif "anchor" in line:
            self._anchor(anchors.of_json(self.header.context, line["anchor"]))
        elif "left_out" in line:
            for each in line["left_out"]:
                self._follow(bytes.fromhex(each))
        else:
            self._change(line)

    def _follow(self, entry: bytes) -> None:
        self.digest = sha256(self.digest + entry).digest()
        self.position += 1

    def _change(self, line: dict[str, Any]) -> None:
        place = self.position + 1
        if line["position"] != place:
            raise _Wrong(place, f"Change {place} is missing.")
        fields = [self._field(place, each) for each in line["fields"]]
        noted = line["entry"].encode() + b"".join(each.commitment for each in fields)
        self._follow(sha256(noted).digest())
        if self.digest.hex() != line["digest"]:
            said = f"Change {place} is not as it was noted: it does not follow upon "
            raise _Wrong(place, said + "the one before.")
        _compare(line, self.header.context, place)
        self._erased(line, fields)
        self.checked += 1

    def _field(self, place: int, given: Mapping[str, Any]) -> _Field:
        values, salt = given["values"], given["salt"]
        name, before, after = json.loads(values)
        if salt is None:
            commitment = bytes.fromhex(given["commitment"])
            is_right = before is None and after is None
        else:
            commitment = sha256((salt + values).encode()).digest()
            is_right = commitment.hex() == given["commitment"]
        if not is_right:
            raise _Wrong(place, f"Change {place} is not as it was noted: {name}.")
        return _Field(name, commitment, salt is None)

    # Erasures -------------------------------------------------------------------------

    def _erased(self, line: Mapping[str, Any], fields: list[_Field]) -> None:
        gone = [each.name for each in fields if each.is_erased]
        self.erased += bool(gone)
        for name in gone:
            self.unsaid[line["relation"], line["key"], name] = line["position"]
        if line["relation"] == ERASURES and line["action"] == "insert":
            said = {
                name: after
                for name, _before, after in (
                    json.loads(each["values"]) for each in line["fields"]
                )
            }
            for name in said["fields"]:
                asked = said["relation"], said["key"], name
                if self.unsaid.get(asked, said["position"] + 1) <= said["position"]:
                    del self.unsaid[asked]

    # Signatures -----------------------------------------------------------------------

    def _anchor(self, anchor: Anchor) -> None:
        place, is_real = anchor.position, holds(self.keys, self.header.context, anchor)
        self.anchors += is_real is not None
        if is_real is False:
            raise _Wrong(place, f"The signature of change {place} is not ours.")
        if (place, anchor.digest) != (self.position, self.digest):
            said = f"The chain up to change {place} is not the one that was signed."
            raise _Wrong(min(self.anchored + 1, place), said)
        if is_real:
            self.anchored = place

    # The end --------------------------------------------------------------------------

    def end(self) -> None:
        """Look whether all of it was there, and who has signed it."""
        place = self.position + 1
        if not self.is_over or self.position < self.header.last:
            raise _Wrong(place, f"The export ends before change {place}.")
        if self.position > self.header.last:
            said = f"Change {self.position} is more than was exported."
            raise _Wrong(self.position, said)
        if self.unsaid and self.header.is_whole:
            first = min(self.unsaid.values())
            said = f"Change {first} was erased, but nobody has said so."
            raise _Wrong(first, said)

    def verdict(self, wrong: _Wrong | None = None) -> Verdict:
        """Tell what was found."""
        return Verdict(
            checked=self.checked,
            first=self.header.first,
            last=self.header.last,
            bad=None if wrong is None else wrong.position,
            problem="" if wrong is None else wrong.said,
            anchors=self.anchors,
            anchored=self.anchored,
            erased=self.erased,
        )


def _compare(line: Mapping[str, Any], context: str, place: int) -> None:
    """Look whether a line tells what was hashed."""
    noted = json.loads(line["entry"], parse_float=Decimal)
    told = {name: line[name] == noted[number] for name, number in TOLD}
    told["context"] = noted[0] == context
    for name, number in TIMES:
        moment = datetime.fromisoformat(line[name])
        told[name] = (moment - EPOCH) // MICROSECOND == noted[number] * 1_000_000
    wrong = [name for name, is_right in told.items() if not is_right]
    if wrong:
        said = f"Change {place} is not as it was noted: {', '.join(wrong)}."
        raise _Wrong(place, said)
