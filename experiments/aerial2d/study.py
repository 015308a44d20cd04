"""Segmentation of aerial views, learned without labels: `python -m experiments.aerial2d`.

A cell is one arm (arms.py, few_labels.py), target and seed; its JSON in cells/ is committed and never computed twice.
Fits and networks are kept in runs/aerial2d, so an interrupted command resumes.

    python -m experiments.aerial2d --jobs 2     # missing cells, then the tables, also into README.md
    python -m experiments.aerial2d --table      # the tables alone
    python -m experiments.aerial2d --picture    # report.png, of seed 0
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from experiments.aerial2d import arms, few_labels, fits
from experiments.aerial2d.report import picture
from experiments.aerial2d.tables import ARMS, LEARNED, markdown
from experiments.arm_study import ArmCell, Study
from experiments.few_labels import ARMS as LABELLED

MISSPECIFIED = (*arms.GRAMMARS, LEARNED, *LABELLED, arms.ORACLE)  # the arms of that target


class Cell(ArmCell):
    @property
    def home(self) -> tuple[str, str, int]:
        """The network of a grammar is kept for all targets, and the arms with labels share stages of trainings."""
        if self.arm in LABELLED:
            return "few labels", "", self.seed
        return self.arm, "" if self.arm in arms.GRAMMARS else self.target, self.seed


def plan(names: Sequence[str], targets: Sequence[str], seeds: Sequence[int]) -> Iterator[Cell]:
    """All cells: two seeds first, the quick arms of each first."""
    order = {name: number for number, name in enumerate(
        (*arms.GRAMMARS, arms.ORACLE, *arms.TRUE, LEARNED, *LABELLED,
         *(name for name in fits.LEARNED if name != LEARNED), *fits.META_SIM))}
    cells = [Cell(arm, target, seed) for seed in seeds for target in targets for arm in names
             if target == "target" or arm in MISSPECIFIED]
    yield from sorted(cells, key=lambda cell: (cell.seed // 2, order[cell.arm]))


def run(cell: Cell, root: Path) -> dict[str, Any]:
    torch.set_num_threads(1)
    return (few_labels if cell.arm in LABELLED else arms).cell(root, cell.arm, cell.target, cell.seed)


def shown(result: dict[str, Any]) -> dict[str, float]:
    return {name: round(100 * value, 1) for name, value in result["IoU"].items()}


main = Study(__doc__, Path(__file__).parent, Path("runs/aerial2d"), ARMS, fits.TARGETS, plan, run, shown, picture,
             markdown, arms.code).main
