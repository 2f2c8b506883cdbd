"""Commands of the pages are run, and what they say is compared."""

from __future__ import annotations

import os

import pytest

from tests.docs.pages import Block
from tests.docs.shell import Shell, WrongAnswerError, commands_of


@pytest.fixture
def shell(monkeypatch):
    """A terminal without a database."""
    monkeypatch.setenv("GREETING", "")
    made = Shell("")
    yield made
    made.close()


def test_commands():
    """Lines that go on are one command; what follows it is what it says."""
    text = "nothing\n$ a \\\n  b\nx\n\ny\n\n$ c\n$ d \\\n  e"
    assert list(commands_of(text)) == [("a b", "x\n\ny\n"), ("c", ""), ("d e", "")]


@pytest.mark.parametrize(
    "text",
    [
        "$ libres sync permissions templates\n template ...",
        "$ libres sync permissions templates > file\n$ libres --version\nlibres, ...",
        "$ echo 'x y' | libres --version\nlibres, version ...",
    ],
)
def test_right(shell, text):
    """What a command says may be shortened."""
    shell.run(Block("console", 1, text), "page")


@pytest.mark.parametrize(
    "text",
    ["$ libres --version\nlibres 1", "$ libres --version", "$ libres nothing\nfine"],
)
def test_wrong(shell, text):
    """What a command does not say is found, with the place."""
    with pytest.raises(WrongAnswerError, match=r"^page, line 8: libres"):
        shell.run(Block("console", 7, text), "page")


def test_export(shell):
    """Variables are those of the commands that follow."""
    shell.run(Block("console", 1, '$ export GREETING="$(echo hello)"'), "page")
    assert os.environ["GREETING"] == "hello"
