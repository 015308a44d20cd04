"""Tasks: what a model trained on rendered images has to do on real ones."""

from typing import Any, Protocol

import numpy as np
from torch import Tensor

from scenefit.tasks.classification import Classify
from scenefit.tasks.detection import Detect


class Task(Protocol):
    """Train on images uint8 [S, H, W, 3] with their labels, score on labelled photos [N, H, W, 3].

    Labels are the class names [S] for `Classify`, the `Boxes` of the images for `Detect`. The same seed gives the same
    fresh first weights to every training. credit: what each of the S images adds to the score, and the score.
    """

    def train(self, images: np.ndarray, labels: Any, seed: int) -> Any: ...

    def evaluate(self, network: Any, images: np.ndarray, labels: Any) -> float: ...

    def influence(self, images: np.ndarray, labels: Any, photos: np.ndarray, photo_labels: Any,
                  seed: int) -> tuple[Tensor, float]: ...


__all__ = ["Classify", "Detect", "Task"]
