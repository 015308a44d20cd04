"""Classification of whole images: train on rendered images, evaluate on labelled photos.

Legend: S rendered images; N labelled photos; C classes; F features before the last layer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.data.photos import Photos
from scenefit.files.scratch import release
from scenefit.metrics.device import check_device, reproducible
from scenefit.metrics.features import to_tensor
from scenefit.nets.influence import unit_spread
from scenefit.nets.optimise import minimise_steps, shuffled_batches
from scenefit.scenes.arguments import class_names
from scenefit.scenes.rng import derive_seed

Network = Callable[[tuple[int, int], int], nn.Module]
BATCH = 64
CHUNK = 256
PIXELS = 2**24  # of the images that a network sees at once, but in training


def small_network(size: tuple[int, int], classes: int) -> nn.Module:
    """Three strided convolutions and a hidden layer: (height, width), classes -> a module [N, 3, H, W] -> [N, C]."""
    height, width = (-(-side // 8) for side in size)
    body = nn.Sequential(nn.Conv2d(3, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
                         nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(),
                         nn.Linear(32 * height * width, 64), nn.ReLU())
    return nn.Sequential(body, nn.Linear(64, classes))


def _parts(images: NDArray[np.uint8]) -> Iterator[Tensor]:
    """Images as `to_tensor` gives them, 256 at a time, or fewer of large ones."""
    count = min(CHUNK, max(1, PIXELS // (images.shape[1] * images.shape[2])))
    for first in range(0, len(images), count):
        yield to_tensor(images[first:first + count])
        release(images)


@dataclass(frozen=True)
class Classify:
    """Classification of whole images.

    classes: their names.  epochs, learning_rate: of training.  network: (size, C) -> an `nn.Sequential` that ends in
    a Linear layer."""

    classes: tuple[str, ...]
    epochs: int = 8
    learning_rate: float = 4e-3
    network: Network = small_network
    device: str = "cpu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", class_names("Classify(classes)", self.classes))

    def labels(self, source: Frames | Photos, label_policy: LabelPolicy | None = None) -> NDArray[np.str_]:
        """Class names of renders or photos [N]; label_policy chooses objects, so it changes none of them.

        ValueError for a name that is not among the classes.
        """
        self.class_indices(source.label)
        return source.label

    def class_indices(self, labels: Any) -> Tensor:
        """Class names [N] -> their indices in `classes` [N]. ValueError for a name that is not among them."""
        place = {name: code for code, name in enumerate(self.classes)}
        unknown = sorted(set(map(str, labels)) - set(place))
        if unknown == [""]:
            raise ValueError("this task needs a class for every image, and some renders have none; let the renderer "
                             f"give Frame(label=...), one of {list(self.classes)}, or leave the labelled photos out")
        if unknown:
            raise ValueError(f"labels {unknown} are not among the classes {list(self.classes)}; an image without a "
                             "class needs a renderer that gives one (Frame.label), and a class its labelled photos")
        return torch.tensor([place[str(name)] for name in labels], dtype=torch.long)

    def train(self, images: np.ndarray, labels: Any, seed: int) -> nn.Module:
        """A fresh network trained on images uint8 [S, H, W, 3]; the same seed gives the same first weights."""
        *_, network = self.train_steps(images, labels, seed)
        return network

    def train_steps(self, images: np.ndarray, labels: Any, seed: int) -> Iterator[nn.Module]:
        """The network after each epoch."""
        check_device("Classify(device)", self.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "network"))
            network = self.network((images.shape[1], images.shape[2]), len(self.classes)).to(self.device)
        target = self.class_indices(labels)

        def loss(rows: Tensor) -> Tensor:
            pixels = to_tensor(images[rows.numpy()]).to(self.device)
            release(images)
            return F.cross_entropy(network.train()(pixels), target[rows].to(self.device))

        batches = shuffled_batches(len(images), BATCH, self.epochs, derive_seed(seed, "order"))
        each = -(-len(images) // BATCH)  # steps of an epoch
        optimiser = torch.optim.Adam(network.parameters(), self.learning_rate)
        for step in minimise_steps(map(loss, batches), optimiser, self.epochs * each):
            if step % each == 0:
                yield network.eval()

    @torch.no_grad()
    def logits(self, network: nn.Module, images: np.ndarray) -> Tensor:
        """Logits [N, C] of images uint8 [N, H, W, 3]."""
        with reproducible(self.device):
            return torch.cat([network(part.to(self.device)).cpu() for part in _parts(images)])

    def evaluate(self, network: nn.Module, images: np.ndarray, labels: Any) -> dict[str, float]:
        """{"accuracy": share of images [N, H, W, 3] classified correctly, 0..1}."""
        correct = self.logits(network, images).argmax(1) == self.class_indices(labels)
        return {"accuracy": float(correct.float().mean())}

    def influence(self, images: np.ndarray, labels: Any, photos: np.ndarray, photo_labels: Any,
                  seed: int) -> tuple[Tensor, float]:
        """The influence of each rendered image on the labelled photos [S], and the accuracy there, from one training.

        The dot product of an image's gradient of the loss with the photos' mean gradient, at the last layer, summed
        over the epochs (TracIn: Pruthi et al. 2020) and scaled to standard deviation 1. Higher is better.
        """
        total = torch.zeros(len(images))
        network = None
        for network in self.train_steps(images, labels, seed):
            features_r, error_r = self._last_layer(network, images, labels)
            features_p, error_p = self._last_layer(network, photos, photo_labels)
            direction = error_p.T @ features_p / len(photos)
            total += ((error_r @ direction) * features_r).sum(1)
        assert network is not None
        return unit_spread(total), self.evaluate(network, photos, photo_labels)["accuracy"]

    @torch.no_grad()
    def _last_layer(self, network: nn.Module, images: np.ndarray, labels: Any) -> tuple[Tensor, Tensor]:
        """Inputs of the last layer with a constant 1 [., F + 1], and the loss's gradients by its outputs [., C]."""
        assert isinstance(network, nn.Sequential)
        features = torch.cat([network[:-1](part.to(self.device)).cpu() for part in _parts(images)])
        odds = torch.softmax(network[-1](features.to(self.device)).cpu(), 1)
        error = odds - F.one_hot(self.class_indices(labels), len(self.classes))
        return torch.cat([features, torch.ones(len(features), 1)], 1), error
