"""Which photos no render is like: what the scene cannot express.

Photos and renders are described by the many numbers of a `Summary`, not by what a fit was trained to read: that is made
to look past what no attribute tells. Legend: N photos; S renders; F numbers.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.metrics.summary_statistics import summary_statistics_for

N_NEIGHBOURS = 5  # neighbours: one alone says little
QUANTILE = 0.99  # of the renders lie nearer to other renders than the unit
THRESHOLD = 1.0  # in that unit: one photo in a hundred lies beyond it if photos are as renders are
MAX_DEVIATION = 4.0  # standard deviations of the renders: no single number decides
Images = NDArray[np.uint8]


def outlier_score(photos: Tensor, renders: Tensor, n_neighbours: int = N_NEIGHBOURS) -> Tensor:
    """How far each photo [N, F] lies from its nearest renders [S, F] [N]: 1 is as far as 99 of 100 renders at most lie
    from their nearest other renders.

    Distances are means over the `near` nearest. ValueError for fewer than near + 1 renders.
    """
    if len(renders) <= n_neighbours:
        raise ValueError(f"farness needs more than {n_neighbours} renders to tell what lies near, got {len(renders)}")
    own = torch.cdist(renders, renders, compute_mode="donot_use_mm_for_euclid_dist")
    own.fill_diagonal_(float("inf"))  # a render is no neighbour of its own
    unit = own.topk(n_neighbours, largest=False).values.mean(1).quantile(QUANTILE)
    away = torch.cdist(photos, renders, compute_mode="donot_use_mm_for_euclid_dist")
    return away.topk(n_neighbours, largest=False).values.mean(1) / unit.clamp(min=1e-12)


def outlier_scores(photos: Images, *renders: Images) -> list[NDArray[np.float32]]:
    """The farness of photos [N, H, W, 3] from each set of renders [S, H, W, 3]: [N] each."""
    summary = summary_statistics_for(photos)
    described = summary(photos)
    return [outlier_score(*standard(described, summary(part))).numpy() for part in renders]


def farthest(found: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """Rows of at most so many photos whose farness [N] is beyond `FAR`, the farthest first."""
    order = np.argsort(-found, kind="stable")[:n]
    return order[found[order] > THRESHOLD]


def standard(photos: Tensor, renders: Tensor) -> tuple[Tensor, Tensor]:
    """Both in standard deviations of the renders, without the numbers in which renders do not differ."""
    middle, spread = renders.mean(0), renders.std(0)
    used = spread > 1e-5
    photos, renders = (((part - middle)[:, used] / spread[used]).clamp(-MAX_DEVIATION, MAX_DEVIATION)
                       for part in (photos, renders))
    return photos, renders
