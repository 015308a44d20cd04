"""The maps of a pretrained backbone, which training leaves as it is: computed once for each image, then read.

Legend: N images; F features; h, w cells of a map; n crops.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.files.scratch import release, scratch_array
from scenefit.metrics.features import to_tensor

CHUNK = 4  # images at once


@dataclass(frozen=True, eq=False)
class FrozenMaps:
    """levels: finest first, each float16 [N, h, w, F] in a `scratch_array` that is a file.  strides: pixels of a cell
    of each.  rows: of the images that are meant."""

    levels: Sequence[NDArray[np.float16]]
    strides: Sequence[int]
    rows: NDArray[np.int64]

    def of(self, rows: NDArray[np.int64]) -> "FrozenMaps":
        """Those of some of the images."""
        return replace(self, rows=self.rows[rows])

    def chunk(self, first: int, count: int) -> list[Tensor]:
        """Maps [count, F, h, w] from image `first` on; zeros where there are no more images."""
        rows = self.rows[first:first + count]
        found = [np.zeros((count, *level.shape[1:]), np.float16) for level in self.levels]
        for into, level in zip(found, self.levels, strict=True):
            into[:len(rows)] = level[rows]
            release(level)
        return [torch.from_numpy(part).permute(0, 3, 1, 2) for part in found]

    def crops(self, rows: NDArray[np.int64], corner: NDArray[np.int64], side: tuple[int, int]) -> list[Tensor]:
        """Crops of side (height, width) of some images [n], at corners (left, top) [n, 2] that are multiples of the
        coarsest stride: [n, F, h, w]."""
        out = []
        for level, stride in zip(self.levels, self.strides, strict=True):
            height, width = (-(-length // stride) for length in side)
            parts = [level[self.rows[row], y:y + height, x:x + width]
                     for row, (x, y) in zip(rows, corner // stride, strict=True)]
            out.append(torch.from_numpy(np.stack(parts)).permute(0, 3, 1, 2))
            release(level)
        return out


@torch.no_grad()
def frozen_maps(network: Any, images: NDArray[np.uint8]) -> FrozenMaps | None:
    """Of images uint8 [N, H, W, 3]; None where the backbone of this `ObjectNetwork` has no pretrained weights."""
    if not network.backbone.trained:
        return None
    device = network.last.weight.device
    levels: list[NDArray[np.float16]] = []
    for first in range(0, len(images), CHUNK):
        some = images[first:first + CHUNK]
        padded = np.concatenate([some, np.zeros((CHUNK - len(some), *some.shape[1:]), np.uint8)])
        found = [m[:len(some)].permute(0, 2, 3, 1).cpu().numpy() for m in network.maps(to_tensor(padded).to(device))]
        levels = levels or [scratch_array((len(images), *own.shape[1:]), np.float16, in_memory=0) for own in found]
        for into, own in zip(levels, found, strict=True):
            into[first:first + len(some)] = own
            release(into)
        release(images)
    return FrozenMaps(levels, network.backbone.strides, np.arange(len(images)))
