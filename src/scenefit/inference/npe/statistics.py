"""Summary statistics of images, from which the attributes of whole images are predicted: what the networks see of the
image, and the objects predicted in it.

Legend: N images; m objects; F statistics; R targets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.nets.object_predictions import ObjectPredictions
from scenefit.nets.object_targets import ObjectSpec

Floats = NDArray[np.float64]
THRESHOLDS = 0.2, 0.35, 0.5, 0.7  # of the score, above which objects are counted
CONFIDENT = 0.35  # objects whose attributes are averaged
ALPHAS = 10.0 ** np.arange(-2, 6)  # candidates of the ridge regression
MIN_SEEN, MIN_SHOWN = 40, 0.5  # left-out renders, and share of the photos, that have the statistics
RANGE = 2.0  # standard deviations of statistics of the first proposal
_TURNS = 2 * np.pi * np.arange(12) / 12
_CIRCLE = np.stack([np.cos(_TURNS), np.sin(_TURNS)], 1)
# Points in a box, of which colours are taken, from its middle and in units of its sides.
MIDDLE = 0.25 * np.stack(np.meshgrid(np.linspace(-1, 1, 4), np.linspace(-1, 1, 4)), 2).reshape(-1, 2)
RIM, OUTSIDE = 0.42 * _CIRCLE, 0.62 * _CIRCLE
MAX_DEVIATIONS = 4.0  # to which statistics are clipped: a photo may lie far outside the renders in some


def count_statistics(spec: ObjectSpec, found: ObjectPredictions) -> list[Floats]:
    """For each kind its number of predicted objects above some thresholds in each image [N, F]."""
    out = []
    for code, _ in enumerate(spec.kinds):
        columns = []
        for least in THRESHOLDS:
            chosen = found.image[(found.kind == code) & (found.score >= least)]
            count = np.bincount(chosen, minlength=found.count).astype(float)
            columns += [count, np.sqrt(count)]
        out.append(np.stack(columns, 1))
    return out


def object_statistics(spec: ObjectSpec, found: ObjectPredictions) -> list[Floats]:
    """For each kind mean and spread of the boxes' sides and of the predicted values in each image [N, F]."""
    out = []
    side = np.log(np.maximum(found.box[:, 2:] - found.box[:, :2], 1))
    for code, kind in enumerate(spec.kinds):
        sure = (found.kind == code) & (found.score >= CONFIDENT)
        columns = [one.first + number for one in spec.of(kind)
                   for number in range(_shown(one.attribute.form, one.width))]
        values = [side[sure].mean(1), *(found.outputs[sure, column] for column in columns)]
        out.append(np.concatenate([moments(found.image[sure], value, found.count) for value in values], 1))
    return out


def object_colours(spec: ObjectSpec, found: ObjectPredictions, images: NDArray[np.uint8]) -> list[Floats]:
    """For each kind mean and spread of what its boxes show in each image uint8 [N, H, W, 3]: colours of the middle, at
    the rim and just outside, contrast within the middle, and how far the box is from square [N, F]."""
    sure = found.where(found.score >= CONFIDENT)
    image, kind, box = sure.image, sure.kind, sure.box
    middle, side = (box[:, :2] + box[:, 2:]) / 2, np.maximum(box[:, 2:] - box[:, :2], 1)
    inside, rim, outside = (_at(images, image, middle[:, None] + points * side[:, None]) / 255
                            for points in (MIDDLE, RIM, OUTSIDE))
    values = np.concatenate([inside.mean(1), rim.mean(1), outside.mean(1), inside.mean(2).std(1)[:, None],
                             np.abs(np.log(side[:, :1] / side[:, 1:]))], 1)
    return [np.concatenate([moments(image[kind == code], column, found.count) for column in values[kind == code].T], 1)
            for code in range(len(spec.kinds))]


def of_all_kinds(statistics: Sequence[Floats], count: int) -> Floats:
    """Statistics of each kind [N, F] side by side; without kinds [N, 0]. count: N."""
    return np.concatenate([np.zeros((count, 0)), *statistics], 1)


def of_one_kind(code: int, found: ObjectPredictions, *statistics: Sequence[Floats]) -> Floats:
    """Statistics of one kind [N, F] side by side; NaN for images in which no object of it is predicted. statistics:
    each of all kinds."""
    seen = np.isin(np.arange(found.count), found.image[(found.kind == code) & (found.score >= CONFIDENT)])
    return np.where(seen[:, None], np.concatenate([each[code] for each in statistics], 1), np.nan)


def _at(images: NDArray[np.uint8], image: NDArray[np.int64], points: Floats) -> Floats:
    """Colours [m, P, 3] of these images [m] at points (x, y) [m, P, 2], px."""
    height, width = images.shape[1:3]
    x, y = (np.clip(points[..., way], 0, most - 1).astype(int) for way, most in ((0, width), (1, height)))
    return images[image[:, None], y, x].astype(float)


def _shown(form: str, width: int) -> int:
    return width if form in ("choice", "angle") else 1


