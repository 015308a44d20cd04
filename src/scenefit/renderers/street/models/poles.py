"""Lamp posts, traffic lights, telegraph poles. They stand on the left of the road: arms reach to the right, over it."""

from functools import cache

import numpy as np

from scenefit.renderers.street.mesh import Mesh, join
from scenefit.renderers.street.models.primitives.solids import ball, box, lathe, rod, tube
from scenefit.renderers.street.models.primitives.triangles import Colour, grounded, moved

STEEL: Colour = (0.36, 0.38, 0.39)
BLACK: Colour = (0.045, 0.045, 0.05)
WOOD: Colour = (0.27, 0.2, 0.14)
LAMPS: dict[str, Colour] = {"red": (0.95, 0.12, 0.08), "amber": (0.95, 0.6, 0.1), "green": (0.1, 0.85, 0.5)}


def lamp_post(height: float = 8.0, arm: float = 1.5, sides: tuple[int, ...] = (-1,), colour: Colour = STEEL) -> Mesh:
    """A tapered column with an arm to each of `sides`: -1 to the right."""
    material = "matte" if colour is BLACK else "metal"
    parts = [lathe([(0.1, 0), (0.1, 1.1), (0.075, 1.25), (0.05, height - 0.3)], 8, material, colour)]
    for side in sides:
        bend = np.array([(0, 0, height - 0.5), (0, 0.25 * side, height - 0.15), (0, arm * side, height)])
        parts += [tube(bend, 0.035, 5, material, colour),
                  moved(ball((0.14, 0.34, 0.09), (0, 0, 0), 8, 4, material, colour), (0, (arm + 0.25) * side, height)),
                  moved(box((0.18, 0.4, 0.03), material="lamp", colour=(0.9, 0.88, 0.8)),
                        (0, (arm + 0.25) * side, height - 0.1))]
    return grounded(join(parts))


def lantern() -> Mesh:
    """An old post with a lantern, 4.2 m."""
    post = lathe([(0.16, 0), (0.16, 0.12), (0.1, 0.2), (0.09, 0.9), (0.06, 1.0), (0.042, 3.2), (0.06, 3.3),
                  (0.03, 3.4)], 8, "matte", BLACK)
    return grounded(join([post, rod((0, -0.35, 3.0), (0, 0.35, 3.0), 0.02, 5, "matte", BLACK),
                          lathe([(0.1, 3.4), (0.19, 3.85)], 6, "lamp", (0.85, 0.85, 0.78), 1),
                          lathe([(0.22, 3.85), (0.1, 4.05), (0.02, 4.2)], 6, "matte", BLACK, 1)]))


def signal_head(height: float, lit: str, faces: int = -1) -> Mesh:
    """Three lamps in a black case, on a board with a white edge; it faces backwards."""
    board = [box((0.02, 0.5, 1.1), (0, 0, height - 0.55), "matte", (0.85, 0.85, 0.85)),
             box((0.022, 0.46, 1.06), (0, 0, height - 0.53), "matte", BLACK)]
    case = box((0.2, 0.3, 0.95), (-0.05, 0, height - 0.475), "matte", BLACK)
    lamps = []
    for number, (name, colour) in enumerate(LAMPS.items()):
        z = height + 0.3 * (1 - number)
        shade = colour if name == lit else tuple(0.18 * level for level in colour)
        lamps.append(moved(lathe([(0.1, 0), (0.1, 0.012)], 10, "lamp", shade), (-0.15, 0, z), pitch=-90))
        lamps.append(box((0.16, 0.22, 0.02), (-0.22, 0, z + 0.1), "matte", BLACK))
    return moved(join([*board, case, *lamps]), yaw=0 if faces < 0 else 180)


def traffic_light(lit: str, arm: float = 0.0) -> Mesh:
    """On a post of 3.4 m; with an arm, a second head above the road."""
    parts = [lathe([(0.06, 0), (0.06, 3.4)], 8, "metal", STEEL), moved(signal_head(2.7, lit), (-0.1, 0, 0)),
             moved(signal_head(2.5, "red" if lit == "green" else "green", 1), (0.1, 0, 0)),
             box((0.1, 0.2, 0.3), (-0.1, 0, 1.0), "matte", (0.8, 0.65, 0.1))]
    if arm:
        parts = [lathe([(0.09, 0), (0.06, 6.0)], 8, "metal", STEEL), moved(signal_head(2.7, lit), (-0.12, 0, 0)),
                 tube([(0, 0, 5.6), (0, -0.4, 5.85), (0, -arm, 5.9)], [0.06, 0.05, 0.04], 6, "metal", STEEL),
                 moved(signal_head(5.6, lit), (-0.08, -arm, 0))]
    return grounded(join(parts))


def telegraph_pole() -> Mesh:
    arms = [box((0.1, 1.6, 0.1), (0.13, 0, z), "bark", WOOD) for z in (7.4, 7.9)]
    pots = [lathe([(0.04, z), (0.05, z + 0.06), (0.03, z + 0.14)], 5, "matte", (0.8, 0.8, 0.78)) for z in (7.5, 8.0)]
    return grounded(join([lathe([(0.15, 0), (0.1, 8.5)], 8, "bark", WOOD), *arms,
                          *(moved(pot, (0.13, y, 0)) for pot in pots for y in (-0.7, -0.4, 0.4, 0.7)),
                          box((0.3, 0.28, 0.6), (0.2, 0, 6.2), "metal", STEEL)]))


@cache
def poles() -> dict[str, Mesh]:
    return {"lamp post": lamp_post(), "tall lamp post": lamp_post(10.5, 2.2),
            "double lamp post": lamp_post(10, 1.8, (-1, 1)),
            "short lamp post": lamp_post(5, 0.35, colour=BLACK), "lantern": lantern(),
            "red light": traffic_light("red"),
            "green light": traffic_light("green"), "light over the road": traffic_light("red", 4.0),
            "telegraph pole": telegraph_pole()}
