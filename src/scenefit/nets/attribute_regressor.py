"""A network that predicts the learned attributes from an image, trained on renders, whose parameters are known.

Its predictions are summary statistics for moment matching; its last hidden layer is the default feature extractor of
distances, since it represents what the scene can express and little else. Legend: N images; S scenes; R predictions;
F features; n nodes of a kind.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from scenefit.files.scratch import release, scratch_array
from scenefit.metrics.features import TwoSteps, in_steps, on_device, to_tensor
from scenefit.nets.optimise import minimise, shuffled_batches
from scenefit.scenes.attributes import Attribute, Form
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch

FEATURES = 32
HIDDEN = 64
MAX_SIDE = 64  # pixels of the longer side; larger images are scaled down
BATCH = 64
REDUCED = 16  # images reduced at once
LEARNING_RATE = 6e-3


@dataclass(frozen=True)
class Target:
    """What is predicted of one learned attribute. single: each scene holds exactly one node of its kind.

    Of an angle: sin and cos of it and of twice it (an axis is far easier to see than its direction). Of a choice: the
    shares of its options. Of any other: the normalised value as -1..1; with several nodes, their mean and spread.
    """

    attribute: Attribute
    single: bool

    @property
    def form(self) -> Form:
        return self.attribute.form

    @property
    def width(self) -> int:
        if self.form == "choice":
            return len(self.attribute.choice.options)
        if self.form == "angle":
            return 4
        return 1 if self.single else 2


def targets(grammar: Grammar) -> tuple[Target, ...]:
    """One for each learned attribute, in the grammar's order."""
    sample = grammar.sample(0, 64)
    found = []
    for a in grammar.learned:
        scene = sample.tables[a.kind].scene
        single = len(scene) == len(sample) and len(np.unique(scene)) == len(sample)
        found.append(Target(a, single))
    return tuple(found)


def regression_targets(grammar: Grammar, targets: Sequence[Target], scenes: SceneBatch) -> Tensor:
    """The true values of the predictions for these scenes [S, R]; NaN where a scene has no such node."""
    units = grammar.normalised(scenes)
    blocks = [_targets_of(target, scenes, units) for target in targets]
    return torch.from_numpy(np.concatenate(blocks, axis=1).astype(np.float32))


