"""Column types: UUIDs equal to their text, aware times, tracked JSON."""

from libres.db.models.types.json_type import JSON
from libres.db.models.types.utcdatetime import UTCDateTime
from libres.db.models.types.uuid_type import UUID, SoftUUID

__all__ = ("JSON", "UUID", "SoftUUID", "UTCDateTime")
