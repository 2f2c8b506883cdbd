"""Signing in, with a password or as a device; refreshing; signing out."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from flask import Response, request

from libres.sync import journal
from libres.web.actors import request_id
from libres.web.api.sync import schemas
from libres.web.api.sync.asking import fitting, here
from libres.web.api.sync.asking import token as token_sent
from libres.web.api.sync.blueprint import api
from libres.web.api.sync.documenting import at, documented
from libres.web.edge import answer, edge

if TYPE_CHECKING:
    from libres.sync.memberships import Membership
    from libres.sync.signing_in import SignedIn
    from libres.sync.values import Device, User

CREDENTIALS = schemas.Credentials()
REFRESHING = schemas.Refreshing()
REVOKING = schemas.Revoking()


@at(api, "POST", "/auth/token/")
@documented(
    *(401, 403, 429), takes=CREDENTIALS, gives=schemas.SignedIn, is_for_members=False
)
def sign_in() -> Response:
    """Sign in: with a name and a password, or with the key of a device.

    Who fails too often, by name or by address, has to wait.
    """
    began = perf_counter()
    sent = fitting(CREDENTIALS)
    found = edge().write(lambda: _signed_in(sent))
    _note("login", found, began)
    return answer(_told(found))


def _signed_in(sent: dict[str, Any]) -> SignedIn:
    if "device_key" in sent:
        return here().sign_in_device(sent["device_key"], address=_address())
    return here().sign_in(
        sent["username"],
        sent["password"],
        organization=sent.get("organization"),
        device=sent.get("device"),
        address=_address(),
    )


@at(api, "POST", "/auth/refresh/")
@documented(401, 429, takes=REFRESHING, gives=schemas.SignedIn, is_for_members=False)
def refresh() -> Response:
    """Exchange a token for the next two; it cannot be used again.

    Whoever comes with one that was used ends all that have followed from it.
    """
    began = perf_counter()
    sent = fitting(REFRESHING)["refresh_token"]
    with edge().reading():  # what it writes is in transactions of its own
        found = here().refresh(sent, address=_address())
    _note("refresh", found, began)
    return answer(_told(found))


@at(api, "POST", "/auth/revoke/")
@documented(401, takes=REVOKING, gives=schemas.Revoked)
def revoke() -> Response:
    """Sign out: end a token, and all that have followed from the same signing in."""
    sent = fitting(REVOKING) if request.content_length else {}
    with edge().reading():
        here().sign_out(sent.get("token") or token_sent())
    return answer({"revoked": True})


def _note(operation: str, found: SignedIn, began: float) -> None:
    seconds = perf_counter() - began
    context = edge().context
    journal.note_sign_in(context, found.member, operation, request_id(), seconds)


def _address() -> str:
    return request.remote_addr or ""


# Telling ------------------------------------------------------------------------------


def _told(found: SignedIn) -> dict[str, object]:
    member = found.member
    return {
        "token": found.access,
        "refresh_token": found.refresh,
        "expires_in": found.expires_in,
        "token_type": "Bearer",
        "user": _user(member.user),
        "organization": member.organization.slug,
        "organizations": [_organization(each) for each in found.memberships],
        "device": _device(member.device),
    }


def _user(user: User) -> dict[str, object]:
    return {"id": user.id, "username": user.username, "email": user.email}


def _organization(membership: Membership) -> dict[str, object]:
    found = membership.organization
    group = membership.role.name
    return {"id": found.id, "name": found.name, "slug": found.slug, "group": group}


def _device(device: Device | None) -> dict[str, object] | None:
    return None if device is None else {"id": device.id, "name": device.name}
