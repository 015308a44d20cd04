"""What kind of mistakes a detector makes: of each class, why a find is false, and what is missed.

Legend: d detections.
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

# Of false finds, the first that holds. Missed ones are labels.
KINDS = ("box off", "at the border", "on another find", "alone", "missed")
TOUCH = 0.1  # overlap (IoU) from which two boxes have to do with each other
EDGE = 2.0  # pixels


def mistakes(cells: Sequence[arms.Cell], truth: Boxes) -> dict[str, dict[str, float]]:
    """Class -> kind -> how many in all photos at each detector's own threshold, the mean of the cells."""
    each = [kinds(believed(cell), truth) for cell in cells]
    return {name: {kind: float(np.mean([one[name][kind] for one in each])) for kind in KINDS} for name in world.CLASSES}


def believed(cell: arms.Cell) -> Boxes:
    found, threshold = arms.finds(cell)
    return found.where(found.score >= threshold)


def kinds(found: Boxes, truth: Boxes) -> Mapping[str, Mapping[str, int]]:
    """Class -> kind -> how many.

    box off: it overlaps a label of its class, but by less than one half, or one that another find has.  at the border:
    no such label; it touches the image's border.  on another find: neither; it overlaps a surer find.  alone: nothing
    of this.
    """
    match = match_boxes(found, truth)
    why = np.select([near_label(found, truth), at_border(found), on_another(found)], range(3), 3)
    return {name: {**{kind: int((~match.true & (found.name == name) & (why == code)).sum())
                      for code, kind in enumerate(KINDS[:-1])},
                   KINDS[-1]: int((~match.detected & (truth.name == name)).sum())} for name in world.CLASSES}


def near_label(found: Boxes, truth: Boxes) -> NDArray[np.bool_]:
    """Whether each find [d] overlaps a label of its class."""
    out = np.zeros(len(found), bool)
    for image in range(truth.count):
        some, real = found.rows(image), truth.rows(image)
        if some.stop > some.start and real.stop > real.start:
            touch = overlaps(found.box[some], truth.box[real]) >= TOUCH
            out[some] = (touch & (found.name[some][:, None] == truth.name[real][None])).any(1)
    return out


def on_another(found: Boxes) -> NDArray[np.bool_]:
    """Whether each find [d] overlaps a surer one, of any class."""
    out = np.zeros(len(found), bool)
    for image in range(found.count):
        some = found.rows(image)
        surer = found.score[some][None] > found.score[some][:, None]
        out[some] = ((overlaps(found.box[some], found.box[some]) >= TOUCH) & surer).any(1)
    return out


def at_border(found: Boxes) -> NDArray[np.bool_]:
    height, width = world.SIZE
    low, high = found.box[:, :2], found.box[:, 2:]
    return (low <= EDGE).any(1) | (high >= np.array([width, height]) - EDGE).any(1)


def overlaps(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    found: Any = iou(torch.from_numpy(first), torch.from_numpy(second)).numpy()
    return found
