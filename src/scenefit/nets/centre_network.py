"""The detector's network: a feature pyramid and a head that predicts objects as centre points.

After CenterNet (Zhou et al. 2019) and TTFNet (Liu et al., AAAI 2020): at stride 4 each class has a heat map with a
peak at the centre of each object, and each cell predicts the distances to the sides of its object.
Legend: N images; H, W pixels; h, w cells of the finest map; C classes; M boxes of an image at most; F features.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenefit.nets.pyramid.network import Pyramid

FIRST_HEAT = 0.01  # of every cell before training: most have no object
SPREAD = 0.1  # standard deviation of an object's heat, as a share of its sides
MIN_SPREAD = 0.6  # cells
MIN_HEAT = 0.3  # cells with at least this heat are trained on the object's sides
MIN_SCORE = 0.02  # detections of lower confidence are dropped


class Detector(Pyramid):
    """maps [N, F, h, w], finest first -> [N, C + 4, h, w]: logits of each class, and the logarithms of the distances to
    the left, top, right and bottom side, in strides."""

    def __init__(self, backbone: Any, classes: int):
        super().__init__(backbone, classes + 4)
        first = torch.ones(classes + 4)
        first[:classes] = -math.log((1 - FIRST_HEAT) / FIRST_HEAT)
        self.last.bias = nn.Parameter(first)


@dataclass(frozen=True, eq=False)
class Targets:
    """Boxes of N images, padded. box [N, M, 4] in pixels.  code [N, M]: index of the class, -1 for padding.
    weight [C]: of an object of each class in the loss."""

    box: Tensor
    code: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.code)

    def take(self, rows: Tensor) -> "Targets":
        return Targets(self.box[rows], self.code[rows], self.weight)

    def to(self, device: str | torch.device) -> "Targets":
        return Targets(self.box.to(device), self.code.to(device), self.weight.to(device))

    def count(self) -> Tensor:
        """Boxes of each image [N]."""
        return (self.code >= 0).sum(1)


def class_weights(counts: Tensor) -> Tensor:
    """Weights [C] of classes with so many objects [C]: inverse to the square root, 1 in the mean over the objects.

    Without weights, box sizes of a rare class are learned from frequent ones, though all classes count equally in mAP.
    """
    there = counts.clamp(min=1).double()
    weight = torch.where(counts > 0, there.rsqrt(), torch.zeros_like(there))
    weight = weight * counts.sum() / (weight * counts).sum().clamp(min=1e-9)
    return torch.where(counts > 0, weight, torch.ones_like(weight)).float()


def centres(height: int, width: int, stride: int, device: Any = None) -> tuple[Tensor, Tensor]:
    """Centres of a map's cells in pixels: x [w], y [h]."""
    x, y = (torch.arange(n, dtype=torch.float32, device=device) for n in (width, height))
    return (x + 0.5) * stride, (y + 0.5) * stride


def loss(out: Tensor, targets: Targets, classes: int, stride: int) -> Tensor:
    """Loss of each image [N], summed over its objects by weight: focal loss of the heat, and 2 (1 - GIoU) of boxes."""
    heat, near, side = _target_maps(targets, classes, stride, out.shape[2], out.shape[3])
    weight = targets.weight[:, None, None]
    odds = out[:, :classes]
    chance = odds.sigmoid().clamp(1e-5, 1 - 1e-5)
    peak = heat >= 1
    focal = torch.where(peak, -(1 - chance) ** 2 * chance.log(), -(1 - heat) ** 4 * chance**2 * (1 - chance).log())
    predicted = out[:, classes:].clamp(max=8).exp() * stride
    return (weight * focal).sum((1, 2, 3)) + 2 * (near * (1 - _giou(predicted, side))).sum((1, 2))


