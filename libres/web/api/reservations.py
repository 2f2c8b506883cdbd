"""Reservations: made, looked at, decided, changed and removed.

Who has made a reservation is given its token, and whoever knows the token may look at,
change and remove what it stands for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from apiflask import APIBlueprint
from apiflask import Schema as Headers
from flask import url_for
from marshmallow import ValidationError, fields, validate, validates_schema
from sqlalchemy import func
from sqlalchemy.orm import Query as Rows

from libres.db.models import Reservation
from libres.db.queries import Queries
from libres.modules.errors import AlreadyReservedError
from libres.web import reserving
from libres.web.documenting import documented
from libres.web.edge import Edge, answer, edge, nothing, polled
from libres.web.fields import (
    Data,
    Email,
    Identifier,
    Moment,
    Page,
    Paged,
    Schema,
    Span,
    Whole,
    check_range,
)
from libres.web.identity import BOOK, MANAGE, READ
from libres.web.problems import problem_of
from libres.web.records import (
    WHOLE,
    known,
    numbered,
    page_of,
    schedulers_of,
    tell_reservations,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from uuid import UUID

    from flask import Response

    from libres.web.records import Plain

MOST_DATES: Final = 100
"""How many times one request may reserve."""

LONGEST_KEY: Final = 200
"""Characters of an idempotency key."""


class Word(fields.Boolean):
    """True or false, and nothing that may stand for it."""

    def _deserialize(self, value: Any, *_args: Any, **_more: Any) -> bool:
        if not isinstance(value, bool):
            message = "Not a valid boolean."
            raise ValidationError(message)
        return value


class Keyed(Headers):
    """The header that makes it safe to send a request again, among other headers."""

    idempotency_key = fields.String(
        data_key="Idempotency-Key",
        validate=[
            validate.Length(min=1, max=LONGEST_KEY),
            validate.Regexp("^[!-~]+$"),
        ],
        metadata={
            "description": "A text of the caller's own, new for each request. What is "
            "sent again with the same one within a day is done once only, and answered "
            "as it was; what differs is refused by 409."
        },
    )


class DatesOrGroup(Schema):
    """What is meant: either times, or all of a group of allocations."""

    dates = fields.List(
        fields.Nested(Span), validate=validate.Length(min=1, max=MOST_DATES)
    )
    group = Identifier()

    @validates_schema
    def _check(self, data: dict[str, Any], **_more: Any) -> None:
        if ("dates" in data) == ("group" in data):
            message = "Pass either dates or a group, and not both."
            raise ValidationError(message, "dates")


class BookingWish(DatesOrGroup):
    """What somebody wants to have at once."""

    email = Email(required=True)
    quota = Whole(least=1, load_default=1, metadata={"description": "Places."})
    data = Data(load_default=None, allow_none=True)


class ReservationWish(BookingWish):
    """What somebody wants to have, once it is approved."""

    session_id = Identifier(
        load_default=None,
        metadata={"description": "The cart that it belongs to until it is confirmed."},
    )
    single_token_per_session = Word(
        load_default=False,
        metadata={"description": "Use the token that the cart has already."},
    )


class NewTime(Span):
    """When a reservation is to be."""

    quota = Whole(least=1, metadata={"description": "Places; missing: as many."})


class NewDetails(Schema):
    """What is to be kept with the reservations of a token; missing: as it is."""

    email = Email()
    data = Data(allow_none=True)


class Listing(Page):
    """Which reservations; missing: all."""

    start = Moment(data_key="from")
    end = Moment(data_key="to")

    @validates_schema
    def _check(self, data: dict[str, Any], **_more: Any) -> None:
        if "start" in data and "end" in data:
            check_range(data["start"], data["end"], edge().settings.longest_range)


class ReservationListing(Listing):
    """Which reservations of a resource; missing: all."""

    status = fields.String(validate=validate.OneOf(("pending", "approved")))


class ShownSpan(Schema):
    """A time, half-open."""

    start = Moment(required=True)
    end = Moment(required=True)


class ShownTimes(Schema):
    """When a record is; one of a group whose allocations are gone is never."""

    start = Moment(required=True, allow_none=True)
    end = Moment(required=True, allow_none=True)
    spans = fields.List(
        fields.Nested(ShownSpan),
        required=True,
        metadata={"description": "One, or those of the members of the group."},
    )


class ShownReservation(ShownTimes):
    """A reservation."""

    resource = fields.String(required=True)
    token = Identifier(required=True)
    id = fields.Integer(required=True)
    status = fields.String(
        required=True, validate=validate.OneOf(("pending", "approved"))
    )
    confirmed = fields.Boolean(
        required=True, metadata={"description": "Whether it is in no cart any more."}
    )
    email = fields.String(required=True)
    quota = fields.Integer(required=True)
    data = Data(required=True)
    group = Identifier(required=True, allow_none=True)
    created = Moment(required=True)


class ShownToken(Schema):
    """What a token stands for."""

    token = Identifier(required=True)
    resource = fields.String(required=True)
    status = fields.String(
        required=True,
        validate=validate.OneOf(("pending", "approved")),
        metadata={"description": "Pending if any of the reservations is."},
    )
    reservations = fields.List(fields.Nested(ShownReservation), required=True)


class ShownReservations(Paged):
    """A page of reservations, the oldest first."""

    reservations = fields.List(fields.Nested(ShownReservation), required=True)


ROOT: Final = "/resources/<name>/reservations"


api = APIBlueprint("reservations", __name__, tag="Reservations")


# Making -------------------------------------------------------------------------------


@api.post(ROOT)
@api.input(Keyed, location="headers")
@api.input(ReservationWish)
@documented(
    api, 403, 404, 409, 413, 415, 422, 503, gives=ShownToken, scope=BOOK, status=201
)
def reserve(
    name: str, json_data: dict[str, Any], headers_data: dict[str, Any]
) -> Response:
    """Reserve times or a group, pending until somebody approves it.

    Pending reservations hold no time yet. With a session_id it belongs to a cart
    until that is confirmed. A 409 for one time tells where to ask what is free
    instead.
    """
    return _made(reserving.reserve, name, json_data, headers_data)


@api.post("/resources/<name>/bookings")
@api.input(Keyed, location="headers")
@api.input(BookingWish)
@documented(
    api, 403, 404, 409, 413, 415, 422, 503, gives=ShownToken, scope=BOOK, status=201
)
def book(
    name: str, json_data: dict[str, Any], headers_data: dict[str, Any]
) -> Response:
    """Reserve times or a group, and approve it, all or nothing.

    What is approved by hand is refused by 409, unless the caller has the scope
    manage: reserve it. There is no cart for it, as it is for good at once.
    """
    return _made(reserving.book, name, json_data, headers_data)


def _made(
    make: Callable[[Edge, str, Mapping[str, Any]], Plain],
    name: str,
    asked: dict[str, Any],
    headers: Mapping[str, Any],
) -> Response:
    here = edge()
    here.insist(BOOK)
    dates = [(each["start"], each["end"]) for each in asked.pop("dates", ())]
    key = reserving.key_of(here, headers.get("idempotency_key"))
    wanted = {
        "group": None,
        "session_id": None,
        **asked,
        "dates": dates or None,
        "idempotency_key": key,
    }
    try:
        made = make(here, name, wanted)
    except AlreadyReservedError as error:
        return _taken(error, name, wanted)
    at = url_for(".one", name=name, token=made["token"])
    return answer(made, 201, {"Location": at})


def _taken(
    error: AlreadyReservedError, name: str, wanted: Mapping[str, Any]
) -> Response:
    """Tell that a time is taken, and where to ask for others if it was only one."""
    dates: list[tuple[datetime, datetime]] = wanted["dates"] or []
    if len(dates) != 1:
        return problem_of(error)
    start, end = dates[0]
    asked = {"start": start.isoformat(), "end": end.isoformat()}
    if wanted["quota"] > 1:
        asked["places"] = wanted["quota"]
    listed = url_for(".listed", name=name)
    there = f"{listed.removesuffix('/reservations')}/alternatives"
    return problem_of(error, alternatives=f"{there}?{urlencode(asked)}")


# Looking ------------------------------------------------------------------------------


@api.get(ROOT)
@api.input(ReservationListing, location="query")
@documented(api, 403, 404, 422, gives=ShownReservations, scope=READ)
def listed(name: str, query_data: dict[str, Any]) -> Response:
    """List the reservations of a resource, the oldest first."""
    here = edge()
    here.insist(READ)
    with here.reading():
        scheduler = here.scheduler(name)
        query = scheduler.managed_reservations()
        if status := query_data.get("status"):
            query = query.filter(Reservation.status == status)
        page = _page(here, query, query_data, {scheduler.resource: name})
    return polled(page)


@api.get("/reservations/mine")
@api.input(Listing, location="query")
@documented(api, 403, 422, gives=ShownReservations, scope=BOOK)
def mine(query_data: dict[str, Any]) -> Response:
    """List the reservations that have the caller's e-mail, of all resources."""
    here = edge()
    here.insist(BOOK)
    if not here.caller.email:
        return polled({"reservations": [], "next": None})
    with here.reading():
        found = schedulers_of(here.context).items()
        names = {resource: str(scheduler.name) for resource, scheduler in found}
        page = _page(here, _of_caller(here, names), query_data, names)
    return polled(page)


