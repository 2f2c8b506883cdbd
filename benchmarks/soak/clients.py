"""Keeps the clients: starts them, replaces the killed ones, reads their notes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from benchmarks.processes import ROOT
from benchmarks.soak.ledger import Ledger, Notes

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

LATEST_END: Final = 120.0
"""Seconds that a client may need to finish its last step."""

CODE: Final = (
    f"import sys; sys.path.append({str(ROOT)!r}); "
    "from benchmarks.soak.client import main; main()"
)


class Clients:
    """The processes that work at the same time, and what they have noted."""

    def __init__(self, dsn: str, folder: Path, number: int, random: Random) -> None:
        self.ledger = Ledger()
        self.died_alone = 0
        """How many have ended although nobody has killed them."""
        self._dsn = dsn
        self._random = random
        self._notes = [
            Notes(folder / f"client-{each}", self.ledger) for each in range(number)
        ]
        self._processes = [self._start(notes) for notes in self._notes]

    def read(self) -> None:
        """Take in what they have noted; replace those that have died."""
        for number, notes in enumerate(self._notes):
            notes.read()
            if self._processes[number].poll() is not None:
                self.died_alone += 1
                self._replace(number)

    def kill(self, random: Random) -> None:
        """Kill one of them at once, whatever it does, and start another one."""
        number = random.randrange(len(self._processes))
        self._processes[number].kill()
        self._replace(number)

    def finish(self) -> None:
        """Let them finish what they have begun."""
        for process in self._processes:
            if process.stdin is not None and process.poll() is None:
                process.stdin.write(b"\n")
                process.stdin.flush()
        for number, process in enumerate(self._processes):
            process.wait(LATEST_END)
            self._notes[number].client_died()

    def end(self) -> None:
        """End those that are left."""
        for process in self._processes:
            process.kill()
            self._bury(process)

    def _replace(self, number: int) -> None:
        self._bury(self._processes[number])
        self._notes[number].client_died()
        self._processes[number] = self._start(self._notes[number])

    @staticmethod
    def _bury(process: subprocess.Popen[bytes]) -> None:
        process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def _start(self, notes: Notes) -> subprocess.Popen[bytes]:
        # In a session of its own: Ctrl-C is for us, and we end it.
        process = subprocess.Popen(  # noqa: S603 - our own Python, constants
            [sys.executable, "-c", CODE],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        request = {
            "dsn": self._dsn,
            "seed": self._random.getrandbits(32),
            "file": str(notes.path),
            "items": notes.items,
        }
        if process.stdin is not None:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        return process
