"""Notes that a push was answered, and what it cost; nothing of what was in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from libres.db.passing import BIND
from libres.sync.journal import LOG, METRIC, metric, who
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.sync.handlers import Work
    from libres.sync.pushing.answers import PushAnswer
    from libres.sync.values import Member

OPERATION: Final = "push"


def record(
    work: Work, answer: PushAnswer, models: Sequence[str], request: str | None
) -> None:
    """Note an answer in the transaction of the push. Two statements."""
    body = answer.body
    seconds = body["processing_time"]
    log = {
        **who(work.context, work.member, OPERATION, request),
        "models": list(models),
        "status": answer.status,
        "succeeded": body["success_count"],
        "failed": body["error_count"],
        "seconds": seconds,
    }
    count = len(body["results"])
    cost = metric(work.context, OPERATION, list(models), count, seconds)
    work.session.execute(LOG, log, bind_arguments=BIND)
    work.session.execute(METRIC, cost, bind_arguments=BIND)


def record_refused(
    context: Context,
    member: Member,
    request: str | None,
    error: Exception,
    seconds: float,
) -> None:
    """Note that a push was refused as a whole, in a transaction of its own."""
    log = {
        **who(context, member, OPERATION, request),
        "models": [],
        "status": "error",
        "seconds": seconds,
        "error": type(error).__name__,
    }
    with apart(context) as connection:
        connection.execute(LOG, log)
