"""Numbers changes beside the readers, so that they find them numbered."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DBAPIError

from libres.context.transactions import classify
from libres.sync.feed.numbering import number

if TYPE_CHECKING:
    from libres.context.core import Context

log = logging.getLogger("libres")

INTERVAL: Final = 0.05
"""Seconds between two looks; a reader looks by itself anyway."""

LONGEST: Final = 5.0
"""Seconds to wait for a database that is away."""


def work(
    context: Context,
    stop: threading.Event,
    *,
    interval: float = INTERVAL,
    told: Callable[[int], object] = lambda _count: None,
) -> int:
    """Number changes until *stop* is set; return how many there were.

    Several workers do no harm: they take turns. *told* hears of each batch. A database
    that cannot be reached is tried again, ever later, at most each LONGEST seconds.
    """
    total, pause = 0, interval
    while not stop.is_set():
        try:
            count = number(context)
        except DBAPIError as error:
            if classify(error) == "no":
                raise
            pause = min(pause * 2, LONGEST)
            log.warning("Changes cannot be numbered now, but later: %s", error.orig)
        else:
            total, pause = total + count, interval
            if count:
                told(count)
        stop.wait(pause)
    return total
