"""The library does what the model does, whatever happens in whatever order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Machine

if TYPE_CHECKING:
    from libres.context.core import Context
    from tests.fixtures.clock import Clock
    from tests.model.drawing import Layout

EXAMPLES = "LIBRES_MODEL_EXAMPLES"
"""Names the environment variable that asks for so many random sequences."""

usual = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)


def wanted() -> settings:
    """The same few sequences each time, or as many random ones as are asked for."""
    if number := os.environ.get(EXAMPLES):
        return settings(
            usual, max_examples=int(number), stateful_step_count=40, derandomize=False
        )
    return usual


LAYOUTS: dict[str, Layout] = {
    "alone": {"hall": (), "room": ()},
    "one way": {"hall": ("room",), "room": ()},
    "both ways": {"hall": ("room",), "room": ("hall",)},
    "chain": {"hall": ("room",), "room": ("yard",), "yard": ()},
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_machine(context: Context, clock: Clock, layout: Layout) -> None:
    """Sequences of calls have the outcome, the rows and the answers of the model."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call] # as Hypothesis has it
        lambda: Machine(context, clock, layout), settings=wanted()
    )
