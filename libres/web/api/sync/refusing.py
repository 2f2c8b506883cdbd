"""Tells clients what went wrong, in one shape, by one table from errors to types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from apiflask.exceptions import _ValidationError
from flask import Response, current_app, request
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from libres.context.drivers import sqlstate
from libres.context.transactions import classify
from libres.db.models.timestamp import TimestampMixin
from libres.modules import errors as core
from libres.sync import errors as sync
from libres.web import errors as web
from libres.web.actors import request_id
from libres.web.edge import answer
from libres.web.problems import flat
from libres.web.rooms import UNDEFINED

if TYPE_CHECKING:
    from apiflask import APIBlueprint

VALIDATION: Final = "validation"

SEVERITIES: Final[Mapping[str, str]] = {
    VALIDATION: "low",
    "rate_limit": "low",
    "resync_required": "low",
    "authentication": "medium",
    "authorization": "medium",
    "timeout": "medium",
    "performance": "medium",
    "database": "high",
    "configuration": "critical",
    "unknown": "critical",
}
"""How bad it is, by the type of an error; these are all types."""


class Told(NamedTuple):
    """What is told of a kind of error."""

    type: str
    status: int
    retryable: bool = False
    message: str | None = None
    """None: its own."""


NOTHING_HERE: Final = "There is nothing here."
WRONG_HERE: Final = "Something is wrong here, and not with you; it was written down."
TRY_AGAIN: Final = "The database cannot be asked now: try again, with the same ids."
TOO_SLOW: Final = "This has taken too long: try again, or ask for less at once."

BUSY: Final = Told("performance", 503, True, "All are busy: try again a bit later.")
AWAY: Final = Told("database", 503, True, TRY_AGAIN)
LATE: Final = Told("timeout", 408, True, TOO_SLOW)
NOT_SET_UP: Final = Told("configuration", 500, False, WRONG_HERE)
NOWHERE: Final = Told(VALIDATION, 404, False, NOTHING_HERE)

TABLE: Final[Mapping[type[BaseException], Told]] = {
    core.TooManyConflicts: Told("database", 503, True, str(sync.Unavailable())),
    core.OutcomeUnknown: Told("database", 503, True, str(sync.Unavailable())),
    sync.KeysMissing: NOWHERE,
    sync.SyncError: NOT_SET_UP,
    web.NotFound: NOWHERE,
    NoConnectionLeft: BUSY,
    SQLAlchemyError: Told("database", 500, False, WRONG_HERE),
    Exception: Told("unknown", 500, False, WRONG_HERE),
}
"""By the class of the error, or the closest one that it is derived from; a RequestError
says by itself what it is."""

BY_STATE: Final[Mapping[str, Told]] = {
    **dict.fromkeys(UNDEFINED, NOT_SET_UP),
    "57014": LATE,  # query_canceled, which a limit of time does
    "55P03": LATE,  # lock_not_available
    "25P04": LATE,  # transaction_timeout
}
"""By what PostgreSQL says."""

BY_STATUS: Final[Mapping[int, Told]] = {
    400: Told(VALIDATION, 400, False, "This request cannot be read."),
    404: NOWHERE,
    405: Told(VALIDATION, 405, False, "This cannot be done here."),
    408: LATE,
    413: Told(VALIDATION, 413, False, str(sync.RequestTooLarge())),
    415: Told(VALIDATION, 415, False, "Send it as application/json."),
}
"""By what HTTP says."""

CHALLENGE: Final = 'Bearer realm="libres.sync"'

RETRY_AFTER: Final = 1
"""Seconds after which something is worth to be tried again, if nothing else is said."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is answered."""

    type: str
    status: int
    message: str
    retryable: bool = False
    context: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def retry_after(self) -> int | None:
        """In how many seconds it may be tried again; None: not at all, as it is."""
        after = self.headers.get("Retry-After")
        return None if after is None else int(after)


def refusal_of(error: BaseException) -> Refusal:
    """Return what is told of an error."""
    if isinstance(error, _ValidationError):
        return _of_request(malformed(error.detail))
    if isinstance(error, sync.RequestError):
        return _of_request(error)
    told = _told(error)
    headers = {"Retry-After": str(RETRY_AFTER)} if told.status == 503 else {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(error.valid_methods)
    message = told.message or WRONG_HERE
    return Refusal(told.type, told.status, message, told.retryable, headers=headers)


def malformed(messages: Any) -> sync.MalformedRequest:
    """Return the error for what a schema says of a document."""
    errors = flat(messages)
    said = " ".join(f"{name}: {' '.join(each)}" for name, each in errors.items())
    return sync.MalformedRequest(
        said if said.endswith(".") else f"{said}.", errors=errors
    )


def _told(error: BaseException) -> Told:
    if isinstance(error, HTTPException):
        return BY_STATUS.get(error.code or 500, TABLE[Exception])
    if isinstance(error, DBAPIError):
        state = sqlstate(error) or ""
        if state in BY_STATE:
            return BY_STATE[state]
        if classify(error) != "no":
            return AWAY
    return next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)


def _of_request(error: sync.RequestError) -> Refusal:
    """Tell what a RequestError says of itself; its facts are no part of the text."""
    facts = {**error.facts}
    headers = {}
    if error.retryable and error.status != 410:
        headers["Retry-After"] = str(facts.pop("retry_after", RETRY_AFTER))
    if error.status == 401:
        sent = "Authorization" in request.headers
        headers["WWW-Authenticate"] = CHALLENGE + ', error="invalid_token"' * sent
    message = str(type(error)(*error.args))
    return Refusal(error.type, error.status, message, error.retryable, facts, headers)


def answered(refusal: Refusal) -> Response:
    """Make the answer."""
    after = refusal.retry_after
    said = {
        "type": refusal.type,
        "message": refusal.message,
        "severity": SEVERITIES[refusal.type],
        "retryable": refusal.retryable,
        "timestamp": TimestampMixin.timestamp(),
        "context": {"request": request_id(), **refusal.context},
        "retry_info": None if after is None else {"retry_after": after},
    }
    return answer({"error": said}, refusal.status, refusal.headers)


def register(blueprint: APIBlueprint) -> None:
    """Let a blueprint tell errors of its views in this shape, whatever the application
    does with those of its own: it may know statuses, so these are said as well."""
    kinds: tuple[type[Exception] | int, ...] = (
        *(Exception, HTTPException, _ValidationError),
        *BY_STATUS,
    )
    for kind in kinds:
        blueprint.register_error_handler(kind, _answered)


def _answered(error: Exception) -> Response:
    refusal = refusal_of(error)
    if refusal.status == 500 or refusal.type == "database":
        current_app.logger.error("%s", type(error).__name__, exc_info=error)
    return answered(refusal)
