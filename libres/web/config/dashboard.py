"""The dashboard: what there is, what was done lately, and where to go from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, render_template

from libres.web.config.visiting import VISITOR, rule, visit

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

page = Blueprint("dashboard", __name__)


@page.get("/")
@rule(VISITOR)
def dashboard() -> ResponseReturnValue:
    """Show what there is."""
    return render_template("libres/config/dashboard.html", here_is=visit())
