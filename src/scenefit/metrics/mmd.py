"""The maximum mean discrepancy between renders and photos (Gretton et al., A Kernel Two-Sample Test, JMLR 2012).

Legend: x [n, F] features of renders, which may carry a gradient; y [m, F] features of photos; k(a, b) a kernel;
d2 squared distances.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from scenefit.scenes.rng import generator

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
MOST = 2000  # rows that a quantity is estimated from where all of them would cost too much
BLOCK = 1024  # rows of a Gram matrix held at once


@dataclass(frozen=True, eq=False)
class Kernel:
    """The photos' side of the MMD, computed once. k(a, b) is the mean over widths of exp(-|a - b|^2 / width).

    y [m, F]: features of the photos less centre [F], their mean, which keeps Gram matrices precise.
    widths: squared distances, from the median heuristic.  within: mean of k(y_i, y_j) over i != j.
    """

    y: Tensor
    centre: Tensor
    widths: tuple[float, ...]
    within: Tensor

    def matrix(self, a: Tensor, b: Tensor) -> Tensor:
        """k of all pairs: a [p, F], b [q, F] -> [p, q]. Both as they are, or both less centre."""
        d2 = squared_distances(a, b)
        total = torch.exp(-d2 / self.widths[0])
        for width in self.widths[1:]:
            total = total + torch.exp(-d2 / width)
        return total / len(self.widths)


def kernel(y: Tensor, scales: Sequence[float] = SCALES, pool: Tensor | None = None) -> Kernel:
    """The multi-scale Gaussian kernel for photos with features y [m, F].

    Its widths are scales times the median squared distance, between the rows of y or, with pool [p, F] (features of
    the first renders, say), between the rows of both together: the choice where the two start far apart, because a
    kernel much narrower than the gap has no gradient. ValueError for fewer than 2 photos, features that are NaN or
    all the same, or scales that are all far below the median.
    """
    y = _rows(y.detach(), "the photos' features", 2)
    if not scales or not all(np.isfinite(s) and s > 0 for s in scales):
        raise ValueError(f"kernel needs scales > 0, got scales={scales}")
    if max(scales) < min(SCALES):
        raise ValueError(f"kernel needs a scale of at least {min(SCALES)} (times the median squared distance): far "
                         f"below it the MMD looks small and has no gradient, got scales={scales}")
    both = y if pool is None else torch.cat([y, _rows(pool.detach(), "the pool's features", 1, y.shape[1]).to(y)])
    median = median_heuristic(both)
    centre = y.mean(dim=0)
    bare = Kernel(y - centre, centre, tuple(float(s) * median for s in scales), torch.zeros(()))
    return replace(bare, within=_mean_of_pairs(bare))


def mmd2(x: Tensor, kernel: Kernel) -> Tensor:
    """Unbiased estimate of the squared MMD between renders x [n, F] and the photos: a scalar, differentiable in x.

    Its mean is 0 where both come from the same distribution, so single values may lie below 0: see `floor`.
    """
    x = _renders(x, kernel)
    between = kernel.matrix(x, kernel.y).mean()
    return _off_diagonal(kernel.matrix(x, x)) - 2 * between + kernel.within


def witness(x: Tensor, kernel: Kernel) -> Tensor:
    """Each render's own share of the MMD [n]; lower is better.

    r_i = 2 (mean over j != i of k(x_i, x_j) - mean over j of k(x_i, y_j)): n times the derivative of `mmd2` by the
    weight of sample i, twice the witness function of Gretton et al. 2012 (section 2.3) with x_i itself left out.
    """
    x = _renders(x, kernel)
    inside = kernel.matrix(x, x)
    own = (inside.sum(dim=1) - inside.diagonal()) / (len(x) - 1)
    return 2 * (own - kernel.matrix(x, kernel.y).mean(dim=1))


def median_heuristic(y: Tensor) -> float:
    """Median squared distance between the rows of y [m, F], over pairs that differ.

    Of more than 2,000 rows, 2,000 spread evenly over them are used. ValueError if all rows are the same.
    """
    y = y.detach().double()
    if len(y) > MOST:
        y = y[torch.linspace(0, len(y) - 1, MOST).long()]
    d2 = squared_distances(y, y)[tuple(torch.triu_indices(len(y), len(y), 1))]
    apart = d2[d2 > 1e-12 * y.square().sum(dim=1).max()]  # nearer than a millionth is the rounding of features
    if not len(apart):
        raise ValueError("the photos' features are all the same, so there is no distance to compare others with; "
                         "give photos that differ, or a feature extractor that sees the difference")
    return float(apart.median())


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """a [p, F], b [q, F] -> [p, q], by a matrix product, never below 0."""
    return (a.square().sum(dim=1)[:, None] + b.square().sum(dim=1) - 2 * a @ b.T).clamp_min(0)


@dataclass(frozen=True)
class NoiseFloor:
    """Squared MMD between photos and other photos: the mean of several draws, the band from 5 to 95 % of them, and
    how many photos stood on each side."""

    mean: float
    low: float
    high: float
    size: int


@torch.no_grad()
def noise_floor(y: Tensor, seed: int, draws: int = 8, size: int | None = None, using: Kernel
                | None = None) -> NoiseFloor:
    """What `mmd2` gives between two random disjoint parts of the photos y [m, F]: renders inside this band cannot be
    told from photos by it.

    size: photos on each side, half of them by default.  using: the kernel whose widths to use; kernel(y) by default.
    """
    rng = generator(seed, "floor")
    y = _some(_rows(y, "the photos' features", 4), 2 * MOST, rng)
    size = len(y) // 2 if size is None else size
    if not 2 <= size <= len(y) // 2 or draws < 1:
        raise ValueError(f"floor needs draws >= 1 and a size from 2 to half of the {len(y)} photos used, got "
                         f"draws={draws}, size={size}")
    using = kernel(y) if using is None else using
    matrix = using.matrix(y - using.centre, y - using.centre)
    values = []
    for _ in range(draws):
        order = torch.from_numpy(rng.permutation(len(y))[: 2 * size]).to(y.device)
        a, b = order[:size], order[size:]
        values.append(_off_diagonal(matrix[a][:, a]) + _off_diagonal(matrix[b][:, b]) - 2 * matrix[a][:, b].mean())
    found = torch.stack(values).double().cpu().numpy()
    low, high = np.quantile(found, [0.05, 0.95])
    return NoiseFloor(float(found.mean()), float(low), float(high), size)


def _mean_of_pairs(kernel: Kernel) -> Tensor:
    """Mean of k(y_i, y_j) over i != j, by blocks of rows."""
    y, total = kernel.y, torch.zeros((), dtype=torch.float64, device=kernel.y.device)
    for first in range(0, len(y), BLOCK):
        block = kernel.matrix(y[first : first + BLOCK], y)
        total += block.sum(dtype=torch.float64) - block.diagonal(first).sum(dtype=torch.float64)
    return (total / (len(y) * (len(y) - 1))).to(y.dtype)


def _off_diagonal(matrix: Tensor) -> Tensor:
    """Mean of a square matrix without its diagonal."""
    n = len(matrix)
    return (matrix.sum() - matrix.diagonal().sum()) / (n * (n - 1))


def _some(rows: Tensor, most: int, rng: np.random.Generator) -> Tensor:
    """At most `most` of the rows, random ones in their own order."""
    if len(rows) <= most:
        return rows
    return rows[torch.from_numpy(np.sort(rng.permutation(len(rows))[:most])).to(rows.device)]


def _renders(x: Tensor, kernel: Kernel) -> Tensor:
    return _rows(x, "the renders' features", 2, kernel.y.shape[1]).to(kernel.y.dtype) - kernel.centre


def _rows(rows: Tensor, name: str, least: int, width: int | None = None) -> Tensor:
    if rows.ndim != 2 or len(rows) < least or (width is not None and rows.shape[1] != width):
        shape = f"[{least} or more, {'F' if width is None else width}]"
        raise ValueError(f"{name} need the shape {shape}, one row an image, got {list(rows.shape)}")
    if not torch.isfinite(rows).all():
        bad = int((~torch.isfinite(rows).all(dim=1)).nonzero()[0])
        raise ValueError(f"{name} hold NaN or infinity in row {bad}")
    return rows
