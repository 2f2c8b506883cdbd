"""The dashboard: what there is, what was done lately, and where to go from here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, render_template, url_for

from libres.sync.logbook import Logbook, Sought
from libres.sync.totals import Totals, totals
from libres.web.api.sync import vital
from libres.web.config.visiting import VISITOR, Visit, rule, visit

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

page = Blueprint("dashboard", __name__)

LATEST: Final = 10
"""Entries of the log, and changes."""

LISTED: Final = 50
"""Organisations with links of their own; who has more searches their page."""


@dataclass(frozen=True, slots=True)
class Card:
    """How many there are of something, and where they are."""

    count: int
    name: str
    url: str | None = None
    """None: the visitor may not go there."""


@page.get("/")
@rule(VISITOR)
def dashboard() -> ResponseReturnValue:
    """Show what there is."""
    here = visit()
    whose = here.ids
    with here.reading():
        session = here.sync.session
        counted = totals(here.context, session, whose)
        health = vital.examined(session, here.context)
    sought = Sought(organizations=whose)
    return render_template(
        "libres/config/dashboard.html",
        cards=_cards(here, counted),
        health=health["status"],
        findings=list(_findings(health["checks"])) if here.is_staff else [],
        records=Logbook(here.context).latest(sought, limit=LATEST),
        changes=here.audit.history(tenants=here.tenants, limit=LATEST),
        organizations=here.organizations[:LISTED],
        more=max(0, len(here.organizations) - LISTED),
        models=sorted(each.name for each in here.sync.registry),
        duration=_duration,
    )


def _cards(here: Visit, counted: Totals) -> Sequence[Card]:
    def staff(endpoint: str) -> str | None:
        return url_for(f"libres.config.{endpoint}") if here.is_staff else None

    organizations = url_for("libres.config.organizations.organizations")
    models = url_for("libres.config.models.models")
    return (
        Card(counted.models, "models", models),
        Card(counted.organizations, "organisations", organizations),
        Card(counted.roles, "roles", staff("roles.roles")),
        Card(counted.users, "users", staff("users.users")),
        Card(counted.memberships, "memberships", organizations),
        Card(
            counted.devices, "devices in use", url_for("libres.config.devices.devices")
        ),
        Card(counted.all, "in all"),
    )


# Health -------------------------------------------------------------------------------


def _findings(checks: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield how each part is: its name, its state, and a sentence."""
    yield "Database", checks["database"]["status"], "It answers."
    yield "Numbering", checks["sequencer"]["status"], _pending(checks["sequencer"])
    yield "Log", checks["logging"]["status"], _logging(checks["logging"]["status"])
    yield "Memory", checks["cache"]["status"], _cache(checks["cache"]["hit_ratio"])
    if "audit" in checks:
        yield "Audit", checks["audit"]["status"], _audit(checks["audit"])
    if "disk" in checks:
        free = checks["disk"]["free"]
        yield "Disk", checks["disk"]["status"], f"{free:.0%} of it is free."


def _pending(check: Mapping[str, Any]) -> str:
    count = check["pending"]
    if not count:
        return "All changes have their numbers."
    words = "1 change waits" if count == 1 else f"{count} changes wait"
    age = _duration(check["oldest_seconds"] or 0)
    return f"{words} for a number, the oldest for {age}."


def _logging(status: str) -> str:
    if status == vital.HEALTHY:
        return "What is asked is written down."
    return "What is asked cannot be written down: the role may not add to sync_log."


def _cache(ratio: float | None) -> str:
    if ratio is None:
        return "Nothing was read yet."
    return f"{ratio:.1%} of what the database reads is in its memory."


def _audit(check: Mapping[str, Any]) -> str:
    position, signed = check["position"], check["signed_position"]
    if not check["chained"]:
        return f"The last of {position} changes is not in the chain: verify it."
    if check["signed"] is None:
        return f"There are {position} changes, and no signature yet."
    return (
        f"There are {position} changes; those up to {signed} are signed, last on "
        f"{check['signed']:%Y-%m-%d %H:%M} UTC."
    )


UNITS: Final = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"))


def _duration(seconds: float) -> str:
    """Say how long something took, or takes."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    passed = timedelta(seconds=seconds)
    for unit, name in UNITS:
        if passed >= 2 * unit:
            return f"{passed // unit} {name}"
    return f"{passed // timedelta(minutes=1)} min"
