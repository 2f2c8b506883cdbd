"""What the blueprints of rooms have in common, as their specifications say it.

What is wrong is answered by 400, and a room that was never set up by 404.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from apiflask import APIBlueprint
from sqlalchemy.exc import DBAPIError

from libres.context.drivers import sqlstate
from libres.web import problems
from libres.web.errors import NotAllowed, NotFound
from libres.web.rooms import UNDEFINED

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from libres.web.edge import Edge

View = TypeVar("View", bound=Callable[..., Any])

WRONG: Final = 400


def specified(name: str, tag: str) -> APIBlueprint:
    """Make the blueprint of a room."""
    api = APIBlueprint(name, __name__, tag=tag)
    problems.register(api, wrong=WRONG)
    api.register_error_handler(DBAPIError, _undefined)
    return api


def _undefined(error: DBAPIError) -> ResponseReturnValue:
    """Find nothing in a room whose tables are not there."""
    if sqlstate(error) in UNDEFINED:
        return problems.problem_of(NotFound())
    return problems.unexpected(error)


def insist_on_one(here: Edge, *scopes: str) -> None:
    """Refuse who has none of these scopes. Raises NotIdentified, NotAllowed."""
    if any(map(here.caller.may, scopes)):
        return
    try:
        here.insist(scopes[0])
    except NotAllowed as error:
        message = f"You may not do this: it needs the scope {' or '.join(scopes)}."
        raise NotAllowed(message) from error


def described(view: View, **values: Any) -> View:
    """Say in the OpenAPI document what APIFlask has no word for."""
    view._spec = {**getattr(view, "_spec", {}), **values}  # type: ignore[attr-defined]
    return view
