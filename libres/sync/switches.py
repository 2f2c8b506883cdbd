"""Which models are switched on: the others are pushed and pulled by nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from libres.context.core import ContextServicesMixin
from libres.db.passing import BIND, fetch
from libres.sync.errors import ChangedMeanwhile
from libres.sync.models import SyncSwitch
from libres.sync.registry import registry_of
from libres.sync.settings import START_OFF, Current, Settings

if TYPE_CHECKING:
    from libres.context.core import Context


@dataclass(frozen=True, slots=True)
class Switch:
    """Whether a model can be pushed and pulled, by who has the right to."""

    model: str
    """Its name."""

    on: bool
    version: int = 0
    """Grows with each change; 0: nobody has switched it yet."""


class Switches(ContextServicesMixin):
    """The switches of the models of a context; what is off is off for all its
    processes, from the next request on."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def all(self) -> list[Switch]:
        """Return the switches of all registered models, by name. Two statements."""
        untouched = not Settings(self.context).get(START_OFF)
        rows = fetch(self.session, _ALL, {"context": self.context.name})
        found = {row.model: Switch(row.model, row.on, row.version) for row in rows}
        names = [each.name for each in registry_of(self.context)]
        return [found.get(name) or Switch(name, untouched) for name in names]

    def set(self, model_name: str, on: bool, version: int | None = None) -> Switch:
        """Switch a model on or off; devices that have its rows fetch them anew when it
        is on again. *version* is that of the switch that was looked at (None: whatever
        it is).

        Raises UnknownEntity for a model that is not registered, and ChangedMeanwhile
        with the `version` and the `value` of now, if it has another version.
        """
        registry_of(self.context).named(model_name)
        now = self._one(model_name)
        if version not in {None, now.version}:
            raise _changed(now)
        if now.on is on and now.version:
            return now
        fresh = Switch(model_name, on, now.version + 1)
        query = _written(self.context.name, fresh)
        if self.session.execute(query, bind_arguments=BIND).first() is None:
            raise _changed(self._one(model_name))
        return fresh

    def start_off(self) -> Current:
        """Return the setting that says whether new models start switched off."""
        every = Settings(self.context).all()
        return next(each for each in every if each.name == START_OFF)

    def set_start_off(
        self, value: bool, version: int | None = None, *, by: str = ""
    ) -> Current:
        """Say whether models that are registered from now on start switched off; what
        is on or off now stays so. *by* says who does so.

        *version* is that of the setting that was looked at (None: whatever it is).
        Raises ChangedMeanwhile with the `version` and `value` of now for another one.
        """
        now = self.start_off()
        if version not in {None, now.version}:
            raise ChangedMeanwhile(
                kind="setting", name=now.name, version=now.version, value=now.value
            )
        if value is now.value:
            return now
        self._settle()
        return Settings(self.context).set(START_OFF, value, by)

    def _settle(self) -> None:
        """Let what nobody has switched yet stay as it is."""
        untouched = [each for each in self.all() if not each.version]
        if untouched:
            rows = [
                {"context": self.context.name, "model": each.model, "on": each.on}
                for each in untouched
            ]
            query = insert(SyncSwitch).values(rows).on_conflict_do_nothing()
            self.session.execute(query, bind_arguments=BIND)

    def _one(self, model_name: str) -> Switch:
        return next(each for each in self.all() if each.model == model_name)


_TABLE: Final[Any] = SyncSwitch.__table__.c

_ALL: Final = select(_TABLE.model, _TABLE.on, _TABLE.version).where(
    _TABLE.context == bindparam("context", type_=Text())
)


def _written(context: str, fresh: Switch) -> Any:
    """Write a switch, unless it has another version than the one before."""
    values = {"on": fresh.on, "version": fresh.version}
    query = insert(SyncSwitch).values(context=context, model=fresh.model, **values)
    upsert = query.on_conflict_do_update(
        index_elements=[_TABLE.context, _TABLE.model],
        set_=values,
        where=_TABLE.version == fresh.version - 1,
    )
    return upsert.returning(_TABLE.version)


def _changed(now: Switch) -> ChangedMeanwhile:
    return ChangedMeanwhile(
        kind="switch", name=now.model, version=now.version, value=now.on
    )
