"""The devices: how far they are behind, when they were seen; and refusing them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from flask import Blueprint, flash, redirect, render_template, url_for

from libres.db.models.timestamp import TimestampMixin
from libres.sync import progress
from libres.sync.progress import MANY, Progress, Wanted
from libres.web.config import listing
from libres.web.config.filtering import Filters, asked_of
from libres.web.config.spreadsheet import csv_answer
from libres.web.config.visiting import ADMIN, VISITOR, Visit, rule, visit
from libres.web.errors import NotFound

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from libres.sync.devices import DeviceState

page = Blueprint("devices", __name__)

LATELY: Final = timedelta(days=30)
"""So long ago the last synchronisation of users and models is looked for."""

PAGE: Final = 1000
"""Devices that are read at once for a file."""

REVOKED: Final = "It was revoked: it gets no key any more."

HEADER: Final = (
    *("device", "user", "organization", "signs_in_by", "position", "waiting"),
    *("seen", "revoked"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A device, as a row of the table shows it."""

    device: Progress
    since: str
    """How long ago it was seen, in words."""

    may_change: bool
    """Whoever looks at it may refuse it."""

    @property
    def waiting(self) -> str:
        """How many changes wait for it, in words."""
        count = self.device.waiting
        return f"more than {MANY}" if count > MANY else str(count)


@page.get("/devices/")
@rule(VISITOR)
def devices() -> ResponseReturnValue:
    """Show the devices that somebody may see, and who has synchronised last."""
    here, filters, asked = visit(), Filters(), listing.asked()
    whose = _whose(here, filters)
    now = TimestampMixin.timestamp()
    with here.reading():
        found = _found(here, whose, asked)
        session, since = here.sync.session, now - LATELY
        users = progress.of_users(here.context, session, whose, since)
        models = progress.of_models(here.context, session, whose, since)
    shown = render_template(
        "libres/config/devices.html",
        part=listing.part_of(asked, [_row(here, each, now) for each in found]),
        users=users,
        models=models,
        filters=filters,
        organizations=[(each.slug, each.name) for each in here.organizations],
        file=url_for(".devices_csv", **filters.kept("organization", "search")),
        days=LATELY.days,
    )
    return shown, filters.status


@page.get("/devices.csv")
@rule(VISITOR)
def devices_csv() -> ResponseReturnValue:
    """Give all devices that the filters leave as a file."""
    here, filters, asked = visit(), Filters(), listing.asked()
    whose = _whose(here, filters)
    filters.insist()
    return csv_answer("devices", HEADER, _rows(here, whose, asked.search))


def _whose(here: Visit, filters: Filters) -> list[uuid.UUID] | None:
    """Return the organisations whose devices are asked for; None: all there are."""
    found = asked_of(here, filters)
    if filters.errors:
        return []
    return None if found is None else [each.id for each in found]


def _found(
    here: Visit, whose: list[uuid.UUID] | None, asked: listing.Asked
) -> list[Progress]:
    wanted = Wanted(whose, asked.search, first=asked.first, most=asked.most)
    return progress.devices(here.context, here.sync.session, wanted)


def _row(here: Visit, device: Progress, now: datetime) -> Row:
    since = "never" if device.seen is None else ago(now - device.seen)
    return Row(device, since, here.may_change(device.slug))


def _rows(
    here: Visit, whose: list[uuid.UUID] | None, search: str
) -> Iterator[Sequence[object]]:
    """Yield the rows of a file, page by page, each in a transaction of its own."""
    after: tuple[str, uuid.UUID] | None = None
    while True:
        with here.reading():
            wanted = Wanted(whose, search, after, most=PAGE)
            found = progress.devices(here.context, here.sync.session, wanted)
        yield from map(_cells, found)
        if len(found) < PAGE:
            return
        after = found[-1].name, found[-1].id


def _cells(device: Progress) -> Sequence[object]:
    return (
        *(device.name, device.username or device.user, device.organization),
        "key" if device.has_key else "password",
        *(device.position, device.waiting, device.seen, device.revoked),
    )


UNITS: Final = (
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)


def ago(passed: timedelta) -> str:
    """Say how long ago something was."""
    for unit, name in UNITS:
        count = passed // unit
        if count > 0:
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


# Changing -----------------------------------------------------------------------------


@page.post("/devices/<slug>/<uuid:number>/revoke")
@rule(ADMIN)
def revoke(slug: str, number: uuid.UUID) -> ResponseReturnValue:
    """Refuse a device from now on, and all its tokens."""
    here = visit()

    def act() -> DeviceState:
        device = _device(here, slug, number)
        here.sync.devices.revoke(number)
        here.insist_still(slug)
        return device

    device = here.write(act)
    flash(f"{device.name} is refused from now on.", "good")
    return redirect(url_for(".devices", organization=slug), 303)


@page.post("/devices/<slug>/<uuid:number>/key")
@rule(ADMIN)
def new_key(slug: str, number: uuid.UUID) -> ResponseReturnValue:
    """Give a device another key, and show it this once."""
    here = visit()

    def act() -> tuple[DeviceState, str | None]:
        device = _device(here, slug, number)
        key = None
        if device.revoked is None:
            key = here.sync.devices.new_key(number)
        here.insist_still(slug)
        return device, key

    device, key = here.write(act)
    if key is None:
        flash(REVOKED, "bad")
        return redirect(url_for(".devices", organization=slug), 303)
    shown = {"device": device, "key": key, "organization": here.organization(slug)}
    return render_template("libres/config/device_key.html", **shown)


def _device(here: Visit, slug: str, number: uuid.UUID) -> DeviceState:
    """Return a device of an organisation. Raises NotFound for those of others."""
    for each in here.sync.devices.all(here.organization(slug)):
        if each.id == number:
            return each
    raise NotFound
