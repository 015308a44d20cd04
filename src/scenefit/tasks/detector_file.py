"""A trained detector in one file."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes
from scenefit.data.photos import Photos
from scenefit.nets.centre_network import Detector
from scenefit.tasks.detection import Detect
from scenefit.tasks.training import network_file
from scenefit.tasks.training.network_file import Checks, TrainedNetwork, is_number

MAX_DETECTIONS = 1 << 16


@dataclass(frozen=True, eq=False)
class TrainedDetector(TrainedNetwork[Detect]):
    """A detector with all that is needed to use it; `load_detector` reads one, `save(path)` writes it.

    task: whose `predict` uses the network.  size: (H, W) that photos are resized to.  threshold: the confidence from
    which predictions count, chosen on the validation images of its training.  flat_field, photos, lost_flat_field: see
    `scenefit.tasks.training.network_file`."""

    noun = "a detector"
    kind = Detect
    settings = ("nms_iou", "max_detections")
    checks: ClassVar[Checks] = {
        "threshold": ("a number in 0..1", lambda facts: is_number(facts.get("threshold"), 0, 1)),
        "nms_iou": ("a number in 0..1", lambda facts: is_number(facts["nms_iou"], 0, 1)),
        "max_detections": (f"a whole number of 1 to {MAX_DETECTIONS}", lambda facts: (
            type(facts["max_detections"]) is int and 1 <= facts["max_detections"] <= MAX_DETECTIONS))}
    network: Detector
    threshold: float

    def __repr__(self) -> str:
        return (f"TrainedDetector(classes {', '.join(self.task.classes)}; photos of {self.size[0]} x {self.size[1]} "
                f"pixels; threshold {self.threshold:.4g})")

    def predict(self, photos: Photos | NDArray[np.uint8]) -> Boxes:
        """Boxes of the objects in photos of the detector's size, of at least its threshold's confidence.

            detector.predict(scenefit.read_photos("photos/", detector.size))

        photos: `Photos`, or uint8 images [N, H, W, 3], as they are read: the detector's flat field is removed from
        those that show it (`scenefit.remove_flat_field`), each by itself. ValueError for anything else.
        """
        boxes = self.task.predict(self.network, self.images(photos, "detector.predict(photos)"))
        return boxes.where(boxes.score >= self.threshold)


def load_detector(path: str | Path, device: str = "cpu") -> TrainedDetector:
    """The detector that `scenefit train` or `TrainedDetector.save` wrote. Nothing in the file is executed.

        detector = scenefit.load_detector("detector.safetensors")
        boxes = detector.predict(scenefit.read_photos("photos/", detector.size))

    device: "cpu" or "cuda", where it predicts.
    ValueError for a file that is missing, damaged, of another version or no detector.
    """
    return network_file.load_trained(TrainedDetector, "load_detector(path)", path, device)


def read_trained(path: str | Path, device: str = "cpu") -> TrainedDetector:
    """The same without checks of the arguments. CorruptFile."""
    return network_file.read_trained([TrainedDetector], path, device)
