"""Says in the OpenAPI document what a view takes, gives, and which errors it knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from libres.web.fields import Problem

if TYPE_CHECKING:
    from apiflask import APIBlueprint

View = TypeVar("View", bound=Callable[..., Any])

REASONS: Final = {
    207: "Some of it was refused; the rest is done.",
    400: "What was sent cannot be read.",
    401: "The caller does not say who they are.",
    403: "The caller may not do this.",
    404: "There is no such thing.",
    409: "It is taken, or others were first.",
    413: "It is too much at once.",
    415: "What was sent is not of a type that is understood here.",
    422: "What was sent makes no sense; 'errors' says why, field by field.",
    429: "The caller asks too often.",
    503: "Too many others got in the way: send it again, with its Idempotency-Key.",
}
"""What each status of a problem stands for."""

ALWAYS: Final = (400, 401, 429)
"""What every view may answer."""


def documented(
    blueprint: APIBlueprint,
    *problems: int,
    gives: Any = None,
    status: int = 200,
    scope: str | None = None,
    media_type: str = "application/json",
    also: Mapping[int, Any] | None = None,
) -> Callable[[View], View]:
    """Document a view of a blueprint; the view makes its answer itself.

    *problems* are the statuses of errors beside those that every view knows; *gives* is
    the schema of the answer, None: it has no body. Who may ask is said by *scope*.
    *also* has the schemas of other answers, by their status.
    """
    responses: dict[int, Any] = {
        each: {
            "description": REASONS[each],
            "content": {"application/problem+json": {"schema": Problem}},
        }
        for each in sorted({*ALWAYS, *problems})
    }
    content = {media_type: {"schema": gives}} if gives is not None else {}
    responses[status] = {"description": "Done.", "content": content}
    for other, schema in (also or {}).items():
        is_problem = issubclass(schema, Problem)
        kind = "application/problem+json" if is_problem else media_type
        told = {"description": REASONS[other], "content": {kind: {"schema": schema}}}
        responses[other] = told
    security: list[str | dict[str, list[Any]]] = [] if scope is None else ["key"]
    return blueprint.doc(responses=responses, security=security)
