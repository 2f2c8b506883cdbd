"""The models that are synchronised: explicitly registered, none by default."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, get_args
from weakref import WeakKeyDictionary

from sqlalchemy import Column, Table, inspect
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.orm import Mapper

from libres.sync.errors import AlreadyThere, NotRegistrable, UnknownEntity
from libres.sync.fields import Field, InvalidValue, Kind, kind_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from libres.context.core import Context

Policy = Literal["reject", "client", "server", "merge"]
"""What becomes of a change of a row that others have changed meanwhile: it is refused;
it overwrites; it is dropped for theirs; it is merged if it concerns other fields."""

Image = Mapping[str, Any]
"""A row as a trigger has seen it: values of jsonb by the names of columns."""

RESERVED: Final = frozenset({"id", "mode"})
"""What no field is called but the key; nor anything that begins with an underscore."""


def _holds(_image: Image) -> bool:
    """Hold for all rows."""
    return True


@dataclass(frozen=True, eq=False)
class SyncModel:
    """A registered model."""

    name: str
    """As clients know it: ``myapp.Customer``."""

    model: Any
    """The mapped class."""

    table: Table
    key: tuple[Field, ...]
    """The fields of the primary key; usually one."""

    fields: Mapping[str, Field]
    """What clients see and may write, by name; without the key."""

    tenant: Column[Any] | None
    """The column with the reference of the organisation; None: *shared*, or a handler
    knows better (``tenant_sql``)."""

    shared: bool
    """All organisations see all rows."""

    policy: Policy
    secret: frozenset[str]
    """Names of columns that nothing is noted of, anywhere."""

    handler: Any
    """Writes what clients push; None: plain rows."""

    tenant_sql: str | None = None
    """SQL of the reference, with ``{row}`` for the row; instead of *tenant*."""

    where: ColumnElement[bool] | None = None
    """Which rows there are for clients at all; None: all."""

    holds: Callable[[Image], bool] = field(default=_holds)
    """The same for images."""

    ignored: frozenset[str] = frozenset()
    """Names of columns that are no part of images, and whose changes are none."""

    noted: str | None = None
    """SQL of which rows are noted, with ``{row}``; None: all."""

    @cached_property
    def writable(self) -> frozenset[str]:
        """The names of the fields that clients may write."""
        return frozenset(name for name, each in self.fields.items() if each.writable)

    @cached_property
    def relation(self) -> str:
        """The name of the table, as the feed has it."""
        return self.table.fullname

    def key_text(self, values: Iterable[Any]) -> str:
        """Return the key of a row as the feed has it, from what Python holds."""
        texts = [str(value) for value in values]
        return texts[0] if len(texts) == 1 else json_list(texts)

    def key_values(self, text: str) -> tuple[Any, ...]:
        """Return what Python holds of a key, as the feed has it."""
        texts = [text] if len(self.key) == 1 else json.loads(text)
        return tuple(
            int(each) if part.kind.name == "integer" else part.kind.load(each)
            for part, each in zip(self.key, texts, strict=True)
        )

    def wire_id(self, values: Iterable[Any]) -> Any:
        """Return the id that clients know a row by; of several fields a list."""
        found = [part.write(each) for part, each in zip(self.key, values, strict=True)]
        return found[0] if len(found) == 1 else found

    def read_id(self, value: object) -> tuple[Any, ...]:
        """Return what Python holds of an id that was sent. Raises InvalidValue."""
        if len(self.key) == 1:
            return (self.key[0].read(value),)
        if not isinstance(value, list) or len(value) != len(self.key):
            message = f"must be a list of {len(self.key)} values"
            raise InvalidValue(message)
        return tuple(
            part.read(each) for part, each in zip(self.key, value, strict=True)
        )


class Registry:
    """The registered models of a context."""

    def __init__(self) -> None:
        self._models: dict[str, SyncModel] = {}

    def __iter__(self) -> Iterator[SyncModel]:
        return iter(sorted(self._models.values(), key=lambda each: each.name))

    def __contains__(self, name: object) -> bool:
        return name in self._models

    def __len__(self) -> int:
        return len(self._models)

    def get(self, name: object) -> SyncModel | None:
        """Return the model of a name, case included; None: there is none."""
        return self._models.get(name) if isinstance(name, str) else None

    def named(self, name: str) -> SyncModel:
        """Return the model of a name. Raises UnknownEntity."""
        found = self.get(name)
        if found is None:
            raise UnknownEntity(kind="model", name=name)
        return found

    def of(self, model: Any) -> SyncModel:
        """Return what a class is registered as. Raises UnknownEntity."""
        for each in self._models.values():
            if each.model is model:
                return each
        raise UnknownEntity(kind="model", name=getattr(model, "__name__", str(model)))

    @property
    def by_relation(self) -> Mapping[str, SyncModel]:
        """The models by the names of their tables."""
        return {each.relation: each for each in self._models.values()}

    def add(self, model: SyncModel) -> SyncModel:
        """Add a model. Raises AlreadyThere for a second one of its name or table."""
        for each in self._models.values():
            if each.model is model.model and each.name == model.name:
                return each
            if each.name == model.name or each.table is model.table:
                raise AlreadyThere(kind="model", name=each.name)
        self._models[model.name] = model
        return model

    def replace(self, model: SyncModel) -> None:
        """Add a model in place of another one of its table, if there is one."""
        for name, each in list(self._models.items()):
            if each.table is model.table:
                del self._models[name]
        self.add(model)

    def register(
        self,
        model: Any,
        *,
        name: str | None = None,
        tenant: Any = None,
        shared: bool = False,
        fields: Collection[Any] | None = None,
        readonly: Collection[Any] = (),
        secret: Collection[Any] = (),
        conflicts: Policy = "reject",
        handler: Any = None,
    ) -> SyncModel:
        """Let a mapped class be synchronised, of any declarative base.

        *tenant* is the column with the reference of the organisation (its id, unless
        said otherwise there). Without it the table has to be *shared* explicitly: all
        organisations see it, and may write it if they have the right. *fields* are
        those that clients see (None: all but the key, the tenant and the *secret*
        ones), *readonly* those of them that they cannot write. Of *secret* columns
        nothing is noted anywhere. *conflicts* says what becomes of changes that came
        too late. *handler* writes in place of plain statements.

        Raises NotRegistrable with the remedy, and AlreadyThere.
        """
        built = made(
            *(model, name, tenant, fields, readonly, secret),
            shared=shared,
            policy=conflicts,
            handler=handler,
        )
        return self.add(built)


_registries: Final[WeakKeyDictionary[Context, Registry]] = WeakKeyDictionary()


def registry_of(context: Context) -> Registry:
    """Return the models of a context; they are those of this process."""
    return _registries.setdefault(context, Registry())


# Judging ------------------------------------------------------------------------------


def made(
    model: Any,
    name: str | None,
    tenant: Any,
    fields: Collection[Any] | None,
    readonly: Collection[Any],
    secret: Collection[Any],
    *,
    shared: bool,
    policy: str,
    handler: Any,
    kinds: Mapping[str, Kind] | None = None,
) -> SyncModel:
    """Make a registered model; see `Registry.register`. *kinds* are those of columns of
    the key, by name, where their types do not tell."""
    mapper = _mapper(model)
    table = _table(mapper)
    if policy not in get_args(Policy):
        message = f"conflicts is one of {', '.join(get_args(Policy))}, not {policy!r}."
        raise NotRegistrable(message)
    if (tenant is None) is not bool(shared):
        raise NotRegistrable(TENANT_MISSING if tenant is None else TENANT_AND_SHARED)
    owner = None if tenant is None else _column(mapper, tenant)
    hidden = {_column(mapper, each).name for each in secret}
    named = fields if fields is not None else _visible(mapper, owner, hidden)
    fixed = {_column(mapper, each).name for each in readonly}
    key = [mapper.get_property_by_column(each).key for each in table.primary_key]
    fields_of_key = tuple(
        replace(field, kind=(kinds or {}).get(field.name, field.kind))
        for field in (_field(mapper, each, fixed) for each in key)
    )
    if not KEYS.issuperset(each.kind.name for each in fields_of_key):
        message = f"The key of {table.name} must consist of {', '.join(sorted(KEYS))}."
        raise NotRegistrable(message)
    return SyncModel(
        name=_name(name or f"{mapper.class_.__module__}.{mapper.class_.__name__}"),
        model=mapper.class_,
        table=table,
        key=fields_of_key,
        fields={each.name: each for each in (_field(mapper, n, fixed) for n in named)},
        tenant=owner,
        shared=shared,
        policy=policy,  # type: ignore[arg-type]
        secret=frozenset(hidden),
        handler=handler,
    )


def _mapper(model: Any) -> Mapper[Any]:
    try:
        found = inspect(model)
    except NoInspectionAvailable:
        found = None
    if not isinstance(found, Mapper):
        message = f"{model!r} is not a mapped class: pass the class of the model."
        raise NotRegistrable(message)
    return found


def _table(mapper: Mapper[Any]) -> Table:
    table = mapper.local_table
    if not isinstance(table, Table) or len(mapper.tables) != 1:
        message = (
            f"{mapper.class_.__name__} has rows in several tables: register the "
            f"classes of the tables, each by itself."
        )
        raise NotRegistrable(message)
    if not list(table.primary_key):
        message = f"The table {table.name} has no primary key: give it one."
        raise NotRegistrable(message)
    return table


def _column(mapper: Mapper[Any], given: Any) -> Column[Any]:
    """Return a column, from itself, the attribute of the model, or its name."""
    name = getattr(given, "key", given)
    found = mapper.columns.get(name) if isinstance(name, str) else None
    if not isinstance(found, Column):
        message = f"{mapper.class_.__name__} has no column {name!r}."
        raise NotRegistrable(message)
    return found


def _visible(
    mapper: Mapper[Any], owner: Column[Any] | None, hidden: Collection[str]
) -> list[str]:
    kept_out = {None if owner is None else owner.name, *hidden}
    return [
        key
        for key, column in mapper.columns.items()
        if not column.primary_key and column.name not in kept_out
    ]


def _field(mapper: Mapper[Any], given: Any, fixed: Collection[str]) -> Field:
    column = _column(mapper, given)
    name = mapper.get_property_by_column(column).key
    if not column.primary_key and (name in RESERVED or name.startswith("_")):
        message = f"The field {name!r} has a name that requests use: leave it out."
        raise NotRegistrable(message)
    is_writable = column.name not in fixed and column.computed is None
    return Field(name, column, kind_of(column.type), writable=is_writable)


def _name(name: str) -> str:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        message = f"A model needs a printable name of at most {LONGEST_NAME} letters."
        raise NotRegistrable(message)
    return name


LONGEST_NAME: Final = 200

TENANT_MISSING: Final = (
    "Whose are its rows? Pass the column that says so, 'tenant=Model.organization_id', "
    "or 'shared=True' if all organisations may see all of them."
)
TENANT_AND_SHARED: Final = "Pass either 'tenant' or 'shared=True', not both."


KEYS: Final = frozenset({"text", "integer", "uuid", "date"})
"""The kinds of values whose text is the same in every session."""


def json_list(texts: list[str]) -> str:
    """Write several texts as PostgreSQL writes ``jsonb_build_array``."""
    return json.dumps(texts, ensure_ascii=False)
