"""Starts and stops to track a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import DDL

from libres.conflicts import statements
from libres.conflicts.errors import NotTrackable
from libres.conflicts.keys import CASEFOLD
from libres.conflicts.refusing import translated
from libres.conflicts.tracking import keeping, watching
from libres.conflicts.tracking.folding import casefold
from libres.conflicts.tracking.mapping import (
    Mode,
    Target,
    Tracking,
    mappings_of,
)
from libres.conflicts.tracking.triggers import Plan
from libres.db.models.timestamp import TimestampMixin

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context

ddl: Callable[[str], DDL] = DDL


def track(
    context: Context,
    session: Session,
    model: Any,
    mapping: Any,
    mode: str,
    source: str | None,
    depends_on: Sequence[Any],
) -> Tracking:
    """Track a model from now on, its rows that are there included."""
    target = Target.of(model, source)
    with translated(session, context.name, TimestampMixin.timestamp()):
        if _mode(mapping, mode) == "session":
            return watching.watch(context, session, target, mapping)
        plan = Plan(
            context=context.name,
            target=target,
            mappings=mappings_of(mapping),
            depends_on=depends_on,
            folded=context.get_setting(CASEFOLD) is True,
        )
        _install(context, session, plan)
    return Tracking(target.source, "trigger", ())


def _mode(mapping: Any, mode: str) -> Mode:
    """Decide how to track. Raises NotTrackable if it is not possible like that."""
    if mode not in ("auto", "trigger", "session"):
        message = f"mode is 'auto', 'trigger' or 'session', not {mode!r}."
        raise NotTrackable(message)
    is_python = callable(mapping)
    if mode == "trigger" and is_python:
        message = "A function cannot be a trigger: pass a ClaimMapping of columns."
        raise NotTrackable(message)
    if mode == "session" and not is_python:
        message = "In session mode pass a function that takes an object."
        raise NotTrackable(message)
    return "session" if is_python else "trigger"


def _install(context: Context, session: Session, plan: Plan) -> None:
    created = [sql for each in plan.triggers for sql in each.creating]
    for sql in [casefold()] * plan.folded + created:
        # DDL reads percent signs as its own.
        statements.run(session, ddl(sql.replace("%", "%%")))
    watched = statements.fetch(session, keeping.watched(plan.triggers), {})[0][0]
    keeping.note(
        session,
        {
            "context": context.name,
            "source": plan.target.source,
            "relation": plan.triggers[0].table,
            "mode": "trigger",
            "derivation": plan.everything,
            "watched": watched,
            "digest": plan.digest,
        },
    )
    keeping.rebuild(context, session, plan.target.source)


def untrack(context: Context, session: Session, model: Any) -> int:
    """Stop to track a model or a source; return how many claims it had."""
    source = model if isinstance(model, str) else Target.of(model, None).source
    kept = keeping.noted(context, session, source)
    for entry in kept.watched:
        relation, name, _body = entry.split("\x1f")
        for sql in (
            f"DROP TRIGGER IF EXISTS {name} ON {relation}",
            f"DROP FUNCTION IF EXISTS {name}()",
        ):
            statements.run(session, ddl(sql.replace("%", "%%")))
    watching.forget(context, source)
    return keeping.forget(context, session, source)
