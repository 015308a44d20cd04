"""The arms with 10 labelled photos; see experiments/few_labels.py. What is selected from are the training distributions
of `scenefit train RUN --labelled`."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.arms import cost
from experiments.few_labels import LABELS, SELECTED, train
from experiments.kept_fits import NONE
from experiments.street_known import arms, fits, world
from experiments.street_known.fits import Fit
from scenefit.cli.train import CANDIDATES
from scenefit.scenes.rng import derive_seed


def tasks() -> dict[str, Any]:
    """Of the 10 photos there are as many changed copies as there are renders."""
    return {name: replace(task, augmented_copies=arms.IMAGES) for name, task in arms.TASKS.items()}


def cell(root: Path, arm: str, target: str, seed: int, size: tuple[int, int] = world.SIZE) -> dict[str, Any]:
    """An arm's figures on the photos of a target, and what was selected. Thresholds are set on the labelled photos."""
    fit = fits.record(Fit(root, fits.LEARNED, target, seed, size)) if arm == SELECTED else NONE
    started, trainings, sets = time.process_time(), 0, 0
    few, photos = (fits.photos(target, purpose, seed, count, size)
                   for purpose, count in (("labelled", LABELS), ("tested", arms.TESTED)))
    result: dict[str, Any] = {"arm": arm, "target": target, "seed": seed, "size": list(size), "labels": LABELS}
    for name, task in tasks().items():
        def images(source: str, task: Any = task) -> Any:
            return arms.labels(task, arms.images_of(Fit(root, source, target, seed, size), "train", arms.IMAGES))

        labelled = arms.labels(task, few)
        tuned = train(arm, task, images, list(CANDIDATES), few, labelled, derive_seed(seed, name), root / "stages")
        result[name] = {**arms.FIGURES[name](task, tuned.network, labelled, arms.labels(task, photos)),
                        **tuned.selection}
        trainings, sets = trainings + tuned.trainings, tuned.sets
    return {**result, "cost": cost(fit, sets * arms.IMAGES, trainings, started), "code": arms.code()}
