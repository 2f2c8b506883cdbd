"""Runs the commands of a page: in a block ``console`` each line after ``$`` is one.

They run in this process, in a folder of their own, but for ``libres serve &``, which is
a process until ``kill %1``; its address stands for the one that the pages name. Of what
a shell can do besides there is ``export``, ``echo … |``, ``< file`` and ``> file``.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner

from tests.cli.serving import ADDRESS, Serving, serving

if TYPE_CHECKING:
    from tests.docs.pages import Block

SERVED = "http://127.0.0.1:8080"
"""What the pages write where a command serves."""

PROMPT = "$ "


class WrongAnswerError(Exception):
    """What a page shows is not what the command says."""


class Shell:
    """The terminal of a page."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._folder = Path(tempfile.mkdtemp(prefix="libres-page-"))
        self._running = ExitStack()
        self._url: str | None = None

    def run(self, block: Block, page: str) -> None:
        """Run the commands of a block. Raises WrongAnswerError."""
        for command, wanted in commands_of(block.text):
            said = self._do(command)
            flags = ELLIPSIS | NORMALIZE_WHITESPACE
            if not OutputChecker().check_output(wanted, said, flags):
                message = f"{page}, line {block.offset + 1}: {command}\n{said}"
                raise WrongAnswerError(message)

    def close(self) -> None:
        """End what still runs, and leave nothing behind."""
        self._running.close()
        shutil.rmtree(self._folder)

    def _do(self, command: str) -> str:
        if command == "libres serve &":
            return self._serve()
        if command == "kill %1":
            self._running.close()
            return ""
        if command.startswith("export "):
            return self._export(command)
        before = Path.cwd()
        os.chdir(self._folder)
        try:
            return self._libres(command)
        finally:
            os.chdir(before)

    def _serve(self) -> str:
        bind = (self._url or "http://127.0.0.1:0").removeprefix("http://")
        options = ["--dsn", self._dsn, "--bind", bind]
        served: Serving = self._running.enter_context(serving("serve", *options))
        self._url = f"http://{served.wait_for(ADDRESS)[1]}"
        return served.said.replace(self._url, SERVED)

    def _export(self, command: str) -> str:
        name = command.removeprefix("export ").partition("=")[0]
        script = f"{command}\nprintenv {name}"
        ran = subprocess.run(  # noqa: S603 - our own pages
            ["/bin/sh", "-c", script], capture_output=True, text=True, check=True
        )
        os.environ[name] = ran.stdout.removesuffix("\n")
        return ""

    def _libres(self, command: str) -> str:
        from libres.cli import main  # noqa: PLC0415 - it has to find the page's server

        words = shlex.split(command.replace(SERVED, self._url or SERVED))
        given, target = "", None
        if words[0] == "echo":
            given, words = f"{words[1]}\n", words[3:]
        if "<" in words:
            given = Path(words.pop()).read_text(encoding="utf-8")
            words.remove("<")
        if ">" in words:
            target = Path(words.pop())
            words.remove(">")
        assert words[0] == "libres", command
        ran = CliRunner().invoke(main, words[1:], input=given, env={"COLUMNS": "120"})
        if ran.exception is not None and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        if target is not None:
            target.write_text(ran.stdout, encoding="utf-8")
            return ran.stderr
        return ran.output.replace(self._url or SERVED, SERVED)


def commands_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a block, each with what is shown below it."""
    command, shown = "", list[str]()
    for line in text.splitlines():
        if command.endswith("\\"):
            command = f"{command[:-1]}{line.strip()}"
        elif line.startswith(PROMPT):
            if command:
                yield command, _output(shown)
            command, shown = line.removeprefix(PROMPT), []
        elif command:
            shown.append(line)
    if command:
        yield command, _output(shown)


def _output(lines: list[str]) -> str:
    return "\n".join(lines).strip("\n") + "\n" if any(lines) else ""
