"""The organisations: everybody's own; staff sees all of them, and adds some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Blueprint, render_template, request, url_for

from libres.sync.errors import ChangedMeanwhile
from libres.web.config import listing
from libres.web.config.answering import answered, typed
from libres.web.config.visiting import STAFF, VISITOR, Visit, rule, visit

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from libres.sync.values import Organization

page = Blueprint("organizations", __name__)

STATES: Final = {"1": True, "0": False}
"""What forms send for active, and not."""


@page.get("/organizations/")
@rule(VISITOR)
def organizations() -> ResponseReturnValue:
    """Show the organisations that somebody may see."""
    return _shown()


@page.post("/organizations/")
@rule(STAFF)
def add() -> ResponseReturnValue:
    """Add an organisation."""
    here = visit()
    name, slug, reference = (
        request.form.get(each, "").strip() for each in ("name", "slug", "reference")
    )
    return answered(
        lambda: here.write(
            lambda: here.sync.organizations.add(name, slug, reference or None)
        ),
        f"Added {name}.",
        url_for("libres.config.members.members", slug=slug or "-"),
        _shown,
    )


@page.post("/organizations/<slug>/change")
@rule(STAFF)
def change(slug: str) -> ResponseReturnValue:
    """Give an organisation another name; let its members in, or refuse them all."""
    here = visit()
    return answered(
        lambda: here.write(lambda: _change(here, slug)),
        "Saved.",
        url_for(".organizations"),
        _shown,
    )


def _change(here: Visit, slug: str) -> None:
    """Change what was shown, if it still is so. Raises ChangedMeanwhile."""
    form, every = request.form, here.sync.organizations
    now = every.named(slug)
    every.lock(now)
    if (form.get("was_name"), STATES.get(form.get("was", ""))) != (
        now.name,
        now.active,
    ):
        raise ChangedMeanwhile(
            kind="organization", name=now.name, version=0, value=now.active
        )
    name, active = form.get("name", "").strip(), form.get("active") == "1"
    if name != now.name:
        every.rename(slug, name)
    if active != now.active:
        every.set_active(slug, active)


def _shown(error: str | None = None) -> str:
    here, asked = visit(), listing.asked()
    with here.reading():
        every = _every(here, asked.search)
        shown = listing.part_of(asked, listing.cut(asked, every))
        numbers = here.sync.memberships.numbers(shown.rows)
    return render_template(
        "libres/config/organizations.html",
        part=shown,
        numbers=numbers,
        error=error,
        typed=typed(error),
    )


def _every(here: Visit, search: str) -> list[Organization]:
    """Return the organisations whose name or slug contains a text; as they are now, if
    something was just changed."""
    if here.is_staff and request.method == "POST":
        found = here.sync.organizations.all()
    else:
        found = here.organizations
    wanted = search.casefold()
    return [each for each in found if wanted in f"{each.name} {each.slug}".casefold()]