def _targets_of(target: Target, scenes: SceneBatch, units: dict[tuple[str, str], np.ndarray]) -> np.ndarray:
    """[S, target.width]"""
    a, table = target.attribute, scenes.tables[target.attribute.kind]
    count = np.bincount(table.scene, minlength=len(scenes)).astype(float)

    def mean(values: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.bincount(table.scene, values, minlength=len(scenes)) / count

    if target.form == "choice":
        return np.stack([mean(table[a.name] == option) for option in a.choice.options], axis=1)
    if target.form == "angle":
        turn = 2 * np.pi * units[a.key] - np.pi
        return np.stack([mean(f(times * turn)) for times in (1, 2) for f in (np.sin, np.cos)], axis=1)
    place = 2 * units[a.key] - 1
    centre = mean(place)
    if target.single:
        return centre[:, None]
    return np.stack([centre, np.sqrt(np.maximum(mean(place**2) - centre**2, 0))], axis=1)


class AttributeRegressor(nn.Module):
    """A small convolutional network: images [N, 3, H, W] in 0..1 -> features [N, F] and predictions [N, R].

    size: (height, width) of the images.  predictions: R.  grey: the images have no colour, so one channel is enough.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, size: tuple[int, int], predictions: int, grey: bool, seed: int):
        super().__init__()
        self.grey = grey
        self.shrink = min(1.0, MAX_SIDE / max(size))
        height, width = (max(8, round(side * self.shrink)) for side in size)
        self.input_size = (height, width)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            # Without batch normalisation it never learns the direction of small digits at varying positions.
            self.body = nn.Sequential(
                nn.Conv2d(1 if grey else 3, 8, 5, 2, 2), nn.BatchNorm2d(8), nn.ReLU(),
                nn.Conv2d(8, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(),
                nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(),
                nn.Linear(32 * -(-height // 8) * -(-width // 8), HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(),
                nn.Linear(HIDDEN, FEATURES), nn.Tanh())
            self.out = nn.Linear(FEATURES, predictions)
        self.register_buffer("centre", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # Frozen and in evaluation mode outside of `train`: gradients only pass through, to the images, and the
        # prediction for an image does not depend on its batch.
        self.requires_grad_(False)
        self.eval()

    def reduced(self, images: Tensor) -> Tensor:
        """What the network sees of images [N, 3, H, W]: [N, c, h, w], each of its own image alone."""
        if self.grey:
            images = images.mean(1, keepdim=True)
        if images.shape[2:] != self.input_size:
            images = F.interpolate(images, self.input_size, mode="bilinear", antialias=True)
        return images

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self._features(self.reduced(images))
        return features, self.out(features)

    def _features(self, inputs: Tensor) -> Tensor:
        return self.body((inputs - self.centre) / self.scale)

    @property
    def features(self) -> TwoSteps:
        """As a feature extractor: images -> [N, F], on the CPU wherever the network is."""
        return in_steps(on_device(TwoSteps(self.reduced, self._features), self.device))

    @property
    def predictions(self) -> TwoSteps:
        """images -> [N, R], likewise."""
        return in_steps(on_device(TwoSteps(self.reduced, self.predicted), self.device))

    @property
    def device(self) -> torch.device:
        return self.centre.device

    def predicted(self, inputs: Tensor) -> Tensor:
        """`reduced` images on the network's device -> [N, R]."""
        return self.out(self._features(inputs))


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """What the regressor sees of renders. inputs: `AttributeRegressor.reduced` of each, float32 [N, c, h, w], in a
    `scratch_array`.  mean, deviation: of all values of all pixels."""

    inputs: NDArray[np.float32]
    mean: float
    deviation: float


@torch.no_grad()
def training_images(regressor: AttributeRegressor, chunks: Iterable[NDArray[np.uint8]], count: int) -> TrainingImages:
    """Of chunks of renders uint8 [., H, W, 3], count in all."""
    inputs = scratch_array((count, 1 if regressor.grey else 3, *regressor.input_size), np.float32)
    at, parts = 0, []
    for images in chunks:
        pixels = to_tensor(images)
        seen = pixels[:, :1].expand(-1, 3, -1, -1) if regressor.grey else pixels
        parts.append((seen.numel(), float(seen.mean()), float(seen.std())))
        for some in pixels.split(REDUCED):
            inputs[at:at + len(some)] = regressor.reduced(some.to(regressor.device)).cpu().numpy()
            at += len(some)
        release(inputs)
        del images, pixels, seen, some  # before the next are drawn
    n, mean, deviation = np.array(parts).T  # of each chunk; together as in Chan, Golub and LeVeque 1979
    whole = float((n * mean).sum() / n.sum())
    squares = ((n - 1) * deviation**2 + n * (mean - whole) ** 2).sum()
    return TrainingImages(inputs, whole, float(np.sqrt(squares / (n.sum() - 1))))


def train(regressor: AttributeRegressor, images: TrainingImages, truth: Tensor, seed: int, epochs: int = 5) -> None:
    """Fit the predictions to their true values [N, R] by squared error; missing values (NaN) do not count."""
    regressor.centre.fill_(images.mean)
    regressor.scale.fill_(max(images.deviation, 1e-3))
    known = torch.isfinite(truth)
    target = torch.where(known, truth, torch.zeros(()))

    def loss(rows: Tensor) -> Tensor:
        inputs = torch.from_numpy(images.inputs[rows.numpy()]).to(regressor.device)
        release(images.inputs)
        return ((regressor.predicted(inputs) - target[rows].to(regressor.device)) ** 2
                * known[rows].to(regressor.device)).mean()

    regressor.requires_grad_(True)
    # A batch of one image has no variance for batch normalisation.
    batches = shuffled_batches(len(truth), BATCH, epochs, derive_seed(seed, "reader order"), min_size=2)
    regressor.train()
    minimise(map(loss, batches), torch.optim.Adam(regressor.parameters(), LEARNING_RATE),
             epochs * -(-len(truth) // BATCH))
    regressor.eval()
    regressor.requires_grad_(False)


def is_grey(*sets: np.ndarray) -> bool:
    """Whether all images [N, H, W, 3] of all sets are without colour."""
    for images in sets:
        for first in range(0, len(images), REDUCED):
            some = images[first:first + REDUCED]
            if not (np.array_equal(some[..., 0], some[..., 1]) and np.array_equal(some[..., 0], some[..., 2])):
                return False
        release(images)
    return True
