"""Figures of a detector on photos. Legend: N photos; H, W pixels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import scenefit as sf
from scenefit.data.boxes import Boxes
from scenefit.metrics.average_precision import average_precision, match_boxes
from scenefit.metrics.froc import froc

Images = tuple[NDArray[np.uint8], Boxes]


def figures(task: sf.Detect, network: Any, held: Images, photos: Images) -> dict[str, Any]:
    """What a detector of one class scores on photos. held: images on which its threshold is set; at it, "false" and
    "missed" are numbers of detections and of objects. "missed at 1": share of the objects that are missed at one false
    detection a photo."""
    threshold = task.best_threshold(task.score(network, *held))
    found = task.score(network, *photos)
    precision = average_precision(found.predicted, found.truth, task.classes)
    match = match_boxes(found.predicted, found.truth)
    true, false, missed = match.counts(threshold)
    curve = froc(match, len(photos[0]))
    missed_at = curve.missed_at(1)
    return {"photos": len(photos[0]), "objects": len(found.truth), "AP50": round(precision["mAP50"], 4),
            "AP": round(precision["AP"], 4),
            "missed at 1": round(float(curve.missed[-1]) if missed_at is None else missed_at, 4),
            "true": true, "false": false, "missed": missed, "threshold": round(threshold, 4)}
