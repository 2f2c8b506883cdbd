"""The log: what devices and jobs have asked, how it went, and how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from flask import Blueprint, Response, render_template, url_for

from libres.domain.days import UTC
from libres.sync.errors import UnknownEntity
from libres.sync.logbook import Logbook, Record, Sought
from libres.web.config import paging
from libres.web.config.filtering import LARGEST, Filters, asked_of
from libres.web.config.paging import Page
from libres.web.config.spreadsheet import csv_answer
from libres.web.config.visiting import VISITOR, Visit, rule, visit
from libres.web.edge import id_value
from libres.web.errors import NotFound

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

page = Blueprint("logs", __name__)

FILTERS: Final = ("user", "operation", "status", "from", "to", "organization")

OPERATIONS: Final = (
    ("push", "Push"),
    ("pull", "Pull"),
    ("login", "Sign in"),
    ("refresh", "Refresh of a token"),
    ("job", "Job"),
)
STATUSES: Final = (
    ("success", "Success"),
    ("partial_success", "Partly"),
    ("error", "Error"),
    ("skipped", "Skipped"),
)
SAME: Final = {"success": ("success", "ok")}
"""What jobs call otherwise."""

SECONDS: Final = 30
"""Between two looks at what is new."""

HEADER: Final = (
    *("time", "user", "operation", "model", "status", "records", "duration"),
    *("succeeded", "failed", "device", "organization", "request", "error"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A record, as a row of the table shows it."""

    record: Record
    organization: str
    """Its name; of one that is not there any more its id; empty: of none."""

    operation: str
    status: str

    @property
    def device(self) -> str:
        """What it came from; empty: from no device."""
        record = self.record
        return record.device_name or ("" if record.device is None else "removed")

    @property
    def duration(self) -> str:
        """How long it took, in words."""
        return duration(self.record.seconds)


@page.get("/logs/")
@rule(VISITOR)
def log() -> ResponseReturnValue:
    """Show the latest records that the filters leave, and what they sum up to."""
    here, filters = visit(), Filters()
    sought, book = _sought(here, filters), Logbook(here.context)
    found = Page((), None) if filters.errors else _found(here, book, sought)
    shown = render_template(
        "libres/config/logs.html",
        filters=filters,
        page=found,
        totals=None if filters.errors else book.totals(sought),
        operations=OPERATIONS,
        statuses=STATUSES,
        organizations=[(each.slug, each.name) for each in here.organizations],
        duration=duration,
        csv_url=url_for(".csv_file", **filters.kept(*FILTERS)),
        seconds=SECONDS,
    )
    return shown, filters.status


@page.get("/logs.csv")
@rule(VISITOR)
def csv_file() -> Response:
    """Give all records that the filters leave, for spreadsheets."""
    here, filters = visit(), Filters()
    sought = _sought(here, filters)
    filters.insist()
    names = _names(here)
    records = Logbook(here.context).all(sought)
    return csv_answer("logs", HEADER, (_line(each, names) for each in records))


@page.get("/logs/<int:number>/")
@rule(VISITOR)
def record(number: int) -> ResponseReturnValue:
    """Show all that is known of a record, and lead to what it has changed."""
    here = visit()
    if number > LARGEST:
        raise NotFound
    try:
        found = Logbook(here.context).one(number, here.ids)
    except UnknownEntity as error:
        raise NotFound from error
    row = _row(found, _names(here))
    return render_template("libres/config/logs_record.html", row=row)


# What is asked for --------------------------------------------------------------------


def _found(here: Visit, book: Logbook, sought: Sought) -> Page[Row]:
    begins = paging.begins(_moment, id_value)
    before = None if begins is None else (begins[0], begins[1])
    records = book.latest(sought, before, paging.SIZE + 1)
    names = _names(here)
    rows = [_row(each, names) for each in records]
    return paging.page_of(rows, lambda row: row.record.mark)


def _sought(here: Visit, filters: Filters) -> Sought:
    """Return what is asked for; what is wrong is noted in the filters."""
    since, until = filters.span()
    status = filters.choice("status", [each for each, _ in STATUSES])
    whose = asked_of(here, filters)
    return Sought(
        user=filters.text("user"),
        operation=filters.choice("operation", [each for each, _ in OPERATIONS]),
        statuses=None if status is None else SAME.get(status, (status,)),
        since=since,
        until=until,
        organizations=None if whose is None else [each.id for each in whose],
    )


def _moment(value: Any) -> datetime:
    """Read the moment of a cursor. Raises ValueError, TypeError."""
    return datetime.fromisoformat(value).astimezone(UTC)


# What is shown of it ------------------------------------------------------------------


def _names(here: Visit) -> dict[UUID, str]:
    return {each.id: each.name for each in here.organizations}


def _row(record: Record, names: Mapping[UUID, str]) -> Row:
    status = "success" if record.status == "ok" else record.status
    return Row(
        record,
        organization=_name(record, names),
        operation=dict(OPERATIONS).get(record.operation, record.operation),
        status=dict(STATUSES).get(status, status),
    )


def _name(record: Record, names: Mapping[UUID, str]) -> str:
    owner = record.organization
    return "" if owner is None else names.get(owner, str(owner))


def _line(record: Record, names: Mapping[UUID, str]) -> tuple[object, ...]:
    return (
        *(record.at, record.username or record.user, record.operation),
        *(", ".join(record.models), record.status, record.records, record.seconds),
        *(record.succeeded, record.failed, record.device_name),
        *(_name(record, names), record.request, record.error),
    )


def duration(seconds: float) -> str:
    """Write how long something took, as exactly as it matters."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
