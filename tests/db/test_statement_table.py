"""The table of statements: its core on the test database, its verdict, its output."""

from __future__ import annotations

from contextlib import contextmanager
from io import StringIO

import pytest
from rich.console import Console

from tests import statement_table
from tests.statement_table import OPERATIONS, Row


@pytest.fixture(scope="module")
def rows(server):
    """Every operation, measured once for this module, by name."""
    with statement_table.temporary_context(
        server.dsn(server.maintenance_dbname)
    ) as context:
        return {row.operation: row for row in statement_table.measured(context)}


every_operation = pytest.mark.parametrize("name", [each.name for each in OPERATIONS])


@every_operation
def test_budget(rows, name):
    """At 1 and at 50 of everything, an operation stays within its budget."""
    assert rows[name].holds, rows[name]


@every_operation
def test_flat(rows, name):
    """Fifty of everything cost what one costs."""
    assert rows[name].costs[0] == rows[name].costs[1]


def test_names():
    """No operation is measured twice."""
    assert len({each.name for each in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize(
    ("costs", "holds"),
    [
        pytest.param((3, 3), True, id="within"),
        pytest.param((2, 1), True, id="below"),
        pytest.param((4, 3), False, id="one is above"),
        pytest.param((3, 4), False, id="fifty are above"),
    ],
)
def test_verdict(costs, holds):
    """A budget of three holds if neither takes more."""
    assert Row("reserve", 3, costs).holds is holds


def test_table():
    """The table shows budget and costs, and marks what is above."""
    written = StringIO()
    rows = [Row("reserve", 3, (3, 3)), Row("book", 7, (7, 58))]
    Console(width=80, file=written).print(statement_table.table(rows))
    lines = written.getvalue().replace("│", " ").splitlines()[-3:-1]
    assert [line.split() for line in lines] == [
        ["reserve", "3", "3", "3"],
        ["book", "7", "7", "58", "above"],
    ]


@pytest.mark.parametrize(
    ("costs", "status"),
    [
        pytest.param((3, 3), 0, id="all hold"),
        pytest.param((3, 4), 1, id="one does not"),
    ],
)
def test_status(monkeypatch, capsys, costs, status):
    """The exit status tells whether every budget holds."""

    @contextmanager
    def nothing(*_):
        yield None

    monkeypatch.setattr(statement_table, "server", nothing)
    monkeypatch.setattr(statement_table, "temporary_context", nothing)
    rows = [Row("reserve", 3, costs)]
    monkeypatch.setattr(statement_table, "measured", lambda _: rows)
    assert statement_table.main() == status
    assert "reserve" in capsys.readouterr().out
