"""Calendar feeds: what calendars subscribe to, of a resource, a person or a subject.

Who knows the address of a feed reads it, without a key; the address holds a secret that
can be revoked. What calendars are told of removed reservations is kept by triggers.
"""

from __future__ import annotations

from libres.web.feeds.service import Feeds, feed_url
from libres.web.feeds.values import Feed

__all__ = ("Feed", "Feeds", "feed_url")
