"""Photos of the target beside renders of three distributions, and what networks trained on these find in other photos,
as report.png."""

from dataclasses import replace
from pathlib import Path

from experiments.picture_rows import stacked
from experiments.street_known import fits, town
from experiments.street_known.arms import (
    DETECTION,
    HELD,
    IMAGES,
    NAIVE,
    ORACLE,
    SEGMENTATION,
    TASKS,
    WIDE,
    images_of,
    labels,
    trained,
)
from experiments.street_known.fits import LEARNED, Fit
from experiments.street_known.picture import COLUMNS, row

RENDERED = {NAIVE: "Naive grammar", WIDE: "Wide grammar", LEARNED: "Learned from photos without labels"}
SHOWN = {NAIVE: "naive grammar", LEARNED: "learned renders (no labels)", ORACLE: "target itself"}
SEED = 0


def picture(root: Path) -> bytes:
    """A PNG file: of the first photos and renders of seed 0."""
    def fit(arm: str) -> Fit:
        return Fit(root, arm, town.TARGET, SEED)

    photos = fits.photos(town.TARGET, "tested", SEED, COLUMNS)
    parts = row("Photos of the target, and the truth", photos)
    for arm, title in RENDERED.items():
        parts += row(title, images_of(fit(arm), "train", IMAGES).take(range(COLUMNS)))
    for arm, title in SHOWN.items():
        detector, segmenter = (trained(fit(arm), name) for name in (DETECTION, SEGMENTATION))
        detect, held = TASKS[DETECTION], images_of(fit(arm), "held", HELD)
        threshold = detect.best_threshold(detect.score(detector, *labels(detect, held)))
        boxes = detect.predict(detector, photos.images)
        found = replace(photos, boxes=boxes.where(boxes.score >= threshold),
                        masks=TASKS[SEGMENTATION].segment(segmenter, photos.images))
        parts += row(f"Found after training on the {title}", found)
    return stacked(parts)
