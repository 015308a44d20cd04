"""Detections whose boxes are rescaled by one factor per class, estimated from labelled photos.

The gain combines two effects: people draw boxes loosely, and the scene draws objects too small. Legend: m boxes.
"""

from dataclasses import replace

import numpy as np

import scenefit as sf
from experiments.blood import world
from scenefit.data.boxes import Boxes
from scenefit.metrics.average_precision import match_boxes
from scenefit.nets.centre_network import Detector

LABELLED = "50"  # number of labelled photos: all of `few.txt`
MIN_IOU, MIN_CONFIDENCE = 0.3, 0.3  # of a detection and a label that count as the same object; of a detection


def factors(task: sf.Detect, network: Detector, few: sf.Photos) -> dict[str, float]:
    """Class -> geometric mean of label side / detection side, over the matched boxes of the labelled photos."""
    assert few.boxes is not None
    predicted = task.predict(network, few.images)
    predicted = predicted.where(predicted.score >= MIN_CONFIDENCE)
    match = match_boxes(predicted, few.boxes, MIN_IOU)
    ours, theirs = predicted.where(match.true), few.boxes.where(match.detected)
    return {name: float(np.exp(_log_side(theirs, name) - _log_side(ours, name))) for name in world.CLASSES}


def rescaled(predicted: Boxes, factor: dict[str, float]) -> Boxes:
    """Each box scaled by its class's factor about its centre and clipped to the image."""
    middle = (predicted.box[:, :2] + predicted.box[:, 2:]) / 2
    factors_of_boxes = np.array([factor[name] for name in predicted.name])
    half = (predicted.box[:, 2:] - predicted.box[:, :2]) / 2 * factors_of_boxes[:, None]
    height, width = world.SIZE
    box = np.concatenate([middle - half, middle + half], 1).clip(0, [width, height, width, height])
    return replace(predicted, box=box)


def _log_side(boxes: Boxes, name: str) -> float:
    """Mean logarithm of the sides of a class's boxes; 0 if it has none."""
    own = boxes.box[boxes.name == name]
    return float(np.log(own[:, 2:] - own[:, :2]).mean()) if len(own) else 0.0
