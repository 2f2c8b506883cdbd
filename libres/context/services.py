"""The services that every context inherits from the master, in one list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from libres.context.exposure import Exposure
from libres.context.session import SessionProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from libres.context.core import Context

__all__ = (
    "email_validator",
    "exposure",
    "is_email_address",
    "service_of_host",
    "session_provider",
    "set_default_services",
    "uuid_generator",
)

LONGEST_ADDRESS: Final = 254
"""Characters; the limit of a path in SMTP (RFC 5321, 4.5.3.1.3)."""

# A part may hold anything but line breaks and other control characters: they would
# become headers of their own in the mail of a careless host.
_PART: Final = r"[^@\x00-\x1f\x7f-\x9f\u2028\u2029]+"
_ADDRESS: Final = re.compile(rf"{_PART}@{_PART}\.{_PART}")


def set_default_services(context: Context) -> None:
    """Give *context* every service that the library uses.

    Raises ContextIsLocked if the context is locked.
    """
    context.set_service("session_provider", session_provider, cache=True)
    context.set_service("email_validator", email_validator)
    context.set_service("exposure", exposure)
    context.set_service("uuid_generator", uuid_generator)


def service_of_host(context: Context, name: str) -> Any:
    """Return a service that a host may have set, and the library does not; None: it
    has not."""
    holder: Context | None = context
    while holder is not None:
        if f"service/{name}" in holder.values:
            return context.get_service(name)
        holder = holder.parent
    return None


def session_provider(context: Context) -> SessionProvider:
    """Make the sessions of *context*, from its setting ``dsn``."""
    return SessionProvider(context.get_setting("dsn"))


def email_validator(_context: Context) -> Callable[[str], bool]:
    """Make the check of e-mail addresses: :func:`is_email_address`."""
    return is_email_address


def exposure(_context: Context) -> Exposure:
    """Make the service that decides what is shown: everything."""
    return Exposure()


def uuid_generator(context: Context) -> Callable[[str], UUID]:
    """Make the function that turns the name of a scheduler into its resource.

    The same names give the same uuid in every process, so neither the context nor the
    scheduler may be renamed later.
    """
    namespace = context.get_setting("uuid_namespace")

    def generate_uuid(name: str) -> UUID:
        return uuid5(namespace, f"{context.name}/{name}")

    return generate_uuid


def is_email_address(text: object) -> bool:
    """Tell whether the whole of *text* has the form ``name@example.org``."""
    return (
        isinstance(text, str)
        and len(text) <= LONGEST_ADDRESS
        and _ADDRESS.fullmatch(text) is not None
    )
