"""Reads a document that is to be applied, and notes all that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from functools import cached_property
from typing import TYPE_CHECKING, Any

from libres.sync.configuration.sections import (
    ALL,
    BY_NAME,
    REQUIRED,
    SECTIONS,
    SETTINGS,
    Key,
    Record,
    Section,
)
from libres.sync.errors import InvalidFilter, InvalidSetting
from libres.sync.filters import Filter
from libres.sync.registry import registry_of
from libres.sync.settings import setting_of

if TYPE_CHECKING:
    from libres.sync.configuration.reading import Present


class Wanted:
    """What a document wants; `problems` says what is wrong with it."""

    def __init__(self, present: Present, document: object, *, replace: bool) -> None:
        self.present = present
        self.replace = replace
        self.problems: list[str] = []
        self.settings: dict[str, Any] | None = None
        """None: it says nothing of them."""

        self.records: dict[str, dict[Key, Record]] = {}
        """By sections that the document has, and by keys."""

        self._models = registry_of(present.context)
        self._read(document)
        if not self.problems:  # else the same would be said in many ways
            self._check()

    def _say(self, where: str, what: str) -> None:
        self.problems.append(f"{where}: {what}")

    # Its form -------------------------------------------------------------------------

    def _read(self, document: object) -> None:
        if not isinstance(document, Mapping):
            self.problems.append("The document must be an object.")
            return
        for name in document.keys() - set(ALL):
            self.problems.append(f"There is no section {name!r}: {', '.join(ALL)}.")
        if SETTINGS in document:
            self._read_settings(document[SETTINGS])
        for section in SECTIONS:
            if section.name in document:
                self._read_section(section, document[section.name])

    def _read_settings(self, told: object) -> None:
        if not isinstance(told, Mapping):
            self._say(SETTINGS, "must be an object.")
            return
        self.settings = dict(told)
        for name, value in told.items():
            try:
                wrong = setting_of(name).wrong(value)
            except InvalidSetting as error:
                wrong = str(error)
            if wrong is not None:
                self._say(SETTINGS, wrong)

    def _read_section(self, section: Section, told: object) -> None:
        found = self.records[section.name] = {}
        if not isinstance(told, list):
            self._say(section.name, "must be a list.")
            return
        for number, each in enumerate(told, 1):
            where = f"{section.name}, {number}"
            record = self._record(section, each, where)
            if record is None:
                continue
            key = section.key_of(record)
            if key in found:
                self._say(where, f"{_told(key)} is said twice.")
            found[key] = record

    def _record(self, section: Section, told: object, where: str) -> Record | None:
        """Return a record with all its fields; None: something is wrong with it."""
        if not isinstance(told, Mapping):
            self._say(where, "must be an object.")
            return None
        before = len(self.problems)
        for name in told.keys() - section.fields.keys():
            self._say(where, f"there is no field {name!r}.")
        record: Record = {}
        for name, field in section.fields.items():
            value = told.get(name, field.default)
            if value is REQUIRED:
                self._say(where, f"{name} is missing.")
            elif (wrong := field.wrong(value)) is not None:
                self._say(where, f"{name} {wrong}")
            record[name] = deepcopy(value)
        if len(self.problems) > before:
            return None
        self._settle_role(record)
        return record

    def _settle_role(self, record: Record) -> None:
        """Say whose role is meant where that is left open: the organisation's own, if
        it has one."""
        if "shared" in record and record["shared"] is None:
            own = record["organization"], record["role"]
            record["shared"] = own not in self.known_roles

    # What it names --------------------------------------------------------------------

    def of(self, section: str) -> dict[Key, Record]:
        """Return the wanted records of a section; none, if it is not there."""
        return self.records.get(section, {})

    @cached_property
    def known_roles(self) -> set[tuple[str | None, str]]:
        """The keys of the roles that there will be; these are read before others."""
        there: set[Any] = set(self.present.roles)
        return (set() if self._replaces("roles") else there) | set(self.of("roles"))

    def _replaces(self, section: str) -> bool:
        return self.replace and section in self.records

    def _check(self) -> None:
        for section in SECTIONS:
            for key, record in self.of(section.name).items():
                where = f"{section.name}, {_told(key)}"
                for problem in self._wrong(section.name, record):
                    self._say(where, problem)
        self._check_references()
        self._check_roles_in_use()

    def _wrong(self, section: str, record: Record) -> Iterator[str]:
        yield from self._wrong_organization(section, record)
        if "role" in record and not self._is_role(record):
            yield f"there is no role {record['role']!r}."
        if "model" in record and record["model"] not in self._models:
            yield f"there is no model {record['model']!r}."
        elif section == "filters":
            yield from self._wrong_filter(record)
        if section == "memberships" and not self._is_user(record["user"]):
            yield f"there is no user {record['user']!r}."
        if section == "users" and not self.present.has_users:
            yield "the host knows the users: leave them out."
        if section == "resources":
            yield from self._wrong_blocking(record)

    def _wrong_organization(self, section: str, record: Record) -> Iterator[str]:
        slug = record.get("organization")
        is_there = slug in self.present.organizations or slug is None
        if not is_there and (slug,) not in self.of("organizations"):
            yield f"there is no organisation {slug!r}."
        there = self.present.organizations.get(record.get("slug", ""))
        if section != "organizations" or there is None:
            return
        if record["reference"] not in {None, there.reference}:
            yield "its reference cannot be changed, as rows of models have it."

    def _is_role(self, record: Record) -> bool:
        of = None if record["shared"] else record["organization"]
        return (of, record["role"]) in self.known_roles

    def _is_user(self, name: str) -> bool:
        return (name.lower(),) in self.of("users") or self.present.user(
            name
        ) is not None

    def _wrong_filter(self, record: Record) -> Iterator[str]:
        try:
            Filter.of(self._models.named(record["model"]), record["conditions"])
        except InvalidFilter as error:
            yield str(error)

    def _wrong_blocking(self, record: Record) -> Iterator[str]:
        for name in record["blocking_names"]:
            if self._owners.get(name, record["organization"]) != record["organization"]:
                yield f"{name!r} belongs to others: it cannot block a resource."

    @cached_property
    def _owners(self) -> dict[str, str]:
        """The slugs of whom the resources will belong to, by their names."""
        records = [*self._left("resources"), *self.of("resources").values()]
        return {each["name"]: each["organization"] for each in records}

    def _check_references(self) -> None:
        """No two organisations have the same rows."""
        owners = {
            each.reference: each.slug for each in self.present.organizations.values()
        }
        for record in self.of("organizations").values():
            slug, reference = record["slug"], record["reference"]
            if reference is not None and owners.setdefault(reference, slug) != slug:
                said = f"{owners[reference]!r} has the same reference."
                self._say(f"organizations, {slug!r}", said)

    def _check_roles_in_use(self) -> None:
        """A role that goes must be nobody's."""
        if not self._replaces("roles"):
            return
        for record in self._left("memberships"):
            if not self._is_role(record):
                said = f"{record['user']!r} has the role {record['role']!r}."
                self._say("roles", f"{said} Name it, or give them another one.")

    def _left(self, section: str) -> Iterable[Record]:
        """Yield what is there and is not spoken of."""
        if self._replaces(section):
            return
        kind = BY_NAME[section]
        for record in self.present.records(kind):
            if kind.key_of(record) not in self.of(section):
                yield record


def _told(key: Key) -> str:
    return " / ".join(repr(each) for each in key if not isinstance(each, bool))
