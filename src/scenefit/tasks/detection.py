"""Object detection: train a detector on rendered images, evaluate it on labelled photos by average precision.

Legend: S rendered images; N photos; H, W pixels; m boxes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.data.boxes import Boxes, make_boxes, no_boxes
from scenefit.data.frames import Frames
from scenefit.data.label_policy import OF_MASKS, LabelPolicy, label_boxes
from scenefit.data.photos import Photos, read_few
from scenefit.metrics.average_precision import average_precision, best_threshold, match_boxes
from scenefit.metrics.device import reproducible
from scenefit.metrics.features import Lite0Maps
from scenefit.metrics.iou_and_nms import nms
from scenefit.metrics.resampled_precision import DetectionScore, join_detections
from scenefit.nets.augmentation import Augment, augmented
from scenefit.nets.centre_network import MIN_SCORE, Detector, Targets, class_weights, decode, loss
from scenefit.nets.pyramid.network import Backbone
from scenefit.scenes.arguments import check_argument, class_names
from scenefit.tasks.training.definition import Words
from scenefit.tasks.training.dense_prediction import DensePrediction, batches_of
from scenefit.tasks.training.pseudo_labels import describe_boxes

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Detect(DensePrediction[Detector, Boxes]):
    """Object detection.

    classes: their names.  steps, batch, learning_rate: of training.  upscale: factor of the images' size before the
    network sees them.
    augmented_copies: the images are augmented into at least so many copies, at least one of each; a third of them where
    a trained network is trained further. With fewer, more steps train worse detectors, as each copy is seen more often.
    nms_iou: of two predicted boxes of a class that overlap more, the less confident is dropped.  max_detections: of an
    image.
    backbone: `Lite0Maps`, or `SmallMaps` without the extra `lite0`.  train_backbone: train the backbone too, best on a
    GPU; a backbone without pretrained weights always is. Otherwise the feature maps of all copies are computed once
    and kept, 0.45 MB for a copy of 240x320 pixels; above 256 MiB in a temporary file.
    """

    name: ClassVar[str] = "detection"
    words: ClassVar[Words] = Words("detect", "boxes", "has a box", "no box at all", "AP", "IoU 0.5 to 0.95",
                                   "trains a network, which takes minutes")
    foreign: ClassVar[tuple[str, ...]] = OF_MASKS

    classes: tuple[str, ...]
    steps: int = 400
    batch: int = 16
    learning_rate: float = 3e-3
    upscale: float = 1.0
    augmented_copies: int = 1600
    augment: Augment = field(default_factory=Augment)
    nms_iou: float = 0.6
    max_detections: int = 200
    backbone: Backbone = Lite0Maps
    train_backbone: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", class_names("Detect(classes)", self.classes))

    def labels(self, source: Frames | Photos, label_policy: LabelPolicy | None = None) -> Boxes:
        """Boxes of the objects in renders that label_policy chooses, or of labelled photos.

        ValueError for a class that is not among the task's, and for photos without boxes.
        """
        if isinstance(source, Frames):
            boxes = self.of_renders(source, label_policy)
        elif source.boxes is None:
            have = "classes of whole photos" if any(source.label) else "no labels"
            raise ValueError(f"the {len(source)} labelled photos have {have}; a detector needs photos with boxes")
        else:
            boxes = source.boxes
        self.class_indices(boxes.name)
        return boxes

    @classmethod
    def of_renders(cls, frames: Frames, label_policy: LabelPolicy | None = None) -> Boxes:
        return label_boxes(frames, label_policy)

    @classmethod
    def read(cls, place: str | Path, size: tuple[int, int], part: str | None = None, **options: Any) -> Photos:
        return read_few(place, size, part, **options)

    @classmethod
    def of_photos(cls, photos: Photos) -> Boxes | None:
        return photos.boxes

    @classmethod
    def shown(cls, labels: Boxes) -> list[str]:
        return sorted(set(labels.name.tolist()))

    @classmethod
    def labelled(cls, labels: Boxes) -> NDArray[np.int64]:
        return np.unique(labels.image)

    def renumbered(self, labels: Boxes) -> Boxes:
        return labels

    def class_indices(self, names: Any) -> Tensor:
        """Class names [m] -> their indices in `classes` [m]. ValueError for a name that is not among them."""
        place = {name: code for code, name in enumerate(self.classes)}
        unknown = sorted(set(map(str, names)) - set(place))
        if unknown:
            raise ValueError(f"boxes of {unknown} are not among the classes {list(self.classes)}; name every class "
                             "that has boxes, or leave those boxes out")
        return torch.tensor([place[str(name)] for name in names], dtype=torch.long)

    def check_labels(self, labels: Boxes) -> None:
        check_argument("train(images, labels, seed)", "labels", labels, isinstance(labels, Boxes),
                       "Boxes, such as scenefit.label_boxes(frames) or photos.boxes")

    def make_network(self) -> Detector:
        return Detector(self.backbone(), len(self.classes))

    def augmented(self, images: Images, labels: Boxes, seed: int, copies: int) -> tuple[Images, Boxes]:
        return augmented(images, labels, self.augment, seed, copies)

    def loss(self, network: Detector, out: Tensor, targets: Targets) -> Tensor:
        return loss(out, targets, len(self.classes), network.stride)

    def pseudo_labels(self, network: Detector, images: Images, min_confidence: float) -> Boxes:
        predicted = self.predict(network, images)
        return predicted.where(predicted.score >= min_confidence)

    def predict(self, network: Detector, images: Images) -> Boxes:
        """Boxes predicted in images uint8 [N, H, W, 3], the most confident first in each image."""
        maps = (self.maps(network, images[rows.numpy()]) for rows in batches_of(len(images)))
        return self._predicted(network, maps, len(images), images.shape[1:3])

    def predict_in_maps(self, network: Detector, maps: Sequence[Tensor], size: tuple[int, int]) -> Boxes:
        """The same of the backbone's `maps` of images of this height and width, computed once for several networks."""
        parts = ([level[rows] for level in maps] for rows in batches_of(len(maps[0])))
        return self._predicted(network, parts, len(maps[0]), size)

    @torch.no_grad()
    def _predicted(self, network: Detector, parts: Iterable[Sequence[Tensor]], count: int,
                   size: tuple[int, int]) -> Boxes:
        """Boxes in the maps of `count` images, which come in parts of PREDICT_BATCH."""
        found: list[tuple[NDArray[Any], ...]] = []
        for maps in parts:
            with reproducible(self.device):
                peaks = decode(network([m.to(self.device) for m in maps]), len(self.classes), network.stride,
                               self.max_detections)
            found += [self._kept(box, score, code, size)
                      for box, score, code in zip(*(values.cpu() for values in peaks[:3]), strict=True)]
        found = found[:count]
        if not found:
            return no_boxes(0)
        image = np.repeat(np.arange(count), [len(score) for _, _, score in found])
        return make_boxes(count, image, *(np.concatenate(column) for column in zip(*found, strict=True)))

    def _kept(self, box: Tensor, score: Tensor, code: Tensor, size: tuple[int, int]) -> tuple[NDArray[Any], ...]:
        """Boxes, class names and confidences of one image's peaks after non-maximum suppression, cut at its border."""
        height, width = size
        box = torch.minimum((box / self.upscale).clamp(min=0), torch.tensor([width, height, width, height]))
        good = (score >= MIN_SCORE) & (box[:, 2:] > box[:, :2]).all(1)
        box, score, code = box[good], score[good], code[good]
        kept = nms(box, score, code, self.nms_iou)
        return box[kept].numpy(), np.array(self.classes)[code[kept].numpy()], score[kept].numpy()

    def describe_pseudo_labels(self, believed: Boxes, rendered: Boxes, name: str) -> tuple[str, list[str]]:
        return describe_boxes(believed, rendered, name)

    def score(self, network: Detector, images: Images, labels: Boxes) -> DetectionScore:
        return DetectionScore(self.predict(network, images), labels)

    def join_scores(self, parts: Sequence[DetectionScore]) -> DetectionScore:
        return join_detections(parts)

    def best_threshold(self, score: DetectionScore) -> float:
        """The confidence with the highest F1."""
        return best_threshold(match_boxes(score.predicted, score.truth))

    def figures(self, score: DetectionScore, threshold: float) -> str:
        true, false, missed = match_boxes(score.predicted, score.truth).counts(threshold)
        precision, recall = (f"{true / of:.1%}" if of else "undefined" for of in (true + false, true + missed))
        return (f"precision {precision}, recall {recall} ({true:,} found, {false:,} false, {missed:,} missed), at "
                f"confidence {threshold:.2f} or more")

    def evaluate(self, network: Detector, images: Images, labels: Boxes) -> dict[str, float]:
        """{"mAP50": mean over the classes of the average precision at IoU 0.5, 0..1, then "AP50 CLASS": of each}."""
        measured = average_precision(self.predict(network, images), labels, self.classes)
        return {"mAP50": float(measured["mAP50"]),
                **{f"AP50 {name}": float(value) for name, value in measured["AP50"].items()}}

    def targets(self, labels: Boxes) -> Targets:
        """Training targets of boxes, in pixels of the upscaled images."""
        counts = np.bincount(labels.image, minlength=labels.count)
        box = torch.zeros(labels.count, max(int(counts.max(initial=0)), 1), 4)
        code = torch.full(box.shape[:2], -1)
        place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
        box[labels.image, place] = torch.from_numpy(labels.box * self.upscale).float()
        code[labels.image, place] = self.class_indices(labels.name)
        return Targets(box, code, class_weights(torch.bincount(code[code >= 0], minlength=len(self.classes))))
