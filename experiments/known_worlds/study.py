"""Fits of all methods on worlds whose truth is known: `python -m experiments.known_worlds`.

A cell is one world, method, seed and set of photos, fitted with the default settings in its own process; its JSON in
cells/ is committed and never computed twice. Without arguments, the missing cells of the main table are computed.

    python -m experiments.known_worlds                                   # missing cells, then the table
    python -m experiments.known_worlds --worlds discs --methods meta-sim --seeds 1 --photos 20 50 200
    python -m experiments.known_worlds --table                           # the table alone, also into README.md
    python -m experiments.known_worlds --measure discs                   # visible.json, before the first fit
    python -m experiments.known_worlds --picture discs                   # photos and renders
"""

import argparse
import json
import resource
import subprocess
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

import scenefit as sf
from experiments.known_worlds import digits, tables
from experiments.known_worlds.fitting import TRUE_SEED, diagnostics, fitted, learned, reference
from experiments.known_worlds.irrelevant import crops
from experiments.known_worlds.picture import sheet
from experiments.known_worlds.posterior import figures, of_renders
from experiments.known_worlds.score import Samples, dependence, difference, of_truth, score, summary, values_of
from experiments.known_worlds.uncorrected import NAME as UNCORRECTED
from experiments.known_worlds.visibility import measure
from experiments.known_worlds.world import HERE, PAINTED, World, recorded
from scenefit.files.atomic import write_bytes, write_json
from scenefit.inference.settings import METHODS, changed
from scenefit.scenes.rng import derive_seed

WORLDS = {**PAINTED, **digits.BUILDERS}
CELLS = HERE / "cells"
DRAWS, DRAWN = 10, 200  # sets of true scenes for the floor, and scenes in each
IRRELEVANT = 0.1  # share of irrelevant photos where some are mixed in
MAIN = ("prior", "npe", UNCORRECTED, "meta-sim")  # of the main table, which also shows cells of former methods


@dataclass(frozen=True)
class Cell:
    """method: a name of `scenefit.inference.settings.METHODS`, "prior" for no fit, or "npe-uncorrected", which has the
    settings of "npe".  photos: their number.  irrelevant: whether a tenth of the photos show something else.  changes:
    of the default settings, such as ("max_renders=20000",)."""

    world: str
    method: str
    seed: int
    photos: int = 200
    irrelevant: bool = False
    changes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        parts = [self.world, self.method, *self.changes, f"{self.photos}-photos",
                 *["irrelevant"] * self.irrelevant, f"seed-{self.seed}"]
        return "--".join(parts)

    @property
    def path(self) -> Path:
        return CELLS / f"{self.name}.json"

    @property
    def settings(self) -> sf.Settings:
        values = dict(change.split("=", 1) for change in self.changes)
        method = self.method if self.method in METHODS else "npe"
        return changed(sf.Settings(method=method), {path: json.loads(value) for path, value in values.items()})


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with mnist_full.npz; else no world of digits")
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    known = ["prior", UNCORRECTED, *(name for name in METHODS if name != "auto")]
    parser.add_argument("--methods", nargs="+", choices=known, default=MAIN)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--photos", type=int, nargs="+", default=[200])
    parser.add_argument("--irrelevant", action="store_true", help="a tenth of the photos show something else")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings other than the defaults")
    parser.add_argument("--table", action="store_true", help="compute nothing, write the table")
    parser.add_argument("--measure", nargs="+", choices=PAINTED, metavar="WORLD", help="measure visible.json")
    parser.add_argument("--picture", nargs="+", metavar="WORLD", help="draw photos and renders of these worlds")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.measure:
        return measure_worlds(options.measure)
    for name in options.picture or ():
        write_bytes(HERE / f"{name}.png", sheet(WORLDS[name](options.data, 0)))
    wanted = [Cell(world, method, seed, photos, options.irrelevant, tuple(options.set)) for world, method, photos, seed
              in product(options.worlds, options.methods, options.photos, options.seeds)]
    for cell in [] if options.table or options.picture else wanted:
        if not cell.path.exists() and (options.data or cell.world in PAINTED):
            in_own_process(cell, options.data)
    tables.write(CELLS, HERE / "README.md")
    return None


def measure_worlds(names: list[str]) -> None:
    """Visible attributes and the C2ST of worlds, into visible.json. What stands there is not measured again."""
    for name in names:
        if name not in recorded():
            write_json(HERE / "visible.json", {**recorded(), name: measure(PAINTED[name](None, 0))})
            recorded.cache_clear()
        Console().print(name, recorded()[name])


def in_own_process(cell: Cell, data: Path | None) -> None:
    """Compute a cell in a process of its own, whose CPU time and peak memory are the cell's."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        result = pool.submit(run, cell, data).result()
    write_json(cell.path, result)
    figures = ", ".join(f"{name} {value:.2f}" for name, value in result["summary"].items() if value is not None)
    Console().print(f"{cell.name}: {result['cpu_seconds']} CPU s; {figures}")


def run(cell: Cell, data: Path | None) -> dict[str, Any]:
    """Fit and score one cell."""
    torch.set_num_threads(1)
    world = WORLDS[cell.world](data, cell.seed)
    images, own = photos_of(world, cell)
    code = commit()  # before other commits are made beside a long fit
    done = fitted(world, cell.method, cell.settings, images, cell.seed)
    cost = {"cpu_seconds": round(done.cpu_seconds), "renders": done.renders,
            "peak_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    rows, joint = scored(world, done.model, cell.seed, own)
    names = [target.key for target in world.targets if world.visible.get(target.key, True)]
    covered = {"renders": of_renders(diagnostics(done.last), names),
               "photos": {} if own is None else figures(world, cell.method, done.last, images, own, cell.settings,
                                                        cell.seed)}
    return plain({**asdict(cell), **cost, "stopped": done.stopped, "commit": code, "summary": summary(rows),
                  "trace": done.trace, "coverage": covered, "dependence": joint, "attributes": rows})


def photos_of(world: World, cell: Cell) -> tuple[np.ndarray, Samples | None]:
    """The photos uint8 [N, H, W, 3] of a cell, and what is true of them, where it is known."""
    count = round(cell.photos * IRRELEVANT) if cell.irrelevant else 0
    seed = derive_seed(cell.seed, "photos") % 2**31
    images, truth = world.photos(seed, cell.photos - count)
    mixed = np.concatenate([images, crops(images.shape[1:3], count, seed)]) if count else images
    return mixed, None if truth is None else of_truth(truth)


def scored(world: World, model: Any, seed: int, own: Samples | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of each attribute, and correlations of the learned distribution, the prior and the truth. own: the true
    scenes of the photos, whose distance to the truth is added as "photos"."""
    mine, (prior, truth) = learned(world, model), reference(world, seed)
    draws = [world.true_scenes(TRUE_SEED + 1 + number, DRAWN) for number in range(DRAWS)]
    joint = {name: dependence(world.pairs, part) for name, part in
             (("learned", mine), ("prior", prior), ("truth", truth))}
    rows = score(world.targets, world.visible, mine, prior, truth, draws)
    for target in world.targets if own is not None else ():
        rows[target.key]["photos"] = round(difference(target, values_of(target, own), values_of(target, truth)), 4)
    return rows, joint


def commit() -> str:
    """The commit of the code, with "+" where files of the package differ from it."""
    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(HERE), *words], capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "--short=10", "HEAD") + "+" * bool(git("status", "--porcelain", "--", ":/src"))


def plain(value: Any) -> Any:
    """As JSON: NaN and infinity as None."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value
