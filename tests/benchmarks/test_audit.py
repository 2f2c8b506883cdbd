"""The benchmark of the audit, at a small size."""

from __future__ import annotations

from click.testing import CliRunner

from benchmarks.audit import main

SMALL = ["--changes", "300", "--rounds", "20", "--large"]


def test_small(server):
    """Everything is measured, and what is verified is good."""
    arguments = [*SMALL, "--dsn", server.dsn("postgres")]
    result = CliRunner().invoke(main, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    for name in ("delete", "with the chain", "verified offline", "erased", "an hour"):
        assert name in result.output
    assert "100 of 3,000 changes" in result.output
