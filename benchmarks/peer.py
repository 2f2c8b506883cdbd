"""Installs the older library in an environment of its own, once per user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.worker import PEER_VERSION

REQUIREMENTS = (f"libres=={PEER_VERSION}", "psycopg2-binary", "setuptools")
"""The older library declares no driver; Python 3.12 brings no setuptools."""


class PeerMissingError(RuntimeError):
    """Libres 1.4.0 cannot be installed here, so only this library is measured."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def peer_python() -> Path:
    """Return the Python that has the older library. Raises PeerMissingError."""
    folder = _folder()
    python, complete = folder / "bin" / "python", folder / "complete"
    if not (python.exists() and complete.exists()):
        _install(folder)
        complete.touch()
    return python


def _folder() -> Path:
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    cache = named if named.is_absolute() else Path.home() / ".cache"
    version = f"py{sys.version_info.major}.{sys.version_info.minor}"
    return cache / "libres-benchmarks" / f"peer-{PEER_VERSION}-{version}"


def _install(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    python = str(folder / "bin" / "python")
    try:
        _run(sys.executable, "-m", "venv", str(folder))
        _run(python, "-m", "pip", "install", "--retries=1", *REQUIREMENTS)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PeerMissingError from error


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - constants
