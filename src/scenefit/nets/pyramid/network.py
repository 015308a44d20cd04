"""A backbone and a feature pyramid (Lin et al. 2017) with a small head: what the networks of all tasks share.

Legend: N images; H, W pixels; h, w cells of the finest map; F features; O outputs.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH, FINE, LAST = 64, 32, 48  # channels: of coarse maps, of the finest, before the last layer


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


class Pyramid(nn.Module):
    """maps [N, F, h, w], finest first -> [N, O, h, w]. The last layer is `last`, a convolution of single cells.

    Coarse maps are cheap and get 64 channels; the finest has 4 times the cells of the next and gets 32.
    """

    def __init__(self, backbone: Any, outputs: int):
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
        self.last = nn.Conv2d(LAST, outputs, 1)
        nn.init.normal_(self.last.weight, std=0.01)
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
