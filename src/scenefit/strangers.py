"""Which photos no render is like: what the scene cannot express.

Legend: N photos; S renders; F features.
"""

import torch
from torch import Tensor

NEAR = 5  # neighbours: one alone says little
FAR = 2.0  # times as far as renders lie apart: nothing like it is drawn


def farness(photos: Tensor, renders: Tensor, near: int = NEAR) -> Tensor:
    """How far each photo [N, F] lies from its nearest renders [S, F], in units of how far a render typically lies from
    its nearest other renders [N]: about 1 where the photo could be a render, more where no render is like it.

    Distances are means over the `near` nearest; typical is the median. ValueError for fewer than near + 1 renders.
    """
    if len(renders) <= near:
        raise ValueError(f"farness needs more than {near} renders to tell what lies near, got {len(renders)}")
    own = torch.cdist(renders, renders, compute_mode="donot_use_mm_for_euclid_dist")
    own.fill_diagonal_(float("inf"))  # a render is no neighbour of its own
    typical = own.topk(near, largest=False).values.mean(1).median()
    away = torch.cdist(photos, renders, compute_mode="donot_use_mm_for_euclid_dist")
    return away.topk(near, largest=False).values.mean(1) / typical.clamp(min=1e-12)


def farthest(photos: Tensor, renders: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Rows of at most so many photos beyond `FAR`, the farthest first, and the farness of all photos [N]."""
    found = farness(photos, renders)
    order = torch.argsort(found, descending=True, stable=True)[:most]
    return order[found[order] > FAR], found
