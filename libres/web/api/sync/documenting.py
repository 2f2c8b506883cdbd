"""Says in the OpenAPI document what a view takes and gives, and refuses other verbs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from flask import request
from werkzeug.exceptions import MethodNotAllowed

from libres.web.api.specified import described
from libres.web.api.sync.schemas import SyncRefusal
from libres.web.documenting import REASONS

if TYPE_CHECKING:
    from apiflask import APIBlueprint

View = TypeVar("View", bound=Callable[..., Any])

JSON: Final = "application/json"

VERBS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"})

OF_SYNC: Final = {
    **REASONS,
    404: "Nobody can sign in here: there are no keys.",
    408: "It has taken too long.",
    410: "What the cursor stands for is not kept, or rights have changed: go on with "
    "the cursor of the answer, and replace the rows of its models.",
    422: "All of it was refused.",
    500: "Something is wrong here.",
    503: "The database is not there, or too many others got in the way.",
}

ALWAYS: Final = (404, 408, 500, 503)
OF_MEMBERS: Final = (401, 403, 429)
OF_BODIES: Final = (400, 413, 415)


def documented(
    *problems: int,
    gives: Any,
    takes: Any = None,
    is_for_members: bool = True,
    also: Mapping[int, Any] | None = None,
) -> Callable[[View], View]:
    """Document a view: what it *takes* and *gives*, and the statuses of its errors
    beside those that follow from that. *also* has other answers, by their status."""
    refused = {*problems, *ALWAYS}
    refused |= {*OF_MEMBERS} if is_for_members else set()
    refused |= {*OF_BODIES} if takes is not None else set()
    told = {**dict.fromkeys(refused, SyncRefusal), **(also or {}), 200: gives}
    more: dict[str, Any] = {} if takes is None else {"body": takes}

    def decorate(view: View) -> View:
        return described(
            view,
            responses={each: _answer(each, told[each]) for each in sorted(told)},
            security=["sync"] if is_for_members else [],
            content_type=JSON,
            **more,
        )

    return decorate


def _answer(status: int, schema: Any) -> dict[str, Any]:
    reason = "Done." if status == 200 else OF_SYNC[status]
    return {"description": reason, "content": {JSON: {"schema": schema}}}


# Paths --------------------------------------------------------------------------------


def at(api: APIBlueprint, verb: str, path: str) -> Callable[[View], View]:
    """Register a view under a path, with or without the slash at its end; other verbs
    are refused there."""

    def decorate(view: View) -> View:
        name = view.__name__
        allowed = [verb, "HEAD", "OPTIONS"] if verb == "GET" else [verb, "OPTIONS"]
        api.add_url_rule(
            path, name, view_func=view, methods=[verb], strict_slashes=False
        )
        api.add_url_rule(
            path,
            f"not_{name}",
            view_func=described(_refusing(allowed), hide=True),
            methods=sorted(VERBS - set(allowed)),
            provide_automatic_options=False,
            strict_slashes=False,
        )
        return view

    return decorate


def _refusing(allowed: list[str]) -> Callable[[], Any]:
    def refuse() -> Any:
        raise MethodNotAllowed(allowed, f"Not {request.method}.")

    return refuse
