"""How good a trained detector is on labelled photos. Nothing is trained.

Legend: N photos.
"""

from dataclasses import dataclass

from scenefit.data.photos import Photos
from scenefit.metrics.average_precision import average_precision, match_boxes
from scenefit.tasks.detector_file import TrainedDetector


@dataclass(frozen=True)
class DetectorEvaluation:
    """ap50: class -> average precision at IoU 0.5, 0..1; NaN for a class that no photo has.  mean_ap50: over the
    classes.  true, false, missed: numbers of detections and of objects at the detector's threshold, IoU 0.5."""

    photos: int
    ap50: dict[str, float]
    mean_ap50: float
    threshold: float
    true: int
    false: int
    missed: int


def evaluate_detector(detector: TrainedDetector, labelled: Photos) -> DetectorEvaluation:
    """Detect objects in labelled photos [N, H, W, 3] of the detector's size, and compare with their boxes.

    ValueError for photos without boxes, or if the detector knows none of their classes.
    """
    if labelled.boxes is None:
        raise ValueError("the labelled photos have a class for each photo, and a detector is evaluated on boxes; give "
                         "a data set of boxes (COCO, YOLO, Pascal VOC or KITTI)")
    known, present = set(detector.task.classes), set(labelled.boxes.name.tolist())
    if not present:
        raise ValueError(f"the {len(labelled)} labelled photos have no box at all, so no average precision is defined; "
                         "give photos that show objects")
    if not known & present:
        raise ValueError(f"the boxes of the labelled photos are of the classes {sorted(present)}, and the detector "
                         f"knows only {sorted(known)}; rename the classes in one of them")
    found = detector.task.predict(detector.network, labelled.images)
    precision = average_precision(found, labelled.boxes, sorted(known | present))
    true, false, missed = match_boxes(found, labelled.boxes).counts(detector.threshold)
    return DetectorEvaluation(len(labelled), precision["AP50"], precision["mAP50"], detector.threshold, true, false,
                              missed)
