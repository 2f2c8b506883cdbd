"""Lets nobody ask too often, and nobody guess keys.

Counts are kept in the process: with several, each has its own.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from libres.web.errors import TooManyRequests

if TYPE_CHECKING:
    from libres.web.settings import WebSettings


class Limits:
    """How often callers may ask."""

    def __init__(self, settings: WebSettings) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        most = settings.requests_per_minute
        self._requests = None if most is None else RateLimitItemPerMinute(most)
        events = settings.events_per_minute
        self._events = None if events is None else RateLimitItemPerMinute(events)
        self._failures = RateLimitItemPerMinute(settings.failures_per_minute)

    def count(self, who: str) -> None:
        """Count a request. Raises TooManyRequests if it is one too many."""
        if self._requests is not None and not self._limiter.hit(
            self._requests, "requests", who
        ):
            raise self._refused(self._requests, "requests", who)

    def count_events(self, who: str, number: int) -> None:
        """Count events of sensors. Raises TooManyRequests for some too many."""
        if self._events is not None and not self._limiter.hit(
            self._events, "events", who, cost=number
        ):
            raise self._refused(self._events, "events", who)

    def check_failures(self, address: str) -> None:
        """Refuse an address from which too many wrong keys came. Raises
        TooManyRequests."""
        if not self._limiter.test(self._failures, "failures", address):
            raise self._refused(self._failures, "failures", address)

    def note_failure(self, address: str) -> None:
        """Note that a wrong key came from an address."""
        self._limiter.hit(self._failures, "failures", address)

    def _refused(
        self, item: RateLimitItemPerMinute, kind: str, who: str
    ) -> TooManyRequests:
        until = self._limiter.get_window_stats(item, kind, who).reset_time
        return TooManyRequests(seconds=max(1, math.ceil(until - time.time())))
