"""Street furniture: bollards and cones; bins, a post box, a phone box, a bus shelter, a bench, cabinets, bicycles.

What has a front turns it right, towards -y, to the road.
"""

from functools import cache

import numpy as np

from scenefit.renderers.street.mesh import Mesh, join
from scenefit.renderers.street.models.bicycles import CITY, MOUNTAIN, bicycle
from scenefit.renderers.street.models.primitives.solids import ball, box, lathe, rod, tube
from scenefit.renderers.street.models.primitives.triangles import Array, Colour, grounded, moved

RED: Colour = (0.6, 0.05, 0.05)
BLACK: Colour = (0.045, 0.045, 0.05)
WHITE: Colour = (0.85, 0.85, 0.83)
STEEL: Colour = (0.5, 0.52, 0.53)
GREEN: Colour = (0.08, 0.2, 0.14)
PANE: Colour = (0.25, 0.28, 0.29)
ORANGE: Colour = (0.9, 0.3, 0.05)


def _banded(profile: Array, colours: list[Colour], material: str = "matte", sides: int = 9) -> Mesh:
    return lathe(profile, sides, np.array([material] * len(colours), object), np.array(colours))


@cache
def bollards() -> dict[str, Mesh]:
    cast = np.array([(0.13, 0), (0.12, 0.12), (0.08, 0.18), (0.07, 0.7), (0.072, 0.8), (0.09, 0.84), (0.08, 0.93),
                     (0.02, 1.0)])
    steel = np.array([(0.055, 0), (0.055, 0.78), (0.055, 0.88), (0.055, 0.98), (0.02, 1.0)])
    cone = np.array([(0.15, 0.03), (0.115, 0.25), (0.085, 0.45), (0.03, 0.75)])
    post = np.array([(0.09, 0), (0.085, 0.5), (0.08, 0.65), (0.075, 0.95)])
    return {name: grounded(mesh) for name, mesh in {
        "cast iron": _banded(cast, [BLACK] * 3 + [WHITE] + [BLACK] * 3),
        "steel": _banded(steel, [STEEL, WHITE, STEEL, STEEL], "metal"),
        "wooden": box((0.16, 0.16, 1.0), material="bark", colour=(0.35, 0.26, 0.18), taper=0.92),
        "concrete": lathe([(0.2, 0), (0.2, 0.6), (0.14, 0.75), (0, 0.8)], 10, "matte", (0.55, 0.54, 0.5)),
        "flexible": _banded(post, [ORANGE, WHITE, ORANGE]),
        "cone": join([box((0.4, 0.4, 0.03), material="matte", colour=ORANGE), _banded(cone, [ORANGE, WHITE, ORANGE])]),
    }.items()}


def post_box() -> Mesh:
    """A pillar box, 1.6 m."""
    body = lathe([(0.25, 0), (0.25, 0.15), (0.23, 0.17), (0.23, 1.32), (0.27, 1.36), (0.27, 1.44), (0.2, 1.54),
                  (0, 1.6)], 12, "matte",
                 np.array([BLACK, *[RED] * 6]), 40)
    return join([body, box((0.26, 0.04, 0.05), (0, -0.22, 1.15), "matte", BLACK),
                 box((0.16, 0.03, 0.2), (0, -0.225, 0.85), "matte", WHITE)])


def phone_box() -> Mesh:
    """A red kiosk with panes, 0.9 x 0.9 x 2.5 m."""
    posts = [box((0.1, 0.1, 2.15), (x, y, 0), "matte", RED) for x in (-0.4, 0.4) for y in (-0.4, 0.4)]
    sides = []
    for turn in range(4):
        bars = [box((0.7, 0.05, 0.05), (0, -0.41, z), "matte", RED) for z in np.linspace(0.55, 1.75, 5)]
        bars += [box((0.03, 0.05, 1.5), (x, -0.41, 0.4), "matte", RED) for x in (-0.2, 0.2)]
        front = join([box((0.72, 0.03, 1.55), (0, -0.4, 0.4), "glass", PANE),
                      box((0.75, 0.06, 0.4), (0, -0.4, 0.02), "matte", RED), *bars,
                      box((0.7, 0.04, 0.14), (0, -0.445, 1.98), "lamp", WHITE)])
        sides.append(moved(front, yaw=90 * turn))
    top = [box((0.9, 0.9, 0.3), (0, 0, 1.92), "matte", RED), moved(ball((0.45, 0.45, 0.22), (0, 0, 0), 12, 2, "matte",
                                                                        RED, (0, 90)), (0, 0, 2.22))]
    return join([*posts, *sides, *top, box((0.92, 0.92, 0.08), material="matte", colour=BLACK)])


