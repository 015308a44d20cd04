"""The distributions of the aerial world: of each attribute a hand-made one, a wide one, and that of the target.

Lengths are in shares of the image's side, angles in degrees, colours from 0 to 1.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import scenefit as sf

GROUPS = ("angle", "place", "counts", "look")
PARTS = {"angle": GROUPS[:1], "angle and place": GROUPS[:2], "angle, place and counts": GROUPS[:3], "all": GROUPS}
SETTINGS = ("handmade", "wide", "target")
LANES = (2, 3, 4)
CARS = {2: (2, 5), 3: (4, 8), 4: (6, 12)}  # lanes -> fewest and most cars of the target, all equally likely
PAINTS = {"white": (1.0, 1.0, 1.0), "red": (0.95, 0.2, 0.16), "blue": (0.2, 0.42, 0.95), "yellow": (1.0, 0.78, 0.15)}
ROOFS = {"red": (1.0, 0.44, 0.3), "grey": (0.66, 0.72, 0.8), "sand": (1.0, 0.86, 0.62)}


@dataclass(frozen=True)
class Row:
    """One attribute. group: with which others it is learned.  length: whether it is one, in shares of the side."""

    group: str
    handmade: sf.Prior
    wide: sf.Prior
    target: sf.Prior
    length: bool = False

    def prior(self, setting: str, side: int) -> sf.Prior:
        """In pixels of an image of this side, if it is a length."""
        found: sf.Prior = getattr(self, setting)
        if not self.length:
            return found
        return replace(found, **{part.name: getattr(found, part.name) * side for part in fields(found)})

    def bounds(self, side: int) -> tuple[float, float] | None:
        """Which learning may reach: those of the wide prior; None for angles and choices, which need none."""
        wide = self.prior("wide", side)
        return None if isinstance(wide, sf.Angle | sf.Choice) else wide.bounds


def around(mean: float, sd: float) -> sf.Normal:
    return sf.Normal(mean, sd, mean - 3 * sd, mean + 3 * sd)


def place(handmade: sf.Prior, wide: sf.Prior, target: sf.Prior) -> Row:
    return Row("place", handmade, wide, target, length=True)


def size(handmade: sf.Prior, wide: sf.Prior, target: sf.Prior) -> Row:
    return Row("look", handmade, wide, target, length=True)


def tone(handmade: Any, wide: Any, target: Any) -> Row:
    """handmade, wide: lowest and highest.  target: mean and standard deviation."""
    return Row("look", sf.Uniform(*handmade), sf.Uniform(*wide), around(*target))


def colour(names: Any, handmade: Any, target: Any) -> Row:
    """Weights of the names; equal ones of the wide setting."""
    return Row("look", *(sf.Choice(list(names), weights) for weights in (handmade, None, target)))


def count(handmade: Any, wide: Any, target: Any) -> Row:
    return Row("counts", *(sf.Integer(*ends) for ends in (handmade, wide, target)))


ROWS = {
    "image": {
        "red": tone((0.60, 0.68), (0.15, 0.75), (0.34, 0.03)),
        "green": tone((0.55, 0.62), (0.25, 0.75), (0.47, 0.03)),
        "blue": tone((0.36, 0.44), (0.10, 0.60), (0.22, 0.03)),
        "shadow_angle": Row("look", sf.Angle(120, sd=5), sf.Angle(), sf.Angle(-40, sd=8)),
    },
    "road": {
        "lanes": Row("counts", *[sf.Integer(min(LANES), max(LANES))] * 3),
        "angle": Row("angle", around(0, 3), sf.Uniform(-80, 80), around(45, 6)),
        "offset": place(sf.Uniform(-0.02, 0.02), sf.Uniform(-0.25, 0.25), around(0.08, 0.03)),
        "car_spacing": place(sf.Uniform(0.14, 0.17), sf.Uniform(0.12, 0.45), around(0.30, 0.03)),
        "house_spacing": place(sf.Uniform(0.19, 0.22), sf.Uniform(0.18, 0.50), around(0.30, 0.02)),
        "tree_spacing": place(sf.Uniform(0.06, 0.08), sf.Uniform(0.05, 0.30), around(0.14, 0.015)),
        "lane_width": size(sf.Uniform(0.05, 0.055), sf.Uniform(0.045, 0.10), around(0.075, 0.003)),
        "shade": tone((0.60, 0.68), (0.20, 0.75), (0.38, 0.03)),
    },
    "car": {
        "ahead": place(around(0, 0.005), sf.Uniform(-0.06, 0.06), around(0, 0.018)),
        "aside": place(around(0, 0.002), sf.Uniform(-0.02, 0.02), around(0.006, 0.003)),
        "heading": Row("angle", sf.Angle(35, sd=8), sf.Angle(0, width=140), sf.Angle(0, sd=3)),
        "length": size(sf.Uniform(0.07, 0.08), sf.Uniform(0.06, 0.16), around(0.115, 0.006)),
        "width": size(sf.Uniform(0.034, 0.038), sf.Uniform(0.03, 0.07), around(0.052, 0.002)),
        "brightness": tone((0.25, 0.4), (0.15, 1), (0.85, 0.05)),
        "colour": colour(PAINTS, (7, 1, 1, 1), (4, 3, 2, 1)),
    },
    "house": {
        "ahead": place(around(0, 0.005), sf.Uniform(-0.08, 0.08), around(0, 0.02)),
        "distance": place(sf.Uniform(0.02, 0.03), sf.Uniform(0.02, 0.25), around(0.10, 0.015)),
        "turn": Row("place", sf.Angle(0, sd=2), sf.Angle(0, width=90), sf.Angle(20, sd=5)),
        "length": size(sf.Uniform(0.11, 0.13), sf.Uniform(0.10, 0.26), around(0.20, 0.01)),
        "width": size(sf.Uniform(0.08, 0.09), sf.Uniform(0.08, 0.20), around(0.145, 0.008)),
        "brightness": tone((0.85, 0.95), (0.3, 1), (0.66, 0.05)),
        "colour": colour(ROOFS, (1, 1, 8), (6, 3, 1)),
    },
    "tree": {
        "ahead": place(around(0, 0.005), sf.Uniform(-0.10, 0.10), around(0, 0.03)),
        "distance": place(sf.Uniform(0.24, 0.30), sf.Uniform(0.01, 0.35), sf.Uniform(0.02, 0.09)),
        "radius": size(sf.Uniform(0.02, 0.026), sf.Uniform(0.015, 0.09), around(0.055, 0.008)),
        "brightness": tone((0.8, 0.95), (0.3, 1), (0.52, 0.04)),
    },
}
COUNTS = {"car": count((1, 3), (0, 14), (2, 12)), "house": count((1, 2), (0, 8), (4, 7)),
          "tree": count((1, 4), (0, 20), (9, 15))}  # of the target's cars: CARS
