"""The demo's photos: digits that are not used as sprites, rotated and shifted by a distribution that only this file
knows."""

from pathlib import Path

import numpy as np
from PIL import Image

import scenefit as sf
from scenefit.files.atomic import atomic_write
from scenefit.scenes.rng import derive_seed
from scenes import digits

MATCH = 450  # photos for the fit; the other digits are the test photos


def truth(sprites: int) -> sf.Grammar:
    """The true distribution of the photos' scenes. Only the photos and the oracle may use it."""
    return sf.Grammar("image", {
        "image": {"shade": sf.Uniform(0, 20)},
        "digit": {"x": sf.Normal(13, 1.5), "y": sf.Normal(26, 3), "angle": sf.Angle(115, sd=20),
                  "sprite": sf.Integer(0, sprites - 1)}}, [sf.Rule("image", ["digit"])])


def take_photos(seed: int) -> tuple[sf.Photos, sf.Photos]:
    """Photos for the fit (their labels are not used) and for the test: different digits, the same distribution."""
    images, classes = digits.digits(slice(digits.HALF, None))
    order = np.random.default_rng(derive_seed(seed, "split")).permutation(len(images))
    parts = []
    for name, rows in (("match", order[:MATCH]), ("test", order[MATCH:])):
        camera = sf.Sprites((digits.SIZE, digits.SIZE), {"digit": images[rows]}, {"digit": classes[rows]}, "digit")
        scenes = truth(len(rows)).sample(derive_seed(seed, name), len(rows))
        scenes = scenes.with_columns({"digit": {"sprite": np.arange(len(rows))}})  # each digit once
        frames = sf.render(camera, scenes)
        parts.append(sf.Photos(frames.images, (Path(),) * len(rows), (), frames.label))
    return parts[0], parts[1]


def save_photos(photos: sf.Photos, folder: Path) -> None:
    """Write the photos as PNG files, as a user would have them."""
    for row, image in enumerate(photos.images):
        with atomic_write(folder / f"{row:03d}.png") as file:
            Image.fromarray(image).save(file, "PNG")
