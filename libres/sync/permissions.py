"""What roles may do with models: set one by one, or by a document as a whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Integer,
    Text,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert

from libres.context.core import ContextServicesMixin
from libres.db.models.types import UUID as Id
from libres.db.passing import BIND, PassedRows, fetch
from libres.modules.errors import insist
from libres.sync.crews import Crew, crews
from libres.sync.errors import ChangedMeanwhile, InvalidPermissions, UnknownEntity
from libres.sync.matrix import (
    UNSAID,
    Became,
    Matrix,
    Plan,
    Right,
    Wanted,
    compared,
    judge,
)
from libres.sync.memberships import Memberships
from libres.sync.models import SyncPermission
from libres.sync.models.people import PERMISSION
from libres.sync.organizations import Organizations
from libres.sync.registry import registry_of
from libres.sync.roles import Roles
from libres.sync.values import ALL, NOTHING, Flags, Role

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.sync.values import Organization

Document: TypeAlias = dict[str, dict[str, dict[str, bool]]]
"""``{role: {model: {"can_push": …}}}``; what is missing may not be done."""

PREFIX: Final = "can_"
NAMES: Final = tuple(f"{PREFIX}{each}" for each in Flags._fields)
"""The six flags, as documents and columns name them."""

TEMPLATES: Final[Mapping[str, Flags]] = {
    "full_access": ALL,
    "read_write": ALL._replace(delete=False),
    "read_only": Flags(pull=True, read=True),
    "write_only": Flags(push=True, create=True, update=True),
    "custom": NOTHING,
}
"""What documents are begun with; ``custom`` is there to be filled in."""

_Rights: TypeAlias = dict[tuple[UUID, str], Flags]
"""By the id of the role and the name of the model."""


@dataclass(frozen=True, slots=True)
class Applied:
    """How many rights were, or would be, changed by a document."""

    created: int
    updated: int
    removed: int


class Permissions(ContextServicesMixin):
    """What the roles of a context may do with models."""

    TEMPLATES = TEMPLATES

    def __init__(self, context: Context) -> None:
        self.context = context

    # One by one -----------------------------------------------------------------------

    def set(
        self, organization: Organization, role: Role, model_name: str, flags: Flags
    ) -> None:
        """Say what a role may do with a model in an organisation, from now on.

        Raises UnknownEntity for a model that is not registered, and for a role that is
        not there, or of others.
        """
        registry_of(self.context).named(model_name)
        Memberships(self.context).check(organization, role)
        self._write(organization, {(role.id, model_name): flags})

    def grant(
        self, organization: Organization, role: Role, model_name: str, *flags: str
    ) -> Flags:
        """Allow a role something more: ``"pull"``, ``"read"``, …; return what it may.

        Raises InvalidPermissions for a name that is not one of the six, and what `set`
        raises.
        """
        return self._switch(organization, role, model_name, flags, on=True)

    def revoke(
        self, organization: Organization, role: Role, model_name: str, *flags: str
    ) -> Flags:
        """Allow a role something no more; return what it may.

        Raises what `grant` raises.
        """
        return self._switch(organization, role, model_name, flags, on=False)

    def of(self, organization: Organization, role: Role) -> dict[str, Flags]:
        """Return what a role may do in an organisation, by the name of the model."""
        found = self._rights(organization)
        return {model: flags for (id_, model), flags in found.items() if id_ == role.id}

    # By people who may do so at once --------------------------------------------------

    def matrix(self, organization: Organization) -> Matrix:
        """Return what all roles may do with all models in an organisation, with the
        versions that say when somebody else was faster. Two statements."""
        return Matrix(
            roles=tuple(Roles(self.context).all(organization)),
            models=tuple(each.name for each in registry_of(self.context)),
            rights=self._versioned(organization),
        )

    def crews(self, organization: Organization) -> dict[UUID, Crew]:
        """Return whom the rights of each role are for: how many active members have
        it, and the names of some, by the id of the role. One statement."""
        return crews(self.session, self.context.name, organization)

    def holders(
        self, organizations: Collection[Organization] | None = None
    ) -> dict[str, int]:
        """Return how many roles may do anything with models, by the names of these; a
        role counts once in each of the *organizations* (None: of all). One
        statement."""
        query = select(_TABLE.model, func.count().label("number")).where(
            _TABLE.context == self.context.name, or_(*(_TABLE[each] for each in NAMES))
        )
        if organizations is not None:
            ids = [each.id for each in organizations]
            query = query.where(_TABLE.organization.in_(ids))
        rows = fetch(self.session, query.group_by(_TABLE.model), {})
        return {row.model: row.number for row in rows}

    def set_flag(
        self,
        organization: Organization,
        role: Role,
        model_name: str,
        flag: str,
        value: bool,
        version: int | None = None,
    ) -> Right:
        """Switch one flag on or off; *version* is that of the right that was looked at
        (None: whatever it is).

        Raises ChangedMeanwhile with the `version` and the flags that it has now, if it
        has another one; else what `grant` raises.
        """
        (field,) = _named([flag])
        wanted = Wanted(role, model_name, {field: value}, version)
        (became,) = self.change(organization, [wanted])
        if became.outcome == "conflict":
            raise ChangedMeanwhile(
                kind="permission",
                name=f"{role.code}, {model_name}",
                version=became.right.version,
                value=became.right.flags,
            )
        return became.right

    def change(
        self, organization: Organization, wanted: Collection[Wanted]
    ) -> list[Became]:
        """Change rights, but none that somebody else has changed since it was looked
        at; return what became of each. Four statements at most, for any number.

        Raises UnknownEntity for an organisation that is not there, for models that are
        not registered and roles of others; InvalidPermissions for flags that are none;
        Misuse for two wishes for one right. Then nothing was changed.
        """
        self._check(organization, wanted)
        rights = self._versioned(organization, lock=True)
        judged = {
            each.key: judge(each, rights.get(each.key, UNSAID)) for each in wanted
        }
        rows = [
            (*key, became.right.version, *became.right.flags)
            for key, became in sorted(judged.items())
            if became.outcome == "changed"
        ]
        written = self._write_versions(organization, rows)
        if len(written) < len(rows):
            rights = self._versioned(organization)
            for key in {row[:2] for row in rows} - written:
                lost, now = judged[key], rights.get(key, UNSAID)
                judged[key] = Became(lost.role, lost.model, "conflict", now)
        return list(judged.values())

    # By documents ---------------------------------------------------------------------

    def export(self, organization: Organization) -> Document:
        """Return all rights in an organisation, by the codes of the roles.

        A global role is left out if the organisation has one of the same code.
        """
        codes = {each.id: code for code, each in self._by_code(organization).items()}
        document: Document = {}
        for (role, model), flags in self._rights(organization).items():
            if role in codes:
                told = dict(zip(NAMES, flags, strict=True))
                document.setdefault(codes[role], {})[model] = told
        return dict(sorted(document.items()))

    def validate(self, document: object, organization: Organization) -> list[str]:
        """Return all that is wrong with a document: an empty list if it can be applied.

        Roles go by their codes, or by their names if these are clear.
        """
        return self._reading(organization).read(document).problems

    def apply(
        self, organization: Organization, document: object, dry_run: bool = False
    ) -> Applied:
        """Let a document say all rights in an organisation: what it does not name is
        removed there, and nowhere else.

        All of it happens in the transaction that runs, at most two statements for any
        number of rights; with *dry_run* it is only counted. A global role that the
        organisation has one of its own for is left as it is.

        Raises InvalidPermissions with all `problems`; then nothing was changed.
        """
        plan = self._plan(organization, document, lock=not dry_run)
        if plan.problems:
            said = " ".join(plan.problems)
            message = f"These permissions cannot be applied: {said}"
            raise InvalidPermissions(message, problems=plan.problems)
        if not dry_run:
            changed = (*plan.created, *plan.updated)
            fresh = {(each.role.id, each.model): each.after for each in changed}
            self._write(organization, cast("_Rights", fresh))
            gone = [(each.role.id, each.model) for each in plan.removed]
            self._remove(organization, gone)
        return Applied(len(plan.created), len(plan.updated), len(plan.removed))

    def plan(self, organization: Organization, document: object) -> Plan:
        """Return what `apply` would change, right by right, or all `problems`."""
        return self._plan(organization, document, lock=False)

    def generate(
        self, template: str, roles: Iterable[Role | str], models: Iterable[str]
    ) -> Document:
        """Return a document that allows roles the same for models, to be edited.

        Raises InvalidPermissions for a template that is none, and UnknownEntity for a
        model that is not registered.
        """
        if template not in TEMPLATES:
            reason = f"The templates are {', '.join(TEMPLATES)}: choose one of them."
            raise InvalidPermissions(reason, problems=(reason,))
        registry = registry_of(self.context)
        known = sorted({registry.named(each).name for each in models})
        codes = sorted(
            {each.code if isinstance(each, Role) else each for each in roles}
        )
        told = dict(zip(NAMES, TEMPLATES[template], strict=True))
        return {code: {model: dict(told) for model in known} for code in codes}

    # Rows -----------------------------------------------------------------------------

    def _plan(
        self, organization: Organization, document: object, *, lock: bool
    ) -> Plan:
        reading = self._reading(organization).read(document)
        if reading.problems:
            return Plan(problems=tuple(reading.problems))
        roles = reading.by_code.values()
        known = {each.id for each in roles}
        rights = self._rights(organization, lock=lock)
        before = {each: was for each, was in rights.items() if each[0] in known}
        return compared(roles, before, reading.wanted)

    def _check(self, organization: Organization, wanted: Collection[Wanted]) -> None:
        """Refuse what cannot be wanted in an organisation."""
        models = registry_of(self.context)
        for each in wanted:
            _named(each.flags)
            models.named(each.model)
        many = len({each.key for each in wanted})
        insist(many == len(wanted), "Say once what a role may do with a model.")
        theirs = Organizations(self.context).named(organization.slug)
        known = {each.id for each in Roles(self.context).all(theirs)}
        for each in wanted:
            if each.role.id not in known or theirs.id != organization.id:
                raise UnknownEntity(kind="role", name=each.role.code)

    def _switch(
        self,
        organization: Organization,
        role: Role,
        model_name: str,
        flags: Collection[str],
        *,
        on: bool,
    ) -> Flags:
        named = _named(flags)
        registry_of(self.context).named(model_name)
        Memberships(self.context).check(organization, role)
        values = {
            "context": self.context.name,
            "organization": organization.id,
            "role": role.id,
            "model": model_name,
        }
        query = _switched(values, dict.fromkeys(named, on))
        (row,) = fetch(self.session, query, {})
        return Flags(*row)

    def _rights(self, organization: Organization, *, lock: bool = False) -> _Rights:
        found = self._versioned(organization, lock=lock)
        return {key: right.flags for key, right in found.items()}

    def _versioned(
        self, organization: Organization, *, lock: bool = False
    ) -> dict[tuple[UUID, str], Right]:
        told = (_TABLE.version, *(_TABLE[each] for each in NAMES))
        query = (
            select(_TABLE.role, _TABLE.model, *told)
            .where(
                _TABLE.context == self.context.name,
                _TABLE.organization == organization.id,
            )
            .order_by(_TABLE.role, _TABLE.model)
        )
        rows = fetch(self.session, query.with_for_update() if lock else query, {})
        return {
            (row.role, row.model): Right(Flags(*row[3:]), row.version) for row in rows
        }

    def _write_versions(
        self, organization: Organization, rows: list[tuple[Any, ...]]
    ) -> frozenset[tuple[UUID, str]]:
        """Write rights with their new versions; return those that were written."""
        if not rows:
            return frozenset()
        query = _written_once(self.context.name, organization.id)
        found = self.session.execute(
            query, _ROWS_VERSIONED.of(rows), bind_arguments=BIND
        )
        return frozenset((row.role, row.model) for row in found)

    def _write(self, organization: Organization, rights: _Rights) -> None:
        if rights:
            rows = [(*each, *flags) for each, flags in sorted(rights.items())]
            values = _ROWS.of(rows)
            query = _written(self.context.name, organization.id)
            self.session.execute(query, values, bind_arguments=BIND)

    def _remove(
        self, organization: Organization, gone: Collection[tuple[UUID, str]]
    ) -> None:
        if gone:
            named = select(_ROWS_GONE.table.c.role, _ROWS_GONE.table.c.model)
            where = (
                _TABLE.context == self.context.name,
                _TABLE.organization == organization.id,
                tuple_(_TABLE.role, _TABLE.model).in_(named),
            )
            values = _ROWS_GONE.of(sorted(gone))
            query = delete(_PERMISSIONS).where(*where)
            self.session.execute(query, values, bind_arguments=BIND)

    def _by_code(self, organization: Organization) -> dict[str, Role]:
        """Return the roles by their codes, those of the organisation before others."""
        found: dict[str, Role] = {}
        for each in Roles(self.context).all(organization):
            found.setdefault(each.code, each)
        return found

    def _reading(self, organization: Organization) -> _Reading:
        models = registry_of(self.context)
        return _Reading(self._by_code(organization), models.__contains__)


_PERMISSIONS: Final[Any] = SyncPermission.__table__
_TABLE: Final[Any] = _PERMISSIONS.c

_KEY: Final[dict[str, Any]] = {"role": Id(), "model": Text()}
_ROWS: Final = PassedRows("rights", {**_KEY, **dict.fromkeys(NAMES, Boolean())})
_ROWS_GONE: Final = PassedRows("gone", _KEY)
_ROWS_VERSIONED: Final = PassedRows(
    "rights", {**_KEY, "version": Integer(), **dict.fromkeys(NAMES, Boolean())}
)


def _written(context: str, organization: UUID) -> Any:
    """Insert rights, or change those that are other ones now."""
    query = _inserted(context, organization, _ROWS.table.c, (*_KEY, *NAMES))
    fresh = {name: query.excluded[name] for name in NAMES}
    were, are = [_TABLE[name] for name in NAMES], list(fresh.values())
    return query.on_conflict_do_update(
        constraint=PERMISSION,
        set_={**fresh, "version": _TABLE.version + 1},
        where=tuple_(*were).op("IS DISTINCT FROM")(tuple_(*are)),
    )


def _written_once(context: str, organization: UUID) -> Any:
    """Insert rights, or change those that are of the version before."""
    names = (*_KEY, "version", *NAMES)
    query = _inserted(context, organization, _ROWS_VERSIONED.table.c, names)
    fresh = {name: query.excluded[name] for name in ("version", *NAMES)}
    upsert = query.on_conflict_do_update(
        constraint=PERMISSION,
        set_=fresh,
        where=_TABLE.version == query.excluded.version - 1,
    )
    return upsert.returning(_TABLE.role, _TABLE.model)


def _inserted(
    context: str, organization: UUID, given: Any, names: tuple[str, ...]
) -> Any:
    fixed = {"context": context, "organization": organization}
    rows = select(
        *(literal(value, _TABLE[name].type) for name, value in fixed.items()),
        *(given[name] for name in names),
    )
    return insert(_PERMISSIONS).from_select([*fixed, *names], rows)


def _switched(values: Mapping[str, Any], flags: Mapping[str, bool]) -> Any:
    """Switch some flags, and leave the others as they are, whoever switches those."""
    fresh = {f"{PREFIX}{name}": on for name, on in flags.items()}
    query = insert(_PERMISSIONS).values(**values, **fresh)
    changes = or_(*(_TABLE[name] != on for name, on in fresh.items()))
    version = _TABLE.version + case((changes, 1), else_=0)
    upsert = query.on_conflict_do_update(
        constraint=PERMISSION, set_={**fresh, "version": version}
    )
    return upsert.returning(*(_TABLE[each] for each in NAMES))


def _named(flags: Iterable[str]) -> list[str]:
    """Return the fields of flags, however they are named. Raises InvalidPermissions."""
    wrong = [each for each in flags if _field(each) is None]
    if wrong:
        problems = tuple(_no_flag(each) for each in wrong)
        raise InvalidPermissions(" ".join(problems), problems=problems)
    return [field for each in flags if (field := _field(each)) is not None]


def _field(name: object) -> str | None:
    """Return the field of a flag; None: it is none of the six."""
    plain = name.removeprefix(PREFIX) if isinstance(name, str) else ""
    return plain if plain in Flags._fields else None


def _no_flag(name: object) -> str:
    return f"{name!r} is not one of the six flags: {', '.join(NAMES)}."


# Documents ----------------------------------------------------------------------------


class _Reading:
    """Reads a document, and notes all that is wrong with it."""

    def __init__(
        self, by_code: Mapping[str, Role], is_model: Callable[[str], bool]
    ) -> None:
        self.by_code = by_code
        self.is_model = is_model
        self.wanted: _Rights = {}
        self.problems: list[str] = []

    def read(self, document: object) -> _Reading:
        """Read a document: ``{role: {model: {flag: bool}}}``."""
        seen: dict[UUID, str] = {}
        for code, models in self._pairs(document, "The document"):
            role = self._role(code)
            if role is None:
                self.problems.append(f"There is no role {code!r} here.")
            elif role.id in seen:
                message = f"{seen[role.id]!r} and {code!r} are the same role."
                self.problems.append(message)
            else:
                seen[role.id] = str(code)
            self._read_models(role, code, models)
        return self

    def _read_models(self, role: Role | None, code: object, models: object) -> None:
        for model, told in self._pairs(models, f"{code!r}"):
            if not isinstance(model, str) or not self.is_model(model):
                self.problems.append(f"{code!r}: there is no model {model!r} here.")
            flags = self._flags(f"{code!r}, {model!r}", told)
            if role is not None and isinstance(model, str):
                self.wanted[role.id, model] = flags

    def _flags(self, where: str, told: object) -> Flags:
        found: dict[str, bool] = {}
        for name, value in self._pairs(told, where):
            field = _field(name)
            if field is None:
                self.problems.append(f"{where}: {_no_flag(name)}")
            elif field in found:
                self.problems.append(f"{where}: {name!r} is said twice.")
            elif not isinstance(value, bool):
                self.problems.append(f"{where}: {name!r} must be true or false.")
            else:
                found[field] = value
        return Flags(**found)

    def _pairs(self, value: object, what: str) -> Iterable[tuple[object, object]]:
        if isinstance(value, Mapping):
            return value.items()
        self.problems.append(f"{what} must be an object, not {_told(value)}.")
        return ()

    def _role(self, text: object) -> Role | None:
        if not isinstance(text, str):
            return None
        if text in self.by_code:
            return self.by_code[text]
        named = [each for each in self.by_code.values() if each.name == text]
        return named[0] if len(named) == 1 else None


def _told(value: object) -> str:
    return "null" if value is None else type(value).__name__
