"""How Sphinx builds the documentation: ``sphinx-build -W docs docs/_build/html``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import libres.timetable  # noqa: F401 - a model must be made before autodoc annotates its base
from libres import __version__
from libres.cli import main
from libres.db.auditing import CHECKS, Check

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "libres"
author = "The libres authors"
project_copyright = "The libres authors, MIT licence"
release = version = __version__

extensions = ["sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
highlight_language = "none"  # examples say what they are written in, so they are run

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True
add_module_names = False
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = f"libres {release}"
html_static_path = ["_static"]
html_copy_source = False
html_show_sourcelink = False


class CommandHelp(SphinxDirective):
    """Show what a command prints for ``--help``: ``.. command-help:: demo``."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Ask the command itself, so that the page is never out of date."""
        words = self.arguments[0].split() if self.arguments else []
        asked = CliRunner().invoke(
            main, [*words, "--help"], prog_name="libres", terminal_width=80
        )
        if asked.exit_code:
            raise self.error(asked.output)
        return [nodes.literal_block(asked.output, asked.output, language="none")]


class AuditChecks(SphinxDirective):
    """List what the auditor looks for, what it means, and what to do about it."""

    def run(self) -> list[nodes.Node]:
        """Ask the auditor itself, so that the page is never out of date."""
        return [nodes.definition_list("", *map(self._item, CHECKS))]

    def _item(self, check: Check) -> nodes.definition_list_item:
        name = nodes.term("", "", nodes.literal(check.name, check.name))
        name += nodes.Text(" (a notice)" if check.is_notice else "")
        said = nodes.definition("", nodes.paragraph("", check.message))
        said += nodes.paragraph(
            "", "", _emphasised("What to do: "), nodes.Text(check.remedy)
        )
        if check.mended:
            mended = nodes.Text(check.mended)
            said += nodes.paragraph("", "", _emphasised("Mended: "), mended)
        return nodes.definition_list_item("", name, said)


def _emphasised(text: str) -> nodes.emphasis:
    return nodes.emphasis(text, text)


def setup(app: Sphinx) -> None:
    """Add the directives."""
    app.add_directive("command-help", CommandHelp)
    app.add_directive("audit-checks", AuditChecks)
