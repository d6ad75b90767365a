"""Fair comparisons: everyone in each round, in alternating order, and ratios within rounds."""

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, TypeVar

from tqdm import tqdm

Measured = TypeVar("Measured")


def alternate(
    contestants: Mapping[str, Callable[[], Measured]], repeats: int
) -> dict[str, list[Measured]]:
    """Everyone's measurement in each of `repeats` rounds.

    Every second round runs backwards, so that a machine that slows down or speeds up meanwhile
    does so to all alike.
    """
    measured: dict[str, list[Measured]] = {name: [] for name in contestants}
    with tqdm(total=repeats * len(contestants), unit="run", disable=None) as progress:
        for number in range(repeats):
            order = list(contestants)
            for name in order if number % 2 == 0 else reversed(order):
                progress.set_description(name)
                measured[name].append(contestants[name]())
                progress.update()
    return measured


def ratio(values: list[float], others: list[float]) -> float:
    """The median of what each round says."""
    return round(median(one / other for one, other in zip(values, others, strict=True)), 3)


def summary(values: list[float]) -> dict[str, Any]:
    """The median and the range of several rounds."""
    return {
        "median": round(median(values), 2),
        "least": round(min(values), 2),
        "most": round(max(values), 2),
    }
