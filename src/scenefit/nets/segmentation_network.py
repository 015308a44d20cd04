"""The network of semantic segmentation: a feature pyramid whose last layer gives each cell's classes.

After the panoptic feature pyramid (Kirillov et al., CVPR 2019). Legend: N images; H, W pixels; h, w cells of the finest
map; C classes.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from scenefit.data.class_masks import IGNORED
from scenefit.nets.pyramid.network import Pyramid


class Segmenter(Pyramid):
    """maps [N, F, h, w], finest first -> logits [N, C + 1, h, w], those of no class first."""

    def __init__(self, backbone: Any, classes: int):
        super().__init__(backbone, classes + 1)


@dataclass(frozen=True, eq=False)
class MaskTargets:
    """Class masks of N images. masks uint8 [N, H, W], as of `ClassMasks`.  weight [C + 1]: of a pixel in the loss, by
    its value in the mask."""

    masks: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.masks)

    def take(self, rows: Tensor) -> "MaskTargets":
        return MaskTargets(self.masks[rows], self.weight)

    def to(self, device: str | torch.device) -> "MaskTargets":
        return MaskTargets(self.masks.to(device), self.weight.to(device))

    def count(self) -> Tensor:
        """Pixels of each image that are not ignored [N]."""
        return (self.masks != IGNORED).sum((1, 2))


def at_pixels(out: Tensor, stride: float, size: tuple[int, int]) -> Tensor:
    """Logits [N, C + 1, h, w] of cells of `stride` pixels, interpolated to each pixel [N, C + 1, H, W]."""
    height, width = size
    full = [max(side, round(cells * stride)) for side, cells in zip(size, out.shape[2:], strict=True)]
    return F.interpolate(out, full, mode="bilinear", align_corners=False)[:, :, :height, :width]


def mask_loss(logits: Tensor, targets: MaskTargets) -> Tensor:
    """Weighted cross-entropy, summed over each image's pixels [N]. logits [N, C + 1, H, W]."""
    return F.cross_entropy(logits, targets.masks.long(), targets.weight, ignore_index=IGNORED,
                           reduction="none").sum((1, 2))
