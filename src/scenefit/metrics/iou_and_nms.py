"""Overlap of boxes, and non-maximum suppression.

Legend: m, n boxes, each x0, y0, x1, y1.
"""

import torch
from torch import Tensor


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of every pair: boxes [m, 4], [n, 4] -> [m, n] in 0..1."""
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(2)
    area = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (first, second)]
    return shared / (area[0][:, None] + area[1][None] - shared).clamp(min=1e-9)


def nms(box: Tensor, score: Tensor, group: Tensor, most: float) -> Tensor:
    """Rows of the boxes [m, 4] that stay, surest first: none overlaps a surer one that stays by more than most.

    score [m]; equal scores count in the order given.  group [m]: only boxes of one group suppress each other.
    The same as going through the boxes one by one, surest first, but done on all at once: what is kept depends only
    on surer boxes, so that each round settles at least one more, and a few rounds settle all.
    """
    order = torch.argsort(score, descending=True, stable=True)
    box, group = box[order], group[order]
    beats = (iou(box, box) > most) & (group[:, None] == group[None])
    beats = beats.triu(1)  # row beats column: the surer stands first
    kept = torch.ones(len(box), dtype=torch.bool, device=box.device)
    for _ in range(len(box)):
        after = ~(beats & kept[:, None]).any(0)
        if torch.equal(after, kept):
            break
        kept = after
    return order[kept]
