"""Detects photos unlike every render, by k-nearest-neighbour outlier scores: what the scene cannot express.

Images are described by task-independent `SummaryStatistics`, not by the features that a fit has learned, which ignore
what no attribute changes. As in sbi's `diagnostics/misspecification`, a model is misspecified if observations are
unlike its simulations. Legend: N photos; S renders; F statistics.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.metrics.summary_statistics import summary_statistics_for

N_NEIGHBOURS = 5  # one alone is too noisy
QUANTILE = 0.99  # of the renders' scores, which is the unit of the scores
THRESHOLD = 1.0  # 1 % of the photos would be beyond it if they were renders
MAX_DEVIATION = 4.0  # standard deviations of the renders, so that no single statistic decides
Images = NDArray[np.uint8]


def outlier_score(photos: Tensor, renders: Tensor, n_neighbours: int = N_NEIGHBOURS) -> Tensor:
    """Distance of each photo [N, F] to its nearest renders [S, F] [N], in units of the 99 % quantile of the distance of
    a render to its nearest other renders.

    Distances are means over n_neighbours. ValueError for fewer than n_neighbours + 1 renders.
    """
    if len(renders) <= n_neighbours:
        raise ValueError(f"outlier scores with {n_neighbours} neighbours need more than {n_neighbours} renders, got "
                         f"{len(renders)}")
    own = torch.cdist(renders, renders, compute_mode="donot_use_mm_for_euclid_dist")
    own.fill_diagonal_(float("inf"))  # a render is not its own neighbour
    unit = own.topk(n_neighbours, largest=False).values.mean(1).quantile(QUANTILE)
    distance = torch.cdist(photos, renders, compute_mode="donot_use_mm_for_euclid_dist")
    return distance.topk(n_neighbours, largest=False).values.mean(1) / unit.clamp(min=1e-12)


def outlier_scores(photos: Images, *renders: Images) -> list[NDArray[np.float32]]:
    """Outlier scores of photos [N, H, W, 3] among each set of renders [S, H, W, 3]: [N] each."""
    statistics = summary_statistics_for(photos)
    of_photos = statistics(photos)
    return [outlier_score(*standardise(of_photos, statistics(images))).numpy() for images in renders]


def farthest(scores: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """Rows of at most n photos whose score [N] is beyond `THRESHOLD`, the farthest first."""
    order = np.argsort(-scores, kind="stable")[:n]
    return order[scores[order] > THRESHOLD]


def standardise(photos: Tensor, renders: Tensor) -> tuple[Tensor, Tensor]:
    """Both in standard deviations of the renders, without statistics that are constant in the renders."""
    mean, deviation = renders.mean(0), renders.std(0)
    used = deviation > 1e-5
    photos, renders = (((part - mean)[:, used] / deviation[used]).clamp(-MAX_DEVIATION, MAX_DEVIATION)
                       for part in (photos, renders))
    return photos, renders
