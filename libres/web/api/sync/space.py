"""How much room is left on the disk of the database, or of the logs, if it is here."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

DIRECTORY: Final = text("""\
SELECT setting FROM pg_settings WHERE name = 'data_directory' AND (
    inet_server_addr() IS NULL
    OR inet_server_addr() = inet_client_addr()
    OR inet_server_addr() <<= '127.0.0.0/8'
)""")
"""Nothing, if the role of the database may not know it (it needs pg_read_all_settings),
or if the server is on another machine."""


def free(session: Session) -> float | None:
    """Return how much of the disk is free, from 0 to 1: of that of the database if it
    can be told from here, else of that of the logs; None: of neither. One statement."""
    directory = session.execute(DIRECTORY).scalar()
    for path in (directory, *_logs()):
        if path is not None and (found := _free(Path(path))) is not None:
            return found
    return None


def _logs() -> Iterator[Path]:
    """Yield where the logs of this process are written to."""
    for name in ("libres", None):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.FileHandler):
                yield Path(handler.baseFilename).parent


def _free(path: Path) -> float | None:
    try:
        found = shutil.disk_usage(path)
    except OSError:
        return None
    return found.free / found.total if found.total else None
