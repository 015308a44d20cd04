"""Images of each distribution above their class masks, as world.png: python -m experiments.aerial2d.picture"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import scenefit as sf
from experiments.aerial2d.misspecified import photos
from experiments.aerial2d.world import CLASSES, SIZE, class_masks, grammar, renderer, target

Array = NDArray[Any]
COLUMNS, GAP, HEADING, SEED = 5, 8, 34, 3
COLOURS = {"ground": (196, 206, 170), "road": (104, 108, 116), "car": (244, 190, 40), "house": (214, 82, 60),
           "tree": (52, 122, 70)}


def sheet(seed: int = SEED, side: int = SIZE, columns: int = COLUMNS) -> bytes:
    """A PNG file: for each distribution a heading, images, and their masks."""
    rows = {"Hand-made grammar": rendered(grammar(side).sample(seed, columns), side),
            "Wide grammar": rendered(grammar(side, "wide").sample(seed, columns), side),
            "Target": rendered(target(side, seed, columns), side),
            "Misspecified target: the same scenes by another painter": photos(seed, columns, side)}
    parts = [part for title, (images, masks) in rows.items()
             for part in (heading(title, columns * (side + GAP) - GAP), tiled(images), tiled(coloured(masks)))]
    return stacked(parts)


def stacked(parts: Sequence[NDArray[np.uint8]]) -> bytes:
    """Parts of one width, one below the other, as a PNG file of 256 colours."""
    whole, file = Image.fromarray(np.concatenate(parts)), io.BytesIO()
    whole.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=4).save(file, "PNG", optimize=True)
    return file.getvalue()


def rendered(scenes: sf.SceneBatch, side: int) -> tuple[Array, Array]:
    frames = sf.render(renderer(side), scenes)
    return frames.images, class_masks(frames)


def coloured(masks: Array) -> NDArray[np.uint8]:
    """[S, H, W, 3] of class masks."""
    return np.array([COLOURS[name] for name in ("ground", *CLASSES)], np.uint8)[masks]


def tiled(images: Array) -> NDArray[np.uint8]:
    """One row of images, each with a gap on its right and below, the last one only below."""
    padded = np.pad(images, ((0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=255)
    return np.concatenate(list(padded), 1)[:, :-GAP]


def heading(title: str, width: int) -> NDArray[np.uint8]:
    """The title on the left, the classes' colours on the right."""
    strip = Image.new("RGB", (width, HEADING), "white")
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(20)
    draw.text((2, HEADING // 2), title, (20, 20, 20), font, anchor="lm")
    right = width - 2
    for name in reversed(CLASSES):
        right -= int(draw.textlength(name, font))
        draw.text((right, HEADING // 2), name, (20, 20, 20), font, anchor="lm")
        draw.rectangle((right - 24, HEADING // 2 - 8, right - 8, HEADING // 2 + 8), COLOURS[name])
        right -= 40
    return np.asarray(strip)


def main() -> None:
    Path(__file__).with_name("world.png").write_bytes(sheet())


if __name__ == "__main__":
    main()
