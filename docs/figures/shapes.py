"""Draws docs/figures/shapes.png: what the attributes of `Shapes` do, one row of values each.

    python docs/figures/shapes.py
"""

from pathlib import Path

import numpy as np
from attribute_sheet import arranged, block
from PIL import Image

import scenefit as sf

SIDE = 92  # pixels, of a cell
ACROSS = 3  # blocks side by side
LOOK = {"radius": 30, "red": 0.25, "green": 0.5, "blue": 0.75, "edge": 1}
PAIR = (-14, 14)  # where two shapes stand, from the middle: what is seen through one is the other
# (attribute, its values, what else the shape needs, where shapes stand)
BLOCKS = [
    ("elongation", (1, 1.5, 2.5, 4), {"angle": 30, "radius": 22}, (0,)),
    ("length, width 28, angle 30", (20, 40, 60, 80), {"width": 28, "angle": 30}, (0,)),
    ("corner, length 64, width 36", (0, 0.3, 0.6, 1), {"length": 64, "width": 36}, (0,)),
    ("power", (2, 3, 5, 100), {}, (0,)),
    ("sides", (3, 4, 6, 8), {"radius": 26}, (0,)),
    ("lobe, lobes 5", (0.1, 0.3, 0.6, 0.9), {"lobes": 5, "radius": 38}, (0,)),
    ("wobble", (0, 0.05, 0.15, 0.3), {}, (0,)),
    ("hole", (0, 0.3, 0.6, 0.9), {}, (0,)),
    ("edge", (0.1, 3, 10, 30), {}, (0,)),
    ("edge, length 64, width 36", (0.1, 3, 8, 18), {"length": 64, "width": 36}, (0,)),
    ("defocus, grain 0.3", (0, 1, 3, 8), {"grain": 0.3}, (0,)),
    ("rim", (-1, -0.5, 0.5, 1), {}, (0,)),
    ("bulge", (-1, -0.5, 0.5, 1), {}, (0,)),
    ("pallor", (0, 0.3, 0.6, 1), {}, (0,)),
    ("grain", (0, 0.1, 0.3, 0.8), {}, (0,)),
    ("grain_size, grain 0.3", (1, 3, 6, 12), {"grain": 0.3}, (0,)),
    ("grain_stretch, elongation 3", (0, 0.3, 0.7, 1), {"grain": 0.3, "elongation": 3, "radius": 24}, (0,)),
    ("opacity", (0.1, 0.4, 0.7, 1), {"radius": 24}, PAIR),
    ("absorb", (0, 0.3, 0.6, 1), {"radius": 24}, PAIR),
    ("absorb, opacity 0.5", (0, 0.3, 0.6, 1), {"radius": 24, "opacity": 0.5}, PAIR),
    ("emit, on black", (0, 0.3, 0.6, 1), {"radius": 24}, PAIR),
]


def cell(attributes: dict[str, float], places: tuple[int, ...], camera: dict[str, float]) -> Image.Image:
    """Shapes with these attributes, from lower left to upper right."""
    middle = SIDE / 2
    grammar = sf.Grammar("image", {"image": {}, "shape": {
        "x": lambda node: sf.Constant(middle + np.array(places)[node.number]),
        "y": lambda node: sf.Constant(middle - np.array(places)[node.number] / 2)}},
        [sf.Rule("image", ["shape"] * len(places))])
    renderer = sf.Shapes((SIDE, SIDE), {"shape": attributes}, camera=camera)
    return Image.fromarray(renderer(grammar.sample(2, 1)).images[0])


def picture() -> Image.Image:
    blocks = []
    for name, values, others, places in BLOCKS:
        def draw(value: float, name: str = name, others: dict[str, float] = others,
                 places: tuple[int, ...] = places) -> Image.Image:
            camera = {"shade": 0.0} if name.endswith("on black") else {}
            return cell({**LOOK, **others, name.partition(",")[0]: value}, places, camera)

        blocks.append(block(name, values, draw))
    return arranged(blocks, ACROSS)


if __name__ == "__main__":
    picture().save(Path(__file__).with_suffix(".png"), optimize=True)
