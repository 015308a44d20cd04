"""Ridge regression with a closed-form leave-one-out error.

Legend: S renders; N photos; F statistics; A attributes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

GRAM_ALPHAS = 10.0 ** np.arange(-4, 3)  # candidates of `ridge_duals`, relative to the mean eigenvalue
RIDGE_ALPHAS = (10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 1e7, 1e12)  # of `regress`; 1e12: the mean
MAX_DEVIATIONS = 4.0  # of the renders, to which statistics are clipped: a photo may lie far outside in some
MIN_R2, MIN_R2_GAIN = 0.05, 0.1


def ridge_duals(gram: Tensor, target: Tensor) -> Tensor:
    """Dual weights of kernel ridge regression [n], for the alpha with the lowest closed-form leave-one-out error.

    gram [n, n]; target [n].
    """
    values, vectors = torch.linalg.eigh(gram)
    values = values.clamp_min(0)
    best, chosen = float("inf"), torch.zeros_like(target)
    for ridge in GRAM_ALPHAS * max(float(values.mean()), 1e-12):
        inverse = 1 / (values + ridge)
        duals = vectors @ (inverse * (vectors.T @ target))
        error = float((duals / (vectors.square() @ inverse)).square().mean())
        if error < best:
            best, chosen = error, duals
    return chosen


@dataclass(frozen=True, eq=False)
class Regression:
    """prediction [N, A]: for each photo.  residual [S, A]: leave-one-out, of each render.  r2 [A]: share of each
    attribute's variance that is explained on left-out renders."""

    prediction: Tensor
    residual: Tensor
    r2: Tensor


def regress(statistics: Tensor, truth: NDArray[np.float64], photo_statistics: Tensor,
            n_near: int | None = None) -> Regression:
    """A ridge regression for each attribute, each with the alpha of the lowest leave-one-out error on renders.

    statistics [S, F] and truth [S, A]: of renders.  photo_statistics [N, F].  n_near: the first so many renders are
    meant to be like the photos. A statistic in which the photos still differ from these shows what the scene cannot
    express (dust, compression), and would be explained by an attribute instead; so its weight is reduced. An attribute
    with an R2 below `MIN_R2` is predicted by its mean: photos differ from renders, and chance would move all of them
    in the same direction.
    """
    middle, spread = statistics[:n_near].mean(0), statistics[:n_near].std(0)
    used = spread > 1e-5
    x, p = (((part[:, used] - middle[used]) / spread[used]).double() for part in (statistics, photo_statistics))
    weight = 1.0 if n_near is None else 1 / (1 + p.mean(0) ** 2)
    x, p = (weight * part.clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS) for part in (x, p))
    centre, y = x.mean(0), torch.from_numpy(truth)
    mean = y.mean(0)
    u, s, v = torch.linalg.svd(x - centre, full_matrices=False)
    inside = u.T @ (y - mean)
    residuals, predictions = [], []
    for alpha in RIDGE_ALPHAS:
        kept = s**2 / (s**2 + alpha)
        hat = (u**2 @ kept + 1 / len(x)).clamp(max=0.999)
        residuals.append((y - mean - u @ (kept[:, None] * inside)) / (1 - hat)[:, None])
        predictions.append(mean + (p - centre) @ (v.T @ ((kept / s.clamp(min=1e-9))[:, None] * inside)))
    loss = torch.stack([(e[:n_near] ** 2).mean(0) for e in residuals])
    best, each = loss.argmin(0), torch.arange(y.shape[1])
    r2 = 1 - loss[best, each] / y[:n_near].var(0, correction=0).clamp(min=1e-12)
    best[r2 < MIN_R2] = len(RIDGE_ALPHAS) - 1
    ends = torch.quantile(y[:n_near], torch.tensor([0.005, 0.995], dtype=y.dtype), dim=0)
    # No extrapolation beyond the renders: the next round starts from these predictions.
    prediction = torch.stack(predictions)[best, :, each].T.clamp(*ends)
    return Regression(prediction, torch.stack(residuals)[best, :, each].T, r2)


def select_by_r2(full: Regression, slim: Regression) -> Regression:
    """Each attribute from the slim regression where its R2 is clearly higher than the full one's, else from the full.

    A few statistics of single objects may explain what is lost in thousands of statistics of the image; but the more
    statistics a prediction rests on, the less it is misled by what the scene cannot express.
    """
    better = slim.r2 > full.r2 + MIN_R2_GAIN
    return Regression(*(torch.where(better, of_slim, of_full) for of_full, of_slim in
                        ((full.prediction, slim.prediction), (full.residual, slim.residual), (full.r2, slim.r2))))
