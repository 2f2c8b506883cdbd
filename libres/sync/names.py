"""Decides what can be a name of somebody or something, and says what is wrong."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from libres.sync.errors import InvalidName

SLUG: Final = re.compile(r"[a-z0-9-]{1,63}")

LONGEST_USERNAME: Final = 150
LONGEST_NAME: Final = 200
LONGEST_ADDRESS: Final = 254
LONGEST_REFERENCE: Final = 200
"""Characters, after normalisation."""

WRONG_SLUG: Final = (
    "A slug or code consists of 1 to 63 letters a to z, digits and hyphens: choose one "
    "like 'acme-corp'."
)


def slug(text: str) -> str:
    """Return a slug, or the code of a role. Raises InvalidName."""
    if not is_slug(text):
        raise InvalidName(WRONG_SLUG)
    return text


def is_slug(text: object) -> bool:
    """Tell whether something can be a slug at all; nothing else is looked up."""
    return isinstance(text, str) and SLUG.fullmatch(text) is not None


def username(text: str) -> str:
    """Return a username, normalised to NFC. Raises InvalidName."""
    found = title(text, "username", LONGEST_USERNAME)
    if ":" in found:
        message = (
            "A username has no colon, which is what jobs are told from people by: "
            "leave it out."
        )
        raise InvalidName(message)
    return found


def title(text: str, what: str, longest: int = LONGEST_NAME) -> str:
    """Return a text that is shown, normalised to NFC. Raises InvalidName."""
    found = normalised(text)
    reason = _wrong(found, longest)
    if reason is not None:
        message = f"A {what} {reason}."
        raise InvalidName(message)
    return found


def email(text: str) -> str:
    """Return an address, or the empty text: there is none. Raises InvalidName."""
    return title(text, "e-mail address", LONGEST_ADDRESS) if text else ""


def normalised(text: str) -> str:
    """Return a text with its accents composed, as it is stored and compared."""
    return unicodedata.normalize("NFC", text)


def is_username(text: object) -> bool:
    """Tell whether somebody can have this name; nobody else is looked up."""
    if not isinstance(text, str) or len(text) > 2 * LONGEST_USERNAME:
        return False
    try:
        username(text)
    except InvalidName:
        return False
    return True


def _wrong(text: str, longest: int) -> str | None:
    if not text.strip():
        return "must not be empty: give one"
    if text != text.strip():
        return "must not begin or end with a blank: leave it out"
    if len(text) > longest:
        return f"must not be longer than {longest} characters: shorten it"
    if not text.isprintable():
        return "must consist of printable characters: leave the others out"
    return None
