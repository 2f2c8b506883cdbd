"""Counts requests, and how long they take, for Prometheus.

Needs the extra ``metrics``; without it nothing is counted. Each application has figures
of its own, and each process: scrape every one of them. Requests are told apart by
endpoint, never by path, so that nobody can make up labels.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib.util import find_spec
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, g, request
from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from libres.context.core import Context
    from libres.web.edge import Edge

log = logging.getLogger("libres")

BUCKETS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0),
)
"""Seconds."""

REFUSED: Final = 400
"""From this status on a request was refused."""

POOLS: Final = {"write": "engine", "read": "read_only_engine"}
"""The engines of a session provider, by what they are for."""


def register(blueprint: Blueprint, context: Context) -> None:
    """Count the requests of a blueprint, if it can be done.

    What is registered with the blueprint later is counted with its refusals.
    """
    meter = Meter(context) if find_spec("prometheus_client") else None

    @blueprint.before_request
    def _begin() -> None:
        g.libres_meter, g.libres_began = meter, perf_counter()

    @blueprint.after_request
    def _end(response: Response) -> Response:
        if meter is not None:
            meter.note(response.status_code, perf_counter() - g.libres_began)
        return response


def meter() -> Meter | None:
    """Return what counts the requests of this application; None: nothing does."""
    found: Meter | None = g.libres_meter
    if found is None:
        log.warning("There are no metrics: pip install 'libres[metrics]'.")
    return found


class Meter:
    """The figures of an application."""

    def __init__(self, context: Context) -> None:
        from prometheus_client import (  # noqa: PLC0415 - an extra
            CollectorRegistry,
            Counter,
            Histogram,
        )

        self._registry = CollectorRegistry()
        of = ("endpoint", "method")
        self._requests = Counter(
            "libres_http_requests",
            "Requests that were answered.",
            (*of, "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "libres_http_request_seconds",
            "How long answers took.",
            of,
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._refused = Counter(
            "libres_http_refused",
            "Requests that were refused, or failed.",
            ("status",),
            registry=self._registry,
        )
        self._retries = Counter(
            "libres_transactions_retried",
            "Transactions that were run again, because others got in their way.",
            registry=self._registry,
        )
        self._registry.register(Pools(context))

    def note(self, status: int, seconds: float) -> None:
        """Note the answer to the present request."""
        endpoint, method = request.endpoint or "", request.method
        self._requests.labels(endpoint, method, status).inc()
        self._seconds.labels(endpoint, method).observe(seconds)
        if status >= REFUSED:
            self._refused.labels(status).inc()
        edge: Edge | None = g.get("libres")
        if edge is not None:
            self._retries.inc(edge.retries)

    def text(self) -> str:
        """Write the figures as Prometheus reads them."""
        from prometheus_client import generate_latest  # noqa: PLC0415 - an extra

        return generate_latest(self._registry).decode()


class Pools:
    """Tells the connections of a context when it is asked, where they are known."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def describe(self) -> list[Metric]:
        """Tell nothing ahead: that would connect."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Tell how many connections each pool has, and how many are in use."""
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - an extra

        made = GaugeMetricFamily(
            "libres_pool_connections",
            "Connections to the database, by pool and state.",
            labels=("pool", "state"),
        )
        for name, pool in self._pools():
            made.add_metric([name, "in use"], pool.checkedout())
            made.add_metric([name, "idle"], pool.checkedin())
        yield made

    def _pools(self) -> Iterator[tuple[str, Any]]:
        try:
            provider = self._context.get_service("session_provider")
        except (SQLAlchemyError, RuntimeError):
            return  # there is no database, which /health tells
        for name, engine in POOLS.items():
            pool = getattr(getattr(provider, engine, None), "pool", None)
            if hasattr(pool, "checkedout") and hasattr(pool, "checkedin"):
                yield name, pool
