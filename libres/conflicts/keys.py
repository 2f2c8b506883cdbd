"""Makes the key under which a resource is stored: two spellings of one are equal."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from libres.conflicts.values import name_of

if TYPE_CHECKING:
    from libres.context.core import Context

CASEFOLD: Final = "conflicts_casefold"
"""The setting of a context that makes upper and lower case the same; default: False."""


def resource_key(context: Context, resource: object) -> str:
    """Return the key of a resource: trimmed, composed (NFC), folded if so set.

    Raises IncompleteQuestion if it is missing, InvalidClaim if it cannot be stored.
    """
    key = name_of(resource, "resource")
    if context.get_setting(CASEFOLD) is not True:
        return key
    return name_of(unicodedata.normalize("NFC", key.casefold()), "resource")
