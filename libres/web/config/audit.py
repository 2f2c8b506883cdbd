"""The audit trail: who changed what, when and why, field by field; and undoing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flask import (
    Blueprint,
    Response,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)

from libres.db.models import Allocation, Reservation, ReservationBlocker
from libres.sync.audit import Entry, Reverted, standing
from libres.sync.audit.tables import Tables
from libres.sync.errors import NotRevertible, UnknownEntity
from libres.sync.models import SyncOrganization, SyncResource, SyncSetting, SyncUser
from libres.web.config import differing, paging
from libres.web.config.filtering import LARGEST, Filters, asked_of
from libres.web.config.paging import Page
from libres.web.config.spreadsheet import csv_answer
from libres.web.config.visiting import VISITOR, Visit, rule, visit
from libres.web.directory import resources_of
from libres.web.errors import NotAllowed, NotFound

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from libres.db.scheduler import Scheduler
    from libres.sync.values import Organization

page = Blueprint("audit", __name__)

FILTERS: Final = (
    *("model", "id", "user", "action", "from", "to", "request", "organization"),
)
ACTIONS: Final = (("insert", "Added"), ("update", "Changed"), ("delete", "Deleted"))
DONE: Final = dict(ACTIONS)

CORE: Final = frozenset(
    each.__tablename__ for each in (Allocation, Reservation, ReservationBlocker)
)

OF_STAFF: Final = frozenset(
    each.__tablename__
    for each in (SyncOrganization, SyncResource, SyncSetting, SyncUser)
)
"""What only staff changes elsewhere, is undone by staff only as well."""

SECONDS: Final = 60
"""Between two looks at what is new."""

AROUND: Final = 50
"""Changes before and after one that are looked at for those of its transaction."""

HEADER: Final = (
    *("time", "user", "model", "action", "id", "changes", "organization"),
    *("request", "reason", "position", "transaction"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A change, as a row of the table shows it."""

    entry: Entry
    organization: str
    """The name of the organisation; empty: of none, or of all."""

    fields: str

    @property
    def actor(self) -> str:
        """Who it was; what would deceive is written out."""
        return differing.visible(self.entry.actor)

    @property
    def key(self) -> str:
        """The key of the row; what would deceive is written out."""
        return differing.visible(self.entry.key)

    @property
    def done(self) -> str:
        """What was done, in a word."""
        return DONE[self.entry.action]


@page.get("/audit/")
@rule(VISITOR)
def trail() -> ResponseReturnValue:
    """Show the latest changes that the filters leave."""
    here, filters = visit(), Filters()
    asked = _asked(here, filters)
    found = Page((), None) if filters.errors else _found(here, asked)
    shown = render_template(
        "libres/config/audit.html",
        filters=filters,
        page=found,
        models=_choices(here),
        actions=ACTIONS,
        organizations=[(each.slug, each.name) for each in here.organizations],
        standing=standing.standing(here.context),
        csv_url=url_for(".csv_file", **filters.kept(*FILTERS)),
        seconds=SECONDS,
    )
    return shown, filters.status


@page.get("/audit.csv")
@rule(VISITOR)
def csv_file() -> Response:
    """Give all changes that the filters leave, for spreadsheets."""
    here, filters = visit(), Filters()
    asked = _asked(here, filters)
    filters.insist()
    names = _names(here)
    entries = here.audit.entries(**asked)
    return csv_answer("audit", HEADER, (_line(each, names) for each in entries))


@page.get("/audit/<int:position>/")
@rule(VISITOR)
def change(position: int) -> ResponseReturnValue:
    """Show what a change has changed, and what was changed with it."""
    here = visit()
    entry = _entry(here, position)
    return render_template(
        "libres/config/audit_change.html",
        row=_row(entry, _names(here)),
        drawn=differing.drawn(entry.changes),
        whole=differing.image(entry.before if entry.after is None else entry.after),
        mates=[_row(each, _names(here)) for each in _mates(here, entry)],
        around=AROUND,
        may_revert=_may_revert(here, entry),
        is_known=Tables(here.context).of(entry.relation) is not None,
    )


# Undoing ------------------------------------------------------------------------------


@page.get("/audit/<int:position>/revert/")
@rule(VISITOR)
def revert(position: int) -> ResponseReturnValue:
    """Ask whether a change shall be undone."""
    here = visit()
    return _asks(here, _revertible(here, position))


@page.post("/audit/<int:position>/revert/")
@rule(VISITOR)
def reverted(position: int) -> ResponseReturnValue:
    """Undo a change, and show what has become of its row."""
    here, form = visit(), Filters(request.form)
    entry = _revertible(here, position)
    reason = form.text("reason")
    if form.errors:
        return _asks(here, entry, form.errors["reason"]), 422
    try:
        done = here.write(lambda: _undo(here, entry, reason))
    except NotRevertible as error:
        return _asks(here, entry, str(error)), 409
    flash(f"Change {position} is undone.", "good")
    return redirect(url_for(".trail", model=entry.model, id=done.key), 303)


