"""The arms with 10 labelled photos, as `scenefit train RUN --labelled` makes them: the training images are selected by
them, and the network is fine-tuned on them. Beside it: the wide grammar's images and the same photos, and these alone.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.aerial2d import arms, fits, world
from experiments.aerial2d.fits import Fit
from experiments.kept_fits import kept_in, last
from scenefit.scenes.rng import derive_seed
from scenefit.tasks.selection import FOLDS, select_steps
from scenefit.tasks.training_stages import TrainingData, train_stages

LABELS = 10
SELECTED, WIDE, ALONE = "selected, 10 labels", "wide, 10 labels", "10 labels"
ARMS = (SELECTED, WIDE, ALONE)
CANDIDATES = ("learned, all", "wide", "shrunk")  # the default first
TASK = replace(arms.TASK, augmented_copies=arms.IMAGES)  # of the 10 photos, as many changed copies as there are renders


def cell(root: Path, arm: str, target: str, seed: int, side: int = world.SIZE) -> dict[str, Any]:
    """An arm's figures on the photos of a target, and what was selected. Thresholds are set on the labelled photos."""
    few = fits.photos(target, "labelled", seed, LABELS, side)
    assert few.masks is not None
    labelled, own = (few.images, few.masks), derive_seed(seed, "network")
    started, more, chosen = time.process_time(), dict[str, Any](), "wide"
    kept = kept_in(root / "stages")

    def data(name: str, tuned: bool) -> TrainingData:
        images = arms.images_of(Fit(root, name, target, seed, side), "train", arms.IMAGES)
        return TrainingData(images, None, labelled if tuned else None)

    if arm == SELECTED:
        selection = last(select_steps(TASK, {name: data(name, False) for name in CANDIDATES}, few, own, kept)).selection
        chosen, more = selection.chosen, {"selection": vars(selection), "CPU seconds of the selection":
                                          round(time.process_time() - started)}
    if arm == ALONE:
        network = TASK.train(*labelled, own)
    else:
        network = last(train_stages(TASK, data(chosen, True), own, kept)).network
    fit = fits.record(Fit(root, CANDIDATES[0], target, seed, side)) if arm == SELECTED else fits.NONE
    sets = {SELECTED: len(CANDIDATES), WIDE: 1, ALONE: 0}[arm]
    trainings = {SELECTED: sets * (1 + FOLDS) + 1, WIDE: 2, ALONE: 1}[arm]
    return {"arm": arm, "target": target, "seed": seed, "side": side, "labels": LABELS,
            **arms.figures(network, labelled, fits.photos(target, "tested", seed, arms.TESTED, side)), **more,
            "cost": arms.cost(fit, sets * arms.IMAGES, trainings, started), "code": arms.code()}
