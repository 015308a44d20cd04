"""Renders until the learned distribution is near the truth: `python -m benchmarks.gradients`.

The default fit beside descents from the prior with each gradient, on a tray of shapes with 100 learned attributes and
on a street with ten (gradient_worlds.py). A fit has arrived when its distance to the known truth is a quarter of the
prior's; one that does not arrive counts as the cap. Renders are those that a fit counts itself.

A descent has the pixels, averaged to a quarter of the size, as features, and as many steps as the cap allows. Its
learning rate is the best of some, by the distance at the end of a shorter descent with another seed. A row is written
to gradients.json as soon as it is known, and none is computed twice; then the table of README.md is written anew.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

import scenefit as sf
from benchmarks.gradient_worlds import WORLDS, World, distance_to_truth
from experiments.cells import markdown, put_between
from scenefit.files.atomic import write_bytes
from scenefit.metrics.features import pixels
from scenefit.scenes.rng import derive_seed

HERE = Path(__file__).parent
RESULTS = HERE / "gradients.json"
START, END = "<!-- gradients: written by the command -->", "<!-- end of gradients -->"
# What counts as having arrived: the mean, or the median, over attributes of their distances, over the prior's.
LEVELS = (("mean", 0.5), ("mean", 0.25), ("mean", 0.1), ("median", 0.1))
PHOTOS = 500
MORE = 1.05  # the distance is measured wherever a fit has rendered so many times as many images as at the last time
MEASURED = 128  # renders of each measurement of the MMD at the end of a descent
BATCH = {"pathwise": 64, "finite-difference": 64, "spsa": 64, "score-function": 128}
SEEDS: dict[str, dict[str, int]] = {  # of methods that are not named, one
    "shapes": {"npe": 2, "finite-difference": 2, "pathwise": 2}, "street": {}}
TRIAL_SEED = 100
SHORT = {"shapes": 100_000, "street": 10_000}  # cap of a trial of a learning rate
RATES: dict[str, dict[str, tuple[float, ...]]] = {
    "shapes": {"finite-difference": (0.3, 0.5, 0.7), "spsa": (0.01, 0.03, 0.1),
               "score-function": (0.003, 0.01, 0.03, 0.1)},
    "street": dict.fromkeys(("finite-difference", "spsa", "score-function"), (0.05, 0.15))}
PATHWISE = 16_000  # renders of a whole pathwise descent, about those of a default fit
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """method: "npe", the default, or a gradient.  rate: the learning rate of a descent.  cap: of its renders.  steps:
    0 for as many as the cap allows.  features: "pixels" or "regressor"."""

    world: str
    method: str
    seed: int
    rate: float = 0.0
    cap: int = 0
    steps: int = 0
    features: str = ""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", nargs="+", choices=list(WORLDS), default=list(WORLDS))
    parser.add_argument("--table", action="store_true", help="compute nothing, write the table alone")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows: list[Row] = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    for name in [] if options.table else options.worlds:
        for case in chain(trials(WORLDS[name]), cases(WORLDS[name], rows)):  # lazily: cases depend on trials
            if found(rows, case) is None:
                rows.append(computed(case))
                save(rows)
    text = table(rows)
    Console(width=200).print(text, markup=False, highlight=False)
    put_between(HERE / "README.md", START, END, text)


def save(rows: Sequence[Row]) -> None:
    """One row a line."""
    write_bytes(RESULTS, ("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n").encode())


def trials(world: World) -> Iterator[Case]:
    """Of learning rates. Where the renderer is differentiable, the pathwise gradient stands for finite differences:
    the same gradient, step by step, for fewer renders."""
    for method, rates in RATES[world.name].items():
        for rate in rates:
            yield trial(world, method, rate)


def trial(world: World, method: str, rate: float) -> Case:
    if method == "finite-difference" and world.differentiable:
        steps = steps_within(world, method, world.cap)  # of finite differences
        return Case(world.name, "pathwise", TRIAL_SEED, rate, 0, steps, "pixels")
    return Case(world.name, method, TRIAL_SEED, rate, SHORT[world.name], 0, "pixels")


def cases(world: World, rows: Sequence[Row]) -> Iterator[Case]:
    """Those of the table, once the trials are known."""
    def seeds(method: str) -> range:
        return range(SEEDS[world.name].get(method, 1))

    for seed in seeds("npe"):
        yield Case(world.name, "npe", seed)
    for method in RATES[world.name]:
        for seed in seeds(method):
            yield Case(world.name, method, seed, best_rate(world, method, rows), world.cap, 0, "pixels")
    if world.differentiable:
        rate = best_rate(world, "finite-difference", rows)
        for features, seed in product(("pixels", "regressor"), seeds("pathwise")):
            yield Case(world.name, "pathwise", seed, rate, PATHWISE, 0, features)


def best_rate(world: World, method: str, rows: Sequence[Row]) -> float:
    """The one whose trial ended nearest to the truth."""
    ends = {rate: found(rows, trial(world, method, rate)) for rate in RATES[world.name][method]}
    return min((row["end"]["mean"], rate) for rate, row in ends.items() if row is not None)[1]


def found(rows: Sequence[Row], case: Case) -> Row | None:
    """The row of a case, if it was computed."""
    return next((row for row in rows if asdict(case).items() <= row.items()), None)


def steps_within(world: World, method: str, cap: int, features: str = "pixels") -> int:
    """Steps of a descent that so many renders allow."""
    each = {"finite-difference": 1 + 2 * world.learned, "spsa": 3}.get(method, 1)
    left = cap - 3 * MEASURED - (sf.Regressor().renders if features == "regressor" else 0)
    return max(left // (each * BATCH[method]), 1)


def computed(case: Case, photos: int = PHOTOS) -> dict[str, Any]:
    """The row of a case: where its fit ended and, but for trials, where it was after its steps.  cpu_seconds: of the
    fit alone."""
    world, settings, features = WORLDS[case.world], sf.Settings(), None
    if case.method != "npe":
        steps = case.steps or steps_within(world, case.method, case.cap, case.features)
        settings = sf.Settings("none", descent=sf.Descent(steps, BATCH[case.method], case.rate, case.method),
                               validation_renders=MEASURED)
        height, width = world.size
        features = pixels((height // 4, width // 4)) if case.features == "pixels" else None
    renderer, distance = world.make(), distance_to_truth(world, case.seed)
    images = sf.render(renderer, world.truth(case.seed).sample(derive_seed(case.seed, "photos"), photos)).images
    trace: list[dict[str, Any]] = []
    spent, began = 0.0, time.process_time()
    for step in sf.fit_steps(world.prior(), renderer, images, seed=case.seed, settings=settings, features=features):
        spent += time.process_time() - began
        if not trace or step.renders >= MORE * trace[-1]["renders"] or step.done == step.of:
            mean, median = distance(step.model)
            trace.append({"renders": step.renders, "mean": round(mean, 4), "median": round(median, 4)})
        began = time.process_time()
    row = {**asdict(case), "cpu_seconds": round(spent, 1), "end": trace[-1]}
    Console(width=200).print(str(row), highlight=False)
    return row if case.seed == TRIAL_SEED else {**row, "trace": trace}


def arrival(row: Row, measure: str, level: float) -> int | None:
    """Renders until the distance is at most a level; None where it never is."""
    return next((point["renders"] for point in row["trace"] if point[measure] <= level), None)


def table(rows: Sequence[Row]) -> str:
    """Of each world and method, renders of each seed to each level. Below, how many times fewer those of the default
    are than those of finite differences; what does not arrive counts as the cap, and seeds are averaged."""
    head = ["world", "method", "learning rate", *(f"to {measure} {level}" for measure, level in LEVELS),
            "mean, median at the end", "CPU s"]
    lines: list[list[str]] = []
    for world in WORLDS.values():
        groups: dict[tuple[str, float], list[Row]] = {}
        for row in rows:
            if row["world"] == world.name and row["seed"] != TRIAL_SEED:
                name = row["method"] + (", regressor's features" if row["features"] == "regressor" else "")
                groups.setdefault((name, row["rate"]), []).append(row)
        cost = {}
        for (name, rate), some in groups.items():
            at = [[arrival(row, *level) for row in some] for level in LEVELS]
            cost[name] = [float(np.mean([world.cap if one is None else one for one in own])) for own in at]
            lines.append([world.name, name, f"{rate:g}" if rate else "",
                          *("; ".join("-" if one is None else f"{one:,}" for one in own) for own in at),
                          "; ".join(f"{row['end']['mean']:.2f}, {row['end']['median']:.2f}" for row in some),
                          f"{np.mean([row['cpu_seconds'] for row in some]):,.0f}"])
        if {"npe", "finite-difference"} <= cost.keys():
            ratios = np.divide(cost["finite-difference"], cost["npe"])
            lines.append([world.name, "finite differences / npe", "", *(f"{ratio:.1f}" for ratio in ratios), "", ""])
    return markdown(head, lines)


if __name__ == "__main__":
    main()
