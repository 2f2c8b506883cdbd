"""Starts a command that serves, and ends it."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from http.client import HTTPConnection

SECONDS = 60
"""How long a command may take to begin, or to end."""

ADDRESS = r"http://(127\.0\.0\.1:\d+)/"


class Serving:
    """A command that serves."""

    def __init__(self, process):
        self.process = process
        self.said = ""

    def wait_for(self, pattern):
        """Read what it says until that is there."""
        end = time.monotonic() + SECONDS
        while not (found := re.search(pattern, self.said)):
            assert time.monotonic() < end, self.said
            ready, _, _ = select.select([self.process.stdout], [], [], 1)
            some = os.read(self.process.stdout.fileno(), 65536) if ready else b" "
            assert some, f"It ended: {self.said}"
            self.said += some.decode() if ready else ""
        return found

    def get(self, path):
        """Ask it for a page."""
        host = self.wait_for(ADDRESS)[1]
        connection = HTTPConnection(host, timeout=SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def end(self, number=signal.SIGTERM):
        """End it as a service manager does, or as Ctrl-C does.

        Returns the status and its last words.
        """
        self.process.send_signal(number)
        last, _ = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, last.decode()


@contextmanager
def serving(*arguments, **environment):
    """Run a command; it is killed if it was not ended."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-u", "-m", "libres.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "100", **environment},
    )
    try:
        yield Serving(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
        process.stdout.close()
