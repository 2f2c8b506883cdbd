"""Answers forms: goes on to a page when it is done, shows the form again if not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import flash, redirect

from libres.modules.errors import LibresError
from libres.web.problems import status_of

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue


def answered(
    change: Callable[[], Any], done: str, to: str, again: Callable[[str], str]
) -> ResponseReturnValue:
    """Make a change, say that it is *done*, and go on to an address.

    What refuses it is told by *again*, which makes the page once more, with the status
    of the refusal.
    """
    try:
        change()
    except LibresError as error:
        status = status_of(error)
        if status is None or status >= 500:
            raise
        return again(str(error)), status
    flash(done, "good")
    return redirect(to, 303)
