"""Figures of a segmentation network on photos. Legend: N photos; H, W pixels; C classes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import scenefit as sf
from scenefit.data.class_masks import ClassMasks

Images = tuple[NDArray[np.uint8], ClassMasks]


def figures(task: sf.Segment, network: Any, held: Images, photos: Images) -> dict[str, Any]:
    """What a network scores on photos: name -> class -> share. held: images on which its thresholds are set."""
    thresholds = task.score(network, *held).best_thresholds()
    counts = task.score(network, *photos)
    equal = counts.equal_area_thresholds()
    false, missed = counts.false_and_missed(equal)
    area = counts.area

    def each(values: Any) -> dict[str, float]:
        return {name: round(float(value), 4) for name, value in zip(task.classes, values, strict=True)}

    return {"photos": len(photos[0]), "IoU": each(counts.iou()), "pixel AP": each(counts.average_precision()),
            "IoU at thresholds of renders": each(counts.iou_at(thresholds)),
            "IoU at equal area": each(counts.iou_at(equal)),
            "false + missed at equal area": each((false + missed) / area)}
