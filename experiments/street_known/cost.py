"""What the experiment will cost, from renders, short trainings and the fits' own estimates, as a table in Markdown:
python -m experiments.street_known.cost, which takes about five CPU minutes.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

import scenefit as sf
from experiments.cells import markdown
from experiments.few_labels import ARMS as LABELLED
from experiments.few_labels import SELECTED
from experiments.few_labels import WIDE as WIDE_LABELLED
from experiments.street_known import distances, fits, town, world
from experiments.street_known.arms import (
    FITTED,
    GRAMMARS,
    HALF_WIDE,
    HELD,
    IMAGES,
    NAIVE,
    TASKS,
    TESTED,
    WIDE,
    labels,
)
from experiments.street_known.fits import LEARNED, META_SIM
from experiments.street_known.study import MISSPECIFIED
from experiments.street_known.tables import ARMS
from scenefit.cli.train import CANDIDATES
from scenefit.inference.cost import fit_cost
from scenefit.inference.npe.method import COMPARED, CORRECTIONS, MAX_RENDERS, MIN_RENDERS, SIMULATED, Npe
from scenefit.tasks.selection import FOLDS

RENDERED, STEPS = 40, 10  # that are measured
SEED = 13
ONE = next(iter(TASKS))  # the task whose time for an image stands for both


def measured() -> dict[str, float]:
    """CPU seconds of each part."""
    torch.set_num_threads(1)
    found, images = dict[str, float](), dict[str, sf.Photos]()
    for name, grammar in {NAIVE: world.naive(), WIDE: world.wide(), town.TARGET: town.grammar()}.items():
        renderer, scenes = world.renderer(name), grammar.sample(SEED, RENDERED)
        world.labelled(renderer, scenes.take([0]))  # kernels and meshes
        images[name], seconds = timed(world.labelled, renderer, scenes)
        found[f"render, {name}"] = seconds / RENDERED
    for name, task in TASKS.items():
        _, *short = (timed(replace(task, steps=steps).train, *labels(task, images[WIDE]), SEED)[1]
                     for steps in (STEPS, STEPS, 3 * STEPS))
        found[f"step, {name}"] = (short[1] - short[0]) / (2 * STEPS)
        found[f"image, {name}"] = max(short[0] - STEPS * found[f"step, {name}"], 0) / RENDERED
    batches = (world.wide().sample(SEED, rows) for rows in distances.chunks())
    found["distances"] = timed(distances.visible, world.renderer(WIDE), batches)[1]
    photos = sf.Photos(np.concatenate([images[town.TARGET].images] * (fits.PHOTOS // RENDERED)))
    for name, settings in fits.SETTINGS.items():
        fit = fit_cost(world.wide(), world.renderer(WIDE), photos, settings=settings)
        found[f"renders, {name}"] = fit.renders
        found[f"fit, {name}"] = fit.renders * found[f"render, {WIDE}"]
        if isinstance(settings.chosen, Npe):  # the estimate leaves out renders that find out where objects are
            assert fit.cpu_seconds is not None
            counted = settings.chosen.rounds * (simulated() + CORRECTIONS * COMPARED)
            found[f"fit, {name}"] = fit.cpu_seconds + max(fit.renders - counted, 0) * found[f"render, {WIDE}"]
    return found


def simulated() -> int:
    """Renders of a round of the default fit."""
    return int(np.clip(SIMULATED / np.prod(world.SIZE) ** 0.5, MIN_RENDERS, MAX_RENDERS))


def timed(work: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """A result, and its CPU seconds."""
    began = time.process_time()
    return work(*arguments), time.process_time() - began


def of_cell(found: dict[str, float], arm: str, target: str) -> float:
    """CPU seconds of a cell, its fit apart."""
    def training(images: int, steps: float) -> float:
        return sum(images * found[f"image, {name}"] + steps * found[f"step, {name}"] for name in TASKS)

    steps = next(iter(TASKS.values())).steps
    tuned = training(IMAGES // 3, 2 * steps / 3)  # a third of the changed copies, two thirds of the steps
    looked = len(TASKS) * TESTED * found[f"image, {ONE}"] + TESTED * found[f"render, {town.TARGET}"]
    made = IMAGES * found[f"render, {WIDE}"] + training(IMAGES, steps)
    if arm == SELECTED:
        return looked + len(CANDIDATES) * (made + FOLDS * tuned) + tuned
    if arm == WIDE_LABELLED:
        return looked + made + tuned
    if arm in LABELLED:
        return looked + training(IMAGES, steps)
    kept = target == town.MISSPECIFIED and arm in GRAMMARS
    own = HELD * (found[f"render, {WIDE}"] + len(TASKS) * found[f"image, {ONE}"]) + 3 * found["distances"]
    return looked + own + (0 if kept else made)


def of_seed(found: dict[str, float], target: str) -> float:
    """CPU seconds of all cells of a seed, and of their fits."""
    names = ARMS if target == town.TARGET else MISSPECIFIED
    fitted = {FITTED[arm] for arm in names if arm in FITTED}
    return sum(of_cell(found, arm, target) for arm in names) + sum(found[f"fit, {name}"] for name in fitted)


def table() -> str:
    found = measured()

    def minutes(seconds: float) -> str:
        return f"{seconds / 60:.1f}" if seconds < 600 else f"{seconds / 60:.0f}"

    each = {target: of_seed(found, target) for target in world.TARGETS}
    both = sum(each.values())
    rows = [[f"fit of `{name}`: at most {found[f'renders, {name}']:,.0f} renders, and networks", minutes(
        found[f"fit, {name}"])] for name in (LEARNED, META_SIM)]
    rows += [[f"cell of `{arm}`, the fit apart", minutes(of_cell(found, arm, town.TARGET))]
             for arm in (NAIVE, HALF_WIDE, *LABELLED)]
    rows += [[f"one seed, {target}", minutes(seconds)] for target, seconds in each.items()]
    rows += [[f"{count} seeds of all arms", minutes(count * both)] for count in (2, 5)]
    times = ", ".join(f"{name} {found[f'render, {name}']:.3f}" for name in (NAIVE, WIDE, town.TARGET))
    steps = ", ".join(f"{name} {found[f'step, {name}']:.3f}" for name in TASKS)
    return (f"CPU seconds of a render: {times}; of a step of training: {steps}.\n\n"
            + markdown(["part", "CPU minutes"], rows))


def main() -> None:
    print(table())


if __name__ == "__main__":
    main()
