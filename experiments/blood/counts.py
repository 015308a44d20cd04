"""Counts and sizes of learned cells, against people's labels: `python -m experiments.blood.counts --data FOLDER`.

Each seed is fitted with the default settings of "npe" to the 155 matched photos (flat field removed, `world.HAND`),
without labels, from the widest prior, in a process of its own. Its JSON in count_cells/ is committed and never computed
twice. The labels of the matched photos are read for this table alone. Legend: N photos; C classes.

    python -m experiments.blood.counts --data FOLDER --seeds 0 1
    python -m experiments.blood.counts --data FOLDER --table         # the table alone, also into README.md
"""

import argparse
import json
import resource
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

import scenefit as sf
from experiments.blood import arms, world
from experiments.cells import markdown, put_between
from scenefit.data.boxes import Boxes
from scenefit.files.atomic import write_json
from scenefit.inference.settings import changed
from scenefit.metrics.wasserstein import wasserstein
from scenefit.nets.model import PriorModel

HERE = Path(__file__).parent
CELLS = HERE / "count_cells"
START, END = "<!-- counts: written by experiments.blood.counts -->", "<!-- end of counts -->"
EACH = 2  # scenes for each photo
DRAWS = 200  # pairs of halves of the photos, for the floor
TYPICAL = (12, 1, 0)  # red cells, white cells and platelets that a constant takes
LABELLED, PRIOR = "labels", "prior"
Row = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with JPEGImages, Annotations and ImageSets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings other than the defaults")
    parser.add_argument("--table", action="store_true", help="compute nothing, write the table")
    options = parser.parse_args(arguments)
    references = [(LABELLED, 0), (PRIOR, 0)]
    for name, seed in [] if options.table else [*references, *(("npe", seed) for seed in options.seeds)]:
        changes = tuple(options.set) if name == "npe" else ()
        path = CELLS / f"{'--'.join([name, *changes])}--seed-{seed}.json"
        if not path.exists():
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                write_json(path, pool.submit(run, name, seed, changes, options.data).result())
    text = table([json.loads(path.read_text()) for path in sorted(CELLS.glob("*.json"))])
    Console(width=200).print(text, markup=False, highlight=False)
    put_between(HERE / "README.md", START, END, text)


