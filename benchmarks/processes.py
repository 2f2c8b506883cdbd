"""Starts a worker, asks it within a limit of time, and leaves none behind."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

ROOT = Path(__file__).parents[1]

LIBRARY, FLOOR = "benchmarks.worker", "benchmarks.floor_worker"
"""The modules of the workers: of a library, and of hand-written SQL."""


class WorkerFailedError(RuntimeError):
    """The worker could not do what it was asked."""


class WorkerLateError(RuntimeError):
    """The worker was not done within its limit, and was ended."""


class Process:
    """A worker that is asked line by line; use it in a with-block."""

    def __init__(self, python: Path, module: str = LIBRARY) -> None:
        # In a session of its own: Ctrl-C is for us, and we end it.
        self._process = subprocess.Popen(  # noqa: S603 - our own Python, constants
            [python, "-I", "-c", _code(module)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._read = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def ask(self, do: str, limit: float, **details: Any) -> dict[str, Any]:
        """Send a request and wait for its answer, at most *limit* seconds.

        Raises WorkerFailedError with what the worker said, WorkerLateError.
        """
        self._send({"do": do, **details})
        answer: dict[str, Any] = json.loads(self._line(time.monotonic() + limit))
        if "error" in answer:
            raise WorkerFailedError(answer["error"])
        return answer

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _send(self, request: dict[str, Any]) -> None:
        pipe = self._process.stdin
        try:
            os.write(pipe.fileno(), json.dumps(request).encode() + b"\n")  # type: ignore[union-attr]  # it is a pipe
        except BrokenPipeError as error:
            raise WorkerFailedError(_DIED) from error

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self._read:
            self._read += self._some(deadline)
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _some(self, deadline: float) -> bytes:
        descriptor = self._process.stdout.fileno()  # type: ignore[union-attr]  # it is a pipe
        remaining = max(0.0, deadline - time.monotonic())
        if not select.select([descriptor], [], [], remaining)[0]:
            self._process.kill()
            raise WorkerLateError
        if not (some := os.read(descriptor, 65536)):
            raise WorkerFailedError(_DIED)
        return some


def _code(module: str) -> str:
    """Put the checkout last, so that an installed libres is found before it."""
    path = f"import sys; sys.path.append({str(ROOT)!r}); "
    return path + f"from {module} import main; main()"


_DIED = "the process ended without an answer"
