"""Step 2 of a round: train the network of single objects on crops of the simulated images.

Legend: H, W pixels.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.inference.npe.simulate import Simulations, crop_pixels, crops
from scenefit.metrics.features import pretrained_maps
from scenefit.nets.attribute_regressor import BATCH, MAX_SIDE
from scenefit.nets.frozen_maps import FrozenMaps
from scenefit.nets.object_network import ObjectNetwork, posterior_loss
from scenefit.nets.optimise import endless_batches, minimise
from scenefit.scenes.rng import derive_seed

PIXELS = 2**18  # of the crops of a batch: 16 of 128x128
CROPS = 16  # of a step; where crops are larger, steps are of fewer, and more
MAX_FACTOR = 4.0  # how many times more
SIDE = 128  # of a crop, where objects are not larger than a third of it
OBJECT_SHARE = 3  # a crop is at least so many times as large as large objects are
MAX_GRADIENT = 10.0
LEAST_BATCHES, MOST_EPOCHS = 150, 20  # of the regressor of whole images
N_SCALE = 64  # images from which the scale of a pretrained backbone's features is measured
MIN_SCHEDULE = 9  # steps of a schedule: with fewer, its rate has no time to rise


def backbone_for(size: tuple[int, int]) -> Any:
    """A pretrained backbone for images of a size (height, width); None, for one that is trained with the network, where
    they are small or the extra `lite0` is missing."""
    return None if max(size) <= MAX_SIDE else pretrained_maps()


def crop_side(simulations: Simulations) -> tuple[int, int]:
    """(height, width) of the crops that the network is trained on, at most the image's."""
    objects, (height, width) = simulations.objects, simulations.images.shape[1:3]
    sides = (objects.box[:, 2:] - objects.box[:, :2]).max(1) if len(objects.box) else np.zeros(1)
    side = max(SIDE, int(np.ceil(OBJECT_SHARE * np.quantile(sides, 0.9) / 32) * 32))
    return min(side, height), min(side, width)


def batch_of(side: tuple[int, int]) -> int:
    """How many crops of side (height, width) a step of training sees."""
    return max(2, PIXELS // (side[0] * side[1]))


def steps_of(steps: int, side: tuple[int, int]) -> int:
    """Steps of training on crops of side (height, width), so that about as many crops are seen as by so many steps on
    small ones."""
    return round(steps * float(np.clip(CROPS / batch_of(side), 1, MAX_FACTOR)))


def epochs_of(epochs: int, images: int) -> int:
    """Epochs of training the regressor on so many images, so that few of them are seen often enough."""
    return max(epochs, min(MOST_EPOCHS, -(-LEAST_BATCHES // -(-images // BATCH))))


def train_objects(network: ObjectNetwork, simulations: Simulations, images: NDArray[np.int64], steps: int, seed: int,
                  rate: float, frozen: FrozenMaps | None = None) -> None:
    """Train in place, on these images [n] of the simulations. steps: see `steps_of`.  frozen: the maps of all
    simulations, if they were computed before."""
    side, device = crop_side(simulations), network.last.weight.device
    steps = steps_of(steps, side)
    random = np.random.default_rng(derive_seed(seed, "crops"))
    batches = endless_batches(len(images), min(batch_of(side), len(images)), derive_seed(seed, "order"))

    def losses() -> Iterator[Tensor]:
        network.train()
        for _, batch in zip(range(steps), batches, strict=False):
            rows = images[batch.numpy()]
            place, targets = crops(simulations, network.spec, rows, side, random,
                                   1 if frozen is None else frozen.strides[-1])
            corner = place[:, :2].long().numpy()
            if frozen is None:
                maps = network.maps(crop_pixels(simulations.images, rows, corner, side).to(device))
            else:
                maps = [level.to(device) for level in frozen.crops(rows, corner, side)]
            yield posterior_loss(network, maps, place.to(device), targets.to(device))

    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    with torch.enable_grad():
        minimise(losses(), torch.optim.AdamW(learned, rate, weight_decay=1e-3),
                 max(steps, MIN_SCHEDULE) + 1, 0.2, MAX_GRADIENT)
    network.eval()
