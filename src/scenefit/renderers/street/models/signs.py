"""Traffic signs on posts; they face backwards, -x: towards those who drive forward.

Plates of 0.6 m, triangles of 0.75 m, their lower edges 2.1 m above the pavement, as usual in Europe.
"""

from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from scenefit.renderers.street.mesh import Mesh, join
from scenefit.renderers.street.models.primitives.solids import box, lathe, loft, panel
from scenefit.renderers.street.models.primitives.triangles import Array, Colour, grounded, moved

RED: Colour = (0.68, 0.05, 0.06)
BLUE: Colour = (0.05, 0.2, 0.5)
GREEN: Colour = (0.02, 0.3, 0.18)
WHITE: Colour = (0.88, 0.88, 0.86)
BLACK: Colour = (0.04, 0.04, 0.04)
YELLOW: Colour = (0.85, 0.65, 0.08)
GREY: Colour = (0.45, 0.46, 0.47)
STEP = 0.003  # metres between layers of a plate


def polygon(sides: int, radius: float, turn: float = 0) -> Array:
    """Corners [sides, 2], the first at an angle in degrees."""
    angle = np.deg2rad(turn) + np.arange(sides) * 2 * np.pi / sides
    return radius * np.stack([np.cos(angle), np.sin(angle)], 1)


def square(width: float, height: float, right: float = 0, up: float = 0) -> Array:
    x, y = width / 2, height / 2
    return np.array([(-x, -y), (x, -y), (x, y), (-x, y)]) + np.array([right, up])


def plate(*layers: tuple[ArrayLike, Colour]) -> Mesh:
    """Flat shapes [m, 2] on one another, seen from behind the node: to the right is -y. The first has a grey back."""
    first = np.asarray(layers[0][0], float)
    rings = [np.c_[np.full(len(first), x), -first[:, 0], first[:, 1]] for x in (0.015, 0)]
    parts = [loft(rings, "metal", GREY, 1)]
    for number, (shape, colour) in enumerate(layers):
        points = np.asarray(shape, float)
        parts.append(panel(np.c_[np.full(len(points), -STEP * (number + 1)), -points[:, 0], points[:, 1]], "matte",
                           colour))
    return join(parts)


def post(height: float, radius: float = 0.038, colour: Colour = GREY) -> Mesh:
    return lathe([(radius, 0), (radius, height)], 7, "metal", colour)


def sign(face: Mesh, middle: float = 2.4, high: float | None = None) -> Mesh:
    """A plate whose middle is at a height, on one post."""
    return grounded(join([moved(face, (-0.05, 0, middle)), post(high or middle + 0.3)]))


def speed_limit() -> Mesh:
    digits = [(square(0.03, 0.23, -0.05), BLACK), (square(0.1, 0.03, -0.09, 0.09), BLACK),
              (square(0.1, 0.03, -0.09, 0.0), BLACK),
              (square(0.1, 0.03, -0.09, -0.09), BLACK), (square(0.03, 0.2, 0.04), BLACK),
              (square(0.03, 0.2, 0.14), BLACK),
              (square(0.1, 0.03, 0.09, 0.09), BLACK), (square(0.1, 0.03, 0.09, -0.09), BLACK)]
    return sign(plate((polygon(20, 0.3), RED), (polygon(20, 0.23), WHITE), *digits))


def direction() -> Mesh:
    """A board with an arrow and lines of text on two posts."""
    lines = [(square(width, 0.11, -0.15, up), WHITE) for width, up in ((1.1, 0.32), (0.8, 0.08), (1.0, -0.16))]
    arrow = [(square(0.07, 0.5, 0.75, -0.1), WHITE), (np.array([(0.6, 0.12), (0.9, 0.12), (0.75, 0.35)]), WHITE)]
    board = plate((square(2.2, 1.2), WHITE), (square(2.12, 1.12), GREEN), *lines, *arrow)
    return grounded(join([moved(board, (-0.06, 0, 2.3)), *(moved(post(2.8, 0.05), (0, y, 0)) for y in (-0.7, 0.7))]))


def keep_left() -> Mesh:
    """A bollard on a traffic island, lit from inside, with an arrow."""
    arrow = [(square(0.19, 0.05, 0.02) @ _turn(45), WHITE), (np.array([(-0.1, -0.1), (0.04, -0.1), (-0.1, 0.04)]),
                                                             WHITE)]
    face = plate((polygon(16, 0.17), WHITE), (polygon(16, 0.15), BLUE), *arrow)
    return grounded(join([box((0.2, 0.36, 0.9), material="lamp", colour=YELLOW),
                          box((0.24, 0.42, 0.1), material="matte", colour=GREY),
                          moved(face, (-0.105, 0, 0.62))]))


@cache
def signs() -> dict[str, Mesh]:
    up, down = polygon(3, 0.43, 90), polygon(3, 0.43, -90)
    letters = [(square(0.06, 0.09, x), BLACK) for x in np.arange(-0.35, 0.4, 0.1)]
    return {
        "speed limit": speed_limit(),
        "no entry": sign(plate((polygon(20, 0.3), RED), (square(0.42, 0.1), WHITE))),
        "no stopping": sign(plate((polygon(18, 0.25), RED), (polygon(18, 0.2), BLUE),
                                  (square(0.42, 0.05) @ _turn(-45), RED)), 2.2),
        "ahead only": sign(plate((polygon(20, 0.3), WHITE), (polygon(20, 0.285), BLUE),
                                 (square(0.07, 0.3, 0, -0.06), WHITE),
                                 (np.array([(-0.13, 0.06), (0.13, 0.06), (0, 0.22)]), WHITE))),
        "warning": sign(plate((up, RED), (up * 0.7, WHITE), (square(0.05, 0.16, 0, 0.03), BLACK),
                              (square(0.05, 0.05, 0, -0.1), BLACK))),
        "give way": sign(plate((down, RED), (down * 0.66, WHITE))),
        "stop": sign(plate((polygon(8, 0.4, 22.5), WHITE), (polygon(8, 0.375, 22.5), RED),
                           *((square(0.09, 0.2, x), WHITE) for x in (-0.21, -0.07, 0.07, 0.21)))),
        "parking": sign(plate((square(0.5, 0.6), WHITE), (square(0.46, 0.56), BLUE), (square(0.06, 0.34, -0.08), WHITE),
                              (square(0.18, 0.05, 0.03, 0.145), WHITE), (square(0.18, 0.05, 0.03, 0.0), WHITE),
                              (square(0.05, 0.19, 0.1, 0.07), WHITE))),
        "street name": sign(plate((square(1.0, 0.22), BLACK), (square(0.97, 0.19), WHITE), *letters), 0.75, 0.8),
        "direction": direction(),
        "keep left": keep_left(),
        "bus stop": grounded(join([moved(plate((square(0.45, 0.6), RED), (square(0.3, 0.16, 0, 0.12), WHITE),
                                               (square(0.36, 0.1, 0, -0.15), WHITE)),
                                         (0, -0.26, 2.5)), post(2.85, 0.045),
                                   box((0.05, 0.35, 0.5), (-0.03, 0, 1.2), "matte", WHITE)])),
        "advertisement": grounded(join([box((0.18, 1.3, 0.25), material="matte", colour=BLACK),
                                        box((0.2, 1.35, 1.95), (0, 0, 0.25), "matte", GREY),
                                        box((0.21, 1.2, 1.75), (0, 0, 0.35), "paint"),
                                        box((0.22, 1.0, 0.5), (0, 0, 0.6), "paint2")])),
    }


def _turn(degrees: float) -> Array:
    a = np.deg2rad(degrees)
    return np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
