"""Signs the chain with a secret that the database does not know."""

from __future__ import annotations

from typing import Any, NoReturn


def anchor(context: Any) -> NoReturn:
    raise NotImplementedError


def exported(context: Any) -> NoReturn:
    raise NotImplementedError
