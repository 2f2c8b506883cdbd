"""Makes the fixtures of `tests.fixtures` known to every test."""

from __future__ import annotations

pytest_plugins = (
    "tests.fixtures.auditing",
    "tests.fixtures.database",
    "tests.fixtures.clock",
    "tests.fixtures.compiling",
    "tests.fixtures.severing",
)
