"""How far predictions on photos and on renders of the present distribution are apart, both being random samples.

Legend: N images; F statistics.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from scenefit.inference.npe.matching import Predictions
from scenefit.inference.npe.statistics import count_statistics, object_statistics
from scenefit.metrics.c2st import c2st
from scenefit.metrics.wasserstein import wasserstein
from scenefit.nets.object_targets import ObjectSpec

Floats = NDArray[np.float64]
SPLITS = 8  # random ones


def two_sample(photos: Predictions, renders: Predictions, spec: ObjectSpec, seed: int) -> float:
    """Area under the ROC curve of a classifier between predictions on photos and on renders: 0.5 where they agree."""
    x, y = (torch.from_numpy(_compared_values(part, spec)) for part in (renders, photos))
    return c2st(x, y, seed, min(5, len(x) // 2, len(y) // 2)).auc


def distance_of_predictions(photos: Predictions, renders: Predictions, spec: ObjectSpec) -> float:
    """Mean Wasserstein-1 distance of the predictions on photos and on renders, in standard deviations. Unlike the
    classifier's, it still falls where photos can always be told from renders."""
    return _distance(*(_compared_values(part, spec) for part in (renders, photos)))


def distance_by_chance(photos: Predictions, renders: Predictions, spec: ObjectSpec, seed: int) -> float:
    """The same distance if photos and renders are exchanged at random: what remains of it when they agree."""
    x, y = (_compared_values(part, spec) for part in (renders, photos))
    random, both = np.random.default_rng(seed), np.concatenate([x, y])
    orders = (random.permutation(len(both)) for _ in range(SPLITS))
    return float(np.mean([_distance(both[order[:len(x)]], both[order[len(x):]]) for order in orders]))


def _distance(x: Floats, y: Floats) -> float:
    scale = np.concatenate([x, y]).std(0)
    return float(np.mean([wasserstein(a, b) / s for a, b, s in zip(x.T, y.T, scale, strict=True) if s > 1e-9] or [0.0]))


def _compared_values(found: Predictions, spec: ObjectSpec) -> Floats:
    return np.concatenate([found.image, *object_statistics(spec, found.objects),
                           *count_statistics(spec, found.objects)], 1)
