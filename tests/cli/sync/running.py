"""Runs commands of ``libres sync``, with the models of a host."""

from __future__ import annotations

from click.testing import CliRunner

from libres.cli import main
from tests.sync import models

PASSWORD = "correct horse"  # noqa: S105 - of a test
SECRET = "s" * 64


def register(sync):
    """What ``--models`` names."""
    models.register(sync.registry)


def register_nothing(sync):
    """Register what cannot be."""
    sync.registry.register(int, shared=True)


def invoked(*arguments, **options):
    """Run a command of the group."""
    line = ["sync", *arguments]
    env = {"COLUMNS": "250", "LIBRES_SYNC_SECRET": SECRET}
    result = CliRunner().invoke(main, line, env=env, **options)
    assert result.exception is None or isinstance(result.exception, SystemExit), (
        result.exc_info
    )
    return result
