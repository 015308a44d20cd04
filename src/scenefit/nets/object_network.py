"""The posterior network of single objects: where objects of each kind are centred, their boxes, and a distribution of
each of their attributes, for every cell of a grid (tiled neural posterior estimation: Patel et al. 2025, BLISS).

The network of the detection task (`centre_network`) with a second tower for attributes, which also sees where in the
image each cell lies. It is trained on crops of renders at full resolution, so that its cost does not depend on the size
of the image. Legend: N images or crops; H, W pixels; h, w cells; K kinds; M objects of an image at most; A columns of
values; O outputs; m objects.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from scenefit.metrics.features import images_at_once, to_tensor
from scenefit.nets.centre_network import Detector, Targets, cell_owners, centres, loss
from scenefit.nets.object_targets import UNIT_SPREAD, ObjectAttribute, ObjectSpec
from scenefit.nets.pyramid.network import LAST, WIDTH, SmallMaps
from scenefit.scenes.rng import derive_seed

MIN_LOG_SCALE, MAX_LOG_SCALE = -5.0, 1.0
SCALED = 16  # images at once, at most
SCALE_PIXELS, LEAST_SCALED = 64 * 320 * 256, 4  # from which features are scaled: 64 images, or fewer larger ones
BETA = 0.5  # of the beta-NLL (Seitzer et al. 2022): without it, attributes that are hard to see stop being learned
ATTRIBUTE_WEIGHT = 0.5  # of the loss of an attribute beside those of presence and box


class ObjectNetwork(Detector):
    """maps and places -> [N, K + 4 + O, h, w]: as `Detector`, then the outputs of every `ObjectAttribute`.

    image_values: how many targets of the whole image the backbone is trained on too, so that its maps tell of them.
    """

    def __init__(self, spec: ObjectSpec, image_values: int, seed: int, backbone: Any = None):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "object network"))
            super().__init__(SmallMaps() if backbone is None else backbone, len(spec.kinds))
            self.describe = nn.Sequential(nn.Conv2d(LAST + 2, WIDTH, 3, 1, 1, bias=False), nn.BatchNorm2d(WIDTH),
                                          nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 1), nn.ReLU())
            self.values = nn.Conv2d(WIDTH, spec.outputs, 1) if spec.outputs else None
            self.image = nn.Linear(2 * sum(self.backbone.channels), image_values)
        self.spec = spec
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def outputs(self, maps: Sequence[Tensor], place: Tensor) -> Tensor:
        """place [N, 4]: left and top of each crop, and the size (width, height) of its whole image, in pixels."""
        inner = self.before_last(maps)
        found = self.last(inner)
        if self.values is None:
            return found
        height, width = inner.shape[2:]
        x, y = centres(height, width, self.stride, inner.device)
        across = ((place[:, 0, None] + x) / place[:, 2, None] * 2 - 1)[:, None, None].expand(-1, 1, height, width)
        down = ((place[:, 1, None] + y) / place[:, 3, None] * 2 - 1)[:, None, :, None].expand(-1, 1, height, width)
        return torch.cat([found, self.values(self.describe(torch.cat([inner, across, down], 1)))], 1)

    def maps(self, images: Tensor) -> list[Tensor]:
        """images float32 [N, 3, H, W] in 0..1."""
        images = images.contiguous(memory_format=torch.channels_last)
        if not self.backbone.trained:
            return self.backbone(images)
        self.backbone.eval()
        with torch.no_grad():  # as `FrozenMaps` keeps them
            return [m.half() for m in self.backbone(images)]

    def measure_scale(self, images: NDArray[np.uint8]) -> None:
        """Of a pretrained backbone's features, in the first of these images uint8 [N, H, W, 3]."""
        if self.backbone.trained:
            images = images[:max(LEAST_SCALED, SCALE_PIXELS // (images.shape[1] * images.shape[2]))]
            device, count = self.last.weight.device, images_at_once(images.shape[1:3], SCALED)
            parts = [self.maps(to_tensor(images[first:first + count]).to(device))
                     for first in range(0, len(images), count)]
            self.set_scale([torch.cat(level) for level in zip(*parts, strict=True)])


def pooled(maps: Sequence[Tensor]) -> Tensor:
    """Mean and spread of each map over the image [N, F]; a map of one cell has none."""
    return torch.cat([part for m in maps for part in (m.float().mean((2, 3)), m.float().std((2, 3), correction=0))], 1)


@dataclass(frozen=True, eq=False)
class ObjectTargets:
    """boxes: as the detection task has them, their classes being kinds.  values [N, M, A]: see `true_values`.
    image [N, R]: of the whole image; NaN where it has none."""

    boxes: Targets
    values: Tensor
    image: Tensor

    def to(self, device: str | torch.device) -> "ObjectTargets":
        return ObjectTargets(self.boxes.to(device), self.values.to(device), self.image.to(device))


def posterior_loss(network: ObjectNetwork, maps: Sequence[Tensor], place: Tensor, targets: ObjectTargets) -> Tensor:
    """Mean over the objects of the losses of presence, box and attributes, and that of the whole image's values. maps:
    see `ObjectNetwork.maps`."""
    known = torch.isfinite(targets.image)
    of_image = (network.image(pooled(maps)) - torch.where(known, targets.image, 0)).square() * known
    return _object_loss(network, network.outputs(maps, place), targets) + of_image.mean(0).sum()


def _object_loss(network: ObjectNetwork, out: Tensor, targets: ObjectTargets) -> Tensor:
    kinds = len(network.spec.kinds)
    total = loss(out[:, :kinds + 4], targets.boxes, kinds, network.stride).sum()
    if network.values is not None:
        total = total + ATTRIBUTE_WEIGHT * _attribute_loss(network, out[:, kinds + 4:], targets)
    return total / targets.boxes.count().sum().clamp(min=1)


def _attribute_loss(network: ObjectNetwork, out: Tensor, targets: ObjectTargets) -> Tensor:
    """Sum over all objects; each cell near a centre is trained on the values of the object that it belongs to."""
    near, owner = cell_owners(targets.boxes, network.stride, out.shape[2], out.shape[3])
    n, y, x = torch.nonzero(near > 0, as_tuple=True)
    weight, own = near[n, y, x], owner[n, y, x]
    values, predicted = targets.values[n, own], out.permute(0, 2, 3, 1)[n, y, x]
    total = out.new_zeros(())
    for one in network.spec.attributes:
        value = values[:, one.column]
        known = torch.isfinite(value)
        if bool(known.any()):
            total = total + (weight[known] * _one_loss(one, predicted[known, one.outputs], value[known])).sum()
    return total


def _one_loss(one: ObjectAttribute, out: Tensor, value: Tensor) -> Tensor:
    if one.attribute.form == "choice":
        return F.cross_entropy(out, value.long(), reduction="none")
    if one.attribute.form == "angle":
        turn = 2 * torch.pi * value - torch.pi
        truth = torch.stack([turn.sin(), turn.cos(), (2 * turn).sin(), (2 * turn).cos()], 1)
        return (out - truth).square().sum(1)
    log_scale = out[:, 1].clamp(MIN_LOG_SCALE, MAX_LOG_SCALE)
    error = ((value - 0.5) * UNIT_SPREAD - out[:, 0]).square()
    nll = error / (2 * (2 * log_scale).exp()) + log_scale
    return nll * (2 * BETA * log_scale).exp().detach()
