"""The configuration of a context as one document: written, compared and applied.

It says who may do what, and nothing secret: no passwords, tokens or keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from libres.context.core import ContextServicesMixin
from libres.sync.configuration.checking import Wanted
from libres.sync.configuration.reading import Present
from libres.sync.configuration.sections import ALL, SETTINGS
from libres.sync.configuration.writing import Writer, reset_setting
from libres.sync.errors import InvalidConfiguration
from libres.sync.settings import Settings

if TYPE_CHECKING:
    from libres.context.core import Context
    from libres.sync.permissions import Applied

__all__ = ("SECTIONS", "Configuration")

SECTIONS: Final = ALL
"""The names of the parts of a document, in the order in which they are written."""


class Configuration(ContextServicesMixin):
    """The settings, models, organisations, users, roles, memberships, permissions,
    filters and resources of a context, as a document.

    ``settings`` is an object; the other sections are lists of objects. Organisations go
    by their slugs, roles by their codes, users by their names, or by their ids where
    the host knows them.
    """

    def __init__(self, context: Context) -> None:
        self.context = context

    def export(self, *sections: str) -> dict[str, Any]:
        """Return the document, or some of its sections, as JSON; the same for the same
        configuration.

        Who is imported has no password. Raises InvalidConfiguration for a section that
        is none.
        """
        _check(sections)
        return Present(self.context).document(sections or ALL)

    def summary(self) -> dict[str, int]:
        """Return how many there are in each section; of settings, how many are not at
        their defaults."""
        document = self.export()
        counts = {name: len(told) for name, told in document.items()}
        every = Settings(self.context).all()
        counts[SETTINGS] = sum(each.value != each.setting.default for each in every)
        return counts

    def validate(self, document: object, *, replace: bool = False) -> list[str]:
        """Return all that is wrong with a document: an empty list if it can be applied.

        What it names may be in the document itself, or there already. Where its form is
        wrong nothing else is looked at.
        """
        return self._wanted(document, replace=replace).problems

    def apply(self, document: object, *, replace: bool = False) -> dict[str, Applied]:
        """Let what a document says be so, in the transaction that runs; return by
        sections how much was created, updated and removed.

        What it does not say stays. With *replace* what the sections that it has do not
        name is removed: memberships, permissions, filters, resources and roles.
        Settings go back to their defaults; organisations and users are not removed, but
        let in no more.

        Raises InvalidConfiguration with all `problems`; then nothing was changed.
        """
        wanted = self._wanted(document, replace=replace)
        if wanted.problems:
            said = " ".join(wanted.problems)
            message = f"This configuration cannot be applied: {said}"
            raise InvalidConfiguration(message, problems=tuple(wanted.problems))
        return Writer(self.context, wanted).write()

    def reset(self) -> int:
        """Let all settings be at their defaults again; return how many were not."""
        stored = [each for each in Settings(self.context).all() if each.version]
        for each in stored:
            reset_setting(self.context, each.name)
        return sum(each.value != each.setting.default for each in stored)

    def _wanted(self, document: object, *, replace: bool) -> Wanted:
        return Wanted(Present(self.context), document, replace=replace)


def _check(sections: tuple[str, ...]) -> None:
    wrong = [each for each in sections if each not in ALL]
    if wrong:
        message = f"There is no section {wrong[0]!r}: {', '.join(ALL)}."
        raise InvalidConfiguration(message, problems=(message,))
