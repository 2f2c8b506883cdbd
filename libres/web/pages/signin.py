"""Signing in with a key, and out again: the session keeps the id of the key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from flask import Blueprint, flash, redirect, render_template, request, session, url_for

from libres.web import actors, guarding
from libres.web.edge import Edge, edge
from libres.web.identity import identity_of
from libres.web.keys import COOKIE, Keys

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from libres.web.identity import Caller

KEPT: Final = "libres_tokens"
"""What remains of a session: what was reserved in this browser."""

OWN_PATH: Final = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]{0,2000}")
"""A path of this site. Browsers read ``//host`` and ``/\\host`` as another site, and
leave out tabs and line breaks."""

UNKNOWN: Final = "Nobody has this key, or it was revoked."


page = Blueprint("signin", __name__)


@page.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Ask for a key."""
    return _form(None)


@page.post("/sign-in")
def signed_in() -> ResponseReturnValue:
    """Look who has the key; guessing is limited, as it is for the API."""
    here = edge()
    guarding.check_token(request.form.get("csrf_token"))
    here.limits.check_failures(request.remote_addr or "")
    holder = _holder(here, request.form.get("key", "").strip())
    if holder is None:
        here.limits.note_failure(request.remote_addr or "")
        return _form(UNKNOWN), 401, {"WWW-Authenticate": guarding.CHALLENGE}
    _begin(holder)
    flash(f"Welcome, {holder.name}.", "good")
    return redirect(request.root_path + own_path(request.form.get("next")), 303)


@page.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Forget who was here, and what they reserved."""
    session.clear()
    flash("You are signed out.", "good")
    return redirect(url_for("libres.home.home"), 303)


def own_path(path: str | None) -> str:
    """Return a path of this site; the first page for what might lead elsewhere."""
    if path and OWN_PATH.fullmatch(path):
        return path
    return url_for("libres.home.home").removeprefix(request.root_path)


def _form(error: str | None) -> str:
    asked = request.values.get("next")
    return render_template(
        "libres/signin.html",
        error=error,
        next=own_path(asked) if asked else "",
        has_keys=isinstance(identity_of(edge().context), Keys),
        has_config=actors.is_noted(edge()),
    )


def _holder(here: Edge, key: str) -> Caller | None:
    """Return who has a key; None: nobody, or the host knows its users otherwise."""
    keys = identity_of(here.context)
    if not isinstance(keys, Keys):
        return None
    with here.reading():
        return keys.holder(key)


def _begin(holder: Caller) -> None:
    """Begin a new session: nothing that was known before proves anything in it."""
    kept = session.get(KEPT)
    session.clear()
    session[COOKIE] = holder.id
    if kept is not None:
        session[KEPT] = kept
