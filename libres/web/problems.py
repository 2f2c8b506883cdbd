"""Tells errors in one shape (RFC 9457), by one table from error class to status."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from apiflask.exceptions import _ValidationError
from flask import Blueprint, Flask, Response, current_app
from sqlalchemy.exc import MultipleResultsFound, NoResultFound
from werkzeug.exceptions import HTTPException

from libres.conflicts.errors import (
    ConflictError,
    IncompleteQuestion,
    InvalidClaim,
    MirroredElsewhere,
    NotTrackable,
)
from libres.modules import errors as core
from libres.modules.errors import LibresError
from libres.occupancy import errors as occupancy
from libres.sync import errors as sync
from libres.timetable import errors as timetable
from libres.waiting import errors as waiting
from libres.web import errors as web
from libres.web import guarding
from libres.web.problem_pages import shown

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

STATUSES: Final[Mapping[type[Exception], int]] = {
    # refused for what others did
    core.AlreadyReservedError: 409,
    core.OverlappingAllocationError: 409,
    core.OverlappingReservationError: 409,
    core.AffectedReservationError: 409,
    core.IdempotencyKeyReused: 409,
    web.RemovedMeanwhile: 409,
    web.NeedsApproval: 409,
    web.AlreadyDecided: 409,
    core.QuotaImpossible: 409,
    ConflictError: 409,
    occupancy.AlreadyWatched: 409,
    waiting.AlreadyWaiting: 409,
    waiting.NotWaiting: 409,
    waiting.TimeIsFree: 409,
    sync.ChangedMeanwhile: 409,
    sync.AlreadyThere: 409,
    sync.NotKept: 409,
    sync.NotRevertible: 409,
    # wrong in itself
    core.InvalidAllocationError: 422,
    core.InvalidEmailAddress: 422,
    core.ReservationTooLong: 422,
    core.ReservationTooShort: 422,
    core.ReservationParametersInvalid: 422,
    core.QuotaOverLimit: 422,
    core.InvalidQuota: 422,
    core.InvalidReservationError: 422,
    core.NotReservableError: 422,
    core.DatesMayNotBeEqualError: 422,
    core.TimerangeTooLong: 422,
    core.NotTimezoneAware: 422,
    core.Misuse: 422,
    InvalidClaim: 422,
    IncompleteQuestion: 422,
    NotTrackable: 422,
    timetable.InvalidWindow: 422,
    timetable.InvalidSubject: 422,
    timetable.NotCached: 409,
    occupancy.InvalidMoment: 422,
    occupancy.InvalidPlace: 422,
    occupancy.UnreadableFile: 422,
    waiting.InvalidEntry: 422,
    sync.InvalidName: 422,
    sync.InvalidPassword: 422,
    sync.InvalidPermissions: 422,
    sync.InvalidFilter: 422,
    sync.InvalidSetting: 422,
    web.InvalidRequest: 422,
    MultipleResultsFound: 422,
    # not there
    core.InvalidReservationToken: 404,
    core.NoReservationsToConfirm: 404,
    timetable.UnknownSubject: 404,
    occupancy.UnknownPlace: 404,
    waiting.UnknownEntry: 404,
    sync.UnknownEntity: 404,
    NoResultFound: 404,
    web.NotFound: 404,
    web.NotSetUp: 404,
    # not for you
    web.NotIdentified: 401,
    web.NotAllowed: 403,
    web.TooLarge: 413,
    web.TooManyRequests: 429,
    # try again
    core.TooManyConflicts: 503,
    core.OutcomeUnknown: 503,
    MirroredElsewhere: 500,
}
"""By the class of the error, or the closest one that it is derived from."""

RETRY_AFTER: Final = 1
"""Seconds after which a request is worth to be sent again that met too many others."""

MEDIA_TYPE: Final = "application/problem+json"

_SECRET: Final = frozenset({"reservation", "allocation", "conflicts", "existing"})
"""Facts of errors that are records of others."""


def status_of(error: Exception) -> int | None:
    """Return the status that tells of an error; None: it is none of ours."""
    return next(
        (STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), None
    )


def problem(
    status: int,
    detail: str,
    *,
    kind: str = "about:blank",
    title: str | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Response:
    """Make an answer that tells what went wrong; *members* go into it as they are."""
    said = {"type": kind, "status": status, "detail": detail, **members}
    if title is not None:
        said["title"] = title
    body = json.dumps(said, default=str)
    return Response(body, status, headers, content_type=MEDIA_TYPE)


def problem_of(error: Exception, wrong: int = 422, **members: Any) -> Response:
    """Make the answer for an error of ours. Its class is its type.

    *wrong* is the status of what is wrong in itself; *members* go into the answer.
    """
    status = status_of(error) or 500
    status = wrong if status == 422 else status
    detail = _detail(error, status)
    headers = {}
    if isinstance(error, web.InvalidRequest):
        members["errors"] = error.errors
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER)
    if isinstance(error, web.TooManyRequests):
        headers["Retry-After"] = str(error.seconds)
    if status == 401:
        headers["WWW-Authenticate"] = guarding.CHALLENGE
    name = type(error).__name__
    return problem(
        status,
        detail,
        kind=f"urn:libres:problem:{_dashed(name)}",
        title=_spaced(name),
        headers=headers,
        **members,
    )


def _detail(error: Exception, status: int) -> str:
    if status == 404 and not isinstance(error, web.NotSetUp):
        return "Not found."
    if isinstance(error, web.InvalidRequest):
        told = (f"{name}: {' '.join(said)}" for name, said in error.errors.items())
        return " ".join(told)
    if isinstance(error, ConflictError):
        return str(ConflictError())  # whom it met is not for everybody
    return str(error)


def _dashed(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name.removesuffix("Error")).lower()


def _spaced(name: str) -> str:
    return _dashed(name).replace("-", " ").capitalize()


# Handlers -----------------------------------------------------------------------------


def register(blueprint: Blueprint, wrong: int = 422) -> None:
    """Let a blueprint answer errors of its views by problems.

    *wrong* is the status of what is wrong in itself.
    """
    answered, refused = partial(_answered, wrong=wrong), partial(_refused, wrong=wrong)
    for kind in (LibresError, core.Misuse, NoResultFound, MultipleResultsFound):
        blueprint.register_error_handler(kind, answered)
    blueprint.register_error_handler(_ValidationError, refused)
    blueprint.register_error_handler(HTTPException, _http)
    blueprint.register_error_handler(Exception, unexpected)


def register_fallback(app: Flask) -> None:
    """Let an application of ours answer paths that lead nowhere in the same way."""
    app.register_error_handler(HTTPException, _http)
    app.after_request(guarding.protected)


def _answered(error: Exception, wrong: int) -> ResponseReturnValue:
    if (status_of(error) or 500) >= 500 and not isinstance(
        error, core.TooManyConflicts
    ):
        current_app.logger.error("%s", error, exc_info=error)
    return shown(problem_of(error, wrong))


def _refused(error: _ValidationError, wrong: int) -> ResponseReturnValue:
    """Tell of a request that is not as the document says."""
    return shown(problem_of(web.InvalidRequest(errors=flat(error.detail)), wrong))


def flat(messages: Any, path: str = "") -> dict[str, list[str]]:
    """Flatten nested messages: ``{"dates.0.start": ["Not a valid datetime."]}``."""
    if isinstance(messages, Mapping):
        found: dict[str, list[str]] = {}
        for key, value in messages.items():
            is_place = not path and key in ("json", "query", "headers", "json_or_form")
            inner = "" if is_place else f"{path}.{key}" if path else str(key)
            found |= flat(value, inner)
        return found
    said = messages if isinstance(messages, list) else [messages]
    return {path or "request": [str(each) for each in said]}


def _http(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    detail = "Not found." if status == 404 else error.description or error.name
    headers = {
        name: value for name, value in error.get_headers() if name != "Content-Type"
    }
    return shown(problem(status, detail, title=error.name, headers=headers))


def unexpected(error: Exception) -> ResponseReturnValue:
    """Tell of an error that nobody has foreseen; what it was is in the log only."""
    current_app.logger.error("Unexpected", exc_info=error)
    return shown(problem(500, "Something went wrong here; it has been written down."))
