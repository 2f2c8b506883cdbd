"""Looks whether what was noted is as it was.

All of it is read in one snapshot, piece by piece, and computed anew by PostgreSQL with
the words that numbering uses. A chain proves that nothing of it was changed; that it
was not computed anew as a whole, only signatures prove.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import ARRAY, BigInteger, LargeBinary, Text, bindparam, text

from libres.sync.audit import anchors as signatures
from libres.sync.audit.values import Verdict
from libres.sync.feed import anchoring, chain, numbering
from libres.sync.transacting import snapshot

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from libres.context.core import Context

PIECE: Final = 50_000
"""So many changes are computed at once."""


class _Problem(NamedTuple):
    """Something is wrong with a change; the least is the first."""

    position: int
    said: str


@dataclass(frozen=True, slots=True)
class Head:
    """How far the feed says that it has got."""

    position: int = 0
    digest: bytes | None = None
    dropped: int = 0
    dropped_digest: bytes | None = None
    audited: bool = False
    genesis: bytes = b""

    @property
    def before(self) -> bytes:
        """What the first change that is there follows upon."""
        if self.dropped == 0:
            return self.genesis
        return b"" if self.dropped_digest is None else self.dropped_digest


def verify(
    context: Context,
    told: Callable[[int, int], object],
    anchors: Iterable[Mapping[str, Any]],
) -> Verdict:
    """Compute all of it anew, and compare signatures.

    Raises Misuse for *anchors* that are none, or of another context.
    """
    given = [signatures.of_json(context.name, each) for each in anchors]
    numbering.number(context)
    with snapshot(context) as connection:
        head = head_of(connection, context.name)
        found = _Found(connection, context, head)
        found.compute(told)
        found.compare_head()
        found.compare_erasures()
        found.compare_anchors(given)
    return found.verdict()


# The head -----------------------------------------------------------------------------

HEAD: Final = text(
    """\
SELECT position, digest, dropped, dropped_digest, audited, {genesis} AS genesis
FROM sync_feeds WHERE context = :context
""".format(genesis=chain.GENESIS.format(context=":context"))
).bindparams(bindparam("context", type_=Text()))


def head_of(connection: Connection, context: str) -> Head:
    """Return how far a feed says that it has got. One statement."""
    row = connection.execute(HEAD, {"context": context}).one_or_none()
    if row is None:
        return Head()
    return Head(
        position=row.position,
        digest=_bytes(row.digest),
        dropped=row.dropped,
        dropped_digest=_bytes(row.dropped_digest),
        audited=row.audited,
        genesis=bytes(row.genesis),
    )


def _bytes(given: Any) -> bytes | None:
    return None if given is None else bytes(given)


# A piece ------------------------------------------------------------------------------

FIELD: Final = """\
CASE WHEN change.salts[number] IS NULL
    THEN substr(change.commitments, ((number - 1) * {bytes} + 1)::int, {bytes})
    ELSE {commitment} END""".format(
    bytes=chain.BYTES,
    commitment=chain.COMMITMENT.format(row="change", salt="change.salts[number]"),
)
"""What a field commits to; of what was erased, what it has committed to."""

IS_SAID: Final = """\
EXISTS (
    SELECT FROM audit_erasures AS said
    WHERE said.context = change.context AND said.relation = change.relation
        AND said.key = change.key AND said.position >= change.position
        AND field = ANY (said.fields)
)"""

COMPUTED: Final = """\
SELECT count(*) AS count,
    string_agg({field}, ''::bytea ORDER BY number) AS commitments,
    coalesce(bool_and(change.before ? field), true)
        AND coalesce(bool_and(change.after ? field), true) AS is_whole,
    bool_and(
        change.salts[number] IS NOT NULL
        OR coalesce(change.before -> field, 'null') = 'null'
        AND coalesce(change.after -> field, 'null') = 'null'
    ) AS is_blank,
    bool_and(
        CASE WHEN change.salts[number] IS NULL THEN {is_said} ELSE true END
    ) AS is_said
FROM {fields}""".format(
    field=FIELD, is_said=IS_SAID, fields=chain.FIELDS.format(row="change")
)

WRONG: Final = """\
CASE WHEN change.position = change.previous THEN 'twice'
    WHEN change.position > change.previous + 1 THEN 'missing'
    WHEN (change.before IS NULL) <> (change.operation = 'insert')
        OR (change.after IS NULL) <> (change.operation = 'delete')
        OR NOT computed.is_whole THEN 'images'
    WHEN coalesce(cardinality(change.salts), 0) <> computed.count
        OR change.commitments IS DISTINCT FROM computed.commitments
        OR NOT computed.is_blank THEN 'fields'
    WHEN NOT computed.is_said THEN 'unsaid'
    WHEN change.digest IS NULL
        OR sha256(change.follows || {entry}) <> change.digest THEN 'chain'
END""".format(entry=chain.ENTRY.format(row="change"))
"""What is wrong with a change; NULL: nothing."""

JUDGE: Final = text(
    f"""\
