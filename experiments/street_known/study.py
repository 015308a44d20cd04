"""Cars of streets whose truth is known, learned without labels: `python -m experiments.street_known`.

A cell is one arm (arms.py, few_labels.py), target and seed; its JSON in cells/ is committed and never computed twice.
Fits and networks are kept in runs/street_known, so an interrupted command resumes.

    python -m experiments.street_known --jobs 2     # missing cells, then the tables, also into README.md
    python -m experiments.street_known --table      # the tables alone
    python -m experiments.street_known --picture    # report.png, after the cells of seed 0
"""

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from experiments.arm_study import ArmCell, Study
from experiments.few_labels import ARMS as LABELLED
from experiments.street_known import arms, few_labels, fits, town, world
from experiments.street_known.report import picture
from experiments.street_known.tables import ARMS, markdown

MISSPECIFIED = (*arms.GRAMMARS, fits.LEARNED, arms.HALF_WIDE, arms.ORACLE)  # the arms of that target
QUICK = (*arms.GRAMMARS, arms.ORACLE, fits.LEARNED, arms.HALF_WIDE, *LABELLED, fits.META_SIM)  # the quick ones first


class Cell(ArmCell):
    @property
    def home(self) -> Hashable:
        """The network of a grammar is kept for all targets; several arms have the same fit, and stages of trainings."""
        if self.arm in (*LABELLED, fits.LEARNED, arms.HALF_WIDE):
            return fits.LEARNED, self.target, self.seed
        return self.arm, "" if self.arm in arms.GRAMMARS else self.target, self.seed


def plan(names: Sequence[str], targets: Sequence[str], seeds: Sequence[int]) -> Iterator[Cell]:
    """All cells: two seeds first, the quick arms of each first."""
    cells = [Cell(arm, target, seed) for seed in seeds for target in targets for arm in names
             if target == town.TARGET or arm in MISSPECIFIED]
    yield from sorted(cells, key=lambda cell: (cell.seed // 2, QUICK.index(cell.arm)))


def run(cell: Cell, root: Path) -> dict[str, Any]:
    torch.set_num_threads(1)
    return (few_labels if cell.arm in LABELLED else arms).cell(root, cell.arm, cell.target, cell.seed)


def shown(result: dict[str, Any]) -> dict[str, float]:
    return {"car AP50": round(100 * result[arms.DETECTION]["AP50"], 1),
            "car IoU": round(100 * result[arms.SEGMENTATION]["IoU"][world.CAR], 1)}


main = Study(__doc__, Path(__file__).parent, Path("runs/street_known"), ARMS, world.TARGETS, plan, run, shown, picture,
             markdown, arms.code).main
