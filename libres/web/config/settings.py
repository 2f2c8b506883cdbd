"""The settings of synchronisation: what they mean, what they are, who has set them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flask import Blueprint, flash, redirect, render_template, request, url_for

from libres.sync.errors import ChangedMeanwhile, InvalidSetting
from libres.sync.settings import START_OFF, setting_of
from libres.web.config.visiting import STAFF, rule, visit

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from libres.sync.settings import Current, Setting, Value

page = Blueprint("settings", __name__)

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Limits": (
        *("requests_per_minute", "requests_per_hour"),
        *("largest_push", "largest_body", "deepest"),
    ),
    "Tokens": ("access_lifetime", "refresh_lifetime"),
    "Keeping": ("feed_kept", "applied_kept", "log_kept", "metrics_kept"),
    "Models": (START_OFF,),
    "Audit": ("audit_kept", "anchor_rows", "anchor_minutes"),
}
OTHERS: Final = "Others"
"""For settings that no group names yet."""

NO_NUMBER: Final = "Write a whole number."
NO_SWITCH: Final = "Choose yes or no."
NO_VERSION: Final = "Load the page again: it does not say what you have seen."

LONGEST: Final = 20
"""Digits of what can be a setting."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What was sent for a setting, and why it was refused."""

    name: str
    given: str
    reason: str
    status: int


@dataclass(frozen=True, slots=True)
class Group:
    """Settings that belong together."""

    title: str
    settings: Sequence[Current]


@page.get("/settings/")
@rule(STAFF)
def settings() -> ResponseReturnValue:
    """Show all settings."""
    return _shown(None)


@page.post("/settings/")
@rule(STAFF)
def change() -> ResponseReturnValue:
    """Change a setting, or let it be at its default again."""
    name, given = request.form.get("name", ""), request.form.get("value", "").strip()
    is_reset = request.form.get("action") == "reset"
    try:
        said = _reset(name) if is_reset else _set(name, given)
    except ChangedMeanwhile as error:
        reason = f"Somebody else has set this to {error.value} meanwhile."
        return _shown(Wrong(name, str(error.value) if is_reset else given, reason, 409))
    except InvalidSetting as error:
        return _shown(Wrong(name, given, str(error), 422))
    flash(said, "good")
    return redirect(f"{url_for('.settings')}#{name}", 303)


def _set(name: str, given: str) -> str:
    here, version = visit(), _version()
    value = _value(given, setting_of(name))
    by = here.user.username
    here.write(lambda: here.sync.settings.set(name, value, by, version))
    return f"{name} is {_word(value)} from now on."


def _reset(name: str) -> str:
    here, version = visit(), _version()
    value = here.write(lambda: here.sync.settings.reset(name, version))
    return f"{name} is at its default again: {_word(value)}."


def _version() -> int:
    given = request.form.get("version", "")
    if not (given.isascii() and given.isdecimal() and len(given) < LONGEST):
        raise InvalidSetting(NO_VERSION)
    return int(given)


def _value(given: str, setting: Setting) -> Value:
    if isinstance(setting.default, bool):
        if given not in ("yes", "no"):
            raise InvalidSetting(NO_SWITCH)
        return given == "yes"
    digits = given.removeprefix("-")
    is_number = digits.isascii() and digits.isdecimal() and len(given) < LONGEST
    if not is_number:
        raise InvalidSetting(NO_NUMBER)
    return int(given)


def _word(value: Value) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


# Showing ------------------------------------------------------------------------------


def _shown(wrong: Wrong | None) -> ResponseReturnValue:
    here = visit()
    with here.reading():
        found = here.sync.settings.all()
    stranger = wrong if wrong and wrong.name not in {x.name for x in found} else None
    shown = render_template(
        "libres/config/settings.html",
        groups=list(_groups(found)),
        wrong=wrong,
        stranger=stranger,
        word=_word,
    )
    return shown, 200 if wrong is None else wrong.status


def _groups(found: Sequence[Current]) -> Iterator[Group]:
    """Yield the settings by what they belong to; those that no group names at last."""
    left = {each.name: each for each in found}
    for title, names in GROUPS.items():
        theirs = [left.pop(each) for each in names if each in left]
        if theirs:
            yield Group(title, theirs)
    if left:
        yield Group(OTHERS, list(left.values()))
