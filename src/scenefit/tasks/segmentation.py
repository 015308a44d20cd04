"""Semantic segmentation: train a network on rendered images, evaluate it on labelled photos by intersection over union.

Legend: S rendered images; N photos; H, W pixels; h, w cells of the finest map; C classes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.data.class_masks import IGNORED, MAX_CLASSES, ClassMasks
from scenefit.data.frames import Frames
from scenefit.data.label_policy import OF_BOXES, LabelPolicy, label_masks
from scenefit.data.photos import Photos, read_masks
from scenefit.files.scratch import collect_arrays
from scenefit.metrics.device import reproducible
from scenefit.metrics.features import Lite0Maps
from scenefit.metrics.segmentation_metrics import MAX_LOGIT, PixelCounts, count_pixels, join_counts
from scenefit.nets.augmentation import Augment, augmented_masks
from scenefit.nets.pyramid.network import Backbone
from scenefit.nets.segmentation_network import MaskTargets, Segmenter, at_pixels, mask_loss
from scenefit.scenes.arguments import check_argument, class_names
from scenefit.tasks.training.definition import Words
from scenefit.tasks.training.dense_prediction import DensePrediction, batches_of
from scenefit.tasks.training.pseudo_labels import describe_masks

Images = NDArray[np.uint8]
MAX_WEIGHT = 5.0  # of a pixel of a rare class: with more, its borders are drawn too wide


@dataclass(frozen=True)
class Segment(DensePrediction[Segmenter, ClassMasks]):
    """Semantic segmentation: the class of each pixel.

    classes: their names; pixels of other objects, and of none, show no class.  The other fields are those of `Detect`.
    Maps have a cell for 4 x 4 pixels, between which the network's outputs are interpolated; upscale=2 finds finer
    borders for four times the cost.
    """

    name: ClassVar[str] = "segmentation"
    words: ClassVar[Words] = Words("segment", "class masks", "shows a class", "masks that show no class", "IoU",
                                   "the classes", "takes seconds")
    foreign: ClassVar[tuple[str, ...]] = OF_BOXES

    classes: tuple[str, ...]
    steps: int = 400
    batch: int = 16
    learning_rate: float = 3e-3
    upscale: float = 1.0
    augmented_copies: int = 1600
    augment: Augment = field(default_factory=Augment)
    backbone: Backbone = Lite0Maps
    train_backbone: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", class_names("Segment(classes)", self.classes))
        if len(self.classes) > MAX_CLASSES:
            raise ValueError(f"Segment(classes) takes at most {MAX_CLASSES} classes, as a class mask has no values for "
                             f"more; got {len(self.classes)}")

    def labels(self, source: Frames | Photos, label_policy: LabelPolicy | None = None) -> ClassMasks:
        """Class masks of renders, where pixels of objects that label_policy leaves out are ignored, or of labelled
        photos. ValueError for photos without masks, or none of whose classes is the task's."""
        if isinstance(source, Frames):
            return label_masks(source, self.classes, label_policy)
        if source.masks is None:
            have = "boxes" if source.boxes is not None else "classes of whole photos" if any(source.label) else \
                "no labels"
            raise ValueError(f"the {len(source)} labelled photos have {have}; segmentation needs photos with class "
                             "masks")
        if not set(source.masks.classes) & set(self.classes):
            raise ValueError(f"the masks of the labelled photos have the classes {list(source.masks.classes)}, none of "
                             f"which is among the task's, {list(self.classes)}; name them alike")
        return source.masks.of_classes(self.classes)

    @classmethod
    def of_renders(cls, frames: Frames, label_policy: LabelPolicy | None = None) -> ClassMasks:
        return label_masks(frames, sorted(set(frames.objects.name.tolist()) - {""}), label_policy)

    @classmethod
    def read(cls, place: str | Path, size: tuple[int, int], part: str | None = None, **options: Any) -> Photos:
        return read_masks(place, size, part, **options)

    @classmethod
    def of_photos(cls, photos: Photos) -> ClassMasks | None:
        return photos.masks

    @classmethod
    def shown(cls, labels: ClassMasks) -> list[str]:
        return sorted(labels.present)

    @classmethod
    def labelled(cls, labels: ClassMasks) -> NDArray[np.int64]:
        return labels.labelled

    def renumbered(self, labels: ClassMasks) -> ClassMasks:
        return labels.of_classes(self.classes)

    def check_labels(self, labels: ClassMasks) -> None:
        check_argument("train(images, labels, seed)", "labels", labels, isinstance(labels, ClassMasks),
                       "ClassMasks, as scenefit.Segment(classes).labels(frames) returns them, or photos.masks")
        if labels.classes != self.classes:
            raise ValueError(f"the labels have the classes {list(labels.classes)}, and the task {list(self.classes)}; "
                             "labels.of_classes(task.classes) renumbers them")

    def make_network(self) -> Segmenter:
        return Segmenter(self.backbone(), len(self.classes))

    def augmented(self, images: Images, labels: ClassMasks, seed: int, copies: int) -> tuple[Images, ClassMasks]:
        return augmented_masks(images, labels, self.augment, seed, copies)

    def targets(self, labels: ClassMasks) -> MaskTargets:
        """Training targets; a pixel weighs inversely to the square root of how many pixels its class has."""
        counts = labels.pixels[:len(self.classes) + 1]
        weight = np.where(counts > 0, np.maximum(counts, 1) ** -0.5, 0.0)
        weight = np.minimum(weight * counts.sum() / max((weight * counts).sum(), 1e-9), MAX_WEIGHT)
        return MaskTargets(torch.from_numpy(np.asarray(labels.masks)), torch.from_numpy(weight).float())

    def loss(self, network: Segmenter, out: Tensor, targets: MaskTargets) -> Tensor:
        height, width = targets.masks.shape[1:]
        return mask_loss(at_pixels(out, network.stride / self.upscale, (height, width)), targets)

    def logits(self, network: Segmenter, images: Images) -> Iterator[Tensor]:
        """Logits [., C + 1, H, W] of images uint8 [N, H, W, 3], a few images at a time; those of no class first."""
        size, left = (images.shape[1], images.shape[2]), len(images)
        for rows in batches_of(len(images)):
            with torch.no_grad(), reproducible(self.device):
                maps = [m.to(self.device) for m in self.maps(network, images[rows.numpy()])]
                found = at_pixels(network(maps), network.stride / self.upscale, size).cpu()[:left]
            left -= len(found)
            yield found

    def segment(self, network: Segmenter, images: Images, min_confidence: float = 0.0) -> ClassMasks:
        """The most likely class of each pixel; pixels of which the network is less confident are ignored."""
        if not len(images):
            return ClassMasks(self.classes, np.zeros(images.shape[:3], np.uint8))

        def masks(logits: Tensor) -> NDArray[np.uint8]:
            best = torch.softmax(logits, 1).max(1)
            return torch.where(best.values >= min_confidence, best.indices, IGNORED).to(torch.uint8).numpy()

        return ClassMasks(self.classes, collect_arrays(map(masks, self.logits(network, images)), len(images)))

    def pseudo_labels(self, network: Segmenter, images: Images, min_confidence: float) -> ClassMasks:
        return self.segment(network, images, min_confidence)

    def describe_pseudo_labels(self, believed: ClassMasks, rendered: ClassMasks, name: str) -> tuple[str, list[str]]:
        return describe_masks(believed, rendered, name)

    def score(self, network: Segmenter, images: Images, labels: ClassMasks,
              thresholds: NDArray[np.float64] | None = None) -> PixelCounts:
        """Predictions compared with labels: all that the metrics need. The labels may have classes after the task's,
        which are never predicted. thresholds: one for each class of the labels, at which the errors of each image are
        counted. ValueError for labels whose classes do not begin with the task's."""
        if labels.classes[:len(self.classes)] != self.classes:
            raise ValueError(f"the labels have the classes {list(labels.classes)}, and the task {list(self.classes)}: "
                             "masks are compared by number; labels.of_classes(task.classes) renumbers them")
        more = len(labels.classes) - len(self.classes)

        def counts() -> Iterator[PixelCounts]:
            first = 0
            none = np.zeros((0, len(labels.classes) + 1, *images.shape[1:3]), np.float32)
            yield count_pixels(labels.classes, none, labels.masks[:0], thresholds)
            for logits in self.logits(network, images):
                values = np.pad(logits.numpy(), ((0, 0), (0, more), (0, 0), (0, 0)), constant_values=-MAX_LOGIT * 1e3)
                yield count_pixels(labels.classes, values, labels.masks[first:first + len(logits)], thresholds)
                first += len(logits)

        return join_counts(counts())

    def join_scores(self, parts: Sequence[PixelCounts]) -> PixelCounts:
        return join_counts(parts)

    def best_threshold(self, score: PixelCounts) -> tuple[float, ...]:
        """The confidence with the highest IoU, of each class."""
        return tuple(score.best_thresholds().tolist())

    def figures(self, score: PixelCounts, threshold: tuple[float, ...]) -> str:
        each = [f"{name} {value:.1%}" for name, value in zip(self.classes, score.iou(), strict=True)
                if np.isfinite(value)]
        return f"IoU {score.resampled(np.ones((1, len(score))))[0]:.1%} ({', '.join(each)})"

    def evaluate(self, network: Segmenter, images: Images, labels: ClassMasks) -> dict[str, float]:
        """{"mIoU": mean IoU of the classes that the labels show, 0..1, then "IoU CLASS" and "pixel AP CLASS" of each}.

        NaN for a class that no label shows; 0 for a class beyond the task's. ValueError as of `score`.
        """
        counts = self.score(network, images, labels)
        iou, precision = counts.iou(), counts.average_precision()
        precision[len(self.classes):] *= 0  # all its pixels have one confidence; NaN stays
        mean = float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan")
        return {"mIoU": mean, **{f"IoU {name}": float(value) for name, value in zip(counts.classes, iou, strict=True)},
                **{f"pixel AP {name}": float(value) for name, value in zip(counts.classes, precision, strict=True)}}
