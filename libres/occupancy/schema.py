"""Creates what is missing in the database: the tables of this room, and a type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import DDL, Connection, event, func, select

from libres.db.operations.setting_up import SETTING_UP
from libres.occupancy.models import (
    OccAssignment,
    OccBorder,
    OccCalibration,
    OccCheckIn,
    OccDoorway,
    OccEvent,
    OccFinding,
    OccSensor,
    OccSign,
    OccSpace,
    OccTally,
)

MODELS: Final = (
    OccSpace,
    OccDoorway,
    OccBorder,
    OccSensor,
    OccAssignment,
    OccEvent,
    OccSign,
    OccCalibration,
    OccTally,
    OccFinding,
    OccCheckIn,
)

ddl: Callable[[str], DDL] = DDL

ID_SPAN: Final = ddl("""\
DO $$ BEGIN
    IF to_regtype('occ_id_span') IS NULL THEN
        CREATE TYPE occ_id_span AS RANGE (subtype = uuid);
    END IF;
END $$""")
"""Exclusion constraints compare ranges, so a UUID is one of a single value there."""

event.listen(OccAssignment.__table__, "before_create", ID_SPAN)
"""Hosts may create all tables of the base by themselves."""


def create_missing(connection: Connection) -> None:
    """Create what is missing; processes that do so at the same moment wait in turn.

    The tables of the core must be there already.
    """
    connection.execute(select(func.pg_advisory_xact_lock(SETTING_UP)))
    tables: list[Any] = [model.__table__ for model in MODELS]
    OccSpace.metadata.create_all(connection, tables=tables)
