"""The benchmark of timetables, at a small size."""

from __future__ import annotations

from click.testing import CliRunner

from benchmarks.timetable.__main__ import main


def test_small(server):
    """All designs give the same answers, or it says so and fails."""
    arguments = ["--sizes", "12", "--days", "7", "--rounds", "5"]
    result = CliRunner().invoke(
        main, [*arguments, "--dsn", server.dsn("postgres")], env={"COLUMNS": "200"}
    )
    assert result.exit_code == 0, result.output
    assert "12 subjects, 7 days" in result.output
    assert "heatmap" in result.output
