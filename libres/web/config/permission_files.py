"""Gives the rights of an organisation as a file, and takes one: first as a preview."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from flask import Response, flash, redirect, render_template, request, url_for

from libres.sync.errors import MalformedRequest
from libres.sync.matrix import Plan
from libres.sync.strict_json import read_json
from libres.sync.values import Flags
from libres.web.config.visiting import ADMIN, VISITOR, Visit, rule, visit

if TYPE_CHECKING:
    from flask import Blueprint
    from flask.typing import ResponseReturnValue

    from libres.sync.permissions import Document
    from libres.sync.values import Organization

NO_FILE: Final = "Choose a file first."

MOVED_ON: Final = (
    "Somebody else has changed rights since you looked at this: nothing was applied. "
    "Look again at what would be changed."
)


def add_views(page: Blueprint) -> None:
    """Add the views of this file to those of the matrix."""
    page.add_url_rule("/<slug>/export/", view_func=export)
    page.add_url_rule("/<slug>/import/", view_func=preview, methods=["POST"])
    page.add_url_rule("/<slug>/apply/", view_func=apply, methods=["POST"])


@rule(VISITOR)
def export(slug: str) -> ResponseReturnValue:
    """Give the rights as a file, as ``libres sync permissions export`` does."""
    here = visit()
    document = _exported(here, here.organization(slug))
    headers = {"Content-Disposition": f'attachment; filename="permissions-{slug}.json"'}
    body = json.dumps(document, indent=2, ensure_ascii=False)
    return Response(f"{body}\n", headers=headers, mimetype="application/json")


@rule(ADMIN)
def preview(slug: str) -> ResponseReturnValue:
    """Show what a file would change; nothing is changed."""
    sent = request.files.get("file")
    raw = b"" if sent is None else sent.read()
    return _preview(slug, raw)


@rule(ADMIN)
def apply(slug: str) -> ResponseReturnValue:
    """Apply what was looked at, unless it would change something else by now."""
    here = visit()
    organization = here.organization(slug)
    raw = request.form.get("document", "").encode()
    state = request.form.get("state", "")
    document, problem = _read(raw)
    if problem is not None or here.sync.permissions.validate(document, organization):
        return _preview(slug, raw)
    applied = here.write(lambda: _applied(here, organization, document, state))
    if applied is None:
        flash(MOVED_ON, "bad")
        return _preview(slug, raw)
    flash(
        f"{applied.created} created, {applied.updated} updated, "
        f"{applied.removed} removed.",
        "good",
    )
    return redirect(url_for("libres.config.permissions.matrix", slug=slug), 303)


def _applied(
    here: Visit, organization: Organization, document: object, state: str
) -> Any:
    if _state(here.sync.permissions.export(organization)) != state:
        return None
    return here.sync.permissions.apply(organization, document)


def _preview(slug: str, raw: bytes) -> ResponseReturnValue:
    here = visit()
    organization = here.organization(slug)
    document, problem = _read(raw)
    if problem is None:
        with here.reading():
            plan = here.sync.permissions.plan(organization, document)
            state = _state(here.sync.permissions.export(organization))
    else:
        plan, state = Plan(problems=(problem,)), ""
    shown = render_template(
        "libres/config/permissions_preview.html",
        organization=organization,
        plan=plan,
        flags=Flags._fields,
        state=state,
        document=json.dumps(document, ensure_ascii=True, separators=(",", ":")),
    )
    return shown, 422 if plan.problems else 200


def _read(raw: bytes) -> tuple[object, str | None]:
    """Return what a file says, or what is wrong with it."""
    if not raw.strip():
        return None, NO_FILE
    try:
        return read_json(raw), None
    except MalformedRequest as error:
        return None, str(error)


def _exported(here: Visit, organization: Organization) -> Document:
    with here.reading():
        return here.sync.permissions.export(organization)


def _state(document: Document) -> str:
    """Return what rights as they are now are recognised by."""
    plain = json.dumps(document, sort_keys=True)
    return sha256(plain.encode()).hexdigest()
