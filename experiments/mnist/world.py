"""The MNIST worlds of the Meta-Sim paper (Kar et al. 2019, section 4.1), and variants with another spread.

Tree: image -> digit. A 28x28 digit on a background of grey max(N(0, 5), 0); the class is uniform over 0-9.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import scenefit as sf
from scenefit.scenes.rng import derive_seed

Prior = Any


@dataclass(frozen=True)
class World:
    """size: of the canvas.  prior, target: attribute -> prior of the digit; prior holds the learned ones.

    paper: accuracy in percent of the grammar and of the learned data, as published; NaN where it has none.
    """

    name: str
    size: int
    prior: dict[str, Prior]
    target: dict[str, Prior]
    paper: tuple[float, float] = (float("nan"), float("nan"))

    @property
    def title(self) -> str:
        return self.name.replace("rotation_translation", "rotation and translation").replace("_", ", ")


TURNED = World("rotation", 32, {"angle": sf.learned(sf.Angle(0, sd=10))}, {"angle": sf.Constant(90.0)}, (14.8, 99.5))
MOVED = World(
    "rotation_translation", 64,
    {"x": sf.learned(32.0, bounds=(0, 64)), "y": sf.learned(32.0, bounds=(0, 64)),
     "angle": sf.learned(sf.Angle(0, sd=10))},
    {"x": sf.Constant(16.0), "y": sf.Constant(48.0), "angle": sf.Constant(270.0)}, (13.1, 99.3))
# The same with a spread of its own: wider and narrower than the prior's 10 degrees.
WIDER = World("rotation_wider", 32, TURNED.prior, {"angle": sf.Angle(90, sd=25)})
NARROWER = World("rotation_narrower", 32, TURNED.prior, {"angle": sf.Angle(90, sd=4)})
MOVED_WIDER = World("rotation_translation_wider", 64, MOVED.prior, {
    "x": sf.Normal(20, 4), "y": sf.Normal(42, 2), "angle": sf.Angle(270, sd=20)})
WORLDS = {world.name: world for world in (TURNED, MOVED, WIDER, NARROWER, MOVED_WIDER)}


@dataclass(frozen=True)
class Digits:
    """Sprites sorted by class, so that "class uniform, then any of its digits" is one draw. first, count: [10]."""

    images: np.ndarray
    labels: np.ndarray
    first: np.ndarray
    count: np.ndarray


def sort_digits(images: np.ndarray, labels: np.ndarray) -> Digits:
    order = np.argsort(labels, kind="stable")
    count = np.bincount(labels, minlength=10)
    return Digits(images[order], labels[order], np.cumsum(count) - count, count)


def load(folder: Path, sprites: int, photos: int, seed: int) -> tuple[Digits, Digits, Digits]:
    """Sprites (of MNIST's training part), and the digits of photos to match and to test on (of its test part).

    The three share no digit. The test part is shuffled before it is split: its halves come from different writers.
    """
    path = Path(folder) / "mnist_full.npz"
    if not path.exists():
        raise SystemExit(f"{path} is missing: give a folder with MNIST as mnist_full.npz (train_images, train_labels, "
                         "test_images, test_labels)")
    with np.load(path, allow_pickle=False) as file:
        parts = {name: file[name] for name in ("train_images", "train_labels", "test_images", "test_labels")}
    rng = np.random.default_rng(derive_seed(seed, "mnist split"))
    train = rng.permutation(len(parts["train_images"]))[:sprites]
    test = rng.permutation(len(parts["test_images"]))
    return (sort_digits(parts["train_images"][train], parts["train_labels"][train]),
            *(sort_digits(parts["test_images"][rows], parts["test_labels"][rows])
              for rows in (test[:photos], test[photos:])))


def grammar(attributes: dict[str, Prior], digits: Digits) -> sf.Grammar:
    """The tree of the paper with these attributes of the digit."""
    first, count = digits.first, digits.count

    def sprite(node: Any) -> sf.Prior:
        digit = np.asarray(node["digit"])
        return sf.Integer(first[digit], first[digit] + count[digit] - 1)

    return sf.Grammar("image", {"image": {"shade": sf.Normal(0, 5)},
                                "digit": {**attributes, "digit": sf.Choice(range(10)), "sprite": sprite}},
                      [sf.Rule("image", ["digit"])])


def camera(world: World, digits: Digits) -> sf.Sprites:
    return sf.Sprites((world.size, world.size), {"digit": digits.images}, {"digit": digits.labels}, label="digit")


def take_photos(world: World, digits: Digits, seed: int) -> sf.Photos:
    """One photo of each digit, turned and moved as in the world."""
    scenes = grammar(world.target, digits).sample(seed, len(digits.images))
    scenes = scenes.with_columns({"digit": {"sprite": np.arange(len(digits.images)), "digit": digits.labels}})
    frames = sf.render(camera(world, digits), scenes)
    return sf.Photos(frames.images, (Path(),) * len(frames), (), frames.label)


Sampler = Callable[[int, Any], sf.SceneBatch]
