"""The arms with 10 labelled photos; see experiments/few_labels.py."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.aerial2d import arms, fits, world
from experiments.aerial2d.fits import Fit
from experiments.arms import cost
from experiments.few_labels import LABELS, SELECTED, train
from experiments.kept_fits import NONE
from experiments.segmentation_figures import figures

CANDIDATES = ("learned, all", "wide", "shrunk")  # the default first
TASK = replace(arms.TASK, augmented_copies=arms.IMAGES)  # of the 10 photos, as many changed copies as there are renders


def cell(root: Path, arm: str, target: str, seed: int, side: int = world.SIZE) -> dict[str, Any]:
    """An arm's figures on the photos of a target, and what was selected. Thresholds are set on the labelled photos."""
    started = time.process_time()
    few, photos = (fits.photos(target, purpose, seed, count, side)
                   for purpose, count in (("labelled", LABELS), ("tested", arms.TESTED)))
    assert few.masks is not None and photos.masks is not None
    labelled = few.images, few.masks
    tuned = train(arm, TASK, lambda name: arms.images_of(Fit(root, name, target, seed, side), "train", arms.IMAGES),
                  CANDIDATES, few, labelled, seed, root / "stages")
    fit = fits.record(Fit(root, CANDIDATES[0], target, seed, side)) if arm == SELECTED else NONE
    return {"arm": arm, "target": target, "seed": seed, "side": side, "labels": LABELS,
            **figures(TASK, tuned.network, labelled, (photos.images, photos.masks)), **tuned.selection,
            "cost": cost(fit, tuned.sets * arms.IMAGES, tuned.trainings, started), "code": arms.code()}
