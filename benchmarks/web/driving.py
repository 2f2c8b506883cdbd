"""Sends requests from many clients at once, and takes the times of the answers.

Clients are threads with a connection each that is kept; what they do costs little, as
they share two cores with the server.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Final
from urllib.parse import urlsplit

from benchmarks.claims.measuring import Times
from benchmarks.processes import ROOT
from benchmarks.web.asking import Kind

WARM: Final = 0.1
"""The part of the time, at the beginning, that is not counted."""

LATE: Final = 60
"""Seconds after which an answer does not come any more."""

LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        """Of HTTP."""
        return int(self.head.split(b" ", 2)[1])

    def header(self, name: bytes) -> str:
        """Return a header; empty: it is not there."""
        pattern = rb"\r\n" + name + rb": *([^\r]*)"
        found = re.search(pattern, self.head, re.IGNORECASE)
        return "" if found is None else found[1].decode()


class Client:
    """Asks on a connection that is kept, as long as the server keeps it.

    Waitress closes it after a 304.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname, parts.port
        self._socket = self._connect()

    def _connect(self) -> socket.socket:
        made = socket.create_connection(self._address, LATE)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def ask(self, request: bytes) -> Answer:
        """Send a request and wait for its answer."""
        if self._socket.fileno() < 0:
            self._socket = self._connect()
        self._socket.sendall(request)
        read = self._read(b"", lambda read: b"\r\n\r\n" in read)
        head, body = read.split(b"\r\n\r\n", 1)
        length = LENGTH.search(head)
        expected = 0 if length is None else int(length[1])
        answer = Answer(head, self._read(body, lambda read: len(read) >= expected))
        if answer.header(b"connection").lower() == "close":
            self.close()
        return answer

    def _read(self, read: bytes, is_enough: Callable[[bytes], bool]) -> bytes:
        while not is_enough(read):
            some = self._socket.recv(1 << 18)
            if not some:
                message = "The server has closed the connection."
                raise ConnectionError(message)
            read += some
        return read

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


@dataclass(slots=True)
class Driven:
    """What some clients found."""

    clients: int
    seconds: float
    times: Times = field(default_factory=Times)
    errors: Counter[str] = field(default_factory=Counter)
    """Answers that were not expected, by status, and connections that broke."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.times.taken) / self.seconds

    @property
    def slowness(self) -> tuple[str, str]:
        """The median, and what 95 of 100 stay below; in milliseconds, for people."""
        if len(self.times.taken) < 2:
            return "-", "-"
        return f"{self.times.p50:.1f}", f"{self.times.p95:.1f}"


def drive(url: str, kind: Kind, clients: int, seconds: float) -> Driven:
    """Let clients ask for so many seconds, and a tenth before it is counted."""
    found = Driven(clients, seconds)
    requests, lock = kind.requests(), Lock()
    begin = time.perf_counter() + WARM * seconds
    end = begin + seconds

    def next_request() -> bytes | None:
        with lock:
            return next(requests, None)

    def work() -> None:
        try:
            with closing(Client(url)) as client:
                _ask(client, next_request, kind.status, begin, end, found)
        except OSError as error:
            found.errors[type(error).__name__] += 1

    workers = [Thread(target=work) for _ in range(clients)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found


def _ask(
    client: Client,
    next_request: Callable[[], bytes | None],
    expected: int,
    begin: float,
    end: float,
    found: Driven,
) -> None:
    while (began := time.perf_counter()) < end:
        request = next_request()
        if request is None:
            found.errors["nothing left to ask for"] += 1
            return
        answer = client.ask(request)
        now = time.perf_counter()
        if answer.status != expected:
            found.errors[str(answer.status)] += 1
        if begin <= began and now <= end:
            found.times.taken.append((now - began) * 1000)


@contextmanager
def served(dsn: str, threads: int) -> Iterator[str]:
    """Serve a database in a process of its own; yield its address."""
    process = subprocess.Popen(  # noqa: S603 - our own Python
        [sys.executable, "-m", "benchmarks.web.server", dsn, str(threads)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process.stdout.readline().strip()  # type: ignore[union-attr]  # it is a pipe
    finally:
        process.terminate()
        process.communicate()
