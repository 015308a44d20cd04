"""Buses: single-decker, double-decker, coach. Measures as makers' data sheets give them; doors are on the left.

A bus is a loft of rounded rectangles; windows, doors and lamps are cut in.
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from scenefit.renderers.street.mesh import Mesh, join
from scenefit.renderers.street.models.primitives.cuts import cut, decal
from scenefit.renderers.street.models.primitives.solids import box, loft
from scenefit.renderers.street.models.primitives.triangles import (
    WHITE,
    Colour,
    both,
    grounded,
    left_half,
    mirrored,
)
from scenefit.renderers.street.models.vehicles.parts import (
    ARCH,
    GLASS,
    HEAD,
    PLATES,
    TAIL,
    left_wheel,
    mirror,
    rectangle,
    wheel_arch,
)

LOW = 0.3  # metres from the ground to the skirt
WHEEL = 0.48  # radius of tyres 275/70 R 22.5
BLACK: Colour = (0.035, 0.035, 0.04)


@dataclass(frozen=True)
class Bus:
    """Measures in metres; places are behind the front.

    axles: front and rear.  decks: low and high of each row of side windows.  screens: the same, of the front.  pillar:
    between middles of neighbouring pillars.  doors: middles of the doors on the left.  blind: low and high of the
    display of the route.  rake: by how much the front's head leans
    back.  skirt: material below the windows.
    """

    length: float
    width: float
    height: float
    axles: tuple[float, float]
    decks: tuple[tuple[float, float], ...]
    screens: tuple[tuple[float, float], ...]
    pillar: float
    doors: tuple[float, ...]
    blind: tuple[float, float]
    rake: float = 0.25
    skirt: str = "paint"


def build(bus: Bus) -> Mesh:
    half, end = bus.width / 2, bus.length / 2
    left = _left(bus)
    for low, high in bus.decks:
        edges = np.linspace(end - 0.55 - (low < 1.6) * 0.6, -end + 0.35, round((bus.length - 1) / bus.pillar) + 1)
        for front, rear in pairwise(edges):
            left = cut(left, "left", rectangle(rear + 0.05, front - 0.05, low, high), "glass", GLASS)
    left = cut(left, "left", rectangle(end - 1.0, end - 0.4, bus.decks[0][0], bus.decks[0][1]), "glass", GLASS)
    for low, high in bus.screens:
        left = cut(left, "front", rectangle(-1, half - 0.12, low, high), "glass", GLASS)
    left = cut(left, "front", rectangle(-0.8, 0.8, *bus.blind), "matte", (0.06, 0.05, 0.02))
    left = cut(left, "front", rectangle(half - 0.5, half - 0.12, 0.62, 0.82), "lamp", HEAD)
    left = cut(left, "front", rectangle(-0.6, 0.6, 0.4, 0.52), "matte", BLACK)
    low, high = bus.decks[-1]
    left = cut(left, "rear", rectangle(-1, half - 0.3, low + 0.1, high), "glass", GLASS)
    left = cut(left, "rear", rectangle(half - 0.3, half - 0.1, 0.8, 1.25), "lamp", TAIL)
    left = cut(left, "rear", rectangle(-0.75, 0.75, 0.6, 1.0), "matte", (0.1, 0.1, 0.1))
    walls = []
    for place in bus.axles:
        left, *more = wheel_arch(left, end - place, WHEEL * ARCH, half, 0.45)
        walls += [*more, left_wheel(end - place, half - 0.04, WHEEL, 0, 0.3)]
    right = mirrored(left)
    for place in bus.doors:
        left = cut(left, "left", rectangle(end - place - 0.58, end - place + 0.58, LOW + 0.08, bus.decks[0][1] + 0.1),
                   "matte", BLACK)
        for side in (-0.28, 0.28):
            middle = end - place + side
            left = cut(left, "left", rectangle(middle - 0.23, middle + 0.23, LOW + 0.18, bus.decks[0][1]), "glass",
                       GLASS)
    sight = mirror(end - 0.1, half - 0.05, bus.decks[0][1] - 0.2, "matte", BLACK, (0.16, 0.3, 0.45))
    parts = [left, right, *both(join([*walls, sight]))]
    words = decal(left, "front", [(0.05, bus.blind[0] + 0.07), (0.05, bus.blind[1] - 0.07)],
                  [(0.65, bus.blind[0] + 0.07), (0.65, bus.blind[1] - 0.07)], "lamp", (0.9, 0.6, 0.1), 0.01)
    plates = [box((0.03, 0.52, 0.11), (end, 0, 0.42), "matte", PLATES["white"]),
              box((0.03, 0.52, 0.11), (-end, 0, 1.1), "matte", PLATES["yellow"])]
    return grounded(join([*parts, words, mirrored(words), *plates]))


def _left(bus: Bus) -> Mesh:
    """The left half of the body: rings of 16 points, each a rectangle with rounded upper corners."""
    half, end = bus.width / 2, bus.length / 2
    rings = []
    # (from the end, width, drop of the roof): corners are round from above, the front leans back.
    front = ((end, 0.86, 0.35), (end - 0.06, 0.95, 0.12), (end - 0.25, 1, 0.03), (end - 1.6, 1, 0))
    rear = ((-end + 1.6, 1, 0), (-end + 0.15, 1, 0.02), (-end + 0.03, 0.96, 0.1), (-end, 0.9, 0.3))
    for x, share, drop in (*rear[::-1], (0, 1, 0), *front[::-1]):
        w, top = half * share, bus.height - drop
        side = np.array([(0, LOW), (w - 0.1, LOW), (w, LOW + 0.08), (w, 1.1), (w, top - 0.5), (w - 0.03, top - 0.2),
                         (w - 0.22, top - 0.03), (0.5 * w, top), (0, top)])
        ring = np.concatenate([side[:0:-1] * [-1, 1], side[:-1]])
        lean = np.clip((ring[:, 1] - 1.0) / (bus.height - 1.0), 0, 1) * bus.rake * (x > end - 0.5)
        rings.append(np.c_[x - lean, ring])
    strips = np.array(["paint"] * 5 + [bus.skirt] + ["matte"] * 4 + [bus.skirt] + ["paint"] * 5)
    colours = np.array([WHITE] * 6 + [BLACK] * 4 + [WHITE] * 6)
    return left_half(loft(rings, strips, colours, 32))


BUSES = {
    # 10.9 x 2.52 x 4.3 m, two decks
    "double-decker": Bus(10.9, 2.52, 4.3, axles=(2.7, 8.6), decks=((1.2, 2.15), (2.85, 3.75)),
                         screens=((1.15, 2.25), (3.0, 3.85)), pillar=1.45, doors=(1.3,), blind=(2.42, 2.82), rake=0.3),
    # 12.0 x 2.55 x 3.0 m, low floor, two doors
    "single-decker": Bus(12.0, 2.55, 3.0, axles=(2.7, 8.7), decks=((1.15, 2.35),), screens=((0.95, 2.35),), pillar=1.5,
                         doors=(1.3, 5.7), blind=(2.45, 2.8), rake=0.12, skirt="paint2"),
    # 12.2 x 2.55 x 3.55 m, high floor
    "coach": Bus(12.2, 2.55, 3.55, axles=(2.8, 9.0), decks=((1.75, 2.95),), screens=((1.15, 2.95),), pillar=1.9,
                 doors=(1.2,), blind=(3.02, 3.25), rake=0.4),
}


@cache
def buses() -> dict[str, Mesh]:
    return {name: build(bus) for name, bus in BUSES.items()}
