"""What the posterior network predicts in whole images.

Legend: N images; H, W pixels; m objects; O outputs; K kinds; F statistics.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scenefit.metrics.iou_and_nms import nms
from scenefit.nets.centre_network import decode
from scenefit.nets.frozen_maps import FrozenMaps, padded
from scenefit.nets.object_network import ObjectNetwork, pooled

PIXELS = 2**17  # that the network sees at once: 2 images of 256x256; more are slower on a CPU
MAX_OBJECTS = 600  # of an image
NMS_IOU = 0.5
MIN_SCORE = 0.05


@dataclass(frozen=True, eq=False)
class ObjectPredictions:
    """Of N images. image, kind, score [m]; box [m, 4]; outputs [m, O]; pooled [N, F]: mean and spread of the backbone's
    maps."""

    count: int
    image: NDArray[np.int64]
    kind: NDArray[np.int64]
    score: NDArray[np.float64]
    box: NDArray[np.float64]
    outputs: NDArray[np.float64]
    pooled: NDArray[np.float64]

    def where(self, mask: NDArray[np.bool_]) -> "ObjectPredictions":
        return ObjectPredictions(self.count, self.image[mask], self.kind[mask], self.score[mask], self.box[mask],
                                 self.outputs[mask], self.pooled)


def no_objects(count: int) -> ObjectPredictions:
    """Of so many images, where no objects are predicted."""
    none = np.zeros(0, np.int64)
    return ObjectPredictions(count, none, none, np.zeros(0), np.zeros((0, 4)), np.zeros((0, 0)), np.zeros((count, 0)))


@torch.no_grad()
def predict_objects(network: ObjectNetwork, images: NDArray[np.uint8],
                    frozen: FrozenMaps | None = None) -> ObjectPredictions:
    """Objects in images uint8 [N, H, W, 3]. frozen: the maps of these images, if they were computed before."""
    height, width = images.shape[1:3]
    device = network.last.weight.device
    kinds, at_once = len(network.spec.kinds), max(1, PIXELS // (height * width))
    parts: list[tuple[NDArray[Any], ...]] = []
    statistics: list[NDArray[np.float64]] = []
    for first in range(0, len(images), at_once):
        count = min(at_once, len(images) - first)
        place = torch.tensor([[0.0, 0.0, width, height]], device=device).expand(at_once, 4)
        maps = _maps(network, images, first, at_once, frozen)
        out = network.outputs(maps, place)
        statistics.append(pooled(maps)[:count].double().cpu().numpy())
        found = decode(out[:, :kinds + 4], kinds, network.stride, MAX_OBJECTS)
        flat, (box, score, code) = out[:, kinds + 4:].flatten(2), (values.cpu() for values in found[:3])
        for row in range(count):
            of_peaks = flat[row][:, found[3][row]].T.cpu()
            parts.append(_kept(first + row, box[row], score[row], code[row], of_peaks, (height, width)))
    image, kind, scores, boxes, outputs = (np.concatenate(column) for column in zip(*parts, strict=True))
    return ObjectPredictions(len(images), image, kind, scores, boxes, outputs, np.concatenate(statistics))


@torch.no_grad()
def pooled_maps(network: ObjectNetwork, images: NDArray[np.uint8],
                frozen: FrozenMaps | None = None) -> NDArray[np.float64]:
    """`ObjectPredictions.pooled` [N, F] of images uint8 [N, H, W, 3], where no objects are to be predicted."""
    at_once = max(1, PIXELS // (images.shape[1] * images.shape[2]))
    parts = []
    for first in range(0, len(images), at_once):
        maps = _maps(network, images, first, at_once, frozen)
        parts.append(pooled(maps)[:len(images) - first].double().cpu().numpy())
    return np.concatenate(parts)


def _maps(network: ObjectNetwork, images: NDArray[np.uint8], first: int, count: int,
          frozen: FrozenMaps | None) -> list[torch.Tensor]:
    """Maps of images from the first on, padded to so many."""
    device = network.last.weight.device
    if frozen is None:
        return network.maps(padded(images, first, count).to(device))
    return [level.to(device) for level in frozen.chunk(first, count)]


def _kept(image: int, box: torch.Tensor, score: torch.Tensor, code: torch.Tensor, outputs: torch.Tensor,
          size: tuple[int, int]) -> tuple[NDArray[Any], ...]:
    """The peaks of one image after non-maximum suppression, over all kinds: an object has one kind."""
    height, width = size
    box = torch.minimum(box.clamp(min=0), torch.tensor([width, height, width, height]))
    good = torch.nonzero((score >= MIN_SCORE) & (box[:, 2:] > box[:, :2]).all(1))[:, 0]
    kept = good[nms(box[good], score[good], torch.zeros(len(good)), NMS_IOU)]
    return (np.full(len(kept), image), code[kept].numpy(), score[kept].double().numpy(), box[kept].double().numpy(),
            outputs[kept].double().numpy())
