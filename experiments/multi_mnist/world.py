"""Several digits in one image, with a known distribution of their number and classes.

Scene graph: image -> n_digit digits, each in its own cell of a 3 x 3 grid. In the grammar all counts from 0 to 6 and
all classes are equally likely. Photos have few digits or many, never three; in images with few digits most are low, in
images with many most are high. Independent probabilities per symbol cannot represent this. Legend: S scenes; n digits.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import scenefit as sf
from experiments.mnist.world import Digits, load
from scenefit.scenes.attributes import NodeGroup
from scenefit.scenes.priors import pick
from scenefit.scenes.rng import fold_in, uniform

SIZE, CELLS = 64, 3
MAX_DIGITS = 6
PHOTOS = 2000  # for the fit; their digits are from MNIST's test part, the sprites from its training part
COUNTS = np.array([0.04, 0.30, 0.12, 0.00, 0.08, 0.36, 0.10])
LOW = np.array([0.28, 0.24, 0.18, 0.10, 0.06, 0.04, 0.03, 0.03, 0.02, 0.02])
HIGH = np.array([0.02, 0.02, 0.03, 0.03, 0.10, 0.20, 0.05, 0.30, 0.05, 0.20])
CLASSES = np.array([LOW if count <= 3 else HIGH for count in range(MAX_DIGITS + 1)])  # class probabilities by count
SIZED = sf.RendererInfo(size=(SIZE, SIZE))


@dataclass(frozen=True)
class Placed:
    """Renderer that assigns a scene's digits to random cells and passes them to `Sprites`."""

    sprites: sf.Sprites
    info: sf.RendererInfo = SIZED

    def __call__(self, scenes: sf.SceneBatch) -> sf.Frames:
        table = scenes.tables["digit"]
        order = np.argsort(uniform(fold_in(scenes.address[:, None], np.arange(CELLS**2)), "cell"), axis=1)
        count = np.bincount(table.scene, minlength=len(scenes))
        by_scene = np.argsort(table.scene, kind="stable")
        rank = np.empty(len(table), np.int64)
        rank[by_scene] = np.arange(len(table)) - (np.cumsum(count) - count)[table.scene[by_scene]]
        cell = order[table.scene, rank]
        x, y = ((index + 0.5) * SIZE / CELLS for index in (cell % CELLS, cell // CELLS))
        return self.sprites(scenes.with_columns({"digit": {"x": x + table["dx"], "y": y + table["dy"]}}))


def grammar(digits: Digits) -> sf.Grammar:
    """The grammar: counts and classes are learned and uniform in the prior."""
    first, count = digits.first, digits.count

    def sprite(node: Any) -> sf.Prior:
        digit = np.asarray(node["digit"])
        return sf.Integer(first[digit], first[digit] + count[digit] - 1)

    return sf.Grammar("image", {
        "image": {"shade": sf.Uniform(0, 40)},
        "digit": {"digit": sf.learned(sf.Choice(range(10))), "sprite": sprite, "scale": sf.Uniform(0.65, 0.8),
                  "dx": sf.Uniform(-2, 2), "dy": sf.Uniform(-2, 2)},
    }, [sf.Rule("image", [sf.repeat("digit", sf.learned(sf.Integer(0, MAX_DIGITS)))])])


def camera(digits: Digits) -> Placed:
    return Placed(sf.Sprites((SIZE, SIZE), {"digit": digits.images}))


def truth(tree: sf.Grammar, seed: int, count: int) -> sf.SceneBatch:
    """Scenes of the true distribution."""
    def decide(group: NodeGroup) -> dict[str, Any]:
        if group.kind == "image":
            return {"n_digit": pick(COUNTS, uniform(group.address, "n_digit"))}
        digits_in_image = np.bincount(group.scene, minlength=count)[group.scene]
        return {"digit": pick(CLASSES[digits_in_image], uniform(group.address, "digit"))}

    return tree.sample(seed, count, decide=decide)


def parts(folder: Path, sprites: int, seed: int) -> tuple[Digits, Digits]:
    """Digits of the sprites and of the photos; they share none."""
    return load(folder, sprites, 10_000, seed)[:2]


def counts(scenes: sf.SceneBatch) -> np.ndarray:
    """Number of digits of each class in each scene [S, 10]."""
    table = scenes.tables["digit"]
    out = np.zeros((len(scenes), 10), int)
    np.add.at(out, (table.scene, np.asarray(table["digit"], int)), 1)
    return out