def _undo(here: Visit, entry: Entry, reason: str | None) -> Reverted:
    scheduler = _scheduler(here, entry)
    return here.audit.revert(entry.position, reason=reason, scheduler=scheduler)


def _scheduler(here: Visit, entry: Entry) -> Scheduler | None:
    """Return what decides on a row of the core: that of its resource, if it is on the
    list of those that are shown; None: the audit looks for that of an organisation."""
    image = entry.after or entry.before or {}
    if entry.relation not in CORE or here.tenants is not None:
        return None
    made = (each.scheduler(here.context) for each in resources_of(here.context).all())
    resource = image.get("resource")
    return next((each for each in made if str(each.resource) == resource), None)


def _asks(here: Visit, entry: Entry, error: str | None = None) -> str:
    return render_template(
        "libres/config/audit_revert.html",
        row=_row(entry, _names(here)),
        drawn=differing.drawn(entry.changes),
        error=error,
        reason=request.form.get("reason", ""),
    )


def _revertible(here: Visit, position: int) -> Entry:
    """Return a change that they may undo. Raises NotFound, NotAllowed."""
    entry = _entry(here, position)
    if not _may_revert(here, entry):
        message = "Only who administers the organization may undo its changes."
        raise NotAllowed(message)
    return entry


def _may_revert(here: Visit, entry: Entry) -> bool:
    """Staff may undo anything; others what they may change elsewhere, and what has been
    theirs before and after: what a row was with others is not in what they see."""
    if here.is_staff:
        return True
    slugs = {each.reference: each.slug for each in here.organizations}
    slug = slugs.get(entry.tenant or "")
    if entry.relation in OF_STAFF:
        return False
    came_or_went = entry.action == "update" and None in (entry.before, entry.after)
    return slug is not None and not came_or_went and here.may_change(slug)


# What they may see --------------------------------------------------------------------


def _found(here: Visit, asked: dict[str, Any]) -> Page[Row]:
    before = paging.begins(_position)
    entries = here.audit.history(
        **asked, before=before[0] if before else None, limit=paging.SIZE + 1
    )
    names = _names(here)
    rows = [_row(each, names) for each in entries]
    return paging.page_of(rows, lambda row: (row.entry.position,))


def _entry(here: Visit, position: int) -> Entry:
    """Return a change that they may see. Raises NotFound."""
    try:
        return here.audit.entry(position, tenants=here.tenants)
    except UnknownEntity as error:
        raise NotFound from error


def _mates(here: Visit, entry: Entry) -> list[Entry]:
    """Return what was changed at once with it: changes of a transaction follow each
    other."""
    near = here.audit.history(
        tenants=here.tenants,
        before=entry.position + AROUND + 1,
        limit=2 * AROUND + 1,
    )
    return [
        each
        for each in near
        if each.transaction == entry.transaction and each.position != entry.position
    ]


# What is asked for --------------------------------------------------------------------


def _asked(here: Visit, filters: Filters) -> dict[str, Any]:
    """Return what `Audit.history` takes; what is wrong is noted in the filters."""
    since, until = filters.span()
    model = _model(here, filters)
    return {
        "model": model,
        "id": _key(filters, model),
        "user": filters.text("user"),
        "action": filters.choice("action", DONE),
        "since": since,
        "until": until,
        "request": filters.text("request"),
        "tenants": _tenants(here, filters),
    }


def _model(here: Visit, filters: Filters) -> str | None:
    name = filters.text("model")
    if name is None:
        return None
    try:
        Tables(here.context).named(name)
    except UnknownEntity:
        filters.errors["model"] = "There is no such model here."
    return name


def _key(filters: Filters, model: str | None) -> str | None:
    key = filters.text("id")
    if key is not None and model is None:
        filters.errors["id"] = "Choose the model that it is an id of."
    return key


def _tenants(here: Visit, filters: Filters) -> list[str] | None:
    found = asked_of(here, filters)
    return None if found is None else [each.reference for each in found]


def _choices(here: Visit) -> list[tuple[str, str]]:
    return [(each.name, each.name) for each in Tables(here.context)]


def _position(value: Any) -> int:
    """Read a position of a cursor. Raises ValueError."""
    if type(value) is not int or not 0 < value <= LARGEST:
        raise ValueError(value)
    return value


# What is shown of it ------------------------------------------------------------------


def _names(here: Visit) -> dict[str, str]:
    """Return the names of organisations by their references."""
    found: list[Organization] = here.organizations
    return {each.reference: each.name for each in found}


def _row(entry: Entry, names: dict[str, str]) -> Row:
    tenant = entry.tenant or ""
    return Row(entry, names.get(tenant, tenant), differing.names(entry))


def _line(entry: Entry, names: dict[str, str]) -> tuple[object, ...]:
    tenant = entry.tenant or ""
    return (
        *(entry.at, entry.actor, entry.model, entry.action, entry.key),
        *(differing.lines(entry.changes), names.get(tenant, tenant)),
        *(entry.request, entry.reason, entry.position, entry.transaction),
    )
