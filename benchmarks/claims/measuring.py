"""Takes times one by one, of several things in turn, and sums them up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles


@dataclass(slots=True)
class Times:
    """Milliseconds."""

    taken: list[float] = field(default_factory=list)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Take the time of a block."""
        began = time.perf_counter()
        yield
        self.taken.append((time.perf_counter() - began) * 1000)

    @property
    def p50(self) -> float:
        """The median."""
        return median(self.taken)

    @property
    def p95(self) -> float:
        """What 95 of 100 stay below."""
        return quantiles(self.taken, n=20)[-1]


def alternated(
    acts: Mapping[str, Callable[[int], object]], rounds: int
) -> dict[str, Times]:
    """Do each of several things in turn, so many times; a tenth more is not counted."""
    times = {name: Times() for name in acts}
    warm = max(rounds // 10, 1)
    for number in range(rounds + warm):
        for name, act in acts.items():
            counted = times[name] if number >= warm else Times()
            with counted.measured():
                act(number)
    return times
