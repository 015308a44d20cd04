"""A classifier that is trained on new renders in every epoch.

Legend: S images; H, W pixels.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import scenefit as sf
from scenefit.metrics.features import to_tensor
from scenefit.nets.optimise import minimise
from scenefit.scenes.rng import derive_seed

BATCH = 128
CHUNK = 1024
RATE = 6e-3


def network(size: int, width: int, seed: int) -> nn.Module:
    """A network: grey images [S, 1, H, W] -> logits [S, 10]. Strides reduce the image to 4x4 cells.

    seed: of the initial weights.
    """
    def block(inside: int, out: int, kernel: int, stride: int) -> list[nn.Module]:
        return [nn.Conv2d(inside, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "network"))
        stem = block(1, width, 5, 2) + (block(width, width, 3, 2) if size > 32 else [])
        body = block(width, 2 * width, 3, 2) + block(2 * width, 2 * width, 3, 1) + block(2 * width, 4 * width, 3, 2)
        return nn.Sequential(*stem, *body, nn.Flatten(), nn.Dropout(0.3), nn.Linear(4 * width * 16, 10))


def jittered(images: torch.Tensor, amount: float) -> torch.Tensor:
    """Images [S, 1, H, W] with a random affine transformation each, as between writers. At amount 1 the standard
    deviations are 4 degrees of rotation, 5 % of scale and shear, and 0.7 pixels of translation."""
    turn, across, down, shear, right, below = amount * torch.randn(6, len(images))
    turn, across, down, shear = 0.07 * turn, 1 + 0.05 * across, 1 + 0.05 * down, 0.05 * shear
    shift = 1.4 / images.shape[3]  # the side is 2 long
    rows = [across * turn.cos(), shear - turn.sin(), shift * right,
            shear + turn.sin(), down * turn.cos(), shift * below]
    grid = F.affine_grid(torch.stack(rows, 1).view(-1, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def train(sample: Callable[[int, np.ndarray], sf.SceneBatch], camera: sf.Sprites, images: int, epochs: int, width: int,
          seed: int, jitter: float = 0.0) -> nn.Module:
    """Train on `images` new renders per epoch. All arms share order, schedule and jitter."""
    model = network(camera.size[0], width, seed).to(memory_format=torch.channels_last)

    def losses() -> Iterator[torch.Tensor]:
        for first in range(0, epochs * images, images):
            order = first + np.random.default_rng(derive_seed(seed, f"order {first}")).permutation(images)
            for at in range(0, images, CHUNK):
                frames = sf.render(camera, sample(derive_seed(seed, "train"), np.sort(order[at:at + CHUNK])))
                pixels, target = to_tensor(frames.images)[:, :1], torch.from_numpy(frames.label.astype(int))
                if jitter:
                    pixels = jittered(pixels, jitter)
                for rows in torch.randperm(len(pixels)).split(BATCH):
                    yield F.cross_entropy(model(pixels[rows]), target[rows], label_smoothing=0.05)

    total = epochs * sum(-(-min(CHUNK, images - at) // BATCH) for at in range(0, images, CHUNK))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "dropout"))
        model.train()
        minimise(losses(), torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-2), total, warm_up=0.25)
    return model.eval()


@torch.no_grad()
def accuracy(model: nn.Module, photos: sf.Photos) -> float:
    """Share of correctly classified photos, 0..1."""
    parts = to_tensor(photos.images)[:, :1].split(CHUNK)
    predicted = torch.cat([model(part).argmax(1) for part in parts]).numpy()
    return float((predicted == photos.label.astype(int)).mean())
