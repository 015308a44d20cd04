"""Photos of a world above renders of its prior, as PNG."""

import io

import numpy as np
from PIL import Image

import scenefit as sf
from experiments.known_worlds.truth import Array
from experiments.known_worlds.world import World

COLUMNS, GAP = 4, 6


def sheet(world: World, seed: int = 3) -> bytes:
    """Eight photos, below them eight renders of the prior."""
    photos = world.photos(seed, 2 * COLUMNS)[0]
    renders = sf.render(world.renderer, world.grammar.sample(seed, 2 * COLUMNS)).images
    gap = np.full((GAP, COLUMNS * photos.shape[2], 3), 255, np.uint8)
    whole = np.concatenate([tiled(photos), gap, tiled(renders)])
    file = io.BytesIO()
    Image.fromarray(whole).quantize(256, Image.Quantize.MEDIANCUT).save(file, "PNG", optimize=True)
    return file.getvalue()


def tiled(images: Array) -> Array:
    rows = images.reshape(-1, COLUMNS, *images.shape[1:])
    return np.concatenate([np.concatenate(list(row), 1) for row in rows])
