"""What a host may choose about the web edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KIB: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The limits and manners of the web edge; sensible as they are."""

    title: str = "Reservations"
    """What the pages are called."""

    anonymous: frozenset[str] = frozenset()
    """What those may do who do not say who they are: scopes as of keys. With none they
    see which times are free and taken, and nothing of whose they are."""

    attempts: int = 30
    """How often a write is tried until it is answered with 503."""

    largest_body: int = 256 * KIB
    """Bytes that a request may have."""

    largest_events: int = 4096 * KIB
    """Bytes that a request with events of sensors, or with proposals, may have."""

    longest_range: int = 400
    """Days that a calendar, a list or a search may span."""

    page: int = 100
    """Rows of a page of a list, unless the caller says how many."""

    largest_page: int = 500

    requests_per_minute: int | None = 1200
    """Requests of one caller, or of one address; None: as many as it likes."""

    events_per_minute: int | None = 300_000
    """Events of sensors of one key; None: as many as it likes."""

    failures_per_minute: int = 30
    """Wrong keys from one address, before it has to wait."""

    session_minutes: int = 15
    """How long a cart may be left untouched."""

    pages: bool = True
    """Whether there are pages, beside the API and the feeds."""

    metrics_public: bool = False
    """Whether everybody may read the metrics; else it needs the scope read."""
