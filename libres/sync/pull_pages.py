"""Makes the pages of a pull: rows as they are, model by model, or what has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from libres.sync import cursors, snapshots
from libres.sync.cursors import Cursor
from libres.sync.errors import ResyncRequired
from libres.sync.feed import reading
from libres.sync.feed.folding import Folded, Judged, fold, taken
from libres.sync.filters import BoundFilter, filter_of
from libres.sync.registry import SyncModel, registry_of
from libres.sync.scopes import scope_of
from libres.sync.wire import wire_gone, wire_row

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from libres.context.core import Context
    from libres.sync.values import Member

SCANNED: Final = 5000
"""So many changes are looked at for a page, if a filter shows few of them."""

CHUNK: Final = 1000


@dataclass(frozen=True)
class Sent:
    """A page of rows and deletions, and how it goes on."""

    cursor: Cursor
    has_more: bool
    data: Sequence[dict[str, Any]] = ()
    deleted: Sequence[dict[str, Any]] = ()
    resync: Sequence[str] = ()
    """The models whose rows are sent from the first one on, beginning here."""


@dataclass(frozen=True)
class Pull:
    """A pull that is being answered: for whom, from where."""

    context: Context
    member: Member
    session: Session
    head: reading.Head

    @cached_property
    def granted(self) -> dict[str, str]:
        """The scopes of all that the member may pull, by the names of the models."""
        return {
            each.name: scope_of(each, self.member)
            for each in registry_of(self.context)
            if self.member.may_pull(each.name)
        }

    @property
    def reference(self) -> str:
        """What tenant columns hold for the organisation."""
        return self.member.organization.reference

    def model(self, name: str) -> SyncModel:
        """Return a registered model."""
        return registry_of(self.context).named(name)

    def begin(self, names: Sequence[str], cursor: Cursor) -> Cursor:
        """Let all rows of some models be sent, before the changes from now on."""
        others = [each for each in cursor.waiting if each not in names]
        is_same = others[:1] == [*cursor.waiting[:1]]
        return replace(
            cursor,
            scopes={**cursor.scopes, **{each: self.granted[each] for each in names}},
            waiting=(*others, *names),
            after=cursor.after if is_same else None,
            begun={**cursor.begun, **dict.fromkeys(names, self.head.position)},
        )

    def resync(self, names: Sequence[str], cursor: Cursor) -> ResyncRequired:
        """Say that all rows of some models have to be sent anew."""
        going_on = cursors.write(self.context, self.member, self.begin(names, cursor))
        return ResyncRequired(models=list(names), cursor=going_on)


def page(pulling: Pull, cursor: Cursor, most: int) -> Sent:
    """Make the next page of at most *most* rows and deletions."""
    return (_rows if cursor.waiting else _changes)(pulling, cursor, most)


def _rows(pulling: Pull, cursor: Cursor, most: int) -> Sent:
    """Send rows as they are, of one model after the other."""
    data: list[dict[str, Any]] = []
    resync: list[str] = []
    while cursor.waiting and len(data) < most:
        model = pulling.model(cursor.waiting[0])
        if cursor.after is None:
            resync.append(model.name)
        room = most - len(data)
        found = _rows_behind(pulling, model, cursor.after, room + 1)
        page = found[:room]
        data += [wire_row(model, each.key, each.values, each.version) for each in page]
        if len(found) > room:
            cursor = replace(cursor, after=model.wire_id(page[-1].key))
        else:
            cursor = replace(cursor, waiting=cursor.waiting[1:], after=None)
    is_behind = cursor.position < pulling.head.position
    has_more = bool(cursor.waiting) or is_behind
    return Sent(cursor, has_more, data, resync=resync)


def _rows_behind(
    pulling: Pull, model: SyncModel, after: object, most: int
) -> list[snapshots.Row]:
    name = pulling.context.name
    return snapshots.rows(pulling.session, name, pulling.member, model, after, most)


def _changes(pulling: Pull, cursor: Cursor, most: int) -> Sent:
    """Send what has changed for the member since."""
    view = View(pulling, cursor)
    found, is_end = _scanned(view, most)
    judged = [view.judged(each) for each in found]
    count = taken(judged, most, is_end=is_end)
    has_more = not is_end or count < len(judged)
    if has_more:
        last = found[count - 1]
        position, covered = last.position, last.numbered
    else:
        # A replica may be behind what the cursor has seen.
        position = max(pulling.head.position, cursor.position)
        covered = max(pulling.head.numbered, cursor.covered)
    begun = {each: at for each, at in cursor.begun.items() if at > position}
    cursor = replace(cursor, position=position, covered=covered, begun=begun)
    return _told(view, cursor, fold(judged[:count]), has_more=has_more)


def _scanned(view: View, most: int) -> tuple[list[reading.Change], bool]:
    """Read changes until a page is full, there are no more, or it is enough for once;
    tell whether there are no more."""
    found: list[reading.Change] = []
    rows: set[tuple[str, str]] = set()
    size = most + 1
    while len(rows) <= most and len(found) < SCANNED:
        chunk = view.next_changes(found[-1].position if found else None, size)
        found += chunk
        if len(chunk) < size:
            return found, True
        rows |= {view.judged(each).row for each in chunk if view.judged(each).counts}
        size = CHUNK
    return found, False


def _told(
    view: View, cursor: Cursor, rows: Sequence[Folded], *, has_more: bool
) -> Sent:
    data: list[dict[str, Any]] = []
    deleted: list[dict[str, Any]] = []
    for row in rows:
        model = view.pulling.model(row.row[0])
        key = model.key_values(row.row[1])
        if row.image is None:
            deleted.append(wire_gone(model, key, row.version))
        else:
            values = {
                name: each.of_image(row.image) for name, each in model.fields.items()
            }
            data.append(wire_row(model, key, values, row.version))
    return Sent(cursor, has_more, data, deleted)


@dataclass(frozen=True)
class View:
    """Judges changes as a member sees them."""

    pulling: Pull
    cursor: Cursor
    _judged: dict[int, Judged] = field(default_factory=dict)

    @cached_property
    def _seen(self) -> dict[str, tuple[SyncModel, BoundFilter | None]]:
        """The models that the cursor concerns, and their filters, by their tables."""
        models = [self.pulling.model(each) for each in self.cursor.scopes]
        return {
            each.relation: (each, filter_of(each, self.pulling.member))
            for each in models
        }

    def next_changes(self, after: int | None, most: int) -> list[reading.Change]:
        """Read what comes after a position; None: after the cursor."""
        if not self._seen:
            return []
        return reading.changes(
            self.pulling.session,
            self.pulling.context.name,
            self.pulling.reference,
            self._seen,
            self.cursor.position if after is None else after,
            self.cursor.covered,
            most,
        )

    def judged(self, change: reading.Change) -> Judged:
        """Judge a change, once."""
        found = self._judged.get(change.position)
        if found is None:
            found = self._judged[change.position] = self._judge(change)
        return found

    def _judge(self, change: reading.Change) -> Judged:
        model, bound = self._seen[change.relation]
        reference = self.pulling.reference
        before, after = change.image_before(reference), change.image_after(reference)
        is_earlier = change.position <= self.cursor.begun.get(model.name, 0)
        is_after = not is_earlier and _is_shown(model, bound, after)
        return Judged(
            position=change.position,
            transaction=change.xid,
            row=(model.name, change.key),
            version=change.seq,
            was=not is_earlier and _is_shown(model, bound, before),
            image=after if is_after else None,
        )


def _is_shown(
    model: SyncModel, bound: BoundFilter | None, image: Mapping[str, Any] | None
) -> bool:
    if image is None or not model.holds(image):
        return False
    return bound is None or bound.shows(image)
