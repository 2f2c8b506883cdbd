"""The time that a query asks about."""

from __future__ import annotations

from typing import Any

from marshmallow import validates_schema

from libres.web.edge import edge
from libres.web.fields import Moment, Query, check_range


class Range(Query):
    """A time, half-open, no longer than the settings allow."""

    start = Moment(required=True, data_key="from")
    end = Moment(required=True, data_key="to")

    @validates_schema
    def _check(self, data: dict[str, Any], **_more: Any) -> None:
        check_range(data["start"], data["end"], edge().settings.longest_range)
