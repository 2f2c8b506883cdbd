"""What a document of the configuration consists of, and what its values can be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, get_args

from libres.domain.days import check_timezone
from libres.sync import names
from libres.sync.errors import InvalidName
from libres.sync.permissions import NAMES as FLAGS
from libres.sync.resources import LONGEST
from libres.sync.values import Pages

Record: TypeAlias = dict[str, Any]
"""One of the things of a section, by the names of its fields."""

Key: TypeAlias = tuple[Any, ...]

Wrong: TypeAlias = str | None
"""What is wrong with a value; None: nothing."""


class _Required:
    """Stands for a value that has to be given."""


REQUIRED: Final = _Required()


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record."""

    wrong: Callable[[Any], Wrong]
    default: Any = REQUIRED
    """What it is if nothing is said."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a document: records of a kind."""

    name: str
    key: tuple[str, ...]
    """The fields that a record is known by; the others can be changed."""

    fields: Mapping[str, Field]

    def key_of(self, record: Record) -> Key:
        """Return what a record is known by: usernames in any case."""
        return tuple(
            record[name].lower() if name == USERNAME.get(self.name) else record[name]
            for name in self.key
        )


HALF: Final = re.compile("[\\0\\ud800-\\udfff]")
"""What PostgreSQL cannot store."""

USERNAME: Final = {"users": "username", "memberships": "user"}
"""Which field of a section is a username."""

# Values -------------------------------------------------------------------------------


def _named(check: Callable[[str], object]) -> Callable[[Any], Wrong]:
    def wrong(value: Any) -> Wrong:
        if not isinstance(value, str):
            return "must be a text."
        try:
            check(value)
        except InvalidName as error:
            return f"cannot be this. {error}"
        return None

    return wrong


def _optional(check: Callable[[Any], Wrong]) -> Callable[[Any], Wrong]:
    return lambda value: None if value is None else check(value)


def _boolean(value: Any) -> Wrong:
    return None if isinstance(value, bool) else "must be true or false."


def _any(_value: Any) -> Wrong:
    return None


def _pages(value: Any) -> Wrong:
    allowed = (None, *get_args(Pages))
    return None if value in allowed else "must be 'admin', 'audit' or null."


def _text(value: Any) -> Wrong:
    if not isinstance(value, str) or not value.strip() or HALF.search(value):
        return "must be a text that is not empty, without half characters."
    return None if len(value) <= LONGEST else f"has more than {LONGEST} characters."


def _texts(value: Any) -> Wrong:
    if isinstance(value, list) and all(_text(each) is None for each in value):
        return None
    return "must be a list of texts."


def _timezone(value: Any) -> Wrong:
    try:
        check_timezone(value)
    except (ValueError, TypeError, KeyError):
        return "must be a timezone, as 'Europe/Zurich'."
    return None


# Sections -----------------------------------------------------------------------------

_SLUG: Final = Field(_named(names.slug))
_NAME: Final = Field(_named(lambda text: names.title(text, "name")))
_TEXT: Final = Field(_text)
_ROLE: Final = {
    "organization": _SLUG,
    "role": _SLUG,
    "shared": Field(_optional(_boolean), None),
}
"""Of an organisation, or shared by all; None: its own, if it has one of this code."""

SETTINGS: Final = "settings"

SECTIONS: Final = (
    Section("models", ("model",), {"model": _TEXT, "on": Field(_boolean)}),
    Section(
        "organizations",
        ("slug",),
        {
            "slug": _SLUG,
            "name": _NAME,
            "reference": Field(
                _optional(
                    _named(
                        lambda text: names.title(
                            text, "reference", names.LONGEST_REFERENCE
                        )
                    )
                ),
                None,
            ),
            "active": Field(_boolean, True),
        },
    ),
    Section(
        "users",
        ("username",),
        {
            "username": Field(_named(names.username)),
            "email": Field(_named(names.email), ""),
            "active": Field(_boolean, True),
            "staff": Field(_boolean, False),
        },
    ),
    Section(
        "roles",
        ("organization", "code"),
        {
            "organization": Field(_optional(_SLUG.wrong), None),
            "code": _SLUG,
            "name": _NAME,
            "pages": Field(_pages, None),
        },
    ),
    Section(
        "memberships",
        ("organization", "user"),
        {"user": _TEXT, **_ROLE, "active": Field(_boolean, True)},
    ),
    Section(
        "permissions",
        ("organization", "role", "shared", "model"),
        {**_ROLE, "model": _TEXT, **dict.fromkeys(FLAGS, Field(_boolean, False))},
    ),
    Section(
        "filters",
        ("organization", "role", "shared", "model"),
        {**_ROLE, "model": _TEXT, "conditions": Field(_any)},
    ),
    Section(
        "resources",
        ("name",),
        {
            "organization": _SLUG,
            "name": _TEXT,
            "timezone": Field(_timezone),
            "blocking_names": Field(_texts, []),
        },
    ),
)
"""All sections but the settings, in the order in which they are written: what a record
names was written before it."""

BY_NAME: Final = {each.name: each for each in SECTIONS}

ALL: Final = (SETTINGS, *BY_NAME)
"""The names of all sections, in this order."""
