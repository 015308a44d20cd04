"""Kinds of a detector's mistakes: why each false detection is false, and how large boxes are beside the true ones.

The kinds are those of TIDE (Bolya et al. 2020), boxes of the wrong size told apart from those at the wrong place.
Legend: d detections; t true boxes of one image.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes
from scenefit.metrics.average_precision import Match, match_boxes
from scenefit.metrics.iou_and_nms import iou

KINDS = ("too small", "too large", "misplaced", "doubled", "other class", "background")
TRUE = -1  # in the place of a kind
MIN_IOU = 0.5  # from which a detection finds a true box
OVERLAPS = 0.1  # from which IoU on two boxes count as overlapping
SMALL, LARGE = 0.8, 1.25  # ratios of areas


@dataclass(frozen=True, eq=False)
class DetectionErrors:
    """Why detections are false.

    match: of the detections with the true boxes.  kind [d]: place in `KINDS`, `TRUE` for a true detection.  side [d]:
    the detection's side, the root of its area, over that of its true box (of a false one, the box of its class that it
    overlaps most); NaN where there is none.
    """

    match: Match
    kind: NDArray[np.int64]
    side: NDArray[np.float64]

    def counts(self, chosen: NDArray[np.bool_]) -> dict[str, int]:
        """Kind -> number of the chosen detections [d] that are false in this way."""
        found = np.bincount(self.kind[chosen & (self.kind != TRUE)], minlength=len(KINDS))
        return dict(zip(KINDS, found.tolist(), strict=True))


def detection_errors(predicted: Boxes, truth: Boxes) -> DetectionErrors:
    """The kind of each detection that `match_boxes` finds false, the first of these that holds:

    doubled: IoU of at least 0.5 with a true box of its class, which a more confident detection matches.
    other class: IoU of at least 0.5 with a true box of another class.
    too small, too large, misplaced: IoU of 0.1 to 0.5 with a true box of its class; of the one that it overlaps most,
    it has less than 0.8 of the area, more than 1.25, or neither.
    other class: IoU of 0.1 to 0.5 with true boxes of other classes alone.
    background: IoU below 0.1 with all true boxes.

    predicted: detections above the threshold alone.  ValueError for sets of different images.
    """
    match = match_boxes(predicted, truth, MIN_IOU)
    kind, side = np.full(len(predicted), KINDS.index("background")), np.full(len(predicted), np.nan)
    for image in np.unique(predicted.image).tolist():
        ours, theirs = predicted.rows(image), truth.rows(image)
        if theirs.start < theirs.stop:
            kind[ours], side[ours] = _of_image(predicted, truth, ours, theirs, match)
    kind[match.true] = TRUE
    return DetectionErrors(match, kind, side)


def _of_image(predicted: Boxes, truth: Boxes, ours: slice, theirs: slice, match: Match,
              ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Kinds, as if all were false, and ratios of sides, of the detections of one image [d] among its true boxes [t]."""
    box, real = predicted.box[ours], truth.box[theirs]
    overlap = iou(torch.from_numpy(box), torch.from_numpy(real)).numpy()
    same = predicted.name[ours][:, None] == truth.name[theirs][None]
    own, other = np.where(same, overlap, 0.0), np.where(same, 0.0, overlap).max(1)
    nearest, own_best = own.argmax(1), own.max(1)
    partner = np.where(match.true[ours], match.row[ours] - theirs.start, nearest)
    area, real_area = ((boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (box, real))
    ratio = area / real_area[partner]
    near = own_best >= OVERLAPS
    order = ((own_best >= MIN_IOU, "doubled"), (other >= MIN_IOU, "other class"), (near & (ratio < SMALL), "too small"),
             (near & (ratio > LARGE), "too large"), (near, "misplaced"), (other >= OVERLAPS, "other class"))
    kind = np.select([holds for holds, _ in order], [KINDS.index(name) for _, name in order],
                     KINDS.index("background"))
    return kind, np.where(near, np.sqrt(ratio), np.nan)
