"""What a task defines whose network is a `Pyramid`: labels, network, loss, predictions and their score.

Legend: S rendered images; N photos; H, W pixels; h, w cells of a feature map; O outputs.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.data.boxes import Boxes, join_boxes
from scenefit.data.class_masks import ClassMasks, join_class_masks
from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.data.photos import Photos
from scenefit.nets.augmentation import Augment
from scenefit.nets.pyramid.network import Backbone, Pyramid

Images = NDArray[np.uint8]
Network = TypeVar("Network", bound=Pyramid)
Labels = TypeVar("Labels")


class Targets(Protocol):
    """Labels of N images as the loss needs them."""

    def __len__(self) -> int: ...
    def take(self, rows: Tensor) -> Self: ...
    def to(self, device: str | torch.device) -> Self: ...
    def count(self) -> Tensor:
        """How much each image is labelled [N]: the loss of a batch is divided by the sum."""


class Words(NamedTuple):
    """How a task is spoken of. verb: what its networks do.  needs: what it needs of photos.  shows: what an image does
    whose labels show a class.  empty: what photos have whose labels show none.  metric: of its `Score`.  mean_of: what
    the metric is the mean of.  reading: what reading the label policy from photos costs."""

    verb: str
    needs: str
    shows: str
    empty: str
    metric: str
    mean_of: str
    reading: str


class Score(Protocol):
    """Predictions in N labelled images compared with the labels."""

    def __len__(self) -> int: ...
    def resampled(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The task's metric, 0..1, for weights of the images [B, N] -> [B]."""


class TaskDefinition(ABC, Generic[Network, Labels]):
    """What a task defines; its training is `dense_prediction.DensePrediction`. The attributes are those of `Detect`.

    name: of the task, in commands and files.  foreign: settings of `LabelPolicy` that its labels do not have.
    """

    name: ClassVar[str]
    words: ClassVar[Words]
    foreign: ClassVar[tuple[str, ...]]
    classes: tuple[str, ...]
    steps: int
    batch: int
    learning_rate: float
    upscale: float
    augmented_copies: int
    augment: Augment
    backbone: Backbone
    train_backbone: bool
    device: str

    @classmethod
    @abstractmethod
    def of_renders(cls, frames: Frames, label_policy: LabelPolicy | None = None) -> Labels:
        """Labels of renders, with all classes that these have."""

    @classmethod
    @abstractmethod
    def read(cls, place: str | Path, size: tuple[int, int], part: str | None = None, **options: Any) -> Photos:
        """Labelled photos of a folder, with labels of this task where it has any; options as of `read_few`."""

    @classmethod
    @abstractmethod
    def of_photos(cls, photos: Photos) -> Labels | None:
        """The labels of photos, with all classes that these have; None without labels of this task."""

    @classmethod
    @abstractmethod
    def shown(cls, labels: Labels) -> list[str]:
        """The classes that labels show, sorted."""

    @classmethod
    @abstractmethod
    def labelled(cls, labels: Labels) -> NDArray[np.int64]:
        """Numbers of the images that show at least one class."""

    @abstractmethod
    def renumbered(self, labels: Labels) -> Labels:
        """The same labels with the task's classes."""

    @abstractmethod
    def labels(self, source: Frames | Photos, label_policy: LabelPolicy | None = None) -> Labels:
        """As of `Task`."""

    @abstractmethod
    def check_labels(self, labels: Labels) -> None:
        """ValueError for what are no labels of this task."""

    @abstractmethod
    def make_network(self) -> Network:
        """An untrained network, with weights from PyTorch's random numbers."""

    @abstractmethod
    def augmented(self, images: Images, labels: Labels, seed: int, copies: int) -> tuple[Images, Labels]:
        """Augmented copies of images [S, H, W, 3], one set after the other, with their labels."""

    @abstractmethod
    def targets(self, labels: Labels) -> Any:
        """Labels as `loss` needs them."""

    @abstractmethod
    def loss(self, network: Network, out: Tensor, targets: Any) -> Tensor:
        """Loss of each image [N], summed over what is labelled. out: the network's outputs [N, O, h, w]."""

    @abstractmethod
    def pseudo_labels(self, network: Network, images: Images, min_confidence: float) -> Labels:
        """What the network predicts in images with at least this confidence."""

    @abstractmethod
    def describe_pseudo_labels(self, believed: Labels, rendered: Labels, name: str) -> tuple[str, list[str]]:
        """How many pseudo-labels of photos there were, in words, and warnings: of classes that have none, more than
        twice as many in a photo as labels in a rendered image, or less than a third. name: what such an image is."""

    @abstractmethod
    def score(self, network: Network, images: Images, labels: Labels) -> Any:
        """The `Score` of a network."""

    @abstractmethod
    def join_scores(self, parts: Sequence[Any]) -> Any:
        """The scores of several sets of images as that of one set."""

    @abstractmethod
    def best_threshold(self, score: Any) -> Any:
        """The confidence from which predictions count best in these images; of tasks that need it, one each class."""

    @abstractmethod
    def figures(self, score: Any, threshold: Any) -> str:
        """How good a network is, in words."""

    @abstractmethod
    def evaluate(self, network: Network, images: Images, labels: Labels) -> Mapping[str, float]:
        """As of `Task`."""


def join_labels(parts: Sequence[Any]) -> Any:
    """Labels of one set of images after another's: `Boxes`, `ClassMasks`, or arrays [S, ...]."""
    if isinstance(parts[0], Boxes):
        return join_boxes(parts)
    return join_class_masks(parts) if isinstance(parts[0], ClassMasks) else np.concatenate(parts)
