"""Writes settings as lines ``LIBRES_SYNC_NAME=value``, and reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from libres.sync.configuration.sections import SETTINGS
from libres.sync.errors import InvalidConfiguration

PREFIX: Final = "LIBRES_SYNC_"

LINE: Final = re.compile(
    rf"(?:export )?{PREFIX}([A-Z0-9_]+)=(true|false|-?[0-9]{{1,18}})"
)

WORDS: Final = {"true": True, "false": False}


def written(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each setting."""
    for name, value in settings.items():
        told = str(value).lower() if isinstance(value, bool) else str(value)
        yield f"{PREFIX}{name.upper()}={told}"


def read(text: str) -> dict[str, Any]:
    """Return the document that lines say: of its settings only.

    Empty lines and comments are left out. Raises InvalidConfiguration, which names the
    lines that say something else, and nothing of what they say.
    """
    settings: dict[str, Any] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.strip()
        if not plain or plain.startswith("#"):
            continue
        found = LINE.fullmatch(plain)
        if found is None:
            problems.append(f"Line {number} is not {PREFIX}NAME=value.")
        elif found[1].lower() in settings:
            problems.append(f"Line {number} says something twice.")
        else:
            settings[found[1].lower()] = WORDS.get(found[2], found[2])
    if problems:
        raise InvalidConfiguration(" ".join(problems), problems=tuple(problems))
    return {SETTINGS: {name: _value(it) for name, it in settings.items()}}


def _value(value: bool | str) -> bool | int:
    return value if isinstance(value, bool) else int(value)