WITH judged AS (
    SELECT change.position, change.previous,
        array_position(change.salts, NULL) IS NOT NULL AS is_erased, {WRONG} AS wrong
    FROM (
        SELECT *,
            coalesce(lag(position) OVER ordered, :after) AS previous,
            coalesce(
                lag(digest) OVER ordered,
                CAST(:before AS bytea),
                (
                    SELECT digest FROM sync_changes
                    WHERE context = :context AND position = :after LIMIT 1
                ),
                ''::bytea
            ) AS follows
        FROM sync_changes
        WHERE context = :context AND position > :after AND position <= :until
        WINDOW ordered AS (ORDER BY position, numbered)
    ) AS change CROSS JOIN LATERAL (
        {COMPUTED}
    ) AS computed
)
SELECT count(*) AS total, max(position) AS last,
    count(*) FILTER (WHERE is_erased) AS erased,
    (
        SELECT ROW_TO_JSON(judged) FROM judged WHERE wrong IS NOT NULL
        ORDER BY position LIMIT 1
    ) AS wrong
FROM judged
"""
).bindparams(
    bindparam("context", type_=Text()),
    bindparam("after", type_=BigInteger()),
    bindparam("until", type_=BigInteger()),
    bindparam("before", type_=LargeBinary()),
)

WHICH: Final = text(
    """\
SELECT field FROM sync_changes AS change CROSS JOIN LATERAL {fields}
WHERE change.context = :context AND change.position = :position AND (
    substr(change.commitments, ((number - 1) * {bytes} + 1)::int, {bytes})
        IS DISTINCT FROM {field}
    OR change.salts[number] IS NULL
        AND (
            coalesce(change.before -> field, 'null') <> 'null'
            OR coalesce(change.after -> field, 'null') <> 'null'
            OR NOT {is_said}
        )
) ORDER BY number
""".format(
        fields=chain.FIELDS.format(row="change"),
        bytes=chain.BYTES,
        field=FIELD,
        is_said=IS_SAID,
    )
).bindparams(
    bindparam("context", type_=Text()), bindparam("position", type_=BigInteger())
)

SAID: Final = {
    "twice": "There are two changes with the number {position}.",
    "missing": "Change {position} is missing.",
    "images": "The images of change {position} are not those of what it says it is.",
    "fields": "Change {position} is not as it was noted: {fields}.",
    "unsaid": "Change {position} was erased, but nobody has said so: {fields}.",
    "chain": "Change {position} is not as it was noted: it does not follow upon the "
    "one before.",
}

# The end ------------------------------------------------------------------------------

STRAY: Final = text("""\
SELECT min(position) FILTER (WHERE position <= :dropped),
    min(position) FILTER (WHERE position > :position)
