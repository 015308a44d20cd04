"""Types of a detector's errors: why a detection is false, per class, and how many labels are missed.

Legend: d detections; t labels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.blood import arms, world
from scenefit.data.boxes import Boxes
from scenefit.metrics.average_precision import match_boxes
from scenefit.metrics.iou_and_nms import iou

# Types of false detections, in the order in which they are tested, and of missed labels. Keys of result.json.
TYPES = ("box off", "at the border", "on another find", "alone", "missed")
MIN_IOU = 0.1  # from which two boxes count as overlapping
EDGE = 2.0  # pixels


def error_types(cells: Sequence[arms.Cell], truth: Boxes) -> dict[str, dict[str, float]]:
    """Class -> type -> number of errors in all photos at each detector's own threshold, mean over cells."""
    each = [count_errors(confident(cell), truth) for cell in cells]
    return {name: {kind: float(np.mean([one[name][kind] for one in each])) for kind in TYPES} for name in world.CLASSES}


def confident(cell: arms.Cell) -> Boxes:
    """A cell's detections at or above its threshold."""
    predicted, threshold = arms.predictions(cell)
    return predicted.where(predicted.score >= threshold)


def count_errors(predicted: Boxes, truth: Boxes) -> Mapping[str, Mapping[str, int]]:
    """Class -> type -> number of errors.

    box off: overlaps a label of its class, but with IoU below one half, or a label that another detection matches.
    at the border: no such label; it touches the image's border.  on another find: neither; it overlaps a more confident
    detection.  alone: none of these.  missed: labels without a detection.
    """
    match = match_boxes(predicted, truth)
    why = np.select([near_label(predicted, truth), at_border(predicted), near_detection(predicted)], range(3), 3)
    return {name: {**{kind: int((~match.true & (predicted.name == name) & (why == code)).sum())
                      for code, kind in enumerate(TYPES[:-1])},
                   TYPES[-1]: int((~match.detected & (truth.name == name)).sum())} for name in world.CLASSES}


def near_label(predicted: Boxes, truth: Boxes) -> NDArray[np.bool_]:
    """Whether each detection [d] overlaps a label of its class."""
    out = np.zeros(len(predicted), bool)
    for image in range(truth.count):
        ours, theirs = predicted.rows(image), truth.rows(image)
        if ours.stop > ours.start and theirs.stop > theirs.start:
            overlap = pairwise_iou(predicted.box[ours], truth.box[theirs]) >= MIN_IOU
            out[ours] = (overlap & (predicted.name[ours][:, None] == truth.name[theirs][None])).any(1)
    return out


def near_detection(predicted: Boxes) -> NDArray[np.bool_]:
    """Whether each detection [d] overlaps a more confident one, of any class."""
    out = np.zeros(len(predicted), bool)
    for image in range(predicted.count):
        ours = predicted.rows(image)
        more_confident = predicted.score[ours][None] > predicted.score[ours][:, None]
        out[ours] = ((pairwise_iou(predicted.box[ours], predicted.box[ours]) >= MIN_IOU) & more_confident).any(1)
    return out


def at_border(predicted: Boxes) -> NDArray[np.bool_]:
    """Whether each box [d] touches the image's border."""
    height, width = world.SIZE
    low, high = predicted.box[:, :2], predicted.box[:, 2:]
    return (low <= EDGE).any(1) | (high >= np.array([width, height]) - EDGE).any(1)


def pairwise_iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of boxes [d, 4] and [t, 4] -> [d, t]."""
    result: Any = iou(torch.from_numpy(first), torch.from_numpy(second)).numpy()
    return result
