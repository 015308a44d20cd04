"""Tasks: what a model trained on rendered images has to do on real ones."""

from typing import Any, Protocol

import numpy as np
from torch import Tensor

from scenefit.tasks.classify import Classify


class Task(Protocol):
    """Train on images uint8 [S, H, W, 3] with labels [S], score on labelled photos [N, H, W, 3]. See `Classify`."""

    def train(self, images: np.ndarray, labels: Any, seed: int) -> Any: ...

    def score(self, network: Any, images: np.ndarray, labels: Any) -> float: ...

    def credit(self, images: np.ndarray, labels: Any, photos: np.ndarray, photo_labels: Any,
               seed: int) -> tuple[Tensor, float]: ...


__all__ = ["Classify", "Task"]