FROM (
    (
        SELECT position FROM sync_changes
        WHERE context = :context AND position <= :dropped ORDER BY position LIMIT 1
    ) UNION ALL (
        SELECT position FROM sync_changes
        WHERE context = :context AND position > :position ORDER BY position LIMIT 1
    )
) AS stray
""").bindparams(
    bindparam("context", type_=Text()),
    bindparam("dropped", type_=BigInteger()),
    bindparam("position", type_=BigInteger()),
)

DIGESTS: Final = text("""\
SELECT position, digest FROM sync_changes
WHERE context = :context AND position = ANY (:positions)
""").bindparams(
    bindparam("context", type_=Text()), bindparam("positions", type_=ARRAY(BigInteger))
)

UNNOTED: Final = text("""\
SELECT least(position, :position) FROM audit_erasures AS said
WHERE context = :context AND position > :dropped AND NOT EXISTS (
    SELECT FROM sync_changes AS noted
    WHERE noted.context = :context AND noted.relation = 'audit_erasures'
        AND noted.key = said.id::text AND noted.operation = 'insert'
        AND noted.after @> jsonb_build_object(
            'relation', said.relation, 'key', said.key, 'position', said.position,
            'fields', to_jsonb(said.fields), 'count', said.count,
            'actor', said.actor, 'reason', said.reason
        )
) AND NOT EXISTS (
    SELECT FROM sync_pending AS noted
    WHERE noted.context = :context AND noted.relation = 'audit_erasures'
        AND noted.key = said.id::text AND noted.operation = 'insert'
) ORDER BY position LIMIT 1
""").bindparams(
    bindparam("context", type_=Text()),
    bindparam("dropped", type_=BigInteger()),
    bindparam("position", type_=BigInteger()),
)
"""Who only pretends that something was erased on request?"""


class _Found:
    """What is found, one after the other."""

    def __init__(self, connection: Connection, context: Context, head: Head) -> None:
        self.connection, self.context, self.head = connection, context, head
        self.problems: list[_Problem] = []
        self.checked = self.erased = self.anchors = self.anchored = 0

    # The chain ------------------------------------------------------------------------

    def compute(self, told: Callable[[int, int], object]) -> None:
        """Compute the chain anew, up to the first change that is wrong."""
        head, total = self.head, self.head.position - self.head.dropped
        for after in range(head.dropped, head.position, PIECE):
            until = min(after + PIECE, head.position)
            problem = self._judge(after, until)
            told(until - head.dropped, total)
            if problem is not None:
                self.problems.append(problem)
                return

    def _judge(self, after: int, until: int) -> _Problem | None:
        before = self.head.before if after == self.head.dropped else None
        limits = {"after": after, "until": until, "before": before}
        row = self._execute(JUDGE, **limits).one()
        self.checked += row.total
        self.erased += row.erased
        if row.wrong is not None:
            return self._said(row.wrong)
        last = after if row.last is None else row.last
        if last < until:
            return self._said({"wrong": "missing", "previous": last})
        return None

    def _said(self, wrong: Mapping[str, Any]) -> _Problem:
        is_gap = wrong["wrong"] == "missing"
        position = wrong["previous"] + 1 if is_gap else wrong["position"]
        fields = self._execute(WHICH, position=position).scalars().all()
        named = ", ".join(fields) or "the commitments"
        said = SAID[wrong["wrong"]].format(position=position, fields=named)
        return _Problem(position, said)

    def compare_head(self) -> None:
        """Look whether the feed ends where it says so."""
        head = self.head
        limits = {"dropped": head.dropped, "position": head.position}
        early, late = self._execute(STRAY, **limits).one()
        if early is not None:
            self._add(early, f"Change {early} was dropped, but it is there.")
        if late is not None:
            self._add(late, f"Change {late} was never numbered: the feed ends before.")
        if not self.problems and self._digest(head.position) != head.digest:
            said = "The feed does not end with the digest of its last change."
            self._add(max(head.position, 1), said)

    def _digest(self, position: int) -> bytes | None:
        return self._digests([position]).get(position)

    def _digests(self, positions: list[int]) -> dict[int, bytes | None]:
        rows = self._execute(DIGESTS, positions=positions)
        found = {row.position: _bytes(row.digest) for row in rows}
        if self.head.dropped:
            found[self.head.dropped] = self.head.dropped_digest
        return found

    def compare_erasures(self) -> None:
        """Look whether each erasure is in the chain itself, where all is audited."""
        head = self.head
        if not head.audited:
            return
        limits = {"dropped": head.dropped, "position": head.position}
        for position in self._execute(UNNOTED, **limits).scalars():
            said = "An erasure is not in the chain: nobody has asked for it."
            self._add(position, said)

    # Signatures -----------------------------------------------------------------------

    def compare_anchors(self, given: list[anchoring.Anchor]) -> None:
        """Compare what was signed, there and elsewhere, with what is there."""
        stored = signatures.stored(self.connection, self.context.name)
        known = {each.signature: each for each in (*stored, *given)}
        wanted = sorted(known.values(), key=lambda each: each.position)
        wanted = [each for each in wanted if each.position >= self.head.dropped]
        last = self.head.position
        places = [each.position for each in wanted if each.position <= last]
        digests = self._digests(places)
        self.problems += self._compared(wanted, digests)

    def _compared(
        self, wanted: list[anchoring.Anchor], digests: Mapping[int, bytes | None]
    ) -> Iterator[_Problem]:
        keyring = anchoring.keys_or_none(self.context)
        keys = {} if keyring is None else keyring.keys
        first = min(self.problems, default=_Problem(self.head.position + 1, ""))
        good = self.head.dropped
        for each in wanted:
            holds = anchoring.holds(keys, self.context.name, each)
            self.anchors += holds is not None
            if problem := self._wrong(each, digests, good, holds=holds):
                yield problem
                return
            if each.position < first.position:
                good = each.position
                self.anchored = good if holds else self.anchored

    def _wrong(
        self,
        each: anchoring.Anchor,
        digests: Mapping[int, bytes | None],
        good: int,
        *,
        holds: bool | None,
    ) -> _Problem | None:
        place, last = each.position, self.head.position
        if holds is False:
            return _Problem(place, f"The signature of change {place} is not ours.")
        if place > last:
            said = f"The chain was cut off: change {place} was signed, {last} is last."
            return _Problem(last + 1, said)
        if digests.get(place) != each.digest:
            said = f"The chain up to change {place} is not the one that was signed."
            return _Problem(min(good + 1, place), said)
        return None

    # Telling --------------------------------------------------------------------------

    def verdict(self) -> Verdict:
        """Tell what was found, and what was found first."""
        first = min(self.problems, default=None)
        return Verdict(
            checked=self.checked,
            first=self.head.dropped + 1,
            last=self.head.position,
            bad=None if first is None else first.position,
            problem="" if first is None else first.said,
            anchors=self.anchors,
            anchored=self.anchored,
            erased=self.erased,
        )

    def _add(self, position: int, said: str) -> None:
        self.problems.append(_Problem(position, said))

    def _execute(self, query: Any, **values: Any) -> Any:
        return self.connection.execute(query, {"context": self.context.name, **values})
