"""Average precision as KITTI's object detection states it: for easy, moderate and hard objects.

An object counts for a difficulty where its box is high enough, and it is neither occluded nor truncated too much. All
others of its class are ignored: they need not be found, and a detection of one is not false. The same holds for objects
of a class that is hardly told from it (vans among cars), for regions that the labels mark as such (DontCare), and for
detections below the least height that match no object. Precision is interpolated, the best at this recall or a higher
one, and averaged over the recalls 1/40, 2/40, ... 1.
Detections are matched as COCO does, each with the free object of the highest IoU, in order of their scores, objects
that count before those that are ignored. KITTI's program differs: it samples 41 of the scores, and no more than it has
true detections, so that its values are far lower for fewer than 40 objects; a box of exactly the least height is too
low; a detection below the least height is never true; and each object takes the detection of the highest IoU.
Source: Geiger et al. 2012; the readme of KITTI's object development kit; 40 recalls: Simonelli et al. 2019.
Legend: N images; m boxes; d detections; t true boxes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes
from scenefit.metrics.average_precision import match_boxes

NEEDED = ("occlusion", "truncation")  # of `Boxes.more`
ROUNDING = 1e-6  # pixels, of heights that were scaled there and back
NEIGHBOURS = {"car": "van", "pedestrian": "person_sitting"}  # class -> the one whose objects are ignored, small letters
RECALLS = np.arange(1, 41) / 40
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Difficulty:
    """Which objects count. min_height: of the box, pixels of the labelled photo.  max_occlusion: level, 0..3.
    max_truncation: share outside the image."""

    name: str
    min_height: float
    max_occlusion: int
    max_truncation: float


DIFFICULTIES = (Difficulty("easy", 40, 0, 0.15), Difficulty("moderate", 25, 1, 0.30), Difficulty("hard", 25, 2, 0.50))


def has_difficulties(truth: Boxes) -> bool:
    """Whether labels say how much of each object is occluded and truncated, as KITTI's do."""
    return len(truth) > 0 and all(name in truth.more for name in NEEDED)


def counted_objects(truth: Boxes, difficulty: Difficulty, scale: Floats | None = None) -> Mask:
    """Which true boxes [t] count; a truncation of -1, unknown, is none.

    scale [N]: pixels of the boxes for each pixel of the labelled photo, 1 if None.
    """
    return ((_heights(truth, scale) >= difficulty.min_height) & (truth.more["occlusion"] <= difficulty.max_occlusion)
            & (truth.more["truncation"] <= difficulty.max_truncation))


def kitti_precision(predicted: Boxes, truth: Boxes, name: str, difficulty: Difficulty, min_iou: float = 0.7,
                    ignored: Boxes | None = None, scale: Floats | None = None) -> float:
    """Average precision of one class, 0..1; NaN where no object counts.

    truth: with "occlusion" and "truncation" among `Boxes.more`.  ignored: regions of the images.  scale [N]: as of
    `counted_objects`. ValueError for sets of other images.
    """
    own, counts = truth.name == name, counted_objects(truth, difficulty, scale)
    others = np.array([one.lower() == NEIGHBOURS.get(name.lower()) for one in truth.name.tolist()], bool)
    found = predicted.where(predicted.name == name)
    true = match_boxes(found, truth.where(own & counts), min_iou).true
    left = np.flatnonzero(~true)
    passed = match_boxes(found.where(~true), _named(truth.where((own & ~counts) | others), name), min_iou).true
    free = np.zeros(len(found), bool)
    free[left] = passed | (_heights(found, scale)[left] < difficulty.min_height)
    if ignored is not None:
        free[left] |= _inside(found.where(~true), ignored) >= min_iou
    return interpolated_precision(true[~free], found.score[~free], int((own & counts).sum()))


def interpolated_precision(true: Mask, score: Floats, objects: int) -> float:
    """Mean over `RECALLS` of the best precision at each recall or above. true, score [d]: of the detections."""
    if objects == 0:
        return float("nan")
    hits = np.cumsum(true[np.argsort(-score, kind="stable")])
    precision = hits / np.arange(1, len(hits) + 1)
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(best[np.searchsorted(hits, np.ceil(RECALLS * objects - 1e-9))].mean())


def _heights(boxes: Boxes, scale: Floats | None) -> Floats:
    """Heights [m] in pixels of the labelled photos, and `ROUNDING` more, so that the limits themselves count."""
    height = boxes.box[:, 3] - boxes.box[:, 1]
    return ROUNDING + (height if scale is None else height / scale[boxes.image])


def _named(boxes: Boxes, name: str) -> Boxes:
    return Boxes(boxes.count, boxes.image, boxes.box, np.full(len(boxes), name), boxes.score)


def _inside(found: Boxes, regions: Boxes) -> Floats:
    """The largest share of each detection [d] that lies in one of the regions of its image."""
    share = np.zeros(len(found))
    for image in range(found.count):
        some, around = found.rows(image), regions.rows(image)
        if some.start < some.stop and around.start < around.stop:
            box, region = found.box[some, None], regions.box[None, around]
            sides = np.minimum(box[..., 2:], region[..., 2:]) - np.maximum(box[..., :2], region[..., :2])
            area = (box[..., 2:] - box[..., :2]).prod(2)
            share[some] = (sides.clip(0).prod(2) / area).max(1)
    return share
