"""Notes that a push was answered, and what it cost; nothing of what was in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert

from libres.db.passing import BIND
from libres.sync.models import SyncLog, SyncMetric
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.sync.handlers import Work
    from libres.sync.pushing.answers import PushAnswer
    from libres.sync.values import Member

OPERATION: Final = "push"

LOG: Final = insert(SyncLog.__table__)  # type: ignore[arg-type]
METRIC: Final = insert(SyncMetric.__table__)  # type: ignore[arg-type]


def record(
    work: Work, answer: PushAnswer, models: Sequence[str], request: str | None
) -> None:
    """Note an answer in the transaction of the push. Two statements."""
    body = answer.body
    seconds = body["processing_time"]
    log = {
        **_who(work.context, work.member, request),
        "models": list(models),
        "status": answer.status,
        "succeeded": body["success_count"],
        "failed": body["error_count"],
        "seconds": seconds,
    }
    metric = {
        "context": work.context.name,
        "operation": OPERATION,
        "model": models[0] if len(models) == 1 else "",
        "batch": len(body["results"]),
        "seconds": seconds,
    }
    work.session.execute(LOG, log, bind_arguments=BIND)
    work.session.execute(METRIC, metric, bind_arguments=BIND)


def record_refused(
    context: Context,
    member: Member,
    request: str | None,
    error: Exception,
    seconds: float,
) -> None:
    """Note that a push was refused as a whole, in a transaction of its own."""
    log = {
        **_who(context, member, request),
        "models": [],
        "status": "error",
        "seconds": seconds,
        "error": type(error).__name__,
    }
    with apart(context) as connection:
        connection.execute(LOG, log)


def _who(context: Context, member: Member, request: str | None) -> dict[str, Any]:
    return {
        "context": context.name,
        "user": member.user.id,
        "username": member.user.username,
        "organization": member.organization.id,
        "device": None if member.device is None else member.device.id,
        "operation": OPERATION,
        "request": request,
    }
