"""The roles that all organisations have: staff adds and changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, render_template, request, url_for

from libres.web.config.answering import answered, typed
from libres.web.config.members import WORDS, change_as_shown, level, role_of
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
    change_as_shown(here, role_of(here, None, request.form.get("role")))


def _shown(error: str | None = None) -> str:
    here = visit()
    with here.reading():
        found = here.sync.roles.all()
    return render_template(
        "libres/config/roles.html",
        roles=found,
        levels=WORDS,
        error=error,
        typed=typed(error),
    )
