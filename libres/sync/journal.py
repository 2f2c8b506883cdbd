"""Writes down that a request was answered, and what it has cost; nothing of what was
in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert

from libres.sync import counting
from libres.sync.models import SyncLog, SyncMetric
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.sync.values import Member, User

LOG: Final = insert(SyncLog.__table__)  # type: ignore[arg-type]
METRIC: Final = insert(SyncMetric.__table__)  # type: ignore[arg-type]


def who(
    context: Context, member: Member, operation: str, request: str | None
) -> dict[str, Any]:
    """Return who has asked for what, as the log has it."""
    return {
        "context": context.name,
        "user": member.user.id,
        "username": member.user.username,
        "organization": member.organization.id,
        "device": None if member.device is None else member.device.id,
        "operation": operation,
        "request": request,
    }


def metric(
    context: Context, operation: str, models: list[str], batch: int, seconds: float
) -> dict[str, Any]:
    """Return what a request has cost until now, as the metrics have it: of a model, if
    it was about one only."""
    return {
        "context": context.name,
        "operation": operation,
        "model": models[0] if len(models) == 1 else "",
        "batch": batch,
        "seconds": seconds,
        **counting.costs(),
    }


def note_sign_in(
    context: Context, member: Member, operation: str, request: str, seconds: float
) -> None:
    """Note that somebody has signed in, or refreshed their tokens, in a transaction of
    its own. Two statements."""
    log = {
        **who(context, member, operation, request),
        "models": [],
        "status": "success",
        "seconds": seconds,
    }
    with apart(context) as connection:
        connection.execute(LOG, log)
        connection.execute(METRIC, metric(context, operation, [], 1, seconds))


def note_visit(context: Context, user: User, request: str) -> None:
    """Note that somebody has signed in to the pages, in a transaction of its own. One
    statement."""
    log = {
        "context": context.name,
        "user": user.id,
        "username": user.username,
        "operation": "login",
        "status": "success",
        "seconds": 0.0,
        "request": request,
    }
    with apart(context) as connection:
        connection.execute(LOG, log)
