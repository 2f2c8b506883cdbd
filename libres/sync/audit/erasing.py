"""Erases values and their salts on request, and nothing else.

What was erased can neither be read nor guessed: what is left of it is the SHA-256 of
the value with a salt of 122 random bits that is gone as well.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ARRAY, Text, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from libres.db.passing import BIND
from libres.modules.errors import Misuse, insist
from libres.sync.audit import reading
from libres.sync.audit.tables import Tables
from libres.sync.audit.values import Erased
from libres.sync.feed import numbering
from libres.sync.models import AuditErasure
from libres.sync.registry import registry_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context
    from libres.sync.registry import SyncModel

OWN: Final = text("""\
SELECT EXISTS (
    SELECT FROM sync_pending WHERE context = :context AND relation = :relation
        AND key = :key AND xid = pg_current_xact_id()::text::bigint
)
""").bindparams(
    *(bindparam(name, type_=Text()) for name in ("context", "relation", "key"))
)
"""Has this transaction changed the row? What it has noted gets its number later."""

FIELDS: Final = text("""\
SELECT DISTINCT field FROM sync_changes CROSS JOIN LATERAL jsonb_object_keys(
    coalesce(before, '{}') || coalesce(after, '{}')
) AS fields (field)
WHERE context = :context AND relation = :relation AND key = :key ORDER BY field
""").bindparams(
    *(bindparam(name, type_=Text()) for name in ("context", "relation", "key"))
)

ERASE: Final = text(
    "SELECT audit_erase(:context, :relation, :key, :fields, :reason)"
).bindparams(
    *(bindparam(name, type_=Text()) for name in ("context", "relation", "key")),
    bindparam("fields", type_=ARRAY(Text())),
    bindparam("reason", type_=Text()),
)

ANSWERS: Final = text("""\
UPDATE sync_applied SET result = (result - 'row') #- '{error,row}'
WHERE context = :context AND (
    result -> 'row' @> :row OR result -> 'error' -> 'row' @> :row
)
""").bindparams(bindparam("context", type_=Text()), bindparam("row", type_=JSONB()))
"""Answers to pushes are kept for a while to be told once more; a conflict shows the
row."""


TOLD_ANEW: Final = text("""\
UPDATE sync_feeds SET kept = last.position
FROM (
    SELECT max(position) AS position FROM sync_changes
    WHERE context = :context AND relation = :relation AND key = :key
) AS last
WHERE context = :context AND kept < last.position
""").bindparams(
    *(bindparam(name, type_=Text()) for name in ("context", "relation", "key"))
)
"""Devices that have not heard of the last change cannot do so any more: what they would
be told is not how the row is, so they get all rows anew."""


def erase(
    context: Context,
    model: Any,
    key: Any,
    fields: Collection[str] | None,
    reason: str,
) -> Erased:
    """Erase what was noted of a row until now, and answers that show it."""
    insist((reason or "").strip(), "Say why it is to be erased.")
    found = Tables(context).named(model)
    insist(found.model is not AuditErasure, "What was erased, and why, stays.")
    row = {
        "context": context.name,
        "relation": found.relation,
        "key": reading.key_of(found, key),
    }
    numbering.number(context)
    session = context.get_service("session_provider").session()
    if session.execute(OWN, row, bind_arguments=BIND).scalar():
        message = "Commit the changes of this row before you erase what they were."
        raise Misuse(message)
    names = _fields(session, found, row, fields)
    asked = {**row, "fields": names, "reason": reason.strip()}
    count = session.execute(ERASE, asked, bind_arguments=BIND).scalar()
    if count:
        _redact(session, found, row)
        if found.relation in registry_of(context).by_relation:
            session.execute(TOLD_ANEW, row, bind_arguments=BIND)
    return Erased(changes=int(count or 0), fields=tuple(names))


def _redact(session: Session, model: SyncModel, row: dict[str, str]) -> None:
    """Take the row out of answers that are kept."""
    shown = {"_model": model.name, "id": model.wire_id(model.key_values(row["key"]))}
    answers = {"context": row["context"], "row": shown}
    session.execute(ANSWERS, answers, bind_arguments=BIND)


def _fields(
    session: Session,
    model: SyncModel,
    row: dict[str, str],
    asked: Collection[str] | None,
) -> list[str]:
    """Return which fields are meant. Raises Misuse for those that there are not."""
    insist(not isinstance(asked, str), "Fields are several: pass a list.")
    noted = session.execute(FIELDS, row, bind_arguments=BIND).scalars().all()
    if asked is None:
        return list(noted)
    known = {*noted, *(each.name for each in model.table.columns)}
    unknown = ", ".join(sorted({*asked} - known))
    insist(not unknown, f"{model.name} has no field {unknown}.")
    insist(asked, "Name a field, or none at all to erase all of them.")
    return sorted(set(asked))
