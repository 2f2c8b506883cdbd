"""``libres sync filters``: which rows of a model a role sees."""

from __future__ import annotations

import json
from typing import Any

import click

from libres.cli.commands.sync.opening import House, reads, refuse, show, told, writes
from libres.cli.commands.sync.permissions import (
    model_argument,
    org_argument,
    role_argument,
)
from libres.cli.commands.sync.role import org_option
from libres.sync.strict_json import read_json


@click.group()
def filters() -> None:
    """Keep the filters of roles; without one, a role sees all rows of a model."""


@filters.command("list")
@reads
@org_option
def list_filters(house: House, slug: str | None) -> None:
    """List filters, and why one shows nothing now."""
    found = house.sync.filters.all(house.organization(slug))
    slugs = house.slugs()
    rows = (
        (
            *(slugs[each.organization], each.code, each.model),
            *(json.dumps(each.conditions, ensure_ascii=False), each.problem),
        )
        for each in found
    )
    show(["organisation", "role", "model", "conditions", "problem"], rows)


@filters.command("set")
@writes
@org_argument
@role_argument
@model_argument
@click.argument("conditions")
def set_filter(house: House, slug: str, code: str, model: str, conditions: str) -> None:
    """Let a role see only the rows of a model that meet all CONDITIONS.

    These are JSON: [{"field": "department", "op": "eq", "value": "Sales"}]. They take
    the place of the filter that the role had.
    """
    place = house.role(slug, code)
    wanted = _read(conditions)
    house.write(lambda: house.sync.filters.set(*place, model, wanted))
    house.say(f"{code} sees the rows of {model} that meet them.")


def _read(conditions: str) -> Any:
    with told():
        return read_json(conditions.encode("utf-8", "surrogateescape"))


@filters.command("remove")
@writes
@org_argument
@role_argument
@model_argument
def remove_filter(house: House, slug: str, code: str, model: str) -> None:
    """Let a role see all rows of a model."""
    place = house.role(slug, code)
    if not house.write(lambda: house.sync.filters.remove(*place, model)):
        refuse(
            f"{code} has no filter for {model} there: see 'libres sync filters list'."
        )
    house.say(f"{code} sees all rows of {model}.")
