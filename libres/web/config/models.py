"""The models that are synchronised: what they are, whether they are switched on, and
which others of the application could be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flask import Blueprint, flash, redirect, render_template, request, url_for

from libres.sync.capture.installing import installed
from libres.sync.capture.triggers import Capture
from libres.sync.discovering import bases_of
from libres.sync.errors import ChangedMeanwhile
from libres.sync.feed.touched import touched
from libres.web.config.visiting import STAFF, VISITOR, Visit, rule, visit
from libres.web.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from flask.typing import ResponseReturnValue

    from libres.sync.discovering import Proposal
    from libres.sync.registry import SyncModel
    from libres.sync.switches import Switch

POLICIES: Final = {
    "reject": "refused: the device gets the row as it is",
    "client": "overwrites",
    "server": "dropped: the row stays as it is",
    "merge": "merged, if it concerns other fields",
}
"""What becomes of a change that came too late."""

REGISTERED: Final = "It is registered."

page = Blueprint("models", __name__, url_prefix="/models")


@page.get("/")
@rule(VISITOR)
def models() -> ResponseReturnValue:
    """Show the registered models; to staff, which others there are, too."""
    here = visit()
    with here.reading():
        shown = _shown(here)
        start_off = here.sync.switches.start_off()
    proposals = _proposals(here) if here.is_staff else []
    return render_template(
        "libres/config/models.html",
        models=shown,
        start_off=start_off,
        proposed=[each for each in proposals if each.register],
        excluded=[each for each in proposals if not each.register],
    )


@page.post("/switch/")
@rule(STAFF)
def switch() -> ResponseReturnValue:
    """Switch a model on or off, for all organisations."""
    here = visit()
    name = request.form.get("model", "")
    if name not in here.sync.registry:
        raise InvalidRequest(errors={"model": ["There is no such model here."]})
    on, version = _wanted()
    _write(
        lambda: here.sync.switches.set(name, on, version),
        f"{name} is switched {'on' if on else 'off'}.",
    )
    return redirect(url_for("libres.config.models.models"), 303)


@page.post("/new/")
@rule(STAFF)
def new() -> ResponseReturnValue:
    """Say whether models that are registered from now on start switched off."""
    here = visit()
    on, version = _wanted()
    by = here.user.username
    _write(
        lambda: here.sync.switches.set_start_off(not on, version, by=by),
        f"New models start switched {'on' if on else 'off'}.",
    )
    return redirect(url_for("libres.config.models.models"), 303)


def _write(act: Callable[[], object], done: str) -> None:
    """Change something, and say so; or that somebody else was faster."""
    try:
        visit().write(act)
    except ChangedMeanwhile:
        message = (
            "Nothing was changed: somebody else has switched this meanwhile. "
            "Look at it as it is now, and decide again."
        )
        flash(message, "bad")
    else:
        flash(done, "good")


def _wanted() -> tuple[bool, int]:
    """Read a switch: on or off, and the version that was looked at."""
    value = {"on": True, "off": False}.get(request.form.get("value", ""))
    version = request.form.get("version", "")
    if value is None:
        raise InvalidRequest(errors={"value": ["Say 'on' or 'off'."]})
    if not (version.isascii() and version.isdigit() and len(version) <= LONGEST):
        raise InvalidRequest(errors={"version": ["It is a whole number."]})
    return value, int(version)


LONGEST: Final = 10
"""Digits of a version."""


# What is shown ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """A registered model, and how it is."""

    model: SyncModel
    switch: Switch
    is_noted: bool
    """Its changes are noted by triggers, as they should be."""

    roles: int
    """That may do anything with it."""

    changed: datetime | None
    """When it has last changed; None: not that anybody knew, or may tell."""

    @property
    def owner(self) -> str:
        """Say whose the rows are."""
        if self.model.shared:
            return "all organisations share it"
        if self.model.tenant is None:
            return "its handler knows whose a row is"
        return f"the column {self.model.tenant.name} says whose a row is"

    @property
    def policy(self) -> str:
        """Say what becomes of what came too late."""
        return POLICIES[self.model.policy]

    @property
    def handler(self) -> str:
        """Say what writes what devices push."""
        found = self.model.handler
        if found is None:
            return "plain rows"
        return found.__name__ if isinstance(found, type) else type(found).__name__


def _shown(here: Visit) -> list[Shown]:
    """Return all models, in seven statements at most, however many they are."""
    registry = list(here.sync.registry)
    connection = here.sync.session.connection()
    captures = [Capture(here.context.name, each) for each in registry]
    noted = installed(connection, captures)
    switches = {each.model: each for each in here.sync.switches.all()}
    mine = None if here.is_staff else here.organizations
    roles = here.sync.permissions.holders(mine)
    changed = _changed(here, registry) if here.is_staff else {}
    return [
        Shown(
            model=each,
            switch=switches[each.name],
            is_noted=each.name in noted,
            roles=roles.get(each.name, 0),
            changed=changed.get(each.relation),
        )
        for each in registry
    ]


def _changed(here: Visit, registry: list[SyncModel]) -> dict[str, datetime]:
    relations = [each.relation for each in registry]
    return touched(here.sync.session, here.context.name, relations)


def _proposals(here: Visit) -> list[Proposal]:
    """Return what else there is in the code of the application."""
    bases = bases_of(here.sync.registry)
    found = here.sync.discover(*bases)
    return [each for each in found if each.reason != REGISTERED]
