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
MAX_ROWS = 2000  # that a quantity is estimated from, to bound its cost
BLOCK = 1024  # rows of a Gram matrix held at once


@dataclass(frozen=True, eq=False)
class Kernel:
    """The MMD's kernel k and its terms of the photos, computed once. k(a, b) is the mean over widths of
    exp(-|a - b|^2 / width).

    y [m, F]: features of the photos less centre [F], their mean, which keeps Gram matrices precise.
    widths: squared distances, from the median heuristic.  within: mean of k(y_i, y_j) over i != j.
    """

    y: Tensor
    centre: Tensor
    widths: tuple[float, ...]
    within: Tensor

    def matrix(self, a: Tensor, b: Tensor) -> Tensor:
        """k of all pairs: a [p, F], b [q, F] -> [p, q]. Subtract centre from both or from neither."""
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
    y = check_features(y.detach(), "the photos' features", 2)
    if not scales or not all(np.isfinite(s) and s > 0 for s in scales):
        raise ValueError(f"kernel needs scales > 0, got scales={scales}")
    if max(scales) < min(SCALES):
        raise ValueError(f"kernel needs a scale of at least {min(SCALES)} (times the median squared distance): far "
                         f"below it the MMD is small and has no gradient, got scales={scales}")
    if pool is None:
        median = median_heuristic(y)
    else:
        pool = check_features(pool.detach(), "the pool's features", 1, y.shape[1])
        median = median_heuristic(torch.cat([y, pool.to(y)]))
    centre = y.mean(dim=0)
    bare = Kernel(y - centre, centre, tuple(float(s) * median for s in scales), torch.zeros(()))
    return replace(bare, within=_mean_of_pairs(bare))


def mmd2(x: Tensor, kernel: Kernel) -> Tensor:
    """Unbiased estimate of the squared MMD between renders x [n, F] and the photos: a scalar, differentiable in x.

    Its mean is 0 where both come from the same distribution, so single values may be negative: see `noise_floor`.
    """
    x = _renders(x, kernel)
    between = kernel.matrix(x, kernel.y).mean()
    return off_diagonal_mean(kernel.matrix(x, x)) - 2 * between + kernel.within


def witness(x: Tensor, kernel: Kernel) -> Tensor:
    """Each render's contribution to the MMD [n]; lower is better.

    r_i = 2 (mean over j != i of k(x_i, x_j) - mean over j of k(x_i, y_j)): n times the derivative of `mmd2` by the
    weight of sample i, twice the witness function of Gretton et al. 2012 (section 2.3) without x_i itself.
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
    if len(y) > MAX_ROWS:
        y = y[torch.linspace(0, len(y) - 1, MAX_ROWS).long()]
    d2 = squared_distances(y, y)[tuple(torch.triu_indices(len(y), len(y), 1))]
    apart = d2[d2 > 1e-12 * y.square().sum(dim=1).max()]  # smaller ones are rounding errors of the features
    if not len(apart):
        raise ValueError("the photos' features are all the same, so there is no distance to compare others with; "
                         "give photos that differ, or a feature extractor that sees the difference")
    return float(apart.median())


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """a [p, F], b [q, F] -> [p, q], by a matrix product, never below 0."""
    return (a.square().sum(dim=1)[:, None] + b.square().sum(dim=1) - 2 * a @ b.T).clamp_min(0)


@dataclass(frozen=True)
class NoiseFloor:
    """Squared MMD between disjoint sets of `size` photos each: the mean of several draws, and their 5 and 95 %
    quantiles."""

    mean: float
    low: float
    high: float
    size: int


@torch.no_grad()
def noise_floor(y: Tensor, seed: int, draws: int = 8, size: int | None = None,
                using: Kernel | None = None) -> NoiseFloor:
    """`mmd2` between two random disjoint parts of the photos y [m, F]. Renders whose distance lies within this band
    cannot be distinguished from photos by it.

    size: photos on each side, half of them by default.  using: the kernel whose widths to use; kernel(y) by default.
    """
    rng = generator(seed, "floor")
    y = subsample(check_features(y, "the photos' features", 4), 2 * MAX_ROWS, rng)
    size = len(y) // 2 if size is None else size
    if not 2 <= size <= len(y) // 2 or draws < 1:
        raise ValueError(f"noise_floor needs draws >= 1 and a size from 2 to half of the {len(y)} photos used, got "
                         f"draws={draws}, size={size}")
    using = kernel(y) if using is None else using
    matrix = using.matrix(y - using.centre, y - using.centre)
    values = []
    for _ in range(draws):
        order = torch.from_numpy(rng.permutation(len(y))[: 2 * size]).to(y.device)
        a, b = order[:size], order[size:]
        within = off_diagonal_mean(matrix[a][:, a]) + off_diagonal_mean(matrix[b][:, b])
        values.append(within - 2 * matrix[a][:, b].mean())
    distances = torch.stack(values).double().cpu().numpy()
    low, high = np.quantile(distances, [0.05, 0.95])
    return NoiseFloor(float(distances.mean()), float(low), float(high), size)


def _mean_of_pairs(kernel: Kernel) -> Tensor:
    """Mean of k(y_i, y_j) over i != j, by blocks of rows."""
    y, total = kernel.y, torch.zeros((), dtype=torch.float64, device=kernel.y.device)
    for first in range(0, len(y), BLOCK):
        block = kernel.matrix(y[first : first + BLOCK], y)
        total += block.sum(dtype=torch.float64) - block.diagonal(first).sum(dtype=torch.float64)
    return (total / (len(y) * (len(y) - 1))).to(y.dtype)


def off_diagonal_mean(matrix: Tensor) -> Tensor:
    """Mean of a square matrix without its diagonal."""
    n = len(matrix)
    return (matrix.sum() - matrix.diagonal().sum()) / (n * (n - 1))


def subsample(rows: Tensor, max_rows: int, rng: np.random.Generator) -> Tensor:
    """At most max_rows of the rows, random ones in their original order."""
    if len(rows) <= max_rows:
        return rows
    return rows[torch.from_numpy(np.sort(rng.permutation(len(rows))[:max_rows])).to(rows.device)]


def _renders(x: Tensor, kernel: Kernel) -> Tensor:
    return check_features(x, "the renders' features", 2, kernel.y.shape[1]).to(kernel.y.dtype) - kernel.centre


def check_features(rows: Tensor, name: str, min_rows: int, width: int | None = None) -> Tensor:
    if rows.ndim != 2 or len(rows) < min_rows or (width is not None and rows.shape[1] != width):
        shape = f"[{min_rows} or more, {'F' if width is None else width}]"
        raise ValueError(f"{name} need the shape {shape}, one row for each image, got {list(rows.shape)}")
    if not torch.isfinite(rows).all():
        bad = int((~torch.isfinite(rows).all(dim=1)).nonzero()[0])
        raise ValueError(f"{name} hold NaN or infinity in row {bad}")
    return rows
