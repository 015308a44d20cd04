"""Average precision of resampled photos.

Whether a detection is true does not depend on other photos, so detections are matched once, and a resample of photos
only changes their weights. Legend: N photos; d detections; t true boxes; C classes; I IoUs; B resamples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes, join_boxes
from scenefit.metrics.average_precision import Match, match_boxes

RECALLS = np.linspace(0, 1, 101)  # at which COCO averages the precision
IOUS = np.linspace(0.5, 0.95, 10)  # over which COCO averages
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DetectionScore:
    """Boxes that are predicted in N labelled images, and the true ones."""

    predicted: Boxes
    truth: Boxes

    def __len__(self) -> int:
        return self.truth.count

    def resampled(self, weights: Floats) -> Floats:
        """Average precision [B] as of `resampled_precision`, for weights of the images [B, N]."""
        return resampled_precision(self.predicted, self.truth, weights)


def join_detections(parts: Sequence[DetectionScore]) -> DetectionScore:
    """Of several sets of images as of one set."""
    return DetectionScore(join_boxes([part.predicted for part in parts]), join_boxes([part.truth for part in parts]))


@dataclass(frozen=True, eq=False)
class Ranked:
    """The detections of one class, by falling confidence.

    image [d]: their photos.  true: indices of the true positives among them.  truth [t]: photos of the labels.
    """

    image: NDArray[np.int64]
    true: NDArray[np.int64]
    truth: NDArray[np.int64]

    def average_precision(self, weight: Floats) -> float:
        """0..1, if each photo counts weight [N] times; NaN if the weighted photos have no label."""
        total = weight[self.truth].sum()
        if total == 0:
            return float("nan")
        true_positives = np.cumsum(weight[self.image[self.true]])
        if not len(true_positives) or true_positives[-1] == 0:
            return 0.0
        positives = np.cumsum(weight[self.image])[self.true]
        precision = true_positives / np.maximum(positives, 1e-12)
        interpolated = np.maximum.accumulate(precision[::-1])[::-1]
        rank = np.searchsorted(true_positives / total, RECALLS)
        return float(np.append(interpolated, 0.0)[rank].mean())


def ranked(predicted: Boxes, truth: Boxes, match: Match, name: str) -> Ranked:
    """The detections of class `name`, matched with the true boxes."""
    rows = np.flatnonzero(predicted.name == name)
    rows = rows[np.argsort(-predicted.score[rows], kind="stable")]
    return Ranked(predicted.image[rows], np.flatnonzero(match.true[rows]), truth.image[truth.name == name])


def resampled_precision(predicted: Boxes, truth: Boxes, weights: Floats,
                        ious: Sequence[float] | Floats = IOUS) -> Floats:
    """Average precision [B], mean over the classes of the true boxes and the IoUs [I], for weights of photos [B, N].

    As of `average_precision` where all weights are 1. A class without a box in a resample is left out of its mean; NaN
    for a resample without any box.
    """
    classes = sorted(set(truth.name.tolist()))
    sets = [[ranked(predicted, truth, match, name) for name in classes]
            for match in (match_boxes(predicted, truth, float(iou)) for iou in ious)]
    values = np.array([[[one.average_precision(weight) for one in own] for own in sets] for weight in weights])
    known = ~np.isnan(values)  # [B, I, C]
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum((1, 2)) / known.sum((1, 2))