def cell_owners(targets: Targets, stride: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The weight of each cell's object in losses of attributes [N, h, w], which sums to 1 over an object, and which of
    the M boxes that object is [N, h, w]."""
    each = _bells(targets, stride, height, width)
    near, owner, total = _nearest(each)
    return near / total.gather(1, owner.flatten(1)).view_as(near).clamp(min=1e-6), owner


def _bells(targets: Targets, stride: int, height: int, width: int) -> Tensor:
    """Each object's heat [N, M, h, w], 1 at its centre."""
    box, real = targets.box, targets.code >= 0
    x, y = centres(height, width, stride, box.device)
    middle, size = (box[..., :2] + box[..., 2:]) / 2, box[..., 2:] - box[..., :2]
    cell = torch.stack([(middle[..., 0] / stride).floor().clamp(0, width - 1),
                        (middle[..., 1] / stride).floor().clamp(0, height - 1)], 2)
    spread = (size / stride * SPREAD).clamp(min=MIN_SPREAD)
    bell = [(-((axis / stride - 0.5 - cell[..., d, None]) / spread[..., d, None]).square() / 2).exp()
            for d, axis in enumerate((x, y))]
    return bell[1][..., :, None] * bell[0][..., None, :] * real[..., None, None]


def _nearest(each: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each object's heat [N, M, h, w]: that of the nearest [N, h, w], 0 where it is low; which that is [N, h, w];
    the sum over each object's cells [N, M]."""
    best, owner = each.max(1)
    near = torch.where(best >= MIN_HEAT, best, 0)
    total = torch.zeros(each.shape[:2], device=each.device).scatter_add(1, owner.flatten(1), near.flatten(1))
    return near, owner, total


def _target_maps(targets: Targets, classes: int, stride: int, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Heat [N, C, h, w]; the weight of each cell's box [N, h, w], which sums to its class's over an object; distances
    to the sides of that box [N, 4, h, w], pixels."""
    box, each = targets.box, _bells(targets, stride, height, width)
    x, y = centres(height, width, stride, box.device)
    heat = torch.stack([(each * (targets.code == code)[..., None, None]).amax(1) for code in range(classes)], 1)
    near, owner, total = _nearest(each)
    each_weight = targets.weight[targets.code.clamp(min=0)] / total.clamp(min=1e-6)
    weight = near * each_weight.gather(1, owner.flatten(1)).view_as(near)
    own = box.gather(1, owner.flatten(1)[..., None].expand(-1, -1, 4)).transpose(1, 2).unflatten(2, (height, width))
    side = torch.stack([x - own[:, 0], y[:, None] - own[:, 1], own[:, 2] - x, own[:, 3] - y[:, None]], 1)
    return heat, weight, side.clamp(min=0.01)


def _giou(first: Tensor, second: Tensor) -> Tensor:
    """Generalised IoU (Rezatofighi et al. 2019) of boxes around the same cells: sides [N, 4, h, w] -> [N, h, w]."""
    area = [(s[:, 0] + s[:, 2]) * (s[:, 1] + s[:, 3]) for s in (first, second)]
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    shared, hull = ((s[:, 0] + s[:, 2]) * (s[:, 1] + s[:, 3]) for s in (low, high))
    union = area[0] + area[1] - shared
    return shared / union.clamp(min=1e-6) - (hull - union) / hull.clamp(min=1e-6)


@torch.no_grad()
def decode(out: Tensor, classes: int, stride: int, max_boxes: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The max_boxes highest peaks of each image: box [N, max_boxes, 4] in pixels; confidence, class and cell (its
    number in the map, row by row), each [N, max_boxes]."""
    heat = out[:, :classes].sigmoid()
    heat = heat * (heat == F.max_pool2d(heat, 3, 1, 1))
    height, width = heat.shape[2:]
    max_boxes = min(max_boxes, heat[0].numel())
    score, at = heat.flatten(1).sort(dim=1, descending=True, stable=True)
    score, at = score[:, :max_boxes], at[:, :max_boxes]
    code, cell = at // (height * width), at % (height * width)
    sides = (out[:, classes:classes + 4].clamp(max=8).exp() * stride).flatten(2)
    side = sides.gather(2, cell[:, None].expand(-1, 4, -1))
    x, y = centres(height, width, stride, out.device)
    x, y = x[cell % width], y[cell // width]
    return torch.stack([x - side[:, 0], y - side[:, 1], x + side[:, 2], y + side[:, 3]], 2), score, code, cell
