"""``libres sync settings``: what all processes of a context share."""

from __future__ import annotations

import re
from typing import Final

import click

from libres.cli.commands.sync.opening import House, reads, show, writes
from libres.cli.options import plain_text
from libres.sync.settings import Value

WORDS: Final = {"true": True, "yes": True, "on": True}
NO_WORDS: Final = {"false": False, "no": False, "off": False}

NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


class _SettingValue(click.ParamType):  # type: ignore[type-arg]  # generic for newer stubs
    """A whole number, or yes or no."""

    name = "value"

    def convert(
        self,
        value: str | Value,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Value:
        """Read it. Fails for anything else."""
        if not isinstance(value, str):
            return value
        known: dict[str, bool] = {**WORDS, **NO_WORDS}
        if value.lower() in known:
            return known[value.lower()]
        if not NUMBER.fullmatch(value):
            self.fail(f"{value!r} is no whole number, nor true or false.", param, ctx)
        return int(value)


@click.group()
def settings() -> None:
    """Keep the settings; all processes know of a change at once."""


@settings.command("list")
@reads
def list_settings(house: House) -> None:
    """List all settings, and what they mean."""
    rows = (
        (
            *(each.name, str(each.value), str(each.setting.default)),
            *(each.setting.meaning, each.changed, each.changed_by),
        )
        for each in house.sync.settings.all()
    )
    show(["name", "value", "default", "meaning", "changed", "by"], rows)


name_argument = click.argument("name", callback=plain_text)


@settings.command("set")
@writes
@name_argument
@click.argument("value", type=_SettingValue())
@click.option(
    "--by", callback=plain_text, default="", metavar="NAME", help="Who changes it."
)
def set_setting(house: House, name: str, value: Value, by: str) -> None:
    """Change a setting."""
    current = house.write(lambda: house.sync.settings.set(name, value, by))
    house.say(f"{name} is {current.value}.")


@settings.command("reset")
@writes
@name_argument
def reset_setting(house: House, name: str) -> None:
    """Let a setting be at its default again."""
    value = house.write(lambda: house.sync.settings.reset(name))
    house.say(f"{name} is {value}.")
