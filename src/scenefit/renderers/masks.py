"""Boxes and areas of the masks of whole objects, which may reach beyond the image.

Legend: g masks; h, w pixels of their windows.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]


def measure(solid: Tensor, left: Array, top: Array, size: tuple[int, int]) -> Array:
    """Box, area and area inside the image of each mask [g, 6]; all zero for an empty one.

    solid: [g, h, w], of bool.  left, top: column and row of the first pixel of its window in the image [g].  size: (H,
    W) of the image.
    """
    ones = solid.to(torch.float32)  # sums are exact below 2**24
    down, across = (ones @ ones.new_ones(ones.shape[2])).cpu().numpy(), ones.sum(1).cpu().numpy()
    area = down.sum(axis=1)
    row, column = top[:, None] + np.arange(down.shape[1]), left[:, None] + np.arange(across.shape[1])
    row_in, column_in = (row >= 0) & (row < size[0]), (column >= 0) & (column < size[1])
    inside, out = area.copy(), np.flatnonzero(~(row_in.all(axis=1) & column_in.all(axis=1)))
    if len(out):
        seen = ones[torch.as_tensor(out, device=ones.device)].cpu().numpy()
        inside[out] = (seen * row_in[out][:, :, None] * column_in[out][:, None, :]).sum(axis=(1, 2))
    x0, x1 = _ends(across > 0, left)
    y0, y1 = _ends(down > 0, top)
    box = np.stack([x0, y0, x1, y1], axis=1) * (area > 0)[:, None]
    return np.concatenate([box, area[:, None], inside[:, None]], axis=1)


def _ends(hit: Array, start: Array) -> tuple[Array, Array]:
    """The first that is set and one past the last, of hit [g, length], counted from start [g]."""
    return start + hit.argmax(axis=1), start + hit.shape[1] - hit[:, ::-1].argmax(axis=1)
