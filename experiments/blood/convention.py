"""Finds with each class's boxes made larger, or smaller, by one factor that labelled photos tell.

What that gains is how loosely people draw boxes and how small the scene draws things, in one. Legend: m boxes.
"""

from dataclasses import replace

import numpy as np

import scenefit as sf
from experiments.blood import world
from scenefit.data.boxes import Boxes
from scenefit.metrics.average_precision import match_boxes
from scenefit.nets.centre_network import Detector

LABELLED = "50"  # photos, all of `few.txt`
OVERLAP, SURE = 0.3, 0.3  # of a find and a label that are the same thing; of a find that counts


def factors(task: sf.Detect, network: Detector, few: sf.Photos) -> dict[str, float]:
    """How many times larger the sides of each class's labels are than those of what is found there, in geometric
    mean."""
    assert few.boxes is not None
    found = task.predict(network, few.images)
    found = found.where(found.score >= SURE)
    match = match_boxes(found, few.boxes, OVERLAP)
    ours, theirs = found.where(match.true), few.boxes.where(match.detected)
    return {name: float(np.exp(_side(theirs, name) - _side(ours, name))) for name in world.CLASSES}


def rescaled(found: Boxes, factor: dict[str, float]) -> Boxes:
    """Each box about its centre, cut at the image's border."""
    middle = (found.box[:, :2] + found.box[:, 2:]) / 2
    half = (found.box[:, 2:] - found.box[:, :2]) / 2 * np.array([factor[name] for name in found.name])[:, None]
    height, width = world.SIZE
    box = np.concatenate([middle - half, middle + half], 1).clip(0, [width, height, width, height])
    return replace(found, box=box)


def _side(boxes: Boxes, name: str) -> float:
    """Mean logarithm of a class's sides; 0 where it has no box."""
    own = boxes.box[boxes.name == name]
    return float(np.log(own[:, 2:] - own[:, :2]).mean()) if len(own) else 0.0
