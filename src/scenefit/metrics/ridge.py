"""Ridge regression with a closed-form leave-one-out error.

Legend: S renders; N photos; F statistics; A attributes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

RIDGES = 10.0 ** np.arange(-4, 3)  # candidates for the ridge of the two-sample test, relative to the mean eigenvalue


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


RIDGE_ALPHAS = (10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 1e7, 1e12)  # tried for each; the last: the mean
CUT = 4.0  # standard deviations of the renders: a photo may lie far outside in a number that says nothing
LITTLE, CLEARLY = 0.05, 0.1  # of an attribute's variance


@dataclass(frozen=True, eq=False)
class Regression:
    """centre [N, A]: of each photo.  error [S, A]: of each render, when it was left out.  told [A]: the part of each
    attribute's variance that the summary tells, 0 for nothing."""

    prediction: Tensor
    residual: Tensor
    r2: Tensor


def regress(summary: Tensor, known: NDArray[np.float64], photos: Tensor, near: int | None = None) -> Regression:
    """A ridge regression for each attribute, its damping by the error on renders left out, one at a time.

    summary [S, F] and known [S, A]: of renders.  photos [N, F]: their summaries.  near: so many renders, the first
    ones, are meant to be like the photos. A number in which the photos still lie elsewhere shows what the scene cannot
    express (dust, compression), and would be explained by something that it can; so it weighs less. An attribute of
    which little is told is not read at all: photos differ from renders, and chance would move all of them alike.
    """
    middle, spread = summary[:near].mean(0), summary[:near].std(0)
    used = spread > 1e-5
    x, p = (((part[:, used] - middle[used]) / spread[used]).double() for part in (summary, photos))
    weight = 1.0 if near is None else 1 / (1 + p.mean(0) ** 2)
    x, p = (weight * part.clamp(-CUT, CUT) for part in (x, p))
    centre, y = x.mean(0), torch.from_numpy(known)
    mean = y.mean(0)
    u, s, v = torch.linalg.svd(x - centre, full_matrices=False)
    inside = u.T @ (y - mean)
    errors, found = [], []
    for damping in RIDGE_ALPHAS:
        kept = s**2 / (s**2 + damping)
        hat = (u**2 @ kept + 1 / len(x)).clamp(max=0.999)
        errors.append((y - mean - u @ (kept[:, None] * inside)) / (1 - hat)[:, None])
        found.append(mean + (p - centre) @ (v.T @ ((kept / s.clamp(min=1e-9))[:, None] * inside)))
    loss = torch.stack([(e[:near] ** 2).mean(0) for e in errors])
    best, each = loss.argmin(0), torch.arange(y.shape[1])
    told = 1 - loss[best, each] / y[:near].var(0, correction=0).clamp(min=1e-12)
    best[told < LITTLE] = len(RIDGE_ALPHAS) - 1
    ends = torch.quantile(y[:near], torch.tensor([0.005, 0.995], dtype=y.dtype), dim=0)
    # Not believed beyond the renders that it was made from: the next round goes on from there.
    read = torch.stack(found)[best, :, each].T.clamp(*ends)
    return Regression(read, torch.stack(errors)[best, :, each].T, told)


def select_by_r2(full: Regression, slim: Regression) -> Regression:
    """Each attribute from the slim summary, where that tells clearly more of it than the full one; else from the full.

    Few numbers of single objects tell what drowns in thousands of the image; but the more numbers agree on a reading,
    the less it is misled by what the scene cannot express.
    """
    better = slim.r2 > full.r2 + CLEARLY
    return Regression(*(torch.where(better, theirs, ours) for ours, theirs in
                        ((full.prediction, slim.prediction), (full.residual, slim.residual), (full.r2, slim.r2))))
