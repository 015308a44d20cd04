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


def nms(box: Tensor, score: Tensor, group: Tensor, max_iou: float) -> Tensor:
    """Rows of the boxes [m, 4] that are kept, by decreasing score: none has an IoU above max_iou with a higher one.

    score [m]; ties are broken by the order given.  group [m]: only boxes of one group suppress each other.
    The result of going through the boxes one by one, but computed on all at once: whether a box is kept depends only
    on boxes with a higher score, so each iteration settles at least one more, and a few iterations settle all.
    """
    order = torch.argsort(score, descending=True, stable=True)
    box, group = box[order], group[order]
    suppresses = (iou(box, box) > max_iou) & (group[:, None] == group[None])
    suppresses = suppresses.triu(1)  # row suppresses column: rows are sorted by score
    kept = torch.ones(len(box), dtype=torch.bool, device=box.device)
    for _ in range(len(box)):
        after = ~(suppresses & kept[:, None]).any(0)
        if torch.equal(after, kept):
            break
        kept = after
    return order[kept]
