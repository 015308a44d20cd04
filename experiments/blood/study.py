"""A blood-cell detector learned with default settings: `python -m experiments.blood --data FOLDER`.

A cell is one arm (arms.py), prior and seed; its JSON in cells/ is committed and never computed twice. Fits, finished
stages of trainings, and detections are kept in runs/blood, so an interrupted command resumes. README.md describes the
arms. With --report few, for development, cells are written to runs/blood, too.

    python -m experiments.blood --data FOLDER --jobs 2     # missing cells, then the tables, also into README.md
    python -m experiments.blood --data FOLDER --picture    # report.png, after the cells of seed 0
    python -m experiments.blood --table                    # the tables alone
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from experiments.blood import arms, few_labels, figures, world
from experiments.blood.kept_detections import write_detections
from experiments.blood.picture import report
from experiments.blood.tables import BEGIN, END, arms_of, markdown
from experiments.cells import compute, put_between
from scenefit.files.atomic import write_bytes
from scenefit.report import write as write_report

HERE = Path(__file__).parent
COMMAND = "python -m experiments.blood --data FOLDER"
PRIORS = (1.0, 1.6, 0.6)
MAIN = ("wide", "learned", "all labels", "few labels", "10 labels", "shrunk", "naive")
ONCE = tuple(name for name in (*arms.ARMS, *few_labels.CELLS) if name not in MAIN)  # for the first prior alone


@dataclass(frozen=True)
class Cell:
    """prior: factor of all size ranges."""

    arm: str
    prior: float
    seed: int

    @property
    def name(self) -> str:
        own = self.arm.replace(", ", "-").replace(" ", "-")
        return f"{own}--seed-{self.seed}" if self.any_prior else f"{own}--prior-{self.prior:g}--seed-{self.seed}"

    @property
    def any_prior(self) -> bool:
        return self.arm in arms.NO_PRIOR

    @property
    def home(self) -> tuple[float, int]:
        """Cells of one home share files: only one of them runs at a time."""
        return (0.0 if self.any_prior else self.prior), self.seed


def main() -> None:
    options = arguments()
    folder = HERE / "cells" if options.report == world.HELD_OUT else options.work / options.report
    if options.data is None and not options.table:
        raise SystemExit("--data FOLDER is missing: the data set; or --table, for the tables of finished cells")
    if not (options.table or options.picture):
        cells = [cell for cell in plan(options.arms, options.priors, options.seeds)
                 if not (folder / f"{cell.name}.json").exists()]
        compute(cells, options.jobs, folder, run, (options.data, options.work, options.report), lambda result: {
            name: round(100 * one[figures.AP50], 1) for name, one in result["arms"].items()})
    finished = [json.loads(path.read_text()) for path in sorted(folder.glob("*--seed-*.json"))]
    if options.picture:
        content = report(options.data, options.work, arms_of(finished, 1.0), COMMAND)
        write_bytes(HERE / "report.png", write_report(content, options.work / "report")[1].read_bytes())
    text = markdown(finished)
    Console(width=200).print(text, markup=False, highlight=False)
    if options.report == world.HELD_OUT:
        put_between(HERE / "README.md", BEGIN, END, text)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with JPEGImages, Annotations and ImageSets")
    parser.add_argument("--table", action="store_true", help="compute nothing, write the tables")
    parser.add_argument("--picture", action="store_true", help="compute no cell, write report.png and the tables")
    parser.add_argument("--report", choices=(world.FEW, world.HELD_OUT), default=world.HELD_OUT,
                        help="photos to evaluate on; few: for development, not with arms that train on them")
    parser.add_argument("--arms", nargs="+", default=[*MAIN, *ONCE], choices=[*MAIN, *ONCE], metavar="ARM",
                        help=f"of {', '.join((*MAIN, *ONCE))}; the latter {len(ONCE)} for the first prior alone")
    parser.add_argument("--priors", type=float, nargs="+", default=PRIORS,
                        help="priors, each given by the factor of all size ranges")
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--jobs", type=int, default=1, help="cells computed in parallel, one thread each")
    parser.add_argument("--work", type=Path, default=Path("runs/blood"), help="folder of what cells share")
    return parser.parse_args()


def plan(names: Sequence[str], priors: Sequence[float], seeds: Sequence[int]) -> Iterator[Cell]:
    """All cells, the most informative first: two seeds, the first prior, the main arms."""
    order = []
    for prior_number, prior in enumerate(priors):
        for seed in seeds:
            for arm in names:
                cell = Cell(arm, prior, seed)
                if not (prior_number and (cell.any_prior or arm in ONCE)):
                    order.append(((seed // 2, prior_number, arm in ONCE, seed, names.index(arm)), cell))
    yield from (cell for _, cell in sorted(order, key=lambda pair: pair[0]))


def run(cell: Cell, data: Path, work: Path, report: str) -> dict[str, Any]:
    """A cell's figures; its detections are kept for the picture. ValueError for an arm that trains on the photos."""
    torch.set_num_threads(1)
    arm = arms.ARMS.get(cell.arm)
    more: dict[str, Any] = {}
    if report == world.FEW and (arm is None or arm.labels or arm.scenes == "meta-sim-task"):
        raise ValueError(f"{cell.arm} trains on photos of {report}.txt and cannot be evaluated on them; use --report "
                         f"{world.HELD_OUT}, or leave it out of --arms")
    photos = world.with_boxes(data, report, world.DEFAULT if arm is None else arm.setting)
    assert photos.boxes is not None
    if arm is None:
        found, more = few_labels.detections(data, work, cell.prior, cell.seed, photos, few_labels.CELLS[cell.arm])
    else:
        found = arms.detections(data, work, cell.arm, cell.prior, cell.seed, photos)
    for name, one in found.items():
        write_detections(work / report / f"{cell.name}--{name}.safetensors", one)
    return {"prior": None if cell.any_prior else cell.prior, "seed": cell.seed, "photos": len(photos), **more,
            "code": arms.code(), "arms": {name: figures.row(one, photos.boxes) for name, one in found.items()}}
