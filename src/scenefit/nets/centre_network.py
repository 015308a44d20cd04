"""The detector's network: a backbone, a feature pyramid neck and a head that predicts objects as centre points.

After CenterNet (Zhou et al. 2019) and TTFNet (Liu et al., AAAI 2020): at stride 4 each class has a heat map with a
peak at the centre of each object, and each cell predicts the distances to the sides of its object.
Legend: N images; H, W pixels; h, w cells of the finest map; C classes; M boxes of an image at most; F features.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH, FINE, LAST = 64, 32, 48  # channels: of coarse maps, of the finest, before the last layer
FIRST_HEAT = 0.01  # of every cell before training: most have no object
SPREAD = 0.1  # standard deviation of an object's heat, as a share of its sides
MIN_SPREAD = 0.6  # cells
MIN_HEAT = 0.3  # cells with at least this heat are trained on the object's sides


class SmallMaps(nn.Module):
    """A backbone without pretrained weights, trained with the head: [N, 3, H, W] -> feature maps, finest first."""

    strides = (4, 8, 16, 32)
    channels = (24, 32, 48, 64)
    trained = False

    def __init__(self) -> None:
        super().__init__()
        before = [16, *self.channels[:-1]]
        self.stem = _conv(3, 16, 3, 2)
        self.parts = nn.ModuleList([nn.Sequential(_conv(a, b, 3, 2), _conv(b, b, 3))
                                    for a, b in zip(before, self.channels, strict=True)])

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = [self.stem(images * 2 - 1)]
        for part in self.parts:
            maps.append(part(maps[-1]))
        return maps[1:]


Backbone = Callable[[], Any]  # a module with strides, channels and trained, as SmallMaps and features.Lite0Maps have


class Detector(nn.Module):
    """maps [N, F, h, w], finest first -> [N, C + 4, h, w]: logits of each class, and the logarithms of the distances to
    the left, top, right and bottom side, in strides. The last layer is `last`.

    Coarse maps are cheap and get 64 channels; the finest has 4 times the cells of the next and gets 32.
    """

    def __init__(self, backbone: Any, classes: int):
        super().__init__()
        self.backbone = backbone
        self.stride = int(backbone.strides[0])
        widths = [FINE] + [WIDTH] * (len(backbone.channels) - 1)
        for level, channels in enumerate(backbone.channels):
            self.register_buffer(f"mean{level}", torch.zeros(channels))
            self.register_buffer(f"spread{level}", torch.ones(channels))
        self.sides = nn.ModuleList([nn.Conv2d(a, b, 1) for a, b in zip(backbone.channels, widths, strict=True)])
        self.mix = nn.ModuleList([_conv(width, width, 3) for width in widths])
        self.down = nn.Conv2d(WIDTH, FINE, 1)
        self.tower = _conv(FINE, LAST, 3)
        self.last = nn.Conv2d(LAST, classes + 4, 1)
        nn.init.normal_(self.last.weight, std=0.01)
        first = torch.ones(classes + 4)
        first[:classes] = -math.log((1 - FIRST_HEAT) / FIRST_HEAT)
        self.last.bias = nn.Parameter(first)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on a CPU

    def before_last(self, maps: Sequence[Tensor]) -> Tensor:
        """Inputs of the last layer [N, F, h, w]."""
        above = None
        for level in reversed(range(len(self.sides))):
            mean, spread = getattr(self, f"mean{level}"), getattr(self, f"spread{level}")
            values = maps[level].float().contiguous(memory_format=torch.channels_last)
            own = self.sides[level]((values - mean[:, None, None]) / spread[:, None, None])
            if above is not None:
                height, width = own.shape[2:]
                above = above if level else self.down(above)
                own = own + F.interpolate(above, scale_factor=2, mode="nearest")[:, :, :height, :width]
            above = self.mix[level](own)
        return self.tower(above)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return self.last(self.before_last(maps))

    @torch.no_grad()
    def set_scale(self, maps: Sequence[Tensor]) -> None:
        """Measure each feature's mean and spread, by which the neck's inputs are normalised."""
        for level, values in enumerate(maps):
            values = values.float()
            getattr(self, f"mean{level}").copy_(values.mean((0, 2, 3)))
            getattr(self, f"spread{level}").copy_(values.std((0, 2, 3)).clamp(min=1e-3))


def _conv(inside: int, outside: int, side: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, side, stride, side // 2, bias=False), nn.BatchNorm2d(outside),
                         nn.ReLU())


@dataclass(frozen=True, eq=False)
class Targets:
    """Boxes of N images, padded. box [N, M, 4] in pixels.  code [N, M]: index of the class, -1 for padding.
    weight [C]: of an object of each class in the loss."""

    box: Tensor
    code: Tensor
    weight: Tensor

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
