"""The MNIST scenes of the Meta-Sim paper (Kar et al. 2019, section 4.1), and variants with another spread.

Scene graph: image -> digit. A 28x28 digit on a background of grey max(N(0, 5), 0); the class is uniform over 0-9.
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
    """size: side of the image in pixels.  prior, target: attribute of the digit -> its prior in the grammar and its
    true distribution.  paper: published accuracy in percent of the grammar and of the learned data; NaN if there is
    none.
    """

    name: str
    size: int
    prior: dict[str, Prior]
    target: dict[str, Prior]
    paper: tuple[float, float] = (float("nan"), float("nan"))

    @property
    def title(self) -> str:
        return self.name.replace("rotation_translation", "rotation and translation").replace("_", ", ")


ROTATION = World("rotation", 32, {"angle": sf.learned(sf.Angle(0, sd=10))}, {"angle": sf.Constant(90.0)}, (14.8, 99.5))
TRANSLATION = World(
    "rotation_translation", 64,
    {"x": sf.learned(32.0, bounds=(0, 64)), "y": sf.learned(32.0, bounds=(0, 64)),
     "angle": sf.learned(sf.Angle(0, sd=10))},
    {"x": sf.Constant(16.0), "y": sf.Constant(48.0), "angle": sf.Constant(270.0)}, (13.1, 99.3))
# Variants with another spread than the prior's 10 degrees: wider and narrower.
WIDER = World("rotation_wider", 32, ROTATION.prior, {"angle": sf.Angle(90, sd=25)})
NARROWER = World("rotation_narrower", 32, ROTATION.prior, {"angle": sf.Angle(90, sd=4)})
TRANSLATION_WIDER = World("rotation_translation_wider", 64, TRANSLATION.prior, {
    "x": sf.Normal(20, 4), "y": sf.Normal(42, 2), "angle": sf.Angle(270, sd=20)})
WORLDS = {world.name: world for world in (ROTATION, TRANSLATION, WIDER, NARROWER, TRANSLATION_WIDER)}


@dataclass(frozen=True)
class Digits:
    """Digits sorted by class, so that a random digit of a class is one uniform integer.

    images: uint8 [N, 28, 28].  labels: [N].  first, count: first row and number of rows of each class [10].
    """

    images: np.ndarray
    labels: np.ndarray
    first: np.ndarray
    count: np.ndarray


def sort_digits(images: np.ndarray, labels: np.ndarray) -> Digits:
    order = np.argsort(labels, kind="stable")
    count = np.bincount(labels, minlength=10)
    return Digits(images[order], labels[order], np.cumsum(count) - count, count)


def load(folder: Path, sprites: int, photos: int, seed: int) -> tuple[Digits, Digits, Digits]:
    """Digits of the sprites (MNIST's training part), of the photos for the fit and of the test photos (its test part).

    The three share no digit. The test part is shuffled before it is split because its halves come from different
    writers. SystemExit if folder has no mnist_full.npz.
    """
    path = Path(folder) / "mnist_full.npz"
    if not path.exists():
        raise SystemExit(f"{path} does not exist; --data must be a folder with MNIST as mnist_full.npz (arrays "
                         "train_images, train_labels, test_images and test_labels)")
    with np.load(path, allow_pickle=False) as file:
        parts = {name: file[name] for name in ("train_images", "train_labels", "test_images", "test_labels")}
    rng = np.random.default_rng(derive_seed(seed, "mnist split"))
    train = rng.permutation(len(parts["train_images"]))[:sprites]
    test = rng.permutation(len(parts["test_images"]))
    return (sort_digits(parts["train_images"][train], parts["train_labels"][train]),
            *(sort_digits(parts["test_images"][rows], parts["test_labels"][rows])
              for rows in (test[:photos], test[photos:])))


def grammar(attributes: dict[str, Prior], digits: Digits) -> sf.Grammar:
    """The paper's grammar, with these attributes of the digit."""
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
    """One photo of each digit, with attributes from the world's true distribution."""
    scenes = grammar(world.target, digits).sample(seed, len(digits.images))
    scenes = scenes.with_columns({"digit": {"sprite": np.arange(len(digits.images)), "digit": digits.labels}})
    frames = sf.render(camera(world, digits), scenes)
    return sf.Photos(frames.images, (Path(),) * len(frames), (), frames.label)


Sampler = Callable[[int, Any], sf.SceneBatch]
