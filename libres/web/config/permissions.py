"""What roles may do with models in an organisation: a matrix of boxes, saved at once.

Whoever changes a right that somebody else has changed meanwhile is told so, and
overwrites nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, flash, redirect, render_template, request, url_for

from libres.sync.crews import NOBODY, Crew
from libres.sync.errors import ChangedMeanwhile, MalformedRequest
from libres.sync.permissions import TEMPLATES
from libres.sync.strict_json import read_json
from libres.sync.values import Flags
from libres.web.config import permission_files
from libres.web.config.visiting import ADMIN, VISITOR, Visit, rule, visit
from libres.web.config.wishes import Form, Reader
from libres.web.edge import answer
from libres.web.errors import InvalidRequest, NotFound
from libres.web.problems import problem, problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flask import Response
    from flask.typing import ResponseReturnValue

    from libres.sync.matrix import Became, Matrix, Right
    from libres.sync.values import Organization, Role

MOST: Final = 200
"""Rights that are shown at once; of more, those of one role at a time."""

NAMED: Final = 5
"""Models that are named in a message."""

MEANINGS: Final[Mapping[str, str]] = {
    "push": "send changes at all; which ones, create, update and delete say",
    "pull": "fetch what has changed; it needs read as well",
    "create": "add rows",
    "read": "get rows to see",
    "update": "change rows",
    "delete": "remove rows",
}
"""What the six flags allow."""

TOLD: Final[Mapping[str, str]] = {
    "full_access": "Everything",
    "read_write": "All but delete",
    "read_only": "Pull and read",
    "write_only": "Push, create and update",
    "custom": "Nothing",
}
"""What the templates are called on the page."""

page = Blueprint("permissions", __name__, url_prefix="/permissions")


@page.get("/")
@rule(VISITOR)
def chooser() -> ResponseReturnValue:
    """Lead to the organisation that was chosen, or to the first one."""
    here = visit()
    chosen = request.args.get("organization", "")
    slugs = [each.slug for each in here.organizations]
    if chosen and chosen not in slugs:
        raise NotFound
    if not slugs:
        return render_template("libres/config/permissions_none.html")
    slug = chosen or slugs[0]
    return redirect(url_for("libres.config.permissions.matrix", slug=slug), 303)


@page.get("/<slug>/")
@rule(VISITOR)
def matrix(slug: str) -> ResponseReturnValue:
    """Show what the roles of an organisation may do."""
    here = visit()
    organization = here.organization(slug)
    rights = here.sync.permissions
    with here.reading():
        found, crews = rights.matrix(organization), rights.crews(organization)
        switches = here.sync.switches.all()
    shown = _shown(found, request.args.get("role", ""))
    return render_template(
        "libres/config/permissions.html",
        organization=organization,
        may_change=here.may_change(slug),
        matrix=found,
        off={each.model for each in switches if not each.on},
        roles=[_section(found, each, crews) for each in shown],
        names=_labels(found.roles),
        fits=_fits(found),
        chosen=shown[0] if len(shown) == 1 else None,
        flags=Flags._fields,
        meanings=MEANINGS,
        templates={each: TOLD[each] for each in TEMPLATES},
    )


@page.post("/<slug>/update/")
@rule(ADMIN)
def update(slug: str) -> ResponseReturnValue:
    """Switch one flag: ``{role, model, flag, value, version}`` in JSON."""
    return _answered(slug, _update)


@page.post("/<slug>/bulk-update/")
@rule(ADMIN)
def bulk_update(slug: str) -> ResponseReturnValue:
    """Switch many: ``{role, model, flag, value, versions}`` in JSON, of which what is
    left out means all; or with ``template``."""
    return _answered(slug, _bulk_update)


@page.post("/<slug>/save/")
@rule(ADMIN)
def save(slug: str) -> ResponseReturnValue:
    """Save what the form of a role says, or what one of its buttons does."""
    here = visit()
    organization = here.organization(slug)
    form = Form(_reader(here, organization), request.form)
    button = request.form.get("bulk", "")
    wanted = form.pressed(button) if button else form.saved()
    became = here.write(lambda: here.sync.permissions.change(organization, wanted))
    for kind, message in _summary(form.role, became):
        flash(message, kind)
    return redirect(_back(slug, form.role), 303)


permission_files.add_views(page)


# What is shown ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """What a role may do with a model."""

    model: str
    right: Right

    @property
    def told(self) -> str:
        """What the form says of it, to find out what was changed."""
        bits = "".join("1" if each else "0" for each in self.right.flags)
        return f"{self.right.version}:{bits}:{self.model}"


@dataclass(frozen=True, slots=True)
class Section:
    """A role, and what it may do."""

    role: Role
    anchor: str
    crew: Crew
    rows: tuple[Row, ...]
    granted: int
    """Models that it may do anything with."""


def _section(found: Matrix, role: Role, crews: Mapping[Any, Crew]) -> Section:
    rows = tuple(Row(each, found.of(role, each)) for each in found.models)
    granted = sum(any(each.right.flags) for each in rows)
    return Section(role, _anchor(role), crews.get(role.id, NOBODY), rows, granted)


def _shown(found: Matrix, chosen: str) -> list[Role]:
    """Return the roles that are shown: the chosen one, or as many as fit."""
    roles = list(found.roles)
    by_id = {str(each.id): each for each in roles}
    if chosen in by_id:
        return [by_id[chosen]]
    return roles if _fits(found) else roles[:1]


def _fits(found: Matrix) -> bool:
    return len(found.roles) * len(found.models) <= MOST


def _anchor(role: Role) -> str:
    return f"role-{role.id}"


def _back(slug: str, role: Role) -> str:
    """Return where a form was sent from: the page of one role, or of all."""
    chosen = str(role.id) if request.form.get("view") == "one" else None
    return url_for(
        "libres.config.permissions.matrix",
        slug=slug,
        role=chosen,
        _anchor=_anchor(role),
    )


def _labels(roles: Iterable[Role]) -> dict[Any, str]:
    """Name roles so that they can be told apart."""
    names = [each.name for each in roles]
    return {
        each.id: each.name
        if names.count(each.name) == 1
        else f"{each.name} ({each.code})"
        for each in roles
    }


# What is changed ----------------------------------------------------------------------


def _reader(here: Visit, organization: Organization) -> Reader:
    with here.reading():
        return Reader(here.sync.permissions.matrix(organization))


def _answered(
    slug: str, act: Callable[[Visit, Organization, object], Response]
) -> Response:
    """Do what a body says. What it says wrongly is answered by 400."""
    here = visit()
    organization = here.organization(slug)
    try:
        return act(here, organization, read_json(request.get_data()))
    except InvalidRequest as error:
        return problem_of(error, wrong=400)
    except MalformedRequest as error:
        return problem(400, str(error))


def _update(here: Visit, organization: Organization, body: object) -> Response:
    wish = _reader(here, organization).one(body)
    told = (wish.role, wish.model, wish.flag, wish.value, wish.version)
    rights = here.sync.permissions
    try:
        right = here.write(lambda: rights.set_flag(organization, *told))
    except ChangedMeanwhile as error:
        flags = Flags(*error.value)  # type: ignore[misc]
        now = {"version": error.version, **_flags(flags, wish.flag)}
        message = "Somebody else has changed this meanwhile: nothing was changed."
        return problem(409, message, title="Changed meanwhile", **now)
    return answer({"version": right.version, **_flags(right.flags, wish.flag)})


def _flags(flags: Flags, flag: str) -> dict[str, Any]:
    return {"value": getattr(flags, flag), "flags": flags._asdict()}


def _bulk_update(here: Visit, organization: Organization, body: object) -> Response:
    wanted = _reader(here, organization).many(body)
    became = here.write(lambda: here.sync.permissions.change(organization, wanted))
    outcomes = [each.outcome for each in became]
    counts = {each: outcomes.count(each) for each in ("changed", "same", "conflict")}
    cells = [_cell(each) for each in became]
    return answer({**counts, "cells": cells}, 207 if counts["conflict"] else 200)


def _cell(became: Became) -> dict[str, Any]:
    return {
        "role": str(became.role.id),
        "model": became.model,
        "outcome": became.outcome,
        "version": became.right.version,
        "flags": became.right.flags._asdict(),
    }


def _some(names: list[str]) -> str:
    """Name some: what is flashed has to fit into a cookie."""
    named = ", ".join(names[:NAMED])
    more = len(names) - NAMED
    return f"{named}, and {more} more" if more > 0 else named


def _summary(role: Role, became: list[Became]) -> Iterable[tuple[str, str]]:
    """Say what has become of a form."""
    lost = [each.model for each in became if each.outcome == "conflict"]
    done = sum(each.outcome == "changed" for each in became)
    if done:
        what = "1 right" if done == 1 else f"{done} rights"
        yield "good", f"{role.name}: {what} changed."
    elif not lost:
        yield "good", f"{role.name}: nothing was to be changed."
    if lost:
        message = (
            f"{role.name}: somebody else has changed meanwhile what it may do with "
            f"{_some(lost)}. That was left as it is: look at it, and decide again."
        )
        yield "bad", message