def bus_shelter() -> Mesh:
    """4 x 1.5 x 2.5 m: panes behind and at one end, a roof, a bench, a poster."""
    posts = [box((0.07, 0.07, 2.4), (x, 0.6, 0), "metal", STEEL) for x in np.linspace(-1.9, 1.9, 4)]
    panes = [box((1.15, 0.02, 1.9), (x, 0.6, 0.35), "glass", PANE) for x in (-1.27, 0, 1.27)]
    poster = [box((0.12, 1.2, 1.9), (1.9, 0.0, 0.3), "matte", BLACK), box((0.13, 1.05, 1.7), (1.9, 0.0, 0.4), "paint")]
    return join([*posts, *panes, *poster, box((4.0, 1.5, 0.12), (0, 0, 2.4), "matte", (0.25, 0.27, 0.28)),
                 box((2.6, 0.3, 0.05), (-0.3, 0.35, 0.5), "paint2"),
                 *(box((0.05, 0.2, 0.5), (x, 0.4, 0), "metal", STEEL) for x in (-1.4, 0.8)),
                 box((0.07, 0.07, 2.4), (-1.9, -0.5, 0), "metal", STEEL)])


def litter_bin() -> Mesh:
    posts = [box((0.05, 0.05, 0.25), (x, y, 0.86), "matte", BLACK) for x in (-0.14, 0.14) for y in (-0.14, 0.14)]
    return join([lathe([(0.24, 0), (0.26, 0.85), (0.27, 0.88)], 10, "matte", BLACK), *posts,
                 lathe([(0.28, 1.08), (0.22, 1.2), (0, 1.25)], 10, "matte", BLACK),
                 box((0.18, 0.02, 0.12), (0, -0.26, 0.5), "matte", (0.8, 0.7, 0.2))])


def wheelie_bin(colour: Colour) -> Mesh:
    """A household bin, 0.58 x 0.73 x 1.07 m."""
    lid = moved(box((0.6, 0.76, 0.07), material="matte", colour=colour), (0, 0.0, 0.98), roll=4)
    tyres = [moved(lathe([(0.1, -0.025), (0.1, 0.025)], 8, "rubber", BLACK), (x, 0.3, 0.1), pitch=90)
             for x in (-0.25, 0.25)]
    return join([moved(box((0.46, 0.52, 0.93), material="matte", colour=colour, taper=1.25), (0, 0, 0.06)), lid, *tyres,
                 rod((-0.25, 0.38, 0.95), (0.25, 0.38, 0.95), 0.02, 5, "matte", colour)])


def bench() -> Mesh:
    slats = [box((1.6, 0.08, 0.03), (0, y, 0.44), "matte", (0.4, 0.27, 0.16)) for y in (-0.2, -0.1, 0.0, 0.1)]
    back = [box((1.6, 0.03, 0.09), (0, 0.2, z), "matte", (0.4, 0.27, 0.16)) for z in (0.55, 0.68, 0.8)]
    legs = [box((0.06, 0.06, z), (x, y, 0), "matte", BLACK) for x in (-0.7, 0.7)
            for y, z in ((-0.2, 0.44), (0.22, 0.88))]
    return join([*slats, *back, *legs])


def stand(pair: bool) -> Mesh:
    """Bicycles that lean on a hoop."""
    hoop = tube([(-0.4, 0, 0), (-0.4, 0, 0.7), (-0.3, 0, 0.8), (0.3, 0, 0.8), (0.4, 0, 0.7), (0.4, 0, 0)], 0.025, 6,
                "metal", STEEL)
    left = moved(bicycle(CITY), (0, 0.18, 0), roll=6)
    return join([hoop, left, *([moved(bicycle(MOUNTAIN), (0.1, -0.18, 0), yaw=180, roll=6)] if pair else [])])


def trestle() -> Mesh:
    """A board of a shop on the pavement."""
    sheets = [moved(join([box((0.02, 0.6, 1.0), material="matte", colour=BLACK),
                          box((0.025, 0.5, 0.8), (0, 0, 0.12), "paint2")]), (side * 0.25, 0, 0), pitch=-side * 13)
              for side in (-1, 1)]
    return join(sheets)


@cache
def furniture() -> dict[str, Mesh]:
    cabinet = join([box((1.2, 0.45, 1.25), (0, 0, 0.08), "matte", GREEN),
                    box((1.26, 0.5, 0.08), material="matte", colour=(0.5, 0.5, 0.48)),
                    box((0.02, 0.01, 1.1), (0, -0.228, 0.15), "matte", BLACK)])
    return {name: grounded(mesh) for name, mesh in {
        "litter bin": litter_bin(), "wheelie bin": wheelie_bin((0.12, 0.13, 0.14)),
                                                    "green wheelie bin": wheelie_bin((0.1, 0.25, 0.13)),
        "post box": post_box(), "phone box": phone_box(), "bus shelter": bus_shelter(), "bench": bench(),
                                                    "cabinet": cabinet,
        "bicycle": moved(bicycle(CITY), roll=8), "bicycle stand": stand(True), "trestle board": trestle()}.items()}
