"""Figures of an arm's detections, with those of resampled photos, so that cells alone give intervals of differences.

Legend: N photos; B resamples; I IoUs; C classes.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.blood import world
from experiments.blood.arms import Detections
from scenefit.data.boxes import Boxes
from scenefit.metrics.average_precision import match_boxes
from scenefit.metrics.froc import FALSE_PER_PHOTO
from scenefit.metrics.resampled_precision import IOUS, ranked
from scenefit.scenes.rng import generator

RESAMPLES = 400
AP50, AP, MISTAKES = "AP50", "AP", "false and missed"
MISSED = {false: f"missed at {false}" for false in FALSE_PER_PHOTO}  # false detections a photo, at most
SHARES = (AP50, AP, *MISSED.values())
PER_MILLE = 1000  # shares of resamples are kept as whole numbers of it
Floats = NDArray[np.float64]


def row(one: Detections, truth: Boxes) -> dict[str, Any]:
    """Figures of all photos; "resampled": of each resample, the same for all arms: shares per mille, and counts, as one
    text each."""
    weights = np.concatenate([np.ones((1, truth.count)), resamples(truth.count)])
    matches = [match_boxes(one.found, truth, float(iou)) for iou in IOUS]
    each = [[ranked(one.found, truth, match, name) for name in world.CLASSES] for match in matches]
    precision = np.array([[[own.average_precision(weight) for own in classes] for classes in each]
                          for weight in weights])  # [1 + B, I, C]
    shares = {AP50: np.nanmean(precision[:, 0], 1), AP: np.nanmean(precision, (1, 2)),
              **missed(one.found, truth, matches[0].true, weights)}
    confident = one.found.where(one.found.score >= one.threshold)
    match = match_boxes(confident, truth)
    errors = (np.bincount(confident.image[~match.true], minlength=truth.count)
              + np.bincount(truth.image[~match.detected], minlength=truth.count))
    return {**{name: round(float(values[0]), 4) for name, values in shares.items()},
            **{f"{AP50} {name}": round(float(value), 4)
               for name, value in zip(world.CLASSES, precision[0, 0], strict=True)},
            MISTAKES: int(errors.sum()), "false": int((~match.true).sum()), "missed": int((~match.detected).sum()),
            "threshold": round(one.threshold, 4), "cost": one.cost,
            "resampled": {MISTAKES: _text(weights[1:] @ errors),
                          **{name: _text(PER_MILLE * values[1:]) for name, values in shares.items()}}}


def missed(found: Boxes, truth: Boxes, true: NDArray[np.bool_], weights: Floats) -> dict[str, Floats]:
    """Share of the objects missed [B] with at most so many false detections a photo, for weights of photos [B, N].
    true: which detections are."""
    order = np.argsort(-found.score, kind="stable")
    image, true = found.image[order], true[order]
    out = {name: np.ones(len(weights)) for name in MISSED.values()}
    for b, weight in enumerate(weights):
        false, hits = (np.cumsum(weight[image] * which) for which in (~true, true))
        for allowed, name in MISSED.items():
            count = int(np.searchsorted(false, allowed * weight.sum(), side="right"))
            out[name][b] -= hits[count - 1] / weight[truth.image].sum() if count else 0
    return out


def resampled(row: Mapping[str, Any], name: str) -> Floats:
    """A figure of `row` in each resample [B]."""
    return np.array(row["resampled"][name].split(), float) / (PER_MILLE if name in SHARES else 1)


def _text(values: Floats) -> str:
    return " ".join(str(int(value)) for value in np.rint(values))


@cache
def resamples(photos: int) -> Floats:
    """How often each resample draws each photo [B, N], the same for all arms."""
    return generator(0, "resamples").multinomial(photos, np.full(photos, 1 / photos), RESAMPLES).astype(float)
