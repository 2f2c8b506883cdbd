"""`examples/script.py` does what it says, as often as it is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "examples" / "script.py"


def run(dsn: str) -> list[str]:
    """Run the script as a program of its own, warnings being errors."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", SCRIPT],
        env={**os.environ, "LIBRES_DSN": dsn},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_script_can_be_run_again(empty_dsn: str) -> None:
    """It books, is refused, and tells what is left."""
    first = run(empty_dsn)
    assert first[0] == "Ada has it until 10:30."
    assert first[1].startswith("Ben is refused: Not enough free places")
    assert first[2] == "85 % of the day are left."
    assert run(empty_dsn) == first
