"""Serves the web edge with waitress, until it is told to end.

What needs the extra ``web`` is imported when it is used.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from socket import SOCK_STREAM, getaddrinfo, socket
from socket import create_server as create_listener
from typing import TYPE_CHECKING, Any, Final

import click

from libres import conflicts, occupancy, sync, timetable, web

if TYPE_CHECKING:
    from types import FrameType

    from flask import Flask

    from libres.context.core import Context

NEEDED: Final = ("flask", "apiflask", "flask_wtf", "limits", "waitress")

MISSING: Final = "The pages need more than is installed: pip install 'libres[web]'."

THREADS: Final = 4
"""Requests that are answered at once: one process of Python has no use for more."""

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a request that are read at all; the application itself refuses sooner."""

FORWARDED: Final = frozenset({"x-forwarded-for", "x-forwarded-proto"})
"""What is believed of a proxy: who asks, and whether by HTTPS."""


@dataclass(frozen=True, slots=True)
class Bind:
    """Where to listen."""

    host: str
    port: int
    """0: on a free one."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def is_installed() -> bool:
    """Tell whether what the extra ``web`` brings is there."""
    return all(find_spec(name) for name in NEEDED)


def set_up(context: Context) -> None:
    """Create the tables of all rooms that are missing; those of the core are there.

    The web edge brings those of waiting lists along. Of models that are registered for
    synchronisation by now changes are noted from then on.
    """
    for room in (conflicts, timetable, occupancy, web, sync):
        context.transaction(lambda room=room: room.setup(context))  # type: ignore[misc]


@contextmanager
def listening(
    app: Flask, bind: Bind, threads: int = THREADS, proxy: str | None = None
) -> Iterator[Server]:
    """Yield a server that listens already, and answers as soon as it is run.

    Raises ClickException if that is not possible there.
    """
    from waitress import (  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra
        create_server,
        wasyncore,
    )

    # A line for each request that waits for a thread would slow down all others.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    trusted: dict[str, Any] = {}
    if proxy is not None:
        trusted = {"trusted_proxy": proxy, "trusted_proxy_headers": FORWARDED}
    with ExitStack() as opened:
        sockets = [opened.enter_context(each) for each in _sockets(bind)]
        channels: dict[int, Any] = {}
        made = create_server(
            app,
            map=channels,
            sockets=sockets,
            threads=threads,
            max_request_body_size=LARGEST,
            clear_untrusted_proxy_headers=True,
            ident=None,
            **trusted,
        )
        opened.callback(wasyncore.close_all, channels)
        opened.callback(made.task_dispatcher.shutdown)
        yield Server(made, [_bound(each) for each in sockets])


def _sockets(bind: Bind) -> list[socket]:
    """Listen on all addresses of a host. Raises ClickException."""
    made: dict[object, socket] = {}
    try:
        for family, *_kind, address in getaddrinfo(
            bind.host, bind.port, type=SOCK_STREAM
        ):
            if address not in made:
                made[address] = create_listener(address, family=family)
    except (OSError, UnicodeError) as error:
        for each in made.values():
            each.close()
        said = getattr(error, "strerror", None) or error
        message = f"Nobody can listen on {bind}: {said}."
        raise click.ClickException(message) from error
    return list(made.values())


def _bound(listener: socket) -> Bind:
    host, port, *_more = listener.getsockname()
    return Bind(host, port)


class Server:
    """Answers requests."""

    def __init__(self, made: Any, bound: list[Bind]) -> None:
        self._made = made
        self.urls = [f"http://{each}/" for each in bound]
        """Where it can be found."""

    def run(self) -> None:
        """Answer until SIGINT or SIGTERM; what is being answered has five seconds."""
        before = signal.signal(signal.SIGTERM, _end)
        try:
            self._made.run()
        finally:
            signal.signal(signal.SIGTERM, before)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
