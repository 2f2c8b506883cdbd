"""Run the examples of a page as one script: ``python -m tests.docs.run_page PAGE DSN``.

In a process of its own, since pages declare models, subscribe to events and register
contexts, all of which last as long as the process. Blocks run in their order, in one
namespace; what a block shows after a prompt is compared. The address that the pages
name stands for the database of the test, and so does the embedded one.
"""

from __future__ import annotations

import doctest
import sys
import warnings
from pathlib import Path
from types import ModuleType

from libres import embedded
from tests.docs.pages import Block, examples_of, name_of

ADDRESS = "postgresql+psycopg2://localhost/reservations"
"""What the pages write where a host has its own."""

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class BrokenExampleError(Exception):
    """What a block shows is not what Python answers."""


def run_page(page: Path, dsn: str) -> None:
    """Run every example of *page* on the database *dsn*.

    Raises BrokenExampleError, or what an example raises.
    """
    module = ModuleType(f"page_{page.stem}")
    sys.modules[module.__name__] = module  # where SQLAlchemy looks for annotations
    embedded.dsn = lambda _folder=None: dsn
    for block in examples_of(page):
        code = block.text.replace(ADDRESS, dsn)
        run = _run_session if block.is_session else _run_code
        run(Block(block.language, block.offset, code), name_of(page), module)


def _run_code(block: Block, page: str, module: ModuleType) -> None:
    # The empty lines make the numbers in a traceback those of the page.
    code = compile("\n" * block.offset + block.text, page, "exec", dont_inherit=True)
    exec(code, module.__dict__)  # noqa: S102 - these are our own pages


def _run_session(block: Block, page: str, module: ModuleType) -> None:
    test = doctest.DocTestParser().get_doctest(block.text, {}, page, page, block.offset)
    test.globs = module.__dict__
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    said: list[str] = []
    if runner.run(test, out=said.append, clear_globs=False).failed:
        raise BrokenExampleError("".join(said))


if __name__ == "__main__":
    warnings.simplefilter("error")
    run_page(Path(sys.argv[1]), sys.argv[2])
