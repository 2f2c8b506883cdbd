"""A PostgreSQL of the soak's own, whose processes may be killed."""

from __future__ import annotations

import os
import signal
import tempfile
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from libres import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator


class OwnServer:
    """A server in a folder; durable, as in production."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.dsn = embedded.dsn(folder)

    def kill(self) -> None:
        """Kill the server and everything that belongs to it, and start it again."""
        psutil = import_module("psutil")
        process = psutil.Process(self._process())
        processes = [process, *process.children(recursive=True)]
        for each in processes:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(processes, timeout=30)
        embedded.dsn(self._folder)

    @staticmethod
    def kill_backend(process: int) -> None:
        """Kill one backend; PostgreSQL then ends all others, and recovers."""
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)

    def _process(self) -> int:
        pid_file = self._folder / "pgdata" / "postmaster.pid"
        return int(pid_file.read_text(encoding="utf-8").split()[0])


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """Start a server that is gone afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            yield OwnServer(folder)
        finally:
            embedded.stop(folder)