def run(name: str, seed: int, changes: Sequence[str], data: Path) -> Row:
    """The figures of one source: of the labels themselves, of the prior, or of a fit."""
    torch.set_num_threads(1)
    labels = sf.read_boxes(data, world.SIZE, world.MATCHED).boxes
    assert labels is not None
    about = {"source": name, "seed": seed, "changes": list(changes)}
    if name == LABELLED:
        return {**about, **of_labels(labels)}
    photos, tree = world.unlabelled(data, world.HAND), world.wide(1.0)
    model: Any = PriorModel(tree, seed)
    renders, began = 0, time.process_time()
    if name != PRIOR:
        values = dict(change.split("=", 1) for change in changes)
        settings = changed(sf.Settings(method=name), {path: json.loads(value) for path, value in values.items()})
        for step in sf.fit_steps(tree, world.HAND.renderer, photos, seed=seed, settings=settings):
            model, renders = step.model, step.renders
    cost = {"cpu_seconds": round(time.process_time() - began), "renders": renders,
            "peak_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "code": arms.code()}
    found = arms.rendered(model.sample, world.HAND, np.arange(EACH * labels.count))[1]
    return {**about, **cost, "classes": compared(labels, found)}


def compared(labels: Boxes, found: Boxes) -> dict[str, dict[str, float]]:
    """Class -> Wasserstein distance of the counts of boxes in an image to the labels', and mean, standard deviation and
    median side, px, with the last two also relative to the labels'."""
    out, (theirs, ours) = {}, (world.count(boxes) for boxes in (labels, found))
    for code, name in enumerate(world.CLASSES):
        side, true = median_side(found, name), median_side(labels, name)
        row = moments(ours[:, code])
        own = {**row, "wasserstein": wasserstein(ours[:, code], theirs[:, code]),
               "relative sd": row["sd"] / max(float(np.std(theirs[:, code])), 1e-9), "side": side,
               "relative side": side / max(true, 1e-9)}
        out[name] = {key: round(float(value), 4) for key, value in own.items()}
    return out


def of_labels(labels: Boxes) -> Row:
    """Class -> the same moments of the labels; "floor", the mean distance between the counts of two halves of the
    photos, and "constant", that of the same count in every photo."""
    counts, random = world.count(labels), np.random.default_rng(0)
    halves = [random.permutation(len(counts)) for _ in range(DRAWS)]
    out = {}
    for code, name in enumerate(world.CLASSES):
        own = counts[:, code]
        floor = float(np.mean([wasserstein(own[rows[::2]], own[rows[1::2]]) for rows in halves]))
        constant = wasserstein(np.full(len(own), TYPICAL[code]), own)
        out[name] = {key: round(float(value), 4) for key, value in
                     {**moments(own), "side": median_side(labels, name), "floor": floor,
                      "constant": constant}.items()}
    return {"classes": out}


def moments(values: np.ndarray) -> dict[str, float]:
    """Mean and standard deviation."""
    return {"mean": float(np.mean(values)), "sd": float(np.std(values))}


def median_side(boxes: Boxes, name: str) -> float:
    """Median of the sides of a class's boxes in pixels; 0 if it has none."""
    own = boxes.box[boxes.name == name]
    return float(np.median(own[:, 2:] - own[:, :2])) if len(own) else 0.0


def table(cells: Sequence[Row]) -> str:
    """One row for each source; seeds of a fit have rows of their own."""
    head = ["counts and sizes of", *(f"{name}: {what}" for name in world.CLASSES for what in ("W", "mean", "sd %")),
            "RBC: side %", "CPU s", "renders", "MiB"]
    rows = []
    for cell in sorted(cells, key=lambda cell: (cell["source"] != LABELLED, cell["source"] != PRIOR, cell["changes"],
                                                cell["seed"])):
        classes = cell["classes"]
        if cell["source"] == LABELLED:
            first = classes[world.CLASSES[0]]
            rows += [line("two halves of the labels", {name: {"wasserstein": one["floor"], "mean": one["mean"],
                                                              "relative sd": 1.0} for name, one in classes.items()},
                          {"relative side": 1.0 if first["side"] else None}),
                     line("a constant: 12 red cells, 1 white cell, no platelet", {
                         name: {"wasserstein": one["constant"], "mean": float(value), "relative sd": 0.0}
                         for (name, one), value in zip(classes.items(), TYPICAL, strict=True)}, {}),
                     line("former methods (as the task for this method gave them)", {
                         "RBC": {"wasserstein": 6.0, "mean": 17.0},
                         "Platelets": {"wasserstein": 6.1, "mean": 7.0}}, {})]
        else:
            name = "the prior" if cell["source"] == PRIOR else ", ".join([
                cell["source"], *cell["changes"], f"seed {cell['seed']}"])
            rows.append(line(name, classes, classes["RBC"], cell if cell["renders"] else {}))
    return markdown(head, rows)


def line(name: str, classes: Mapping[str, Any], red: Mapping[str, Any], cost: Mapping[str, Any] = {}) -> list[str]:
    """Cells of a row; empty where a figure is not known."""
    out = [name]
    for one in world.CLASSES:
        row = classes.get(one, {})
        out += [f"{row[key] * factor:.{digits}f}" if row.get(key) is not None else "" for key, factor, digits in
                (("wasserstein", 1, 2), ("mean", 1, 1), ("relative sd", 100, 0))]
    side = red.get("relative side")
    return [*out, "" if side is None else f"{100 * side:.0f}",
            *(f"{cost[key]:,}" if key in cost else "" for key in ("cpu_seconds", "renders", "peak_MiB"))]


if __name__ == "__main__":
    main()
