"""Tables of experiments whose cells are one arm, target and seed. Intervals are over seeds (t, 95 %); differences are
paired by seed.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.arms import interval

Cell = Mapping[str, Any]
Cells = Mapping[str, Mapping[int, Cell]]  # arm -> seed -> cell
Value = Callable[[Cell], float]  # a figure of a cell, 0..1


def by_arm(found: Sequence[Cell], target: str) -> Cells:
    """The cells of a target."""
    cells: dict[str, dict[int, Cell]] = defaultdict(dict)
    for cell in found:
        if cell["target"] == target:
            cells[cell["arm"]][cell["seed"]] = cell
    return cells


def shared(cells: Cells, *arms: str) -> list[int]:
    """Seeds that all these arms have."""
    return sorted(set.intersection(*(set(cells.get(arm, {})) for arm in arms)))


def gaps(cells: Cells, arm: str, low: str, high: str, value: Value) -> list[float]:
    """Share of the gap between the arms low and high that an arm closes, of each seed, %; none of these two."""
    if arm in (low, high):
        return []
    found = []
    for seed in shared(cells, arm, low, high):
        own, least, most = (value(cells[name][seed]) for name in (arm, low, high))
        found.append(100 * (own - least) / (most - least))
    return found


def apart(cells: Cells, arm: str, other: str, value: Value) -> list[float]:
    """The figure of an arm minus that of another, of each seed that both have, in points."""
    return [100 * (value(cells[arm][seed]) - value(cells[other][seed])) for seed in shared(cells, arm, other)]


def difference(cells: Cells, what: str, arm: str, others: Sequence[str], value: Value) -> str:
    """A sentence; "" where fewer than two seeds are paired. what: the figure's name."""
    points = {other: apart(cells, arm, other, value) for other in others}
    parts = [f"{other}: {in_words(interval(own))}" for other, own in points.items() if len(own) > 1]
    return f"{what} of {arm} minus that of {'; '.join(parts)}." if parts else ""


def percent(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):.1f}"


def mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.2f}" if known else ""


def over_seeds(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.1f}" if values else ""
    return in_words(interval(values))


def in_words(found: Mapping[str, Any], digits: int = 1) -> str:
    return f"{found['mean']:.{digits}f} ({found['low']:.{digits}f} to {found['high']:.{digits}f})"


def yes(met: bool) -> str:
    return "yes" if met else "**no**"


def fit_minutes(cells: Mapping[int, Cell]) -> str:
    """CPU minutes of an arm's fit."""
    return f"{np.mean([one['cost']['fit CPU seconds'] for one in cells.values()]) / 60:.0f}"
