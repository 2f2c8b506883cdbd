"""Answers forms: goes on to a page when it is done, shows the form again if not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import flash, redirect, request

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


def typed(error: str | None) -> Mapping[str, str]:
    """Return what was typed into a form for something new, to be shown once more; not
    into one that was about something else."""
    return request.form if error and "was" not in request.form else {}
