"""Serves a database as `libres serve` does, without a limit of requests.

``python -m benchmarks.web.server DSN THREADS``; prints its address.
"""

from __future__ import annotations

import sys

from libres.cli.serving import Bind, listening
from libres.context.registry import create_default_registry
from libres.web import WebSettings, create_app

CONTEXT = "bench"


def main(dsn: str, threads: str) -> None:
    """Serve until SIGTERM."""
    context = create_default_registry().register_context(CONTEXT)
    context.set_setting("dsn", dsn)
    app = create_app(context, WebSettings(requests_per_minute=None))
    with listening(app, Bind("127.0.0.1", 0), int(threads)) as server:
        print(server.urls[0], flush=True)
        server.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
