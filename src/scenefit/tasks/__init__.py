"""Tasks: what a network trained on renders has to do on photos.

Legend: S renders; N photos; H, W pixels.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from scenefit.data.boxes import Boxes
from scenefit.data.class_masks import ClassMasks
from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.data.photos import Photos
from scenefit.metrics.average_precision import best_threshold, match_boxes
from scenefit.tasks.classification import Classify
from scenefit.tasks.detection import Detect
from scenefit.tasks.segmentation import Segment

Images = NDArray[np.uint8]


class Task(Protocol):
    """Train a network on rendered images uint8 [S, H, W, 3] and evaluate it on labelled photos [N, H, W, 3].

    Labels have one form for renders and photos: an array [S, ...] (class names for `Classify`), `Boxes` (`Detect`)
    or `ClassMasks` (`Segment`).
    """

    def labels(self, source: Frames | Photos, label_policy: LabelPolicy | None = None) -> Any:
        """Labels of renders, of the objects that label_policy chooses, or of labelled photos.

        ValueError for labels that the task cannot use; a fit asks for those of its first renders, so that it stops
        before the long work.
        """

    def train(self, images: Images, labels: Any, seed: int) -> Any:
        """A network trained on images. The same seed gives the same first weights, whatever the images."""

    def evaluate(self, network: Any, images: Images, labels: Any) -> Mapping[str, float]:
        """Metrics by name, higher is better. The first is the headline: see `headline`. NaN where undefined."""

    def influence(self, images: Images, labels: Any, photos: Images, photo_labels: Any,
                  seed: int) -> tuple[Tensor, float]:
        """What each rendered image adds to the headline metric on the photos [S], and that metric, of one training."""


@runtime_checkable
class PredictsBoxes(Protocol):
    """What a task may have besides: boxes predicted in images, which the report then shows beside the labels."""

    def predict(self, network: Any, images: Images) -> Boxes: ...


@runtime_checkable
class PredictsMasks(Protocol):
    """The same of class masks."""

    def segment(self, network: Any, images: Images) -> ClassMasks: ...


def headline(metrics: Mapping[str, float]) -> float:
    """The metric that a fit rewards and that tables compare: the first of `Task.evaluate`."""
    return next(iter(metrics.values()))


def predict_boxes(task: Task, network: Any, images: Images,
                  validation: Callable[[], tuple[Images, Boxes]]) -> tuple[Boxes, float] | None:
    """Boxes predicted in images, and the confidence threshold that maximises F1 on validation images and their labels.

    None for a task that predicts no boxes.
    """
    if not isinstance(task, PredictsBoxes):
        return None
    held_out, labels = validation()
    return task.predict(network, images), best_threshold(match_boxes(task.predict(network, held_out), labels))


def predict_masks(task: Task, network: Any, images: Images) -> ClassMasks | None:
    """Class masks predicted in images; None for a task that predicts none."""
    return task.segment(network, images) if isinstance(task, PredictsMasks) else None


__all__ = ["Classify", "Detect", "PredictsBoxes", "PredictsMasks", "Segment", "Task", "headline", "predict_boxes",
           "predict_masks"]
