"""The Kernel Inception Distance (Binkowski et al., ICLR 2018).

Legend: x [n, F] features of renders; y [m, F] features of photos.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from scenefit.metrics.mmd import MAX_ROWS, check_features, off_diagonal_mean, subsample
from scenefit.scenes.rng import generator


@dataclass(frozen=True)
class Estimate:
    """A value and its standard error."""

    value: float
    error: float


@torch.no_grad()
def kid(x: Tensor, y: Tensor, seed: int = 0, subsets: int = 64, max_rows: int = MAX_ROWS) -> Estimate:
    """Kernel Inception Distance (Binkowski et al., ICLR 2018) on any features: the unbiased squared MMD with the kernel
    (x.y / F + 1)^3, and its standard error from random halves of both sets.

    Of more than max_rows rows of either, that many random ones are used. Comparable only for the same extractor.
    """
    rng = generator(seed, "kid")
    x = subsample(check_features(x, "the renders' features", 4), max_rows, rng)
    y = subsample(check_features(y, "the photos' features", 4, x.shape[1]), max_rows, rng)
    xx, yy, xy = _cubic(x, x), _cubic(y, y), _cubic(x, y)
    value = off_diagonal_mean(xx) + off_diagonal_mean(yy) - 2 * xy.mean()
    halves = []
    for _ in range(subsets):
        i, j = (torch.from_numpy(rng.permutation(len(part))[: len(part) // 2]).to(part.device) for part in (x, y))
        halves.append(off_diagonal_mean(xx[i][:, i]) + off_diagonal_mean(yy[j][:, j]) - 2 * xy[i][:, j].mean())
    # The spread of estimates from half of the rows, drawn without replacement, equals that of the estimate from all
    # (the delete-half jackknife).
    return Estimate(float(value), float(torch.stack(halves).std()))


def _cubic(a: Tensor, b: Tensor) -> Tensor:
    return (a.double() @ b.double().T / a.shape[1] + 1) ** 3
