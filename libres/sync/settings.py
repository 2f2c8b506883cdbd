"""The settings of synchronisation, which all processes of a context share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy import Text, bindparam, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from libres.context.core import ContextServicesMixin
from libres.db.passing import fetch
from libres.domain.days import UTC
from libres.sync import names
from libres.sync.errors import ChangedMeanwhile, InvalidSetting
from libres.sync.models import SyncSetting

if TYPE_CHECKING:
    from libres.context.core import Context

Value: TypeAlias = bool | int


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that synchronisation reads."""

    name: str
    default: Value
    meaning: str
    least: int = 1
    most: int = 1_000_000
    """The bounds of a number, both allowed."""

    def wrong(self, value: object) -> str | None:
        """Say what is wrong with a value; None: it can be had."""
        if type(value) is not type(self.default):
            kind = (
                "true or false" if isinstance(self.default, bool) else "a whole number"
            )
            return f"{self.name} must be {kind}."
        if isinstance(value, bool) or self.least <= value <= self.most:
            return None
        return f"{self.name} must be between {self.least} and {self.most}."


@dataclass(frozen=True, slots=True)
class Current:
    """A setting as it is now."""

    setting: Setting
    value: Value
    version: int = 0
    """Grows with each change; 0: it is at its default."""

    changed: datetime | None = None
    changed_by: str = ""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.setting.name


START_OFF: Final = "models_start_off"

MINUTE: Final = 60
DAY: Final = 24 * 60 * MINUTE
YEAR: Final = 366
"""Days."""

MEGABYTE: Final = 1024 * 1024

DEFAULTS: Final = (
    Setting("requests_per_minute", 60, "Requests of a device in a minute."),
    Setting("requests_per_hour", 3000, "Requests of a device in an hour."),
    Setting("largest_push", 10_000, "Items in a push.", most=100_000),
    Setting(
        *("largest_body", 10 * MEGABYTE, "Bytes of the body of a request."),
        least=1024,
        most=1024 * MEGABYTE,
    ),
    Setting("deepest", 20, "Lists and objects that lie in each other.", 2, 200),
    Setting(
        *("access_lifetime", 15 * MINUTE, "Seconds that a token for requests lives."),
        *(MINUTE, DAY),
    ),
    Setting(
        *("refresh_lifetime", 7 * DAY, "Seconds until one has to sign in again."),
        *(MINUTE, YEAR * DAY),
    ),
    Setting(
        *("applied_kept", 30, "Days that results are told once more, by their ids."),
        most=10 * YEAR,
    ),
    Setting(
        *("feed_kept", 90, "Days of changes that a device can be behind."),
        most=10 * YEAR,
    ),
    Setting(
        *("audit_kept", 3650, "Days that changes are kept for the audit."),
        most=100 * YEAR,
    ),
    Setting("anchor_rows", 1000, "Changes after which the audit is signed again."),
    Setting(
        *("anchor_minutes", 60, "Minutes after which it is, if anything changes."),
        most=YEAR * 24 * 60,
    ),
    Setting("log_kept", 90, "Days that the log is kept.", most=10 * YEAR),
    Setting("metrics_kept", 30, "Days that metrics are kept.", most=10 * YEAR),
    Setting(START_OFF, False, "Models that nobody has switched on are off."),
)
"""All settings, and what they are unless somebody says otherwise."""

_BY_NAME: Final = {each.name: each for each in DEFAULTS}


class Settings(ContextServicesMixin):
    """The settings of a context; each reading asks the database."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def get(self, name: str) -> Any:
        """Return a setting: its default, if nothing or nonsense is stored.

        One statement. Raises InvalidSetting for a name that is none.
        """
        setting = setting_of(name)
        values = {"context": self.context.name, "name": name}
        for row in fetch(self.session, _ONE, values):
            return _current(setting, row).value
        return setting.default

    def all(self) -> list[Current]:
        """Return all settings, in the order of `DEFAULTS`. One statement."""
        rows = fetch(self.session, _ALL, {"context": self.context.name})
        stored = {row.name: row for row in rows}
        return [_current(each, stored.get(each.name)) for each in DEFAULTS]

    def set(
        self, name: str, value: Value, by: str = "", version: int | None = None
    ) -> Current:
        """Change a setting for all processes, at once; *by* says who does so.

        *version* is the one that they have seen (None: whatever it is). Raises
        InvalidSetting for a name that is none, and for a value of another type or out
        of bounds; InvalidName for nobody's name; ChangedMeanwhile if it has another
        version by now.
        """
        setting = setting_of(name)
        wrong = setting.wrong(value)
        if wrong is not None:
            raise InvalidSetting(wrong)
        who = names.title(by, "name of who changes it") if by else ""
        self._insist(setting, version)
        query = _changed(self.context.name, name, value, who)
        return _current(setting, self.session.execute(query).one())

    def reset(self, name: str, version: int | None = None) -> Any:
        """Let a setting be at its default again, and return that.

        *version* is the one that they have seen (None: whatever it is). Raises
        InvalidSetting for a name that is none, and ChangedMeanwhile.
        """
        setting = setting_of(name)
        self._insist(setting, version)
        ours = _TABLE.context == self.context.name, _TABLE.name == name
        self.session.execute(delete(SyncSetting).where(*ours))
        return setting.default

    def _insist(self, setting: Setting, version: int | None) -> None:
        """Refuse a change of what is not any more as somebody has seen it; others who
        change it wait until this transaction ends."""
        if version is None:
            return
        values = {"context": self.context.name, "name": setting.name}
        self.session.execute(_LOCK, values)
        rows = fetch(self.session, _ONE, values)
        now = _current(setting, rows[0] if rows else None)
        if now.version != version:
            raise ChangedMeanwhile(
                kind="setting",
                name=setting.name,
                version=now.version,
                value=now.value,
            )


def setting_of(name: str) -> Setting:
    """Return what is known of a setting. Raises InvalidSetting."""
    found = _BY_NAME.get(name)
    if found is None:
        message = f"There is no setting {name!r}: there are {', '.join(_BY_NAME)}."
        raise InvalidSetting(message)
    return found


_TABLE: Final[Any] = SyncSetting.__table__.c

_COLUMNS: Final = tuple(
    _TABLE[name] for name in ("name", "value", "version", "changed", "changed_by")
)
_ALL: Final = select(*_COLUMNS).where(
    _TABLE.context == bindparam("context", type_=Text())
)
_ONE: Final = _ALL.where(_TABLE.name == bindparam("name", type_=Text()))

_LOCK: Final = text("""\
SELECT pg_advisory_xact_lock(
    hashtextextended('libres.sync.settings/' || :context || '/' || :name, 0))
""").bindparams(bindparam("context", type_=Text()), bindparam("name", type_=Text()))


def _changed(context: str, name: str, value: Value, by: str) -> Any:
    values = {"value": value, "changed_by": by}
    query = insert(SyncSetting).values(context=context, name=name, **values)
    fresh = {**values, "version": _TABLE.version + 1, "changed": func.now()}
    upsert = query.on_conflict_do_update(
        index_elements=[_TABLE.context, _TABLE.name], set_=fresh
    )
    return upsert.returning(*_COLUMNS)


def _current(setting: Setting, row: Any) -> Current:
    if row is None or setting.wrong(row.value) is not None:
        return Current(setting, setting.default)
    changed = row.changed.astimezone(UTC)
    return Current(setting, row.value, row.version, changed, row.changed_by)
