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

from scenefit.files.scratch import collect_several, release
from scenefit.metrics.features import images_at_once, to_tensor

CHUNK = 4  # images at once, at most


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

    count = images_at_once(images.shape[1:3], CHUNK)

    def levels(first: int) -> list[NDArray[np.float16]]:
        maps = network.maps(padded(images, first, count).to(network.last.weight.device))
        return [m[:len(images) - first].permute(0, 2, 3, 1).cpu().numpy() for m in maps]

    parts = map(levels, range(0, len(images), count))
    return FrozenMaps(collect_several(parts, len(images), in_memory=0), network.backbone.strides,
                      np.arange(len(images)))


def padded(images: NDArray[np.uint8], first: int, count: int) -> Tensor:
    """Images from `first` on, float32 [count, 3, H, W] in 0..1, black where there are no more: networks always see as
    many at once, because their last bits depend on it."""
    some = images[first:first + count]
    pixels = to_tensor(np.concatenate([some, np.zeros((count - len(some), *some.shape[1:]), np.uint8)]))
    release(images)
    return pixels
