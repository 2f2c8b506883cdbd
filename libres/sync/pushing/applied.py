"""Remembers results of operations that have an id, to tell them once more.

Only what was done is remembered; what was refused had no effect, and is judged anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import ARRAY, Text, Uuid, bindparam, text

from libres.db.passing import BIND
from libres.sync.models.columns import DOCUMENT

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.sync.handlers import Work
    from libres.sync.values import Member


class Applied(NamedTuple):
    """An operation that was done before."""

    fingerprint: str
    """Of what was sent."""

    result: Mapping[str, Any]
    """As it was told, without the index."""


LOCK: Final = text("""\
SELECT pg_advisory_xact_lock(
    hashtextextended('libres.sync.push/' || :organization || '/' || :device, 0)
)
""").bindparams(
    bindparam("organization", type_=Text()), bindparam("device", type_=Text())
)
"""Two pushes of a device with ids wait for each other: so the second one of the same
finds what the first one did. Taken by a statement before the one that reads."""

FIND: Final = (
    text("""\
SELECT op_id, fingerprint, result FROM sync_applied
WHERE organization = :organization AND device = :device AND op_id = ANY(:op_ids)
""")
    .bindparams(
        bindparam("organization", type_=Uuid()),
        bindparam("device", type_=Text()),
        bindparam("op_ids", type_=ARRAY(Text())),
    )
    .columns(op_id=Text(), fingerprint=Text(), result=DOCUMENT)
)

NOTE: Final = text("""\
INSERT INTO sync_applied (organization, device, context, op_id, fingerprint, result)
SELECT :organization, :device, :context, noted.op_id, noted.fingerprint,
    noted.result::jsonb
FROM unnest(
    CAST(:op_ids AS text[]), CAST(:fingerprints AS text[]), CAST(:results AS text[])
) AS noted(op_id, fingerprint, result)
""").bindparams(
    bindparam("organization", type_=Uuid()),
    bindparam("device", type_=Text()),
    bindparam("context", type_=Text()),
    bindparam("op_ids", type_=ARRAY(Text())),
    bindparam("fingerprints", type_=ARRAY(Text())),
    bindparam("results", type_=ARRAY(Text())),
)


def find(session: Session, member: Member, op_ids: Iterable[str]) -> dict[str, Applied]:
    """Return what was done of operations, by their ids. Two statements, or none."""
    wanted = sorted(set(op_ids))
    if not wanted:
        return {}
    names = {"organization": str(member.organization.id), "device": member.who}
    session.execute(LOCK, names, bind_arguments=BIND)
    values = {**_whose(member), "op_ids": wanted}
    rows = session.execute(FIND, values, bind_arguments=BIND)
    return {row.op_id: Applied(row.fingerprint, row.result) for row in rows}


def note(work: Work, done: Sequence[tuple[str, str, str]]) -> None:
    """Remember operations: id, fingerprint, result as JSON. One statement, or none."""
    if not done:
        return
    op_ids, fingerprints, results = map(list, zip(*done, strict=True))
    values = {
        **_whose(work.member),
        "context": work.context.name,
        "op_ids": op_ids,
        "fingerprints": fingerprints,
        "results": results,
    }
    work.session.execute(NOTE, values, bind_arguments=BIND)


def _whose(member: Member) -> dict[str, Any]:
    return {"organization": member.organization.id, "device": member.who}