def _of_caller(here: Edge, names: Mapping[UUID, str]) -> Rows[Reservation]:
    email = here.caller.email or ""
    return (
        Queries(here.context)
        .session.query(Reservation)
        .filter(
            func.lower(Reservation.email) == email.lower(),
            Reservation.resource.in_(names),
        )
    )


def _page(
    here: Edge,
    query: Rows[Reservation],
    asked: Mapping[str, Any],
    names: Mapping[UUID, str],
) -> Plain:
    found, more = page_of(here, query.options(*WHOLE), Reservation, asked)
    told = tell_reservations(here.context, found, names)
    return {"reservations": told, "next": more}


@api.get(f"{ROOT}/<token>")
@documented(api, 403, 404, gives=ShownToken, scope=BOOK)
def one(name: str, token: str) -> Response:
    """Tell what a token stands for: to who may read, and to who has it."""
    here = edge()
    if not here.caller.may(READ):
        here.insist(BOOK)
    with here.reading():
        return polled(reserving.of_token(here.scheduler(name), known(token)))


# Changing and removing ----------------------------------------------------------------


@api.patch(f"{ROOT}/<token>")
@api.input(NewDetails)
@documented(api, 403, 404, 413, 415, 422, 503, gives=ShownToken, scope=BOOK)
def edit(name: str, token: str, json_data: dict[str, Any]) -> Response:
    """Replace the e-mail or the data of all reservations of a token."""
    here = edge()
    here.insist(BOOK)
    return answer(reserving.edit(here, name, known(token), json_data))


