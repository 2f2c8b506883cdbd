"""The roles that all organisations have: staff adds and changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, render_template, request, url_for

from libres.sync.errors import UnknownEntity
from libres.web.config.answering import answered
from libres.web.config.members import NO_SUCH_ROLE, WORDS, change_as_shown, level
from libres.web.config.visiting import STAFF, Visit, rule, visit

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

page = Blueprint("roles", __name__)


@page.get("/roles/")
@rule(STAFF)
def roles() -> ResponseReturnValue:
    """Show the roles that all organisations have."""
    return _shown()


@page.post("/roles/")
@rule(STAFF)
def add() -> ResponseReturnValue:
    """Add one."""
    here, form = visit(), request.form
    code, name = form.get("code", "").strip(), form.get("name", "").strip()
    return answered(
        lambda: here.write(
            lambda: here.sync.roles.add(code, name, None, level(form.get("pages")))
        ),
        f"Added {name}.",
        url_for(".roles"),
        _shown,
    )


@page.post("/roles/change")
@rule(STAFF)
def change() -> ResponseReturnValue:
    """Give one another name, or other rights to pages."""
    here = visit()
    return answered(
        lambda: here.write(lambda: _change(here)), "Saved.", url_for(".roles"), _shown
    )


def _change(here: Visit) -> None:
    for role in here.sync.roles.all():
        if str(role.id) == request.form.get("role"):
            return change_as_shown(here, role)
    raise UnknownEntity(NO_SUCH_ROLE, kind="role", name="")


def _shown(error: str | None = None) -> str:
    here = visit()
    with here.reading():
        found = here.sync.roles.all()
    return render_template(
        "libres/config/roles.html",
        roles=found,
        levels=WORDS,
        error=error,
        typed=request.form if error and "was" not in request.form else {},
    )
