"""For those who watch: history, health, figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import current_app

from libres.db.models.timestamp import TimestampMixin
from libres.sync.errors import MalformedRequest, NotPermitted
from libres.web.api.sync import asking, figures, schemas, vital
from libres.web.api.sync.blueprint import api
from libres.web.api.sync.documenting import at, documented
from libres.web.edge import answer, cursor_of, cursor_values, edge, id_value
from libres.web.errors import InvalidRequest
from libres.web.fields import moment_of
from libres.web.pulse import Asker, asked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from flask import Response

    from libres.context.core import Context

DOCTORS: Final = "libres_sync_doctors"
"""Where an application keeps who looks after the contexts that it shows."""

STAFF_ONLY: Final = "Only staff may see how fast it is."

NOT_A_CURSOR: Final = "Not a cursor: pass 'next' of the page before, as it is."


@at(api, "GET", "/history/")
@api.input(schemas.HistoryAsked, location="query")
@documented(400, gives=schemas.History())
def history(query_data: dict[str, Any]) -> Response:
    """Tell what the caller has pushed and pulled, the latest first."""
    member = asking.member()
    limit, before = query_data["limit"], _before(query_data.get("cursor"))
    here = edge()
    with here.reading():
        session = asking.here().session
        found = figures.history(session, here.context.name, member, limit + 1, before)
    return answer(_page(found, limit))


def _before(cursor: str | None) -> tuple[datetime, int] | None:
    if cursor is None:
        return None
    try:
        at, number = cursor_values(cursor, moment_of, id_value)
    except InvalidRequest as error:
        raise MalformedRequest(NOT_A_CURSOR) from error
    return at, number


def _page(found: Sequence[Any], limit: int) -> dict[str, object]:
    shown = found[:limit]
    is_more = len(found) > limit
    return {
        "history": [_noted(each) for each in shown],
        "next": cursor_of(shown[-1].at, shown[-1].id) if is_more else None,
    }


def _noted(row: Any) -> dict[str, object]:
    told: dict[str, object] = row._asdict()
    del told["id"]
    return told


@at(api, "GET", "/performance/")
@api.input(schemas.Days, location="query")
@documented(400, gives=schemas.Performance())
def performance(query_data: dict[str, Any]) -> Response:
    """Tell staff how much was asked, how long it took, and what to do about it."""
    member = asking.member()
    if not member.user.staff:
        raise NotPermitted(STAFF_ONLY)
    here, now = edge(), TimestampMixin.timestamp()
    with here.reading():
        session = asking.here().session
        found = figures.performance(session, here.context.name, query_data["days"], now)
    return answer(found)


# Health -------------------------------------------------------------------------------


@at(api, "GET", "/health/")
@documented(
    gives=schemas.SyncHealth(), also={503: schemas.SyncHealth()}, is_for_members=False
)
def health() -> Response:
    """Tell whether devices can synchronise.

    Nobody is asked who they are, and nothing is told that is secret.
    """
    context = edge().context
    doctors = current_app.extensions.setdefault(DOCTORS, {})
    asker = doctors.setdefault(context, Asker(context, _examined))
    found = asker.answer() or vital.unreachable()
    return answer(found, 503 if found["status"] == vital.UNHEALTHY else 200)


def _examined(context: Context) -> dict[str, Any]:
    return asked(context, lambda session: vital.examined(session, context))
