"""Tells the feed that the rows of a resource are somebody else's from now on.

They do not change thereby, so triggers do not see it. For devices of the organisation
that gets the resource they are new; for those of the one that loses it they are gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, text
from sqlalchemy.types import Text, Uuid

from libres.sync.capture.installing import is_installed
from libres.sync.capture.triggers import Capture
from libres.sync.core_models import (
    ALLOCATION,
    CHECK_IN,
    RESERVATION,
    Names,
    models_of,
)

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session

    from libres.context.core import Context

ROWS: Final = {
    RESERVATION: "{row}.resource = :resource",
    ALLOCATION: "{row}.resource = :resource",
    CHECK_IN: "{row}.context = :context AND {row}.reservation IN "
    "(SELECT id FROM reservations WHERE resource = :resource)",
}
"""Which rows are those of a resource."""

VALUES: Final = (
    bindparam("tenant", type_=Text()),
    bindparam("before", type_=Text()),
    bindparam("resource", type_=Uuid()),
)


def note(
    context: Context,
    session: Session,
    resource: UUID,
    tenant: str,
    *,
    before: str = "",
) -> None:
    """Note all rows of a resource as moved from one tenant to another; '' is nobody.

    Only those whose changes are noted, whoever has registered them.
    """
    connection = session.connection()
    session.flush()
    values = {"tenant": tenant, "before": before, "resource": resource}
    for model in models_of(context.name, Names(None)):
        capture = Capture(context.name, model)
        if is_installed(connection, capture):
            moving = text(capture.moving(ROWS[model.name])).bindparams(*VALUES)
            needs_context = ":context" in ROWS[model.name]
            more = {"context": context.name} if needs_context else {}
            connection.execute(moving, {**values, **more})
