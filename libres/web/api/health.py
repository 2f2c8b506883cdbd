"""Health and metrics: for those who watch over the application."""

from __future__ import annotations

from typing import Any, Final

from apiflask import APIBlueprint
from flask import Response, current_app
from marshmallow import fields, validate

from libres.web.documenting import documented
from libres.web.edge import answer, edge
from libres.web.errors import NotFound
from libres.web.fields import Schema
from libres.web.identity import READ
from libres.web.metrics import meter
from libres.web.pulse import Doctor, Pulse

FIGURES: Final = "text/plain"

VERSION: Final = f"{FIGURES}; version=0.0.4; charset=utf-8"

NOTES: Final = ("current", "outdated", "newer", "none noted")


class Health(Schema):
    """Whether requests can be answered, and why not."""

    status = fields.String(
        required=True, validate=validate.OneOf(["well", "unhealthy"])
    )
    database = fields.String(
        required=True, validate=validate.OneOf(["reached", "unreachable"])
    )
    tables = fields.Dict(
        keys=fields.String(),
        values=fields.String(
            validate=validate.OneOf(["current", "outdated", "missing"])
        ),
        required=True,
        metadata={
            "description": "By room; those of optional rooms may be missing. What is "
            "outdated is brought up to date by 'libres db upgrade'."
        },
    )
    migrations = fields.String(required=True, validate=validate.OneOf(NOTES))


ANSWERS: Final[Any] = {
    status: {
        "description": told,
        "content": {"application/json": {"schema": Health}},
    }
    for status, told in ((200, "All is well."), (503, "Unhealthy."))
}


DOCTORS: Final = "libres_doctors"
"""Where an application keeps who looks after the contexts that it shows."""

api = APIBlueprint("health", __name__, tag="Operations")


@api.get("/health")
@api.doc(responses=ANSWERS, security=[])
def health() -> Response:
    """Tell whether requests can be answered.

    Nobody is asked who they are, and nothing is told that is secret.
    """
    context = edge().context
    doctors = current_app.extensions.setdefault(DOCTORS, {})
    pulse = doctors.setdefault(context, Doctor(context)).pulse()
    return answer(_told(pulse), 200 if pulse.is_well else 503)


@api.get("/metrics")
@documented(api, 403, 404, gives={"type": "string"}, scope=READ, media_type=FIGURES)
def metrics() -> Response:
    """Tell how much is asked and how long it takes, for Prometheus.

    Needs the extra 'metrics'; without it there is nothing here.
    """
    here = edge()
    if not here.settings.metrics_public:
        here.insist(READ)
    found = meter()
    if found is None:
        raise NotFound
    return Response(found.text(), content_type=VERSION)


def _told(pulse: Pulse) -> dict[str, object]:
    return {
        "status": "well" if pulse.is_well else "unhealthy",
        "database": "reached" if pulse.is_reached else "unreachable",
        "tables": dict(pulse.tables),
        "migrations": pulse.migrations,
    }
