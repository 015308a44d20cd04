"""The tables of README.md, from the cells; see experiments/arm_tables.py."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.aerial2d.arms import GRAMMARS, ORACLE, TRUE
from experiments.aerial2d.fits import LEARNED as GROUPS_LEARNED
from experiments.aerial2d.fits import META_SIM, TARGETS
from experiments.aerial2d.settings import GROUPS, ROWS
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
from experiments.few_labels import ALONE, SELECTED, WIDE
from experiments.few_labels import ARMS as LABELLED

CAR = "car"
LEARNED = "learned, all"
ARMS = (*GRAMMARS, *TRUE, *GROUPS_LEARNED, *META_SIM, *LABELLED, ORACLE)
GOALS = {"target": (95.0, 90.0), "misspecified": (60.0, 50.0)}  # gap closed %: the mean, and the interval's lower end
MIN_GAP = 20.0  # points of car IoU between hand-made grammar and oracle
MAX_TV = 0.05  # above the floor


def markdown(found: Sequence[dict[str, Any]]) -> str:
    parts = []
    for target in TARGETS:
        cells = by_arm(found, target)
        if cells:
            parts += [f"### {target.capitalize()}", of_target(cells), *differences(cells), goals(target, cells)]
            parts += [attributes(cells)] if target == "target" else []
    return "\n\n".join(part for part in parts if part)


def of_target(cells: Cells) -> str:
    rows = []
    for arm in (name for name in ARMS if name in cells):
        own = cells[arm]
        classes = [percent([one["IoU"][name] for one in own.values()]) for name in ("road", "house", "tree")]
        rows.append([f"**{arm}**" if arm == LEARNED else arm, str(len(own)),
                     over_seeds([100 * iou(one) for one in own.values()]), *classes,
                     percent([float(np.mean(list(one["IoU"].values()))) for one in own.values()]),
                     percent([one["IoU at thresholds of renders"][CAR] for one in own.values()]),
                     percent([one["IoU at equal area"][CAR] for one in own.values()]),
                     percent([one["pixel AP"][CAR] for one in own.values()]),
                     percent([one["false + missed at equal area"][CAR] for one in own.values()]),
                     over_seeds(gaps(cells, arm, "hand-made", ORACLE, iou)), fit_minutes(own)])
    head = ["trained on", "seeds", "car IoU", "road", "house", "tree", "mean", "car, thresholds of renders",
            "car, equal area", "car pixel AP", "car pixels false + missed, % of their area", "gap closed %",
            "CPU minutes of the fit"]
    return table(head, rows)


def differences(cells: Cells) -> list[str]:
    """Car IoU of the learned arm minus that of the grammars, and with labels likewise."""
    pairs = ((LEARNED, (*GRAMMARS, *META_SIM)), (SELECTED, (ALONE, WIDE, LEARNED)))
    return [text for arm, others in pairs if (text := difference(cells, "Car IoU", arm, others, iou))]


def iou(cell: Cell) -> float:
    """Of cars."""
    return float(cell["IoU"][CAR])


def goals(target: str, cells: Cells) -> str:
    """Goals at the mean, passes at the interval's lower end."""
    rows, below = [], apart(cells, ORACLE, "hand-made", iou)
    if len(below) > 1:
        found = interval(below)
        rows.append([f"hand-made at least {MIN_GAP:g} points of car IoU below the oracle",
                     in_words(found), yes(found["low"] >= MIN_GAP)])
    mine = gaps(cells, LEARNED, "hand-made", ORACLE, iou)
    if len(mine) > 1:
        (mean, low), closed = GOALS[target], interval(mine)
        rows += [[f"gap closed at least {mean:g} %", in_words(closed), yes(closed["mean"] >= mean)],
                 [f"lower end of the interval above {low:g} %", in_words(closed), yes(closed["low"] > low)]]
        beyond = [one["cars and lanes"]["tv"] - one["cars and lanes"]["floor"] for one in cells[LEARNED].values()]
        if target == "target":
            rows.append([f"cars given lanes: total variation at most {MAX_TV:g} above the floor",
                         in_words(interval(beyond), 2), yes(float(np.mean(beyond)) <= MAX_TV)])
    return table(["goal", "reached", "met"], rows) if rows else ""


def attributes(cells: Cells) -> str:
    """Mean distance to the truth over the hand-made grammar's, by attribute; not of those that are the same in both."""
    names = [name for name in ARMS if name in cells and name not in ("hand-made", *TRUE, *LABELLED, ORACLE)]
    first = next((one for name in names for one in cells[name].values()), None)
    if first is None:
        return ""
    group = {f"{kind}.{name}": row.group for kind, rows in ROWS.items() for name, row in rows.items()}
    same = {f"{kind}.{name}" for kind, rows in ROWS.items() for name, row in rows.items() if row.handmade == row.target}
    rows = [[one, group.get(one, "counts"), *(mean([cell["distances"][one] for cell in cells[name].values()])
                                              for name in names)] for one in first["distances"] if one not in same]
    rows.sort(key=lambda row: GROUPS.index(row[1]))
    joint = ["cars and lanes, total variation above the floor", "counts", *(
        mean([cell["cars and lanes"]["tv"] - cell["cars and lanes"]["floor"] for cell in cells[name].values()])
        for name in names)]
    return ("Distance of each attribute to the target, over that of the hand-made grammar (0: the truth):\n\n"
            + table(["attribute", "group", *names], [*rows, joint]))
