"""Distances between a set of renders and a set of photos, measured on their features.

Legend: x [n, F] features of renders, which may carry a gradient; y [m, F] features of photos; k(a, b) a kernel;
d2 squared distances. MMD is the maximum mean discrepancy (Gretton et al., A Kernel Two-Sample Test, JMLR 2012).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from scenefit.address import generator

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
MOST = 2000  # rows that a quantity is estimated from where all of them would cost too much
BLOCK = 1024  # rows of a Gram matrix held at once
RIDGES = 10.0 ** np.arange(-4, 3)  # candidates for the ridge of the two-sample test, relative to the mean eigenvalue


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
class Estimate:
    """A value and its standard error."""

    value: float
    error: float


@torch.no_grad()
def kid(x: Tensor, y: Tensor, seed: int = 0, subsets: int = 64, most: int = MOST) -> Estimate:
    """Kernel Inception Distance (Binkowski et al., ICLR 2018) on any features: the unbiased squared MMD with the kernel
    (x.y / F + 1)^3, and its standard error from random halves of both sets.

    Of more than `most` rows on a side, that many random ones are used. Comparable only for the same extractor.
    """
    rng = generator(seed, "kid")
    x = _some(_rows(x, "the renders' features", 4), most, rng)
    y = _some(_rows(y, "the photos' features", 4, x.shape[1]), most, rng)
    xx, yy, xy = _cubic(x, x), _cubic(y, y), _cubic(x, y)
    value = _off_diagonal(xx) + _off_diagonal(yy) - 2 * xy.mean()
    halves = []
    for _ in range(subsets):
        i, j = (torch.from_numpy(rng.permutation(len(part))[: len(part) // 2]).to(part.device) for part in (x, y))
        halves.append(_off_diagonal(xx[i][:, i]) + _off_diagonal(yy[j][:, j]) - 2 * xy[i][:, j].mean())
    # The spread of an estimate from half of the rows, drawn without replacement, is that of the whole (the
    # delete-half jackknife).
    return Estimate(float(value), float(torch.stack(halves).std()))


@dataclass(frozen=True)
class Floor:
    """Squared MMD between photos and other photos: the mean of several draws, the band from 5 to 95 % of them, and
    how many photos stood on each side."""

    mean: float
    low: float
    high: float
    size: int


@torch.no_grad()
def floor(y: Tensor, seed: int, draws: int = 8, size: int | None = None, using: Kernel | None = None) -> Floor:
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
    return Floor(float(found.mean()), float(low), float(high), size)


@dataclass(frozen=True)
class TwoSample:
    """How well a classifier tells renders from photos: area under its ROC curve on rows it was not trained on, 0.5
    where it cannot, 1 where it always can, with a 95 % interval."""

    auc: float
    low: float
    high: float


@torch.no_grad()
def two_sample(x: Tensor, y: Tensor, seed: int, folds: int = 5, most: int = 600) -> TwoSample:
    """Classifier two-sample test (Lopez-Paz and Oquab, ICLR 2017), with a linear ridge classifier on the features.

    Of more than `most` rows on a side, that many random ones are used.
    """
    if folds < 2:
        raise ValueError(f"two_sample needs at least 2 folds, got folds={folds}")
    rng = generator(seed, "two_sample")
    x = _some(_rows(x, "the renders' features", folds), most, rng)
    y = _some(_rows(y, "the photos' features", folds, x.shape[1]), most, rng)
    rows = torch.cat([x.double().cpu(), y.double().cpu()])
    side = np.repeat([1.0, -1.0], [len(x), len(y)])
    fold = np.concatenate([rng.permutation(len(part)) % folds for part in (x, y)])
    aucs = [_fold_auc(rows, side, fold == f) for f in range(folds)]
    auc, count = float(np.mean(aucs)), min(len(x), len(y))
    # The variance of an AUC is at most p (1 - p) / min(n, m) (Birnbaum and Klose, 1957), hence Wilson's interval.
    z = float(stats.norm.ppf(0.975))
    middle, half = auc + z * z / (2 * count), z * sqrt(auc * (1 - auc) / count + z * z / (4 * count**2))
    return TwoSample(auc, (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count))


def wasserstein(a: Any, b: Any, circular: bool = False) -> float:
    """Wasserstein-1 distance between samples a and b of one attribute, in its units; degrees if circular.

    ValueError if a sample is empty or not finite.
    """
    a, b = (np.asarray(part, float).ravel() for part in (a, b))
    for name, part in (("a", a), ("b", b)):
        if not len(part) or not np.all(np.isfinite(part)):
            raise ValueError(f"wasserstein needs samples of finite numbers, at least 1, got {name}={part}")
    if not circular:
        return float(stats.wasserstein_distance(a, b))
    return _circular_wasserstein(a % 360.0, b % 360.0)


def _circular_wasserstein(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """On the circle, mass may also cross the origin: the least over c of the integral of |F_a - F_b - c|, which the
    weighted median of F_a - F_b reaches (Rabin, Delon and Gousseau, J. Math. Imaging and Vision 2011)."""
    edges = np.sort(np.concatenate([a, b]))
    length = np.diff(edges, append=edges[0] + 360.0)
    gap = (np.searchsorted(np.sort(a), edges, side="right") / len(a)
           - np.searchsorted(np.sort(b), edges, side="right") / len(b))
    order = np.argsort(gap, kind="stable")
    median = gap[order][np.searchsorted(np.cumsum(length[order]), 180.0)]
    return float(np.sum(length * np.abs(gap - median)))


def _fold_auc(rows: Tensor, side: NDArray[np.float64], held: NDArray[np.bool_]) -> float:
    """Train on the rows outside held, return the area under the ROC curve on those inside."""
    train, test = rows[torch.from_numpy(~held)], rows[torch.from_numpy(held)]
    mean, sd = train.mean(dim=0), train.std(dim=0)
    keep = sd > 1e-9 * (1 + mean.abs())
    train, test = ((part[:, keep] - mean[keep]) / sd[keep] for part in (train, test))
    target = torch.from_numpy(side[~held] - side[~held].mean())
    score = (test @ (train.T @ _ridge_duals(train @ train.T, target))).numpy()
    ours, theirs = score[side[held] > 0], score[side[held] < 0]
    return float(stats.mannwhitneyu(ours, theirs).statistic / (len(ours) * len(theirs)))


def _ridge_duals(gram: Tensor, target: Tensor) -> Tensor:
    """Dual weights of ridge regression, its ridge chosen by the closed-form leave-one-out error."""
    values, vectors = torch.linalg.eigh(gram)
    values = values.clamp_min(0)
    best, chosen = float("inf"), torch.zeros_like(target)
    for ridge in RIDGES * max(float(values.mean()), 1e-12):
        inverse = 1 / (values + ridge)
        duals = vectors @ (inverse * (vectors.T @ target))
        error = float((duals / (vectors.square() @ inverse)).square().mean())
        if error < best:
            best, chosen = error, duals
    return chosen


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


def _cubic(a: Tensor, b: Tensor) -> Tensor:
    return (a.double() @ b.double().T / a.shape[1] + 1) ** 3


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
