"""Run the examples of a page as one script: ``python -m tests.docs.run_page PAGE DSN``.

In a process of its own, since pages declare models, subscribe to events and register
contexts, all of which last as long as the process. Blocks run in their order, in one
namespace; what a block shows after a prompt is compared. SQL is sent statement by
statement, each committed, as the superuser of the test; commands are run by `Shell`.
The addresses that the pages name stand for the database of the test, and so does the
embedded one.
"""

from __future__ import annotations

import doctest
import sys
import warnings
from contextlib import closing
from pathlib import Path
from types import ModuleType

from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from libres import embedded
from tests.docs.pages import SHELL, SQL, Block, examples_of, name_of
from tests.docs.shell import Shell

ADDRESS = "postgresql+psycopg2://localhost/reservations"
REPLICA = "postgresql+psycopg2://replica/reservations"
DATABASE = "DATABASE reservations"
"""What the pages write where a host has its own."""

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class BrokenExampleError(Exception):
    """What a block shows is not what Python answers, or PostgreSQL refuses it."""


def run_page(page: Path, dsn: str) -> None:
    """Run every example of *page* on the database *dsn*.

    Raises BrokenExampleError, or what an example raises.
    """
    module = ModuleType(f"page_{page.stem}")
    sys.modules[module.__name__] = module  # where SQLAlchemy looks for annotations
    embedded.dsn = lambda _folder=None: dsn
    with closing(Shell(dsn)) as shell:
        for block in examples_of(page):
            if block.language in SQL:
                _run_sql(block, name_of(page), dsn)
            elif block.language in SHELL:
                shell.run(block, name_of(page))
            else:
                _run_python(block, name_of(page), module, dsn)


def _run_sql(block: Block, page: str, dsn: str) -> None:
    engine = create_engine(dsn, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    plain = engine.execution_options(no_parameters=True)  # per cent means itself
    database = f'DATABASE "{make_url(dsn).database}"'
    with plain.connect() as connection:
        for statement in block.statements:
            try:
                connection.exec_driver_sql(statement.replace(DATABASE, database))
            except DBAPIError as error:
                said = f"{page}, line {block.offset + 1}: {error}"
                raise BrokenExampleError(said) from error


def _run_python(block: Block, page: str, module: ModuleType, dsn: str) -> None:
    code = block.text.replace(ADDRESS, dsn).replace(REPLICA, dsn)
    run = _run_session if block.is_session else _run_code
    run(Block(block.language, block.offset, code), page, module)


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
    # Pyramid's requests import a module that Python deprecates.
    warnings.filterwarnings("ignore", "'cgi' is deprecated", DeprecationWarning)
    warnings.filterwarnings("ignore", "pkg_resources is deprecated")
    run_page(Path(sys.argv[1]), sys.argv[2])
