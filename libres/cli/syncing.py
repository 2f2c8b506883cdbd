"""Registers what is synchronised by what is started from the command line."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from libres.modules.errors import LibresError
from libres.sync import Sync
from libres.sync.feed.anchoring import keys_or_none
from libres.sync.keyring import VARIABLE

if TYPE_CHECKING:
    from libres.context.core import Context

Command = TypeVar("Command", bound=Callable[..., Any])

NO_SYNC: Final = (
    f"Devices cannot synchronise: set {VARIABLE} to 32 random bytes or more, and "
    "install 'libres[sync]'."
)


class Imported(click.ParamType):  # type: ignore[type-arg]  # generic for newer stubs
    """Something that a module of the host has: MODULE:NAME."""

    name = "name"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Import it. Fails for what is not there."""
        if not isinstance(value, str):
            return value
        module, _colon, name = value.partition(":")
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            what = f"MODULE:{self.name.upper()}"
            self.fail(f"{value!r} is not {what}: {error}.", param, ctx)


class Registering(Imported):
    """A function that registers models: MODULE:FUNCTION."""

    name = "function"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Callable[[Sync], object]:
        """Import it. Fails for what is not there, and for what cannot be called."""
        found: Callable[[Sync], object] = super().convert(value, param, ctx)
        if not callable(found):
            self.fail(f"{value!r} is no function.", param, ctx)
        return found


def models_option(name: str) -> Callable[[Command], Command]:
    """Return the option that names such a function; commands call it differently."""
    return click.option(
        name,
        "registering",
        type=Registering(),
        metavar="MODULE:FUNCTION",
        help="A function of yours that registers models to be synchronised; it is "
        "given the Sync object.",
        envvar="LIBRES_SYNC_MODELS",
        show_envvar=True,
    )


def is_sync_on(context: Context) -> bool:
    """Tell whether devices can sign in: what that needs is installed, and keys are
    there."""
    return keys_or_none(context) is not None and find_spec("jwt") is not None


def register_models(
    context: Context, register: Callable[[Sync], object] | None
) -> None:
    """Let the models of the core be synchronised, and those that a function registers.

    Raises ClickException for what it cannot register.
    """
    sync = Sync(context)
    try:
        sync.register_core()
        if register is not None:
            register(sync)
    except LibresError as error:
        raise click.ClickException(str(error)) from error
