"""The declarative base that all models, and those of applications, share."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy.orm import DeclarativeBase

from libres.db.models.types import JSON, UUID, UTCDateTime


class ORMBase(DeclarativeBase):
    """Maps plain annotations to the column types of this library."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UTCDateTime,
        dict[str, Any]: JSON,
        uuid.UUID: UUID,
    }