@api.patch(f"{ROOT}/<token>/<int:id>")
@api.input(NewTime)
@documented(api, 403, 404, 409, 413, 415, 422, 503, gives=ShownToken, scope=BOOK)
def change(
    name: str,
    token: str,
    id: int,  # noqa: A002 - as in the path
    json_data: dict[str, Any],
) -> Response:
    """Give a reservation another time or quota within its allocation.

    What was approved by hand is refused by 409, unless the caller has the scope
    manage.
    """
    here = edge()
    here.insist(BOOK)
    changed = known(token), numbered(id)
    return answer(reserving.change(here, name, *changed, json_data))


@api.delete(f"{ROOT}/<token>")
@documented(api, 403, 404, 503, scope=BOOK, status=204)
def remove(name: str, token: str) -> Response:
    """Remove what a token stands for, pending or approved."""
    here = edge()
    here.insist(BOOK)
    reserving.remove(here, name, known(token))
    return nothing()


@api.delete(f"{ROOT}/<token>/<int:id>")
@documented(api, 403, 404, 503, scope=BOOK, status=204)
def remove_one(
    name: str,
    token: str,
    id: int,  # noqa: A002 - as in the path
) -> Response:
    """Remove one of the reservations of a token."""
    here = edge()
    here.insist(BOOK)
    reserving.remove(here, name, known(token), numbered(id))
    return nothing()


# Deciding -----------------------------------------------------------------------------


@api.post(f"{ROOT}/<token>/approve")
@documented(api, 403, 404, 409, 422, 503, gives=ShownToken, scope=MANAGE)
def approve(name: str, token: str) -> Response:
    """Approve what is pending under a token; again, nothing happens."""
    here = edge()
    here.insist(MANAGE)
    return answer(reserving.approve(here, name, known(token)))


@api.post(f"{ROOT}/<token>/deny")
@documented(api, 403, 404, 409, 503, scope=MANAGE, status=204)
def deny(name: str, token: str) -> Response:
    """Delete what is pending under a token; 409 if nothing of it is."""
    here = edge()
    here.insist(MANAGE)
    reserving.deny(here, name, known(token))
    return nothing()
