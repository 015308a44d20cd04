"""Draws docs/figures/layers.png by the code of docs/renderers.md: aerial renders, and below them their masks.

    python docs/figures/layers.py
"""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import scenefit as sf

HERE = Path(__file__).parent
SECTION, SHOWN, SIDE, GAP = "## Several renderers in one image", 8, 192, 8
COLOURS = {"road": (120, 120, 130), "car": (230, 80, 60), "tree": (60, 170, 80)}
SHADES = 35  # by which objects of one class differ


def main() -> None:
    _, _, rest = (HERE.parent / "renderers.md").read_text().partition(SECTION)
    made: dict[str, Any] = {"np": np, "sf": sf}
    exec(rest.partition("```python")[2].partition("```")[0], made)
    frames: sf.Frames = made["frames"]
    rows = [list(frames.images[:SHOWN]), [masks(frames, row) for row in range(SHOWN)]]
    sheet = Image.new("RGB", (SHOWN * (SIDE + GAP) - GAP, len(rows) * (SIDE + GAP) - GAP), "white")
    for y, images in enumerate(rows):
        for x, image in enumerate(images):
            large = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.NEAREST)
            sheet.paste(large, (x * (SIDE + GAP), y * (SIDE + GAP)))
    sheet.save(HERE / "layers.png")


def masks(frames: sf.Frames, row: int) -> np.ndarray:
    """Objects of one image in the colour of their class, each a little different."""
    random, objects = np.random.default_rng(3), frames.objects
    out = np.full((*frames.instances.shape[1:], 3), 30, np.uint8)
    for at in np.flatnonzero(objects.scene == row):
        colour = np.array(COLOURS[objects.name[at]]) + random.integers(-SHADES, SHADES + 1, 3)
        out[frames.instances[row] == objects.id[at]] = colour.clip(0, 255)
    return out


if __name__ == "__main__":
    main()
