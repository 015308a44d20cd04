"""The objective of a fit: the distance between the features of rendered images and those of the photos.

Legend: S rendered images; N photos; F features.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from scenefit.metrics.features import Extractor, compute
from scenefit.metrics.mmd import Kernel, kernel, mmd2, witness


@dataclass(frozen=True, eq=False)
class Objective:
    """extractor: images [S, 3, H, W] -> [S, F].  photo_features [N, F]: computed once."""

    extractor: Extractor
    photo_features: Tensor
    kernel: Kernel

    def loss(self, images: Tensor) -> Tensor:
        """Unbiased MMD^2, a scalar with gradient to images [S, 3, H, W] in 0..1."""
        return self.loss_of(self.extractor(images))

    def witness(self, images: Tensor) -> Tensor:
        """Each image's contribution to the distance [S]: lower is more like the photos."""
        return self.witness_of(self.extractor(images))

    def loss_of(self, features: Tensor) -> Tensor:
        """The same of the images' features [S, F], with gradient to these."""
        return mmd2(features, self.kernel)

    def witness_of(self, features: Tensor) -> Tensor:
        """Likewise."""
        return witness(features, self.kernel)


def objective(extractor: Extractor, images: np.ndarray) -> Objective:
    """images: the photos, uint8 [N, H, W, 3]. ValueError if their features do not differ."""
    features = compute(extractor, images)
    return Objective(extractor, features, kernel(features))