def moments(image: NDArray[np.int64], value: Floats, count: int) -> Floats:
    """Mean and spread of the values of each image [N, 2]; those of all images where it has none."""
    n = np.bincount(image, minlength=count)
    mean = np.bincount(image, value, count) / np.maximum(n, 1)
    spread = np.sqrt(np.maximum(np.bincount(image, value**2, count) / np.maximum(n, 1) - mean**2, 0))
    known = n > 0
    middle = (mean[known].mean(), spread[known].mean()) if known.any() else (0.0, 0.0)
    return np.stack([np.where(known, mean, middle[0]), np.where(known, spread, middle[1])], 1)


@dataclass(frozen=True, eq=False)
class ImageRegression:
    """A ridge regression of each target on the statistics, alpha by closed-form leave-one-out error. r2 [R]: on renders
    that are left out, among those that have the statistics; -inf where renders or photos that have them are too few."""

    centre: Tensor
    scale: Tensor
    used: Tensor
    weight: Tensor
    mean: Tensor
    r2: Tensor

    def __call__(self, statistics: Floats) -> Floats:
        """[N, F] -> predictions [N, R]; for images without statistics, NaN, about the mean."""
        x = ((torch.from_numpy(statistics)[:, self.used] - self.centre) / self.scale).clamp(-MAX_DEVIATIONS,
                                                                                             MAX_DEVIATIONS)
        return (torch.nan_to_num(x) @ self.weight + self.mean).numpy()


def variance_within(values: Tensor, part: NDArray[np.int64]) -> Tensor:
    """Variance [R] of values [n, R] within the parts [n] of a proposal."""
    code = torch.from_numpy(part)
    apart = torch.stack([values[code == k].var(0, correction=0) * (code == k).sum() for k in code.unique()])
    return apart.sum(0) / len(values)


def fit_image_regression(statistics: Floats, truth: Tensor, held: NDArray[np.bool_], photos: Floats,
                         part: NDArray[np.int64], near: bool) -> ImageRegression:
    """truth [S, R], with NaN where a scene lacks the target: that is replaced by the mean.  held [S]: those that were
    not used to train what the statistics are made with; they alone choose alpha.  photos [N, F].  part [S]: of the
    proposal.  near: whether renders of part 0 are meant to be like the photos. A statistic in which photos still differ
    from these shows what the scene cannot express, and would be explained by an attribute instead; so it counts as if
    it had noise as large as that difference (noisy NPE: Ward et al. 2022). Before that, photos may lie anywhere in the
    range of the renders. Images whose statistics are NaN are left out.
    """
    seen, shown_in = (np.asarray(np.isfinite(values).all(1)) for values in (statistics, photos))
    partial = not (seen.all() and shown_in.all())
    if partial and (seen[held].sum() < MIN_SEEN or shown_in.mean() < MIN_SHOWN):
        return _mean_alone(statistics.shape[1], truth)
    statistics, held, part, photos = statistics[seen], held[seen], part[seen], photos[shown_in]
    x, y = torch.from_numpy(statistics), truth[torch.from_numpy(seen)].double()
    known = torch.isfinite(y)
    mean = torch.where(known, y, 0).sum(0) / known.sum(0).clamp(min=1)
    y = torch.where(known, y, mean) - mean
    spread = x.std(0)
    used = spread > 1e-6 * (1 + x.mean(0).abs())
    centre, scale = x[:, used].mean(0), spread[used]
    x, shown = (((values[:, used] - centre) / scale).clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS)
                for values in (x, torch.from_numpy(photos)))
    noise = len(x) * _apart(x, shown, part, near).square()
    middle, kept_out, losses, weights = x.mean(0), torch.from_numpy(held), [], []
    x = x - middle
    for alpha in ALPHAS:
        # The dual of a ridge regression with a penalty for each statistic.
        scaled = x / (alpha + noise)
        kernel = x @ scaled.T
        inverse = torch.linalg.inv(kernel + torch.eye(len(x), dtype=x.dtype))
        own = inverse @ y  # residuals
        free = (inverse.diagonal() - 1 / len(x)).clamp(min=1e-12)  # 1 less the leverage: tiny where statistics are many
        losses.append((own / free[:, None])[kept_out].square().mean(0))
        weights.append(scaled.T @ own)
    loss, best = torch.stack(losses).min(0)
    weight = torch.stack(weights)[best, :, torch.arange(y.shape[1])].T
    r2 = 1 - loss / variance_within(y[kept_out], part[held]).clamp(min=1e-12)
    return ImageRegression(centre, scale, used, weight, mean - middle @ weight, r2)


def _mean_alone(width: int, truth: Tensor) -> ImageRegression:
    """One that predicts the mean of the targets, whatever the statistics [F] are."""
    none, mean = torch.zeros(0, dtype=torch.double), truth.double().nanmean(0).nan_to_num()
    return ImageRegression(none, none, torch.zeros(width, dtype=torch.bool), none.new_zeros(0, truth.shape[1]), mean,
                           torch.full_like(mean, -torch.inf))


def _apart(renders: Tensor, photos: Tensor, part: NDArray[np.int64], near: bool) -> Tensor:
    """How far the photos' mean of each statistic [F] lies from that of the renders that are meant to be like them."""
    close = renders[torch.from_numpy(part == 0)]
    if len(close) < 2 or not renders.shape[1]:
        return renders.new_zeros(renders.shape[1])
    apart = (photos.mean(0) - close.mean(0)).abs()
    return apart if near else (apart - RANGE * close.std(0, correction=0)).clamp(min=0)
