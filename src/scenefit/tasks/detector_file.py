"""A trained detector in one file, with all that is needed to use it: classes, image size, confidence threshold.

Legend: H, W pixels.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, float32, from_numpy

from scenefit.data.boxes import Boxes
from scenefit.data.flat_field import remove_flat_field
from scenefit.data.photos import Photos
from scenefit.files.tensors import CorruptFile, read_tensors, write_tensors
from scenefit.metrics.features import Lite0Maps
from scenefit.nets.centre_network import Detector
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.scenes.arguments import check_argument
from scenefit.tasks.detection import Detect

FORMAT = 1  # of detector files; one of another format is refused
BACKBONES: dict[str, Any] = {"lite0": Lite0Maps, "small": SmallMaps}
AGAIN = "make it again with scenefit train"
FLAT_FIELD = "flat_field"  # the tensor that is no weight of the network
MAX_SIDE, MAX_UPSCALE, MAX_DETECTIONS = 1 << 14, 64, 1 << 16  # far above any of use; more would take all memory
NEEDED = {"classes": "different texts, at least one", "backbone": f"one of {', '.join(BACKBONES)}",
          "size": f"a height and a width of 1 to {MAX_SIDE} pixels", "threshold": "a number in 0..1",
          "upscale": f"a number above 0, at most {MAX_UPSCALE}", "nms_iou": "a number in 0..1",
          "max_detections": f"a whole number of 1 to {MAX_DETECTIONS}", "flat_field": "true or false",
          "photos": "a list of texts"}
OPTIONAL: dict[str, Any] = {"nms_iou": Detect.nms_iou, "max_detections": Detect.max_detections, "flat_field": False,
                            "photos": []}  # what earlier versions did not record


@dataclass(frozen=True, eq=False)
class TrainedDetector:
    """A detector with all that is needed to use it; `load_detector` reads one.

    task: whose `predict` uses the network.  size: (H, W) that photos are resized to.  threshold: the confidence from
    which predictions count, chosen on the validation images of its training.  flat_field: float32 [H, W, 3], which the
    photos of its training, or those that its run was fitted to, share; None for none.
    photos: `scenefit.data.copies.photo_hashes` of all photos that it was trained on, with or without labels, of those
    that its threshold was chosen on, and of those that the distribution of its renders was fitted to; none in files of
    versions that did not record them.  lost_flat_field: whether photos were corrected by a flat field that its file
    does not hold, as that of a given folder (`--flat-field DIR`)."""

    task: Detect
    network: Detector
    size: tuple[int, int]
    threshold: float
    flat_field: NDArray[np.float32] | None = None
    photos: frozenset[str] = frozenset()
    lost_flat_field: bool = False

    def __repr__(self) -> str:
        return (f"TrainedDetector(classes {', '.join(self.task.classes)}; photos of {self.size[0]} x {self.size[1]} "
                f"pixels; threshold {self.threshold:.4g})")

    @property
    def corrected(self) -> bool:
        """Whether the photos of its training were flat-field corrected."""
        return self.flat_field is not None or self.lost_flat_field

    def predict(self, photos: Photos | NDArray[np.uint8]) -> Boxes:
        """Boxes of the objects in photos of the detector's size, of at least its threshold's confidence.

            detector.predict(scenefit.read_photos("photos/", detector.size))

        photos: `Photos`, or uint8 images [N, H, W, 3], as they are read: the detector's flat field is removed from
        those that show it (`scenefit.remove_flat_field`), each by itself. ValueError for anything else.
        """
        images = photos.images if isinstance(photos, Photos) else photos
        good = isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape[1:] == (*self.size, 3)
        check_argument("detector.predict(photos)", "photos", images, good,
                       f"Photos or uint8 images [N, {self.size[0]}, {self.size[1]}, 3], as "
                       f"scenefit.read_photos(folder, {self.size}) reads them")
        images = images if self.flat_field is None else remove_flat_field(images, self.flat_field)
        boxes = self.task.predict(self.network, images)
        return boxes.where(boxes.score >= self.threshold)

    def save(self, path: str | Path) -> None:
        """Write the detector to a file, whole or not at all; `scenefit.load_detector(path)` reads it."""
        write_trained(path, self)


def write_trained(path: str | Path, trained: TrainedDetector, info: dict[str, Any] | None = None) -> None:
    """Write the file, whole or not at all. info: any other metadata, as plain JSON values."""
    backbone = next(name for name, kind in BACKBONES.items() if trained.task.backbone is kind)
    field = {} if trained.flat_field is None else {FLAT_FIELD: from_numpy(np.array(trained.flat_field))}
    write_tensors(path, trained.network.state_dict() | field, {
        "format": FORMAT, "classes": list(trained.task.classes), "backbone": backbone, "upscale": trained.task.upscale,
        "nms_iou": trained.task.nms_iou, "max_detections": trained.task.max_detections,
        "size": list(trained.size), "threshold": trained.threshold,
        "flat_field": trained.corrected, "photos": sorted(trained.photos), "info": info or {}})


def load_detector(path: str | Path, device: str = "cpu") -> TrainedDetector:
    """The detector that `scenefit train` or `TrainedDetector.save` wrote. Nothing in the file is executed.

        detector = scenefit.load_detector("detector.safetensors")
        boxes = detector.predict(scenefit.read_photos("photos/", detector.size))

    device: "cpu" or "cuda", where it predicts.
    ValueError for a file that is missing, damaged, of another version or no detector.
    """
    check_argument("load_detector(path)", "path", path, isinstance(path, str | Path),
                   "the name of a file that scenefit train wrote")
    check_argument("load_detector(path)", "device", device, isinstance(device, str), 'a text, "cpu" or "cuda"')
    if not Path(path).exists():
        raise ValueError(f"{path} does not exist; give a file that scenefit train or detector.save(path) wrote")
    return read_trained(path, device)


def read_trained(path: str | Path, device: str = "cpu") -> TrainedDetector:
    """The detector that `write_trained` wrote; the file holds no code. CorruptFile if it is damaged, of another format,
    or no detector."""
    tensors, metadata = read_tensors(path, AGAIN)
    if "classes" not in metadata:
        fix = "it is a model, which scenefit.load(path, grammar) reads" if {"model", "run"} & set(metadata) else AGAIN
        raise CorruptFile(f"{path} is not a detector; {fix}")
    if metadata.get("format") != FORMAT:
        raise CorruptFile(f"{path} was written by another version of scenefit (its format is "
                          f"{metadata.get('format', 'not recorded')}, and this version reads format {FORMAT}); {AGAIN}")
    metadata = OPTIONAL | metadata
    fault = _fault(metadata)
    if fault:
        raise CorruptFile(f"{path} is damaged, or does not fit this version of scenefit: its {fault}; {AGAIN}")
    task = Detect(tuple(metadata["classes"]), upscale=float(metadata["upscale"]),
                  nms_iou=float(metadata["nms_iou"]), max_detections=metadata["max_detections"],
                  backbone=BACKBONES[metadata["backbone"]], device=device)
    height, width = metadata["size"]
    network = task.fresh(0)
    field = tensors.pop(FLAT_FIELD, None)
    fault = _fault_of_flat_field(field, (height, width, 3)) or _fault_of_weights(tensors, network.state_dict())
    if fault:
        raise CorruptFile(f"{path} is damaged, or does not fit this version of scenefit: {fault}; {AGAIN}")
    network.load_state_dict(tensors)
    return TrainedDetector(task, network.eval(), (height, width), float(metadata["threshold"]),
                           None if field is None else field.numpy(), frozenset(metadata["photos"]),
                           metadata["flat_field"] and field is None)


def _fault(metadata: Mapping[str, Any]) -> str:
    """What is wrong with the values of a detector file, "" if nothing is."""
    classes, size, photos = metadata["classes"], metadata.get("size"), metadata["photos"]
    good = {
        "classes": isinstance(classes, list) and len(classes) > 0
        and all(isinstance(name, str) and name for name in classes) and len(set(classes)) == len(classes),
        "backbone": isinstance(metadata.get("backbone"), str) and metadata["backbone"] in BACKBONES,
        "size": isinstance(size, list) and len(size) == 2 and all(type(side) is int and 1 <= side <= MAX_SIDE
                                                                  for side in size),
        "threshold": _is_number(metadata.get("threshold")) and 0 <= metadata["threshold"] <= 1,
        "upscale": _is_number(metadata.get("upscale")) and 0 < metadata["upscale"] <= MAX_UPSCALE,
        "nms_iou": _is_number(metadata["nms_iou"]) and 0 <= metadata["nms_iou"] <= 1,
        "max_detections": type(metadata["max_detections"]) is int and 1 <= metadata["max_detections"] <= MAX_DETECTIONS,
        "flat_field": isinstance(metadata["flat_field"], bool),
        "photos": isinstance(photos, list) and all(isinstance(one, str) for one in photos)}
    wrong = [f"{name} must be {NEEDED[name]}, and is {str(metadata.get(name, 'missing'))[:60]}"
             for name, fine in good.items() if not fine]
    return ", and its ".join(wrong)


def _is_number(value: Any) -> bool:
    """NaN is none, and neither is true."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _fault_of_flat_field(field: Tensor | None, shape: tuple[int, int, int]) -> str:
    """What is wrong with a detector's flat field, "" if nothing is."""
    if field is None or (field.shape == shape and field.dtype == float32 and bool(field.isfinite().all())):
        return ""
    return (f"its flat field must be finite numbers {list(shape)} of {float32}, and is {list(field.shape)} of "
            f"{field.dtype}")


def _fault_of_weights(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """What is wrong with a detector's weights, "" if nothing is."""
    for name, value in wanted.items():
        if name not in tensors or tensors[name].shape != value.shape or tensors[name].dtype != value.dtype:
            got = f"{list(tensors[name].shape)} of {tensors[name].dtype}" if name in tensors else "missing"
            return f"its weights {name} must be {list(value.shape)} of {value.dtype}, and are {got}"
        if not bool(tensors[name].isfinite().all()):
            return f"its weights {name} hold NaN or infinite numbers"
    extra = sorted(set(tensors) - set(wanted))
    return f"it has weights that the network lacks, {', '.join(extra[:3])}" if extra else ""
