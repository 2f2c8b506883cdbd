"""The command line refuses what it does not know before it starts anything."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from benchmarks.cli import main


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        pytest.param(["--only", "nonsense"], 2, "reserve-hour", id="an unknown name"),
        pytest.param(["--rounds", "0"], 2, "x>=1", id="no rounds"),
        pytest.param(["--list"], 0, "change-time ", id="the list"),
    ],
)
def test_arguments(arguments, status, said):
    """What is wrong, and what there is, is said."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == status
    assert said in result.output
