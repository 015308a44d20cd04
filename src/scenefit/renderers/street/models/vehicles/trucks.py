"""Trucks: box truck, flatbed, tipper, articulated lorry. Measures as makers' data sheets give them for each class.

A truck is a cab, a frame with wheels, and a body of the second colour.
"""

from functools import cache

import numpy as np

from scenefit.renderers.street.mesh import Mesh, join
from scenefit.renderers.street.models.primitives.cuts import cut
from scenefit.renderers.street.models.primitives.solids import box, extrude, loft
from scenefit.renderers.street.models.primitives.triangles import (
    Colour,
    both,
    grounded,
    left_half,
    moved,
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

STEEL: Colour = (0.12, 0.12, 0.125)
BLACK: Colour = (0.035, 0.035, 0.04)
GREY: Colour = (0.55, 0.55, 0.55)


def cab(front: float, length: float, width: float, height: float, axle: float, radius: float,
        low: float = 0.42) -> list[Mesh]:
    """A cab over the engine whose front stands at x, with an arch above its axle; its sill at `low`."""
    half, back = width / 2, front - length
    rings = []
    for x, share, drop in ((back, 0.97, 0.1), (back + 0.08, 1, 0), (front - 0.6, 1, 0), (front - 0.12, 0.98, 0.06),
                           (front, 0.9, 0.25)):
        w, top = half * share, height - drop
        right = np.array([(0, low), (w, low), (w, low + 0.75), (w, low + 0.85), (w - 0.04, top - 0.3),
                          (w - 0.2, top - 0.04), (0, top)])
        ring = np.concatenate([right[:0:-1] * [-1, 1], right[:-1]])
        lean = np.clip((ring[:, 1] - low - 0.7) / (height - low - 0.7), 0, 1) * 0.28 * (x > front - 0.4)
        rings.append(np.c_[x - lean, ring])
    left = left_half(loft(rings, "paint", crease=32))
    belt, head = low + 0.9, height - 0.35
    left = cut(left, "left", [(front - 1.25, belt), (front - 0.35, belt - 0.08), (front - 0.45, head),
                              (front - 1.25, head)], "glass", GLASS)
    left = cut(left, "front", rectangle(-1, half - 0.16, belt - 0.05, head + 0.02), "glass", GLASS)
    left = cut(left, "front", rectangle(-1, half - 0.4, low + 0.3, low + 0.62), "matte", BLACK)
    left = cut(left, "front", rectangle(half - 0.42, half - 0.12, low + 0.04, low + 0.2), "lamp", HEAD)
    left = cut(left, "left", rectangle(front - 1.35, front - 1.33, low + 0.1, belt), "matte", BLACK)
    left, *walls = wheel_arch(left, axle, radius * ARCH, half, 0.4)
    bumper = box((0.25, width, 0.28), (front - 0.16, 0, low - 0.16), "matte", (0.1, 0.1, 0.1))
    sight = mirror(front - 0.25, half - 0.03, head - 0.3, "matte", BLACK, (0.14, 0.26, 0.42))
    return [*both(join([left, *walls, sight])), bumper, box((0.03, 0.52, 0.11), (front - 0.03, 0, low - 0.08), "matte",
                                                            PLATES["white"])]


def frame(front: float, rear: float, width: float, axles: tuple[float, ...], radius: float) -> list[Mesh]:
    """Beams, wheels, mudguards, a bar with lamps at the rear. axles: places of axles, x."""
    half = width / 2
    wheels = [left_wheel(x, half - 0.04, radius, 0, 0.32) for x in axles]
    guards = [box((2.3 * radius, 0.36, 0.05), (x, half - 0.2, 2 * radius + 0.06), "matte", BLACK) for x in axles[1:]]
    lamps = box((0.06, 0.4, 0.14), (rear, half - 0.25, 0.72), "lamp", TAIL)
    return [box((front - rear, 0.8, 0.3), ((front + rear) / 2, 0, 0.68), "matte", STEEL),
            box((0.1, width - 0.1, 0.14), (rear + 0.05, 0, 0.5), "matte", STEEL),
            box((0.04, 0.52, 0.11), (rear - 0.01, 0, 0.62), "matte", PLATES["yellow"]),
            *both(join([*wheels, *guards, lamps]))]


def case(front: float, rear: float, width: float, low: float, high: float) -> list[Mesh]:
    """A closed box with doors at the rear, a frame of metal around its edges and a guard at its sides."""
    length, middle = front - rear, (front + rear) / 2
    body = box((length, width, high - low), (middle, 0, low), "paint2")
    half = width / 2
    rails = [box((length + 0.02, width + 0.02, 0.08), (middle, 0, z), "metal", GREY) for z in (low, high - 0.08)]
    posts = [box((0.08, 0.08, high - low), (x, half - 0.035, low), "metal", GREY)
             for x in (front - 0.035, rear + 0.035)]
    gap = box((0.02, 0.03, high - low - 0.2), (rear - 0.002, 0, low + 0.1), "matte", BLACK)
    bars = [box((0.02, 0.035, high - low - 0.25), (rear - 0.012, y, low + 0.1), "metal", GREY) for y in (-0.3, 0.3)]
    return [body, *rails, *both(join(posts)), gap, *bars]


def box_truck() -> Mesh:
    """7.5 t, 7.4 x 2.4 x 3.3 m."""
    return grounded(join([*cab(3.7, 1.75, 2.2, 2.35, 2.55, 0.42), *frame(2.5, -3.65, 2.3, (2.55, -1.6), 0.42),
                          *case(1.85, -3.7, 2.4, 0.98, 3.3)]))


def flatbed() -> Mesh:
    """7.0 x 2.3 m, with dropsides."""
    sides = [box((5.2, 0.04, 0.4), (-0.9, 1.11, 1.0), "paint2"), box((0.04, 1.11, 0.4), (-3.48, 0.555, 1.0), "paint2"),
             box((0.06, 1.11, 1.1), (1.68, 0.555, 1.0), "paint2")]
    load = [box((1.1, 1.2, 0.7), (0.9, 0.2, 1.0), "matte", (0.5, 0.42, 0.3)),
            box((1.2, 1.0, 0.4), (-1.2, -0.3, 1.0), "matte", GREY)]
    return grounded(join([*cab(3.5, 1.7, 2.1, 2.3, 2.35, 0.4), *frame(2.4, -3.45, 2.2, (2.35, -1.7), 0.4),
                          box((5.2, 2.25, 0.12), (-0.9, 0, 0.92), "matte", STEEL), *both(join(sides)), *load]))


def tipper() -> Mesh:
    """8.6 x 2.5 x 3.0 m, three axles."""
    outline = [(2.1, 1.0), (2.4, 2.3), (-4.1, 2.3), (-3.7, 1.0)]
    skip = extrude(outline, -1.22, 1.22, "paint2", crease=5)
    skip = moved(skip, roll=90)  # the outline's second axis stands upright
    ribs = [box((0.1, 0.06, 1.2), (x, 1.24, 1.05), "paint2") for x in np.linspace(-3.2, 1.9, 5)]
    heap = loft([[(2.2, -1.1, 2.25), (2.2, 1.1, 2.25), (-3.9, 1.1, 2.25), (-3.9, -1.1, 2.25)],
                 [(0.8, -0.4, 2.6), (0.8, 0.4, 2.6), (-2.2, 0.4, 2.6), (-2.2, -0.4, 2.6)]], "matte", (0.4, 0.34, 0.27))
    return grounded(join([*cab(4.3, 1.8, 2.45, 2.85, 2.95, 0.5, 0.55), *frame(3.1, -4.2, 2.4, (2.95, -1.6, -2.95), 0.5),
                          skip,
                          *both(join(ribs)), heap]))


def articulated() -> Mesh:
    """A tractor with a semi-trailer, 16.5 x 2.55 x 4.0 m, with a curtain at its sides."""
    guard = box((4.2, 0.05, 0.35), (-0.6, 1.2, 0.55), "metal", GREY)
    wheels = join([left_wheel(x, 1.23, 0.5, 0, 0.35) for x in (6.8, 3.2, -4.2, -5.5, -6.8)])
    tank = box((1.1, 0.5, 0.55), (5.0, 0.95, 0.5), "metal", GREY)
    return grounded(join([*cab(8.2, 2.2, 2.5, 3.6, 6.8, 0.5, 0.6), *both(join([wheels, guard, tank])),
                          box((5.0, 0.8, 0.35), (5.0, 0, 0.75), "matte", STEEL),
                          box((13.4, 1.0, 0.3), (-1.5, 0, 0.9), "matte", STEEL),
                          *case(5.35, -8.25, 2.55, 1.2, 4.0), box((0.1, 2.4, 0.15), (-8.2, 0, 0.5), "matte", STEEL),
                          *both(box((0.06, 0.45, 0.16), (-8.26, 0.95, 0.85), "lamp", TAIL)),
                          box((0.04, 0.52, 0.11), (-8.27, 0, 0.75), "matte", PLATES["yellow"])]))


@cache
def trucks() -> dict[str, Mesh]:
    return {"box truck": box_truck(), "flatbed": flatbed(), "tipper": tipper(), "articulated": articulated()}
