"""Signing in to the configuration, with name and password, and out again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Blueprint, flash, redirect, render_template, request, session, url_for

from libres.sync import journal, signing_in
from libres.sync.errors import NotSignedIn, TooManyRequests
from libres.web.actors import request_id
from libres.web.config.visiting import ANYBODY, begin, rule
from libres.web.edge import edge
from libres.web.pages.signin import OWN_PATH

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from libres.sync.values import User

UNKNOWN: Final = "Nobody has this name and password."
TOO_OFTEN: Final = "That was too often: wait {seconds} seconds, and try again."

page = Blueprint("signin", __name__)


@page.get("/sign-in/")
@rule(ANYBODY)
def sign_in() -> ResponseReturnValue:
    """Ask for name and password."""
    return _form(None)


@page.post("/sign-in/")
@rule(ANYBODY)
def signed_in() -> ResponseReturnValue:
    """Look whether they are right; guessing is limited, as it is for devices."""
    try:
        user = edge().write(_checked)
    except NotSignedIn:
        return _form(UNKNOWN), 401
    except TooManyRequests as error:
        seconds = error.retry_after
        told = TOO_OFTEN.format(seconds=seconds)
        return _form(told), 429, {"Retry-After": str(seconds)}
    journal.note_visit(edge().context, user, request_id())
    begin(user)
    return redirect(request.root_path + _next(request.form.get("next")), 303)


@page.post("/sign-out/")
@rule(ANYBODY)
def sign_out() -> ResponseReturnValue:
    """Forget who was here."""
    session.clear()
    flash("You are signed out.", "good")
    return redirect(url_for("libres.config.signin.sign_in"), 303)


def _checked() -> User:
    """Return whose name and password were sent. Raises NotSignedIn, TooManyRequests."""
    name, password = (request.form.get(each, "") for each in ("username", "password"))
    address = request.remote_addr or ""
    return signing_in.check(edge().context, name, password, address)


def _form(error: str | None) -> str:
    asked = request.values.get("next")
    return render_template(
        "libres/config/signin.html", error=error, next=_next(asked) if asked else ""
    )


def _next(path: str | None) -> str:
    if path and OWN_PATH.fullmatch(path):
        return path
    first = url_for("libres.config.dashboard.dashboard")
    return first.removeprefix(request.root_path)
