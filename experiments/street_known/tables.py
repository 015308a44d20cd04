"""The tables of README.md, from the cells; see experiments/arm_tables.py."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.arm_tables import (
    Cell,
    Cells,
    apart,
    by_arm,
    difference,
    fit_minutes,
    gaps,
    in_words,
    mean,
    over_seeds,
    percent,
    yes,
)
from experiments.arms import interval
from experiments.cells import markdown as table
from experiments.few_labels import ALONE, SELECTED
from experiments.few_labels import ARMS as LABELLED
from experiments.few_labels import WIDE as WIDE_LABELLED
from experiments.street_known import distances, town, world
from experiments.street_known.arms import DETECTION, GRAMMARS, HALF_WIDE, NAIVE, ORACLE, SEGMENTATION
from experiments.street_known.fits import LEARNED, META_SIM
from experiments.street_known.world import CAR

ARMS = (*GRAMMARS, LEARNED, HALF_WIDE, META_SIM, *LABELLED, ORACLE)
MIN_GAP_CLOSED = 80.0  # %
TITLES = {town.TARGET: "Target", town.MISSPECIFIED: "Misspecified target"}


def ap50(cell: Cell) -> float:
    """Of cars."""
    return float(cell[DETECTION]["AP50"])


def iou(cell: Cell) -> float:
    """Of cars."""
    return float(cell[SEGMENTATION]["IoU"][CAR])


FIGURES = {"Car AP50": ap50, "Car IoU": iou}


def markdown(found: Sequence[dict[str, Any]]) -> str:
    parts = []
    for target in world.TARGETS:
        if cells := by_arm(found, target):
            parts += [f"### {TITLES[target]}", of_target(cells), *differences(cells), goals(cells), attributes(cells)]
    return "\n\n".join(part for part in parts if part) or "No cell is computed yet."


def of_target(cells: Cells) -> str:
    rows = []
    for arm in (name for name in ARMS if name in cells):
        own = cells[arm]
        detection, segmentation = ([one[task] for one in own.values()] for task in (DETECTION, SEGMENTATION))
        rows.append([
            f"**{arm}**" if arm == LEARNED else arm, str(len(own)),
            over_seeds([100 * ap50(one) for one in own.values()]), percent([one["AP"] for one in detection]),
            percent([one["missed at 1"] for one in detection]), over_seeds(closed(cells, arm, ap50)),
            over_seeds([100 * iou(one) for one in own.values()]),
            percent([one["IoU at equal area"][CAR] for one in segmentation]),
            percent([one["pixel AP"][CAR] for one in segmentation]), over_seeds(closed(cells, arm, iou)),
            fit_minutes(own)])
    head = ["trained on", "seeds", "car AP50", "AP", "missed % at 1 false a photo", "gap closed %", "car IoU",
            "at equal area", "pixel AP", "gap closed %", "CPU minutes of the fit"]
    return table(head, rows)


def closed(cells: Cells, arm: str, value: Any) -> list[float]:
    return gaps(cells, arm, NAIVE, ORACLE, value)


def differences(cells: Cells) -> list[str]:
    """The learned arm minus the others without labels, and with labels likewise."""
    pairs = ((LEARNED, (*GRAMMARS, HALF_WIDE, META_SIM)), (SELECTED, (ALONE, WIDE_LABELLED, LEARNED)))
    texts = (difference(cells, name, arm, others, value) for name, value in FIGURES.items() for arm, others in pairs)
    return [text for text in texts if text]


def goals(cells: Cells) -> str:
    """Met at the mean; below it, how far the naive grammar lies from the oracle."""
    rows = []
    for name, value in FIGURES.items():
        mine, below = closed(cells, LEARNED, value), apart(cells, ORACLE, NAIVE, value)
        if len(mine) > 1:
            found = interval(mine)
            rows.append([f"gap of {name[0].lower()}{name[1:]} closed at least {MIN_GAP_CLOSED:g} %", in_words(found),
                         yes(found["mean"] >= MIN_GAP_CLOSED)])
        if len(below) > 1:
            rows.append([f"{name}: the oracle minus the naive grammar, points", in_words(interval(below)), ""])
    return table(["goal", "reached", "met"], rows) if rows else ""


def attributes(cells: Cells) -> str:
    """Mean distance to the truth over the naive grammar's, by attribute, and the median of all."""
    names = [name for name in ARMS if name in cells and name not in (NAIVE, *LABELLED)]
    first = next((one for name in names for one in cells[name].values()), None)
    if first is None:
        return ""
    groups = distances.attributes()
    each = {name: {one: mean([cell["distances"][one] for cell in cells[name].values()]) for one in groups}
            for name in names}
    rows = [[one, group, *(each[name][one] for name in names)] for one, group in groups.items()
            if first["distances"][one] is not None]
    middle = ["median of all", "", *(f"{np.median([float(value) for value in each[name].values() if value]):.2f}"
                                     for name in names)]
    return ("Distance of each attribute to the target, over that of the naive grammar (0: the truth):\n\n"
            + table(["attribute", "group", *names], [*rows, middle]))
