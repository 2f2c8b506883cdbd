"""The desk: what waits is approved or denied, and times are taken out of service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from flask import Blueprint, flash, redirect, render_template, request, url_for

from libres.modules.errors import LibresError, Misuse
from libres.web.blocked import Wish, blocked_of, wish_of, wrong_reason
from libres.web.deciding import Verb, decide, told, why_of
from libres.web.directory import resources_of
from libres.web.edge import Edge, edge
from libres.web.errors import InvalidRequest
from libres.web.fields import LARGEST
from libres.web.identity import MANAGE
from libres.web.pages import desk_waiting
from libres.web.pending import Key, key_of, pending_of
from libres.web.problems import status_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from flask.typing import ResponseReturnValue

    from libres.db.scheduler import Scheduler
    from libres.web.directory import Place

MOST: Final = 20
"""What is shown at once of what waits."""

LONGEST_SEARCH: Final = 254

NOTHING: Final = "nothing"
"""What Enter in a box decides."""

GONE: Final = "Not there any more: somebody else was first."


page = Blueprint("desk", __name__)


@page.get("/desk")
def desk() -> ResponseReturnValue:
    """Show what waits for a decision, the oldest first."""
    here = edge()
    here.insist(MANAGE)
    return _pending_page(here)


@page.post("/desk/decide")
def decided() -> ResponseReturnValue:
    """Approve or deny one, or all that are chosen."""
    here = edge()
    here.insist(MANAGE)
    verb, keys = _decision()
    for message, kind in told(verb, decide(here, verb, keys, _known(here))):
        flash(message, kind)
    if not keys:
        flash("Nothing was decided: choose something, and press a button.", "bad")
    filters: dict[str, Any] = {**_filters(request.form)}
    return redirect(url_for("libres.desk.desk", **filters), 303)


@page.get("/desk/blockers")
def blockers() -> ResponseReturnValue:
    """Show what is out of service."""
    here = edge()
    here.insist(MANAGE)
    return _blockers_page(here, Wish({}))


@page.post("/desk/blockers")
def added() -> ResponseReturnValue:
    """Take a time out of service, or tell why not, beside what was typed."""
    here = edge()
    here.insist(MANAGE)
    return _added(here, wish_of(request.form))


@page.post("/desk/blockers/change")
def changed() -> ResponseReturnValue:
    """Give a blocker another reason."""
    here = edge()
    here.insist(MANAGE)
    reason = request.form.get("reason", "").strip()
    if wrong := wrong_reason(reason):
        raise InvalidRequest(errors={"reason": [wrong]})
    return _acted(
        here,
        lambda known, key: known.change_blocker_reason(key.token, reason or None),
        "The reason is changed.",
    )


@page.post("/desk/blockers/remove")
def removed() -> ResponseReturnValue:
    """Put what a blocker holds into service again."""
    here = edge()
    here.insist(MANAGE)
    return _acted(
        here,
        lambda known, key: known.remove_blocker(key.token),
        "It is in service again.",
    )


desk_waiting.add_views(page)


# Resources ----------------------------------------------------------------------------


def _places(here: Edge) -> list[Place]:
    return list(resources_of(here.context).all())


def _known(here: Edge) -> dict[UUID, Scheduler]:
    """Return the schedulers of all that is listed, by resource."""
    with here.reading():
        schedulers = [each.scheduler(here.context) for each in _places(here)]
    return {each.resource: each for each in schedulers}


def _chosen(places: Sequence[Place], name: str) -> Sequence[Place]:
    return [each for each in places if each.name == name] if name else places


# What waits ---------------------------------------------------------------------------


def _filters(values: Any) -> dict[str, str]:
    """Return what was chosen to be shown."""
    found = {name: values.get(name, "").strip() for name in ("resource", "email")}
    return {name: value[:LONGEST_SEARCH] for name, value in found.items() if value}


def _pending_page(here: Edge) -> str:
    filters = _filters(request.args)
    email = filters.get("email", "").replace("\0", "")
    after = min(max(0, request.args.get("after", 0, type=int)), LARGEST)
    with here.reading():
        places = _places(here)
        chosen = _chosen(places, filters.get("resource", ""))
        found = pending_of(here.context, chosen, email, after, MOST + 1)
    shown = found[:MOST]
    return render_template(
        "libres/desk.html",
        places=places,
        filters=filters,
        pending=shown,
        next=shown[-1].first if len(found) > MOST else None,
        is_later=after > 0,
    )


def _decision() -> tuple[Verb, list[Key]]:
    """Read what is to be decided. Raises InvalidRequest."""
    one, several = request.form.get("one"), request.form.get("all")
    verb, _, key = (one or several or "").partition(":")
    if verb == NOTHING:
        return "deny", []
    if verb not in ("approve", "deny"):
        raise InvalidRequest(errors={"all": ["It is 'approve' or 'deny'."]})
    texts = [key] if one else request.form.getlist("chosen")[:MOST]
    keys = [found for text in texts if (found := key_of(text))]
    return cast(Verb, verb), list(dict.fromkeys(keys))


# Blockers -----------------------------------------------------------------------------


def _blockers_page(here: Edge, wish: Wish, refused: str = "") -> str:
    with here.reading():
        places = _places(here)
        found = blocked_of(here.context, places)
    return render_template(
        "libres/desk_blockers.html",
        places=places,
        blocked=found,
        wish=wish,
        refused=refused,
    )


def _added(here: Edge, wish: Wish) -> ResponseReturnValue:
    if wish.wrong:
        return _blockers_page(here, wish, "See below what is wrong."), 422
    scheduler = here.scheduler(wish.typed["resource"])
    reason = wish.typed["reason"] or None
    try:
        here.write(lambda: len(scheduler.add_blocker(wish.dates, reason=reason)))
    except (LibresError, Misuse) as error:
        status = status_of(error) or 500
        if status >= 500:
            raise
        return _blockers_page(here, wish, why_of(error)), status
    flash("It is out of service.", "good")
    return redirect(url_for("libres.desk.blockers"), 303)


def _acted(here: Edge, act: Any, done: str) -> ResponseReturnValue:
    """Do something with a blocker, unless somebody has removed it meanwhile."""
    key = key_of(request.form.get("key", ""))
    scheduler = _known(here).get(key.resource) if key else None

    def act_once() -> bool:
        if scheduler is None or key is None:
            return False
        if scheduler.blockers_by_token(key.token).first() is None:
            return False
        act(scheduler, key)
        return True

    is_done = here.write(act_once)
    flash(done if is_done else GONE, "good" if is_done else "bad")
    return redirect(url_for("libres.desk.blockers"), 303)
