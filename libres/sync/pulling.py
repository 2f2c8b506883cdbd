"""Answers a pull: first the rows as they are, in pages, then what changes.

All that an answer says comes from one snapshot of the database. The cursor says how far
it goes: whoever lost the answer sends the old one again, and gets the same once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from libres.context.transactions import plain_session
from libres.db.models.timestamp import TimestampMixin
from libres.domain.days import UTC
from libres.sync import acting, cursors, pull_pages, row_security
from libres.sync.counting import counting
from libres.sync.cursors import Cursor
from libres.sync.devices import Devices
from libres.sync.errors import RequestError
from libres.sync.feed import numbering, reading
from libres.sync.journal import LOG, METRIC, metric, who
from libres.sync.pull_pages import Pull, Sent
from libres.sync.pull_requests import Asked, read_request
from libres.sync.transacting import apart

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context
    from libres.sync.values import Member

OPERATION: Final = "pull"

DENIED: Final = "There is no such model here, or you may not pull it."
"""The same for both: nobody learns whether it exists."""


@dataclass(frozen=True, slots=True)
class PullAnswer:
    """What a client gets."""

    body: dict[str, Any]
    """Values of JSON."""


def pull(
    context: Context, member: Member, body: object, request: str | None = None
) -> PullAnswer:
    """Answer a pull; see `Sync.pull`."""
    began = perf_counter()
    with counting():
        try:
            answer = _answered(context, member, read_request(body))
        except RequestError as error:
            _log(context, member, request, perf_counter() - began, error)
            raise
        if _is_news(answer):
            _log(context, member, request, perf_counter() - began, answer)
        return answer


def _answered(context: Context, member: Member, asked: Asked) -> PullAnswer:
    numbering.number(context)
    with row_security.seen_by(context, member), _reading(context) as session:
        head = reading.head(session, context.name, member.organization.reference)
        pulling = Pull(context, member, session, head)
        if asked.cursor is None:
            cursor, denied = _begun(pulling, asked.models)
            since = max(asked.models.values(), default=None, key=_or_never)
        else:
            presented = cursors.read(context, member, asked.cursor)
            _acknowledge(pulling, presented)
            cursor, denied = _going_on(pulling, presented)
            since = None if presented.waiting else presented.covered
        sent = pull_pages.page(pulling, cursor, asked.batch)
        return PullAnswer(_body(pulling, asked.batch, sent, denied, since))


def _or_never(moment: datetime | None) -> datetime:
    return NEVER if moment is None else moment


NEVER: Final = datetime.min.replace(tzinfo=UTC)


@contextmanager
def _reading(context: Context) -> Iterator[Session]:
    """Read in one snapshot. A host's provider that has no ``read_only_session()`` lends
    its session, which is told again who acts in it."""
    provider: Any = context.get_service("session_provider")
    if context.read_only_session or callable(
        getattr(provider, "read_only_session", None)
    ):
        with context.read_only() as session:
            yield session
        return
    lent = plain_session(provider.session())
    with acting.acting(lent, acting.who_acts()):
        yield lent


# Where it begins ----------------------------------------------------------------------


def _begun(
    pulling: Pull, models: Mapping[str, datetime | None]
) -> tuple[Cursor, list[str]]:
    """Begin with all rows of models, or with what has changed since some time.

    Raises ResyncRequired if what has changed since is not kept any more.
    """
    asked = models or dict.fromkeys(pulling.granted)
    known = [each for each in pulling.granted if each in asked]
    times = {each: time for each in known if (time := asked[each]) is not None}
    positions = {each: _position(pulling, time) for each, time in times.items()}
    cursor = _since(pulling, times, positions)
    cursor = replace(cursor, is_everything=not models)
    cursor = pulling.begin([each for each in known if each not in times], cursor)
    lost = [each for each, found in positions.items() if found is None]
    if lost:
        raise pulling.resync(lost, cursor)
    return cursor, [each for each in asked if each not in pulling.granted]


def _since(
    pulling: Pull,
    times: Mapping[str, datetime],
    positions: Mapping[str, int | None],
) -> Cursor:
    head = pulling.head
    found = {
        each: head.position if at is None else at for each, at in positions.items()
    }
    return Cursor(
        position=min(found.values(), default=head.position),
        covered=min([*times.values(), head.numbered]),
        scopes={each: pulling.granted[each] for each in times},
        begun={each: at for each, at in found.items() if at > min(found.values())},
    )


def _position(pulling: Pull, moment: datetime) -> int | None:
    """Return the position that was the last one at a moment; None: it is not kept."""
    if moment >= pulling.head.numbered:
        return pulling.head.position
    return reading.position_at(pulling.context, moment)


def _going_on(pulling: Pull, presented: Cursor) -> tuple[Cursor, list[str]]:
    """Go on from a cursor, with what of it the member may still pull.

    Raises ResyncRequired if its position is not kept, or they see other rows now.
    """
    allowed = pulling.granted
    wanted = [
        each for each in allowed if presented.is_everything or each in presented.scopes
    ]
    cursor = _without(presented, [each for each in presented.scopes if each in allowed])
    denied = sorted(set(presented.scopes) - set(allowed))
    if presented.position < pulling.head.kept and wanted:
        head = pulling.head
        fresh = replace(cursor, position=head.position, covered=head.numbered)
        raise pulling.resync(wanted, fresh)
    others = [each for each in wanted if allowed[each] != cursor.scopes.get(each)]
    if others:
        raise pulling.resync(others, cursor)
    return cursor, denied


def _without(cursor: Cursor, names: Sequence[str]) -> Cursor:
    """Leave out of a cursor what is not among these models."""
    waiting = tuple(each for each in cursor.waiting if each in names)
    return replace(
        cursor,
        scopes={each: cursor.scopes[each] for each in names},
        waiting=waiting,
        after=cursor.after if waiting[:1] == cursor.waiting[:1] else None,
        begun={each: at for each, at in cursor.begun.items() if each in names},
    )


def _acknowledge(pulling: Pull, presented: Cursor) -> None:
    """Note that the device has all that its cursor says; not before all rows came."""
    device = pulling.member.device
    if device is not None:
        position = 0 if presented.waiting else presented.position
        now = TimestampMixin.timestamp()
        Devices(pulling.context).acknowledge(device.id, position, now)


# Telling ------------------------------------------------------------------------------


def _body(
    pulling: Pull,
    batch: int,
    sent: Sent,
    denied: Sequence[str],
    since: datetime | None,
) -> dict[str, Any]:
    return {
        "data": list(sent.data),
        "deleted": list(sent.deleted),
        "metadata": {
            **{name: _metadata(name, sent, since) for name in sent.cursor.scopes},
            **{name: {"error": DENIED, "count": 0} for name in denied},
        },
        "batch_info": {"batch_size": batch, "total_records": len(sent.data)},
        "cursor": cursors.write(pulling.context, pulling.member, sent.cursor),
        "has_more": sent.has_more,
        "resync": list(sent.resync),
    }


def _metadata(name: str, sent: Sent, since: datetime | None) -> dict[str, Any]:
    """Tell of a model how many rows came, and up to when all is there: None before all
    rows have come."""
    is_whole = name not in sent.cursor.waiting
    # Some of what was numbered at the last moment may be missing as yet.
    covered = sent.cursor.covered - (INSTANT if sent.has_more else timedelta(0))
    return {
        "count": sum(each["_model"] == name for each in sent.data),
        "last_sync": _written(covered) if is_whole else None,
        "user_last_sync": None if since is None else _written(since),
    }


INSTANT: Final = timedelta(microseconds=1)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _is_news(answer: PullAnswer) -> bool:
    """Tell whether anything came, or was denied: polls in vain are not logged."""
    body = answer.body
    failed = any("error" in each for each in body["metadata"].values())
    return bool(body["data"] or body["deleted"] or failed)


def _log(
    context: Context,
    member: Member,
    request: str | None,
    seconds: float,
    outcome: PullAnswer | RequestError,
) -> None:
    """Write into the log, and what it has cost, in a transaction apart."""
    told = _outcome(outcome)
    log = {
        **who(context, member, OPERATION, request),
        "at": TimestampMixin.timestamp(),
        "seconds": seconds,
        **told,
    }
    with apart(context) as connection:
        connection.execute(LOG, log)
        if isinstance(outcome, PullAnswer):
            about = told["models"], told["succeeded"]
            connection.execute(METRIC, metric(context, OPERATION, *about, seconds))


def _outcome(outcome: PullAnswer | RequestError) -> dict[str, Any]:
    if isinstance(outcome, RequestError):
        models = list(getattr(outcome, "models", ()))
        return {
            "status": "error",
            "succeeded": 0,
            "failed": 1,
            "models": models,
            "error": outcome.type,
        }
    metadata = outcome.body["metadata"]
    failed = [name for name, each in metadata.items() if "error" in each]
    sent = [*outcome.body["data"], *outcome.body["deleted"]]
    return {
        "status": "partial_success" if failed else "success",
        "succeeded": len(sent),
        "failed": len(failed),
        "models": sorted({each["_model"] for each in sent} | set(failed)),
        "error": None,
    }
