"""Draws docs/figures/street.jpg: one street, and what attributes of its root do, four values of each.

    python docs/figures/street.py
"""

from pathlib import Path

import numpy as np
from attribute_sheet import arranged, block
from PIL import Image

import scenefit as sf

SIZE = 126, 224  # height and width of a cell
ROOT = {"camera_t": -1.75, "camera_height": 1.5, "camera_pitch": 1.0, "field_of_view": 62, "sun_azimuth": 120,
        "sun_elevation": 35, "cloud": 0.4, "exposure": 0.2, "contrast": 1.15}
BLOCKS = {"sun_elevation": (8, 20, 40, 70), "camera_pitch": (-6, 0, 6, 12), "sun": (0, 1, 3, 8),
          "cloud": (0, 0.35, 0.7, 1), "warmth": (0, 0.3, 0.6, 1), "haze": (0, 0.005, 0.015, 0.04),
          "exposure": (-1.5, -0.5, 0.5, 1.5), "contrast": (0.6, 0.9, 1.3, 2), "texture": (0, 0.3, 0.6, 1),
          "curvature": (-0.015, -0.005, 0.005, 0.015)}
ACROSS = 2  # blocks side by side
# s, t, heading, model, paint
CARS = [(11, -1.75, 0, "hatchback", (0.55, 0.08, 0.08)), (16, 1.75, 180, "saloon", (0.75, 0.76, 0.78)),
        (21, -4.4, 0, "estate", (0.12, 0.2, 0.38)), (29, 1.75, 180, "suv", (0.1, 0.1, 0.11)),
        (28, -4.4, 0, "city car", (0.86, 0.86, 0.84)), (33, -1.75, 0, "panel van", (0.85, 0.85, 0.86))]
HOUSES = [(8, "terrace", (0.62, 0.42, 0.34)), (31, "shops", (0.80, 0.76, 0.68)), (57, "flats", (0.7, 0.68, 0.64)),
          (6, "shops", (0.66, 0.50, 0.42)), (33, "town houses", (0.82, 0.80, 0.74)), (53, "terrace", (0.6, 0.4, 0.32))]
PEOPLE = [(9, -7.2, 170, "woman walking"), (15, -7.6, 5, "man in a coat"), (14, 6.6, 175, "man walking")]
TREES = [(20, 7.8, "lime"), (37, 7.8, "maple"), (24, -8.0, "maple"), (46, -8.0, "lime")]


def constants(**columns):
    """Priors of columns with an entry for each node of a kind."""
    arrays = {name: np.asarray(values, float) for name, values in columns.items()}
    return {name: (lambda node, name=name: sf.Constant(arrays[name][node.number])) for name in arrays}


def grammar(root):
    paint = np.array([row[4] for row in CARS])
    walls = np.array([row[2] for row in HOUSES])
    left = np.arange(len(HOUSES)) < 3
    symbols = {
        "street": root, "lane": {"t": 0.0, "width": 11.0},
        "pavement": constants(t=(-7.5, 7.5), width=(4, 4), rise=(0.12, 0.12)),
        "marking": constants(t=(0, -3.5, 5.2), width=(0.12, 0.1, 0.1), dash=(3, 3, 3), gap=(4, 0, 0)),
        "car": {**constants(s=[row[0] for row in CARS], t=[row[1] for row in CARS], heading=[row[2] for row in CARS],
                            red=paint[:, 0], green=paint[:, 1], blue=paint[:, 2], model=[0, 1, 2, 3, 5, 6])},
        "house": {**constants(s=[row[0] for row in HOUSES], t=np.where(left, 15.5, -15.5),
                              heading=np.where(left, 0, 180), red=walls[:, 0], green=walls[:, 1], blue=walls[:, 2],
                              red2=(0.2, 0.1, 0.4, 0.35, 0.2, 0.1), green2=(0.25, 0.3, 0.4, 0.1, 0.2, 0.2),
                              blue2=(0.35, 0.2, 0.4, 0.1, 0.3, 0.3), model=(0, 9, 11, 9, 3, 0))},
        "pedestrian": {**constants(s=[row[0] for row in PEOPLE], t=[row[1] for row in PEOPLE],
                                   heading=[row[2] for row in PEOPLE], red=(0.5, 0.15, 0.2), green=(0.2, 0.15, 0.3),
                                   blue=(0.2, 0.2, 0.5), red2=(0.1, 0.1, 0.3), green2=(0.1, 0.1, 0.3),
                                   blue2=(0.2, 0.12, 0.35), model=(6, 4, 0))},
        "tree": {**constants(s=[row[0] for row in TREES], t=[row[1] for row in TREES], model=(0, 2, 2, 0))},
        "pole": {**constants(s=(12, 30), t=(-6.2, 6.2), heading=(180, 0), model=(0, 0))}}
    counts = {"lane": 1, "pavement": 2, "marking": 3, "car": len(CARS), "house": len(HOUSES),
              "pedestrian": len(PEOPLE), "tree": len(TREES), "pole": 2}
    nodes = [sf.repeat(kind, count) for kind, count in counts.items()]
    return sf.Grammar("street", symbols, [sf.Rule("street", nodes)])


def render(size, **root):
    return Image.fromarray(sf.Street(size)(grammar({**ROOT, **root}).sample(0, 1)).images[0])


def picture():
    return arranged([block(name, values, lambda value, name=name: render(SIZE, **{name: float(value)}))
                     for name, values in BLOCKS.items()], ACROSS)


if __name__ == "__main__":
    picture().save(Path(__file__).with_suffix(".jpg"), quality=88, optimize=True)
