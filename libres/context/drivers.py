"""Reads what a driver says of an error, the same for psycopg2 and psycopg 3."""

from __future__ import annotations

__all__ = ("driver_error", "sqlstate")


def driver_error(error: BaseException) -> BaseException:
    """Return the error of the driver that SQLAlchemy has wrapped, or *error* itself."""
    original = getattr(error, "orig", None)
    return original if isinstance(original, BaseException) else error


def sqlstate(error: BaseException) -> str | None:
    """Return the five characters that PostgreSQL gave the error; None without any."""
    found = driver_error(error)
    code = getattr(found, "pgcode", None) or getattr(found, "sqlstate", None)
    return code if isinstance(code, str) else None
