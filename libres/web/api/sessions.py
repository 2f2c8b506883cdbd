"""Sessions: carts, whose reservations expire unless they are confirmed.

A session is nothing but its id, which only its maker knows: one that holds nothing, or
never was, is an empty cart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from apiflask import APIBlueprint
from flask import url_for
from marshmallow import fields

from libres.web import carts
from libres.web.api.reservations import ShownReservation
from libres.web.documenting import documented
from libres.web.edge import answer, edge, nothing, polled
from libres.web.fields import Identifier, Moment, Schema
from libres.web.identity import BOOK
from libres.web.records import known

if TYPE_CHECKING:
    from flask import Response


class ShownSession(Schema):
    """A new cart."""

    id = Identifier(required=True)
    expires_minutes = fields.Integer(
        required=True,
        metadata={"description": "How long it may be left untouched."},
    )


class ShownCart(Schema):
    """What is in a cart."""

    id = Identifier(required=True)
    expires = Moment(
        required=True,
        allow_none=True,
        metadata={
            "description": "When all of it is given back; null: nothing is pending."
        },
    )
    reservations = fields.List(fields.Nested(ShownReservation), required=True)


class Confirmation(Schema):
    """What is to be confirmed."""

    token = Identifier(metadata={"description": "Missing: all that is in the cart."})


class Confirmed(Schema):
    """What was in the cart."""

    id = Identifier(required=True)
    reservations = fields.List(fields.Nested(ShownReservation), required=True)


api = APIBlueprint("sessions", __name__, tag="Sessions")


@api.post("/sessions")
@documented(api, 403, 503, gives=ShownSession, scope=BOOK, status=201)
def make() -> Response:
    """Make a cart: pass its id as session_id with reservations."""
    here = edge()
    here.insist(BOOK)
    carts.tidy(here)
    id_ = uuid4()
    made = {"id": id_, "expires_minutes": here.settings.session_minutes}
    return answer(made, 201, {"Location": url_for(".one", id=id_)})


@api.get("/sessions/<id>")
@documented(api, 403, 404, 503, gives=ShownCart, scope=BOOK)
def one(id: str) -> Response:  # noqa: A002 - as in the path
    """Tell what is in a cart, and when it expires; an expired one is empty."""
    here = edge()
    here.insist(BOOK)
    session_id = known(id)
    carts.forget_expired(here, session_id)
    with here.reading():
        return polled(carts.cart_of(here, session_id))


@api.post("/sessions/<id>/confirm")
@api.input(Confirmation)
@documented(api, 403, 404, 413, 415, 422, 503, gives=Confirmed, scope=BOOK)
def confirm(
    id: str,  # noqa: A002 - as in the path
    json_data: dict[str, Any],
) -> Response:
    """Take reservations out of their cart, for good; 404 if there are none."""
    here = edge()
    here.insist(BOOK)
    session_id, token = known(id), json_data.get("token")
    carts.forget_expired(here, session_id)
    told = here.write(lambda: carts.confirm(here.context, session_id, token))
    return answer({"id": session_id, "reservations": told})


@api.delete("/sessions/<id>/reservations/<token>")
@documented(api, 403, 404, 503, scope=BOOK, status=204)
def give_back(id: str, token: str) -> Response:  # noqa: A002 - as in the path
    """Remove what has a token from a cart; the rest of it gets new time."""
    here = edge()
    here.insist(BOOK)
    what = known(id), known(token)
    carts.forget_expired(here, what[0])
    here.write(lambda: carts.give_back(here.context, *what))
    return nothing()


@api.delete("/sessions/<id>")
@documented(api, 403, 404, 503, scope=BOOK, status=204)
def empty(id: str) -> Response:  # noqa: A002 - as in the path
    """Give back all that is in a cart."""
    here = edge()
    here.insist(BOOK)
    session_id = known(id)
    here.write(lambda: carts.empty(here.context, session_id))
    return nothing()
