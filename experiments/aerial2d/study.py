"""Segmentation of aerial views, learned without labels: `python -m experiments.aerial2d`.

A cell is one arm (arms.py, few_labels.py), target and seed; its JSON in cells/ is committed and never computed twice.
Fits and networks are kept in runs/aerial2d, so an interrupted command resumes.

    python -m experiments.aerial2d --jobs 2     # missing cells, then the tables, also into README.md
    python -m experiments.aerial2d --table      # the tables alone
    python -m experiments.aerial2d --picture    # report.png, of seed 0
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from experiments.aerial2d import arms, few_labels, fits
from experiments.aerial2d.report import picture
from experiments.aerial2d.tables import ARMS, BEGIN, END, LEARNED, markdown
from experiments.cells import compute, put_between, read_cells
from scenefit.files.atomic import write_bytes

HERE = Path(__file__).parent
MISSPECIFIED = (*arms.GRAMMARS, LEARNED, *fits.META_SIM, *few_labels.ARMS, arms.ORACLE)  # the arms of that target


@dataclass(frozen=True)
class Cell:
    arm: str
    target: str
    seed: int

    @property
    def name(self) -> str:
        return f"{fits.slug(self.arm)}--{self.target}--seed-{self.seed}"

    @property
    def home(self) -> tuple[str, str, int]:
        """The network of a grammar is kept for all targets, and the arms with labels share stages of trainings."""
        if self.arm in few_labels.ARMS:
            return "few labels", "", self.seed
        return self.arm, "" if self.arm in arms.GRAMMARS else self.target, self.seed


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arms", nargs="+", default=ARMS, choices=ARMS, metavar="ARM",
                        help=f"of {', '.join(map(repr, ARMS))}")
    parser.add_argument("--targets", nargs="+", default=fits.TARGETS, choices=fits.TARGETS)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--jobs", type=int, default=1, help="cells computed in parallel, one thread each")
    parser.add_argument("--work", type=Path, default=Path("runs/aerial2d"), help="folder of the fits")
    parser.add_argument("--table", action="store_true", help="compute nothing, write the tables")
    parser.add_argument("--picture", action="store_true", help="compute no cell, write report.png and the tables")
    options = parser.parse_args(arguments)
    if not (options.table or options.picture):
        cells = [cell for cell in plan(options.arms, options.targets, options.seeds)
                 if not (HERE / "cells" / f"{cell.name}.json").exists()]
        compute(cells, options.jobs, HERE / "cells", run, (options.work,), lambda result: {
            name: round(100 * value, 1) for name, value in result["IoU"].items()})
    if options.picture:
        torch.set_num_threads(1)
        write_bytes(HERE / "report.png", picture(options.work))
    text = markdown(read_cells(HERE))
    Console(width=200).print(text, markup=False, highlight=False)
    put_between(HERE / "README.md", BEGIN, END, text)


def plan(names: Sequence[str], targets: Sequence[str], seeds: Sequence[int]) -> Iterator[Cell]:
    """All cells: two seeds first, the quick arms of each first."""
    order = {name: number for number, name in enumerate(
        (*arms.GRAMMARS, arms.ORACLE, LEARNED, *few_labels.ARMS, *(name for name in fits.LEARNED if name != LEARNED),
         *fits.META_SIM))}
    cells = [Cell(arm, target, seed) for seed in seeds for target in targets for arm in names
             if target == "target" or arm in MISSPECIFIED]
    yield from sorted(cells, key=lambda cell: (cell.seed // 2, order[cell.arm]))


def run(cell: Cell, root: Path) -> dict[str, Any]:
    torch.set_num_threads(1)
    return (few_labels if cell.arm in few_labels.ARMS else arms).cell(root, cell.arm, cell.target, cell.seed)
