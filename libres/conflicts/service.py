"""The facade of claims: signature, docstring, one call."""

from __future__ import annotations

from libres.conflicts import schema
from libres.context.core import Context, ContextServicesMixin

__all__ = ("Claims",)


class Claims(ContextServicesMixin):
    """The claims of a context: nobody else's are seen or touched.

    Cheap to make, without state; works in the session and transaction of the context.
    """

    def __init__(self, context: Context) -> None:
        self.context = context

    # Setting up -----------------------------------------------------------------------

    def setup(self, *, mirror_reservations: bool = False) -> None:
        """Create what is missing in the database; see `libres.conflicts.setup`."""
        schema.create_missing(self.session.connection())

    # Asking ---------------------------------------------------------------------------

    # Claiming -------------------------------------------------------------------------

    # Tracking -------------------------------------------------------------------------
