"""Tells the listeners: those of an event now, those of ``committed`` afterwards.

What is told waits in the session until its transaction has been committed, and is
dropped with the transaction, or with the savepoint, that is rolled back.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy import event as hooks
from sqlalchemy import inspect
from sqlalchemy.orm import InstanceState
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.collections import collection_adapter

from libres.context.transactions import plain_session

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, SessionTransaction, scoped_session

    from libres.context.core import Context
    from libres.modules.events import Event, Listener

__all__ = ("tell",)

log = logging.getLogger("libres")

State: TypeAlias = InstanceState[Any]
Loaded: TypeAlias = dict[State, dict[str, Any]]
"""The values of the loaded attributes of some objects."""


def tell(
    context: Context,
    session: Session | scoped_session[Session],
    event: Event,
    *args: Any,
    **kwargs: Any,
) -> None:
    """Call the listeners of *event*, and those of ``event.committed`` after the commit.

    The latter are called once, in the order of telling, if anyone is subscribed by
    now. They may read what was loaded at the commit, without a statement, also under
    ``expire_on_commit``; an exception in one of them is logged. They may use the
    session and commit it, but not inside ``with session.begin():`` nor under
    zope.sqlalchemy, where the transaction is still being finished.

    Raises what a listener of *event* raises; then nobody is told later.
    """
    event(context, *args, **kwargs)
    if event.committed:
        _remember(plain_session(session), event, (context, *args), kwargs)


@dataclass(frozen=True, slots=True, eq=False)
class News:
    """What waits to be told; *within* is the transaction or savepoint it depends on."""

    event: Event
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    within: SessionTransaction
    loaded: Loaded = field(default_factory=dict)


@dataclass(slots=True)
class Queue:
    """What one session has to tell: not yet committed, and committed."""

    waiting: list[News] = field(default_factory=list)
    committed: deque[News] = field(default_factory=deque)
    delivering: bool = False


_QUEUE: Final = "libres.telling"


def _remember(
    session: Session, event: Event, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    # The caller gets the same list and may change it before the commit.
    args = tuple(copy(arg) if isinstance(arg, list) else arg for arg in args)
    news = News(event, args, kwargs, within=_innermost(session))
    _queue(session).waiting.append(news)


def _innermost(session: Session) -> SessionTransaction:
    return (
        session.get_nested_transaction() or session.get_transaction() or session.begin()
    )


def _queue(session: Session) -> Queue:
    if _QUEUE not in session.info:
        session.info[_QUEUE] = Queue()
        hooks.listen(session, "after_commit", _after_commit)
        hooks.listen(session, "after_transaction_end", _after_transaction_end)
    queue: Queue = session.info[_QUEUE]
    return queue


def _after_commit(session: Session) -> None:
    """Pass the news of a savepoint on to its parent, those of the root to delivery.

    SQLAlchemy calls this for both, before anything has been expired.
    """
    queue = _queue(session)
    savepoint = session.get_nested_transaction()
    if savepoint is None:
        queue.committed.extend(map(_with_loaded, queue.waiting))
        queue.waiting.clear()
    else:
        queue.waiting = [_released(news, savepoint) for news in queue.waiting]


def _released(news: News, savepoint: SessionTransaction) -> News:
    if news.within is not savepoint:
        return news
    return replace(news, within=_enclosing(savepoint))


def _enclosing(savepoint: SessionTransaction) -> SessionTransaction:
    parent = savepoint.parent or savepoint
    while not parent.nested and parent.parent is not None:
        parent = parent.parent
    return parent


def _after_transaction_end(session: Session, transaction: SessionTransaction) -> None:
    """Drop what was rolled back; deliver once the root transaction is over.

    News that depend on a savepoint by now were not released by it.
    """
    queue = _queue(session)
    queue.waiting = [news for news in queue.waiting if news.within is not transaction]
    if transaction.parent is None and not queue.delivering:
        _deliver(session, queue)


def _deliver(session: Session, queue: Queue) -> None:
    # A listener may commit news of its own: they join the end of the queue.
    queue.delivering = True
    try:
        while queue.committed:
            _publish(session, queue.committed.popleft())
    finally:
        queue.delivering = False


def _publish(session: Session, news: News) -> None:
    for listener in tuple(news.event.committed):
        with _readable(session, news.loaded):
            _call(session, listener, news)


def _call(session: Session, listener: Listener, news: News) -> None:
    begun_before = session.in_transaction()
    try:
        listener(*news.args, **news.kwargs)
    except Exception:
        log.exception("A listener failed after the commit: %r", listener)
        # Otherwise the next one might commit what this one left half done.
        if not begun_before:
            session.rollback()


def _with_loaded(news: News) -> News:
    loaded: Loaded = {}
    pending = deque(_states((news.args, news.kwargs)))
    while pending:
        state = pending.popleft()
        if state not in loaded:
            loaded[state] = dict(_values(state))
            pending.extend(_states(_related(state, loaded[state])))
    return replace(news, loaded=loaded)


def _states(value: object) -> Iterator[State]:
    """Find the mapped objects in an argument, in collections as well."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _states(item)
    elif isinstance(state := inspect(value, raiseerr=False), InstanceState):
        yield state


def _values(state: State) -> Iterator[tuple[str, Any]]:
    for name in state.mapper.column_attrs.keys() & state.dict.keys():
        yield name, state.dict[name]
    for relation in state.mapper.relationships:
        if relation.key in state.dict:
            value = state.dict[relation.key]
            many = relation.uselist and value is not None
            yield relation.key, list(collection_adapter(value)) if many else value


def _related(state: State, values: Mapping[str, Any]) -> Iterable[object]:
    names = values.keys() & state.mapper.relationships.keys()
    return tuple(values[name] for name in names)


@contextmanager
def _readable(session: Session, loaded: Loaded) -> Iterator[None]:
    """Give objects their values from before the commit for the length of a call."""
    restored = {state: _restored(state, values) for state, values in loaded.items()}
    try:
        yield
    finally:
        for state, names in restored.items():
            _expire(session, state, names)


def _restored(state: State, values: Mapping[str, Any]) -> frozenset[str]:
    names = frozenset(values.keys() & state.unloaded)
    for name in names:
        set_committed_value(state.object, name, values[name])
    return names


def _expire(session: Session, state: State, names: frozenset[str]) -> None:
    # What the listener has changed is its own; what it detached stays readable.
    if names and state.persistent and state.session is session and not state.modified:
        session.expire(state.object, tuple(names))
