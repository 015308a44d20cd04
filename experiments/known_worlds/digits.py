"""The worlds of digits of experiments/mnist and experiments/multi_mnist. Photos are rendered from digits of MNIST's
test part, sprites are digits of its training part."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import scenefit as sf
from experiments.known_worlds.score import Samples, Target, of_scenes
from experiments.known_worlds.truth import Array
from experiments.known_worlds.world import World, targets_of
from experiments.mnist import world as one
from experiments.multi_mnist import world as several

SPRITES = 10_000  # digits of MNIST's training part
MATCH = 1000  # of its test part, each in one photo
ONE_DIGIT = ("rotation", "rotation_translation", "rotation_wider", "rotation_narrower", "rotation_translation_wider")


def build_one(name: str, data: Path | None, seed: int) -> World:
    """A turned, or turned and moved, digit. SystemExit without the data."""
    kind, folder = one.WORLDS[name], _folder(data)
    sprites, match, _ = one.load(folder, SPRITES, MATCH, seed)
    tree = one.grammar(kind.prior, sprites)
    true = one.grammar(kind.target, sprites)

    def photos(own: int, count: int) -> tuple[Array, Any]:
        if count > MATCH:
            raise ValueError(f"{name} has {MATCH} photos, got count={count}; take fewer")
        taken = one.take_photos(kind, match, own).images
        return taken[np.random.default_rng(own).permutation(MATCH)[:count]], None

    return World(name, tree, one.camera(kind, sprites), photos, lambda own, count: of_scenes(true.sample(own, count)),
                 targets_of(tree))


def build_several(data: Path | None, seed: int) -> World:
    """0 to 6 digits whose classes depend on their number. SystemExit without the data."""
    sprites, digits = several.parts(_folder(data), SPRITES, seed)
    tree, of_photos = several.grammar(sprites), several.grammar(digits)

    def photos(own: int, count: int) -> tuple[Array, Any]:
        return sf.render(several.camera(digits), several.truth(of_photos, own, count)).images, None

    def true_scenes(own: int, count: int) -> Samples:
        scenes = several.truth(tree, own, count)
        return of_scenes(scenes, among(scenes))

    targets = (Target("image", "n_digit", "count", bin=1), Target("digit", "digit", "choice"),
               Target("digit", "digit", "choice", given="digit.among"))
    return World("several_digits", tree, several.camera(sprites), photos, true_scenes, targets, more=among)


def among(scenes: sf.SceneBatch) -> dict[str, Array]:
    """Number of digits in the image of each digit."""
    count = np.asarray(scenes.tables["image"]["n_digit"])
    by_scene = np.empty(len(scenes), count.dtype)
    by_scene[scenes.tables["image"].scene] = count
    return {"digit.among": by_scene[scenes.tables["digit"].scene]}


def _folder(data: Path | None) -> Path:
    if data is None:
        raise SystemExit("the worlds of digits need MNIST; give its folder: --data FOLDER_WITH_MNIST")
    return data


BUILDERS: dict[str, Callable[[Path | None, int], World]] = {
    **{name: partial(build_one, name) for name in ONE_DIGIT}, "several_digits": build_several}
