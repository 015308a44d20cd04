"""Classifier two-sample test (Lopez-Paz and Oquab, ICLR 2017).

Legend: x [n, F] features of renders; y [m, F] features of photos.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from scenefit.metrics.mmd import check_features, subsample
from scenefit.metrics.ridge import ridge_duals
from scenefit.scenes.rng import generator


@dataclass(frozen=True)
class C2ST:
    """Area under the ROC curve of a classifier of renders against photos, on held-out rows: 0.5 at chance, 1 where they
    are always distinguished. low, high: a 95 % interval."""

    auc: float
    low: float
    high: float


@torch.no_grad()
def c2st(x: Tensor, y: Tensor, seed: int, folds: int = 5, max_rows: int = 600) -> C2ST:
    """Classifier two-sample test (Lopez-Paz and Oquab, ICLR 2017), with a linear ridge classifier on the features.

    Of more than max_rows rows of either, that many random ones are used.
    """
    if folds < 2:
        raise ValueError(f"c2st needs at least 2 folds, got folds={folds}")
    rng = generator(seed, "two_sample")
    x = subsample(check_features(x, "the renders' features", folds), max_rows, rng)
    y = subsample(check_features(y, "the photos' features", folds, x.shape[1]), max_rows, rng)
    rows = torch.cat([x.double().cpu(), y.double().cpu()])
    side = np.repeat([1.0, -1.0], [len(x), len(y)])
    fold = np.concatenate([rng.permutation(len(part)) % folds for part in (x, y)])
    aucs = [_fold_auc(rows, side, fold == f) for f in range(folds)]
    auc, count = float(np.mean(aucs)), min(len(x), len(y))
    # The variance of an AUC is at most p (1 - p) / min(n, m) (Birnbaum and Klose, 1957), hence Wilson's interval.
    z = float(stats.norm.ppf(0.975))
    middle, half = auc + z * z / (2 * count), z * sqrt(auc * (1 - auc) / count + z * z / (4 * count**2))
    return C2ST(auc, (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count))


def _fold_auc(rows: Tensor, side: NDArray[np.float64], held: NDArray[np.bool_]) -> float:
    """Train on the rows outside held, return the area under the ROC curve on those inside."""
    train, test = rows[torch.from_numpy(~held)], rows[torch.from_numpy(held)]
    mean, sd = train.mean(dim=0), train.std(dim=0)
    keep = sd > 1e-9 * (1 + mean.abs())
    train, test = ((part[:, keep] - mean[keep]) / sd[keep] for part in (train, test))
    target = torch.from_numpy(side[~held] - side[~held].mean())
    score = (test @ (train.T @ ridge_duals(train @ train.T, target))).numpy()
    renders, photos = score[side[held] > 0], score[side[held] < 0]
    return float(stats.mannwhitneyu(renders, photos).statistic / (len(renders) * len(photos)))
