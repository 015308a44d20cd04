"""Images of each distribution above their class masks, as world.png: python -m experiments.aerial2d.picture"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import scenefit as sf
from experiments.aerial2d.misspecified import photos
from experiments.aerial2d.world import CLASSES, SIZE, class_masks, grammar, renderer, target
from experiments.picture_rows import stacked, tiled, titled

Array = NDArray[Any]
COLUMNS, SEED = 5, 3
COLOURS = {"ground": (196, 206, 170), "road": (104, 108, 116), "car": (244, 190, 40), "house": (214, 82, 60),
           "tree": (52, 122, 70)}
LEGEND = {name: COLOURS[name] for name in CLASSES}


def sheet(seed: int = SEED, side: int = SIZE, columns: int = COLUMNS) -> bytes:
    """A PNG file: for each distribution a heading, images, and their masks."""
    rows = {"Hand-made grammar": rendered(grammar(side).sample(seed, columns), side),
            "Wide grammar": rendered(grammar(side, "wide").sample(seed, columns), side),
            "Target": rendered(target(side, seed, columns), side),
            "Misspecified target: the same scenes by another painter": photos(seed, columns, side)}
    parts = [part for title, (images, masks) in rows.items()
             for part in (*titled(title, images, LEGEND), tiled(coloured(masks)))]
    return stacked(parts)


def rendered(scenes: sf.SceneBatch, side: int) -> tuple[Array, Array]:
    frames = sf.render(renderer(side), scenes)
    return frames.images, class_masks(frames)


def coloured(masks: Array) -> NDArray[np.uint8]:
    """[S, H, W, 3] of class masks."""
    return np.array([COLOURS[name] for name in ("ground", *CLASSES)], np.uint8)[masks]


def main() -> None:
    Path(__file__).with_name("world.png").write_bytes(sheet())


if __name__ == "__main__":
    main()
