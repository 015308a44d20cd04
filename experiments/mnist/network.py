"""A classifier that reaches 99.5 % on MNIST in a few epochs, trained on renders that are new in every epoch.

Legend: S images; H, W pixels; C classes.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import scenefit as sf
from scenefit.address import derive
from scenefit.features import to_tensor

BATCH = 128
CHUNK = 1024


def network(size: int, width: int, seed: int) -> nn.Module:
    """Grey images [S, 1, H, W] -> log-odds [S, 10]. The canvas is brought to 16x16 cells before it gets deep."""
    def block(inside: int, out: int, stride: int) -> list[nn.Module]:
        return [nn.Conv2d(inside, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]

    stem = [nn.Conv2d(1, width, 5, 2 if size > 32 else 1, 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    cells = size // (16 if size > 32 else 8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "network"))
        return nn.Sequential(*stem, *block(width, 2 * width, 2), *block(2 * width, 2 * width, 1),
                             *block(2 * width, 4 * width, 2), *block(4 * width, 4 * width, 2), nn.Flatten(),
                             nn.Dropout(0.3), nn.Linear(4 * width * cells * cells, 10))


def train(sample: Callable[[int, np.ndarray], sf.SceneBatch], camera: sf.Sprites, images: int, epochs: int, width: int,
          seed: int, progress: Callable[[str], None] = lambda text: None) -> nn.Module:
    """Train on `images` new renders an epoch. All arms share first weights, order and schedule."""
    model = network(camera.size[0], width, seed)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=1e-2)
    total = epochs * -(-images // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 8e-3, total_steps=total, pct_start=0.25)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "dropout"))
        for epoch in range(epochs):
            model.train()
            order = np.random.default_rng(derive(seed, f"order {epoch}")).permutation(images)
            for at in range(0, images, CHUNK):
                index = epoch * images + np.sort(order[at:at + CHUNK])
                frames = sf.render(camera, sample(derive(seed, "train"), index))
                pixels, target = to_tensor(frames.images)[:, :1], torch.from_numpy(frames.label.astype(int))
                for rows in torch.randperm(len(pixels)).split(BATCH):
                    loss = F.cross_entropy(model(pixels[rows]), target[rows], label_smoothing=0.05)
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    if schedule.last_epoch < total:
                        schedule.step()
            progress(f"epoch {epoch + 1}/{epochs}")
    return model.eval()


@torch.no_grad()
def accuracy(model: nn.Module, photos: sf.Photos) -> float:
    """Share told right, 0..1."""
    parts = to_tensor(photos.images)[:, :1].split(CHUNK)
    told = torch.cat([model(part).argmax(1) for part in parts]).numpy()
    return float((told == photos.label.astype(int)).mean())
