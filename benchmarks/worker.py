"""Carries out one workload with one library, in a process of its own.

Takes a line of JSON for each request and answers with one: ``open``, ``prepare``,
``round`` and ``finish``. What the library prints goes elsewhere. Of an error only the
type and the first line are told.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sqlalchemy import Engine, event

import libres
from benchmarks.host import Host
from benchmarks.workloads import workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PEER_VERSION = "1.4.0"
MIB = 1024 * 1024
LONGEST_MESSAGE = 160


class WrongLibraryError(RuntimeError):
    """The worker has found another libres than it was to measure."""


class Worker:
    """One workload and one library; its methods are the requests."""

    host: Host

    def open(self, request: dict[str, Any]) -> dict[str, Any]:
        """Connect to a database, and say what is installed."""
        if (libres.__version__ == PEER_VERSION) is not request["peer"]:
            raise WrongLibraryError(libres.__version__)
        found = workload(request["workload"])
        found = replace(found, size=request["size"], operations=request["operations"])
        self.host = Host(request["dsn"], found, request["rounds"])
        self.host.connect()
        return {"versions": _versions()}

    def prepare(self, _request: dict[str, Any]) -> dict[str, Any]:
        """Create the tables and what the rounds are to find."""
        self.host.set_up()
        self.host.workload.prepare(self.host)
        return {}

    def round(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run one round; count the statements if asked, which costs a little time."""
        number, host = request["number"], self.host
        host.workload.before(host, number)
        host.laps.clear()
        with _counted(active=request["count"]) as statements:
            seconds, answer = timed(partial(host.workload.run, host, number))
        return {
            "seconds": seconds,
            "answer": [answer, checked(host, number)],
            "statements": len(statements) if request["count"] else None,
            "aborts": host.aborts(),
            "laps": host.laps,
        }

    def finish(self, _request: dict[str, Any]) -> dict[str, Any]:
        """Close the connections; say how much memory the process has had at most."""
        self.host.close()
        return {"peak": peak_memory()}


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Run a round; return how many seconds it took, and its answer."""
    began = time.perf_counter()
    answer = run()
    return time.perf_counter() - began, answer


def checked(host: Host, number: int) -> Any:
    """Look up what the database holds after a round, if the workload says how."""
    check = host.workload.check
    return check(host, number) if check else None


@contextmanager
def _counted(*, active: bool) -> Iterator[list[str]]:
    """Collect the statements of all engines; many rows at once are one statement."""
    statements: list[str] = []

    def collect(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    if not active:
        yield statements
        return
    event.listen(Engine, "before_cursor_execute", collect)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", collect)


def _versions() -> dict[str, str]:
    drivers = ("SQLAlchemy", "psycopg2-binary")
    return {
        "libres": libres.__version__,
        "Python": platform.python_version(),
        **{name: metadata.version(name) for name in drivers},
    }


def peak_memory() -> float:
    """Return the most memory this process has had, in MiB.

    Linux counts what the parent had at the fork into ``ru_maxrss``; so there the high
    water mark of the process itself is read.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(
            line.split(":", 1) for line in status.read_text("utf-8").splitlines()
        )
        return int(lines["VmHWM"].split()[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


def _message(error: Exception) -> str:
    original = getattr(error, "orig", None) or error
    first_line = (str(original).splitlines() or [""])[0]
    return f"{type(original).__name__}: {first_line[:LONGEST_MESSAGE]}"


def _answer(worker: Worker, line: str) -> dict[str, Any]:
    request = json.loads(line)
    try:
        answer: dict[str, Any] = getattr(worker, request["do"])(request)
    except Exception as error:
        return {"error": _message(error)}
    return answer


def _own_output() -> IO[str]:
    """Keep the standard output for ourselves; the library prints to the errors."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept


def main() -> None:
    """Measure a library."""
    serve(Worker())


def serve(worker: Worker) -> None:
    """Answer requests until there are no more."""
    output = _own_output()
    for line in sys.stdin:
        print(json.dumps(_answer(worker, line)), file=output, flush=True)
