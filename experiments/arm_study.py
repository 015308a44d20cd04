"""The command of experiments whose cells are one arm, target and seed."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from experiments.cells import Named, Row, compute, put_between, read_cells
from scenefit.files.atomic import write_bytes

BEGIN, END = "<!-- figures: written by the command -->", "<!-- end of figures -->"


@dataclass(frozen=True)
class ArmCell:
    """One arm, target and seed; an experiment adds `home` (see `Named`)."""

    arm: str
    target: str
    seed: int

    @property
    def name(self) -> str:
        return f"{slug(self.arm)}--{self.target}--seed-{self.seed}"


@dataclass(frozen=True)
class Study:
    """about: the command's help.  here: its folder, with cells/ and README.md.  work: default folder of its fits.

    plan: the cells of some arms, targets and seeds, in the order in which they are computed.  run: the result of a cell
    and the folder; a function of a module.  shown: what is printed of a result.  picture: report.png, of the folder.
    table: the text of the page from all cells.  code: hash of the present code, which a cell's "code" is compared with.
    """

    about: str | None
    here: Path
    work: Path
    arms: Sequence[str]
    targets: Sequence[str]
    plan: Callable[[Sequence[str], Sequence[str], Sequence[int]], Iterable[Any]]
    run: Callable[[Any, Path], Row]
    shown: Callable[[Row], Any]
    picture: Callable[[Path], bytes]
    table: Callable[[Sequence[Row]], str]
    code: Callable[[], str]

    def main(self, arguments: Sequence[str] | None = None) -> None:
        parser = argparse.ArgumentParser(description=self.about, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--arms", nargs="+", default=self.arms, choices=self.arms, metavar="ARM",
                            help=f"of {', '.join(map(repr, self.arms))}")
        parser.add_argument("--targets", nargs="+", default=self.targets, choices=self.targets)
        parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
        parser.add_argument("--jobs", type=int, default=1, help="cells computed in parallel, one thread each")
        parser.add_argument("--work", type=Path, default=self.work, help="folder of the fits")
        parser.add_argument("--table", action="store_true", help="compute nothing, write the tables")
        parser.add_argument("--picture", action="store_true", help="compute no cell, write report.png and the tables")
        options = parser.parse_args(arguments)
        if not (options.table or options.picture):
            missing: list[Named] = [cell for cell in self.plan(options.arms, options.targets, options.seeds)
                                   if not (self.here / "cells" / f"{cell.name}.json").exists()]
            compute(missing, options.jobs, self.here / "cells", self.run, (options.work,), self.shown)
        if options.picture:
            torch.set_num_threads(1)
            write_bytes(self.here / "report.png", self.picture(options.work))
        cells = read_cells(self.here)
        text, older = self.table(cells), sum(cell["code"] != self.code() for cell in cells)
        Console(width=200).print(text, markup=False, highlight=False)
        if older:
            print(f"{older} of {len(cells)} cells are of earlier code, see README.md; delete those to compute anew.")
        put_between(self.here / "README.md", BEGIN, END, text)


def slug(name: str) -> str:
    """The name of an arm as a part of a file's."""
    return name.replace(",", "").replace("/", "-").replace(" ", "-")
