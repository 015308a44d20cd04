"""Parts of buildings: walls, roofs, chimneys, doors, bays, shop fronts, balconies.

A building stands on the left of the road: its front faces right, towards -y. x runs along the road.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from scenefit.renderers.street.mesh import Mesh, join
from scenefit.renderers.street.models.primitives.solids import box, extrude, lathe, loft, panel
from scenefit.renderers.street.models.primitives.triangles import WHITE, Array, Colour, make_mesh, moved

SLATE: Colour = (0.27, 0.27, 0.3)
TILE: Colour = (0.45, 0.24, 0.17)
TRIM: Colour = (0.82, 0.81, 0.78)
PANE: Colour = (0.05, 0.06, 0.07)
GREY: Colour = (0.4, 0.4, 0.4)
EAVES = 0.35  # metres, of a roof beyond its walls


def rectangle(length: float, depth: float) -> Array:
    """Outline [4, 2] about the origin, counter-clockwise from above; its first side is the front."""
    x, y = length / 2, depth / 2
    return np.array([(-x, -y), (x, -y), (x, y), (-x, y)])


def walls(outline: ArrayLike, low: float, high: float, colour: ArrayLike = WHITE) -> Mesh:
    """Facades over an outline [m, 2], counter-clockwise; u runs from each wall's left end, v is the height."""
    here = np.asarray(outline, float)
    return join([facade(a, b, low, high, colour) for a, b in zip(here, np.roll(here, -1, 0), strict=True)])


def facade(a: ArrayLike, b: ArrayLike, low: float, high: float, colour: ArrayLike = WHITE) -> Mesh:
    """A wall from a to b, on the ground, seen from its front: a is left, b right."""
    (ax, ay), (bx, by) = np.asarray(a, float), np.asarray(b, float)
    length = np.hypot(bx - ax, by - ay)
    corners = np.array([(ax, ay, low), (bx, by, low), (bx, by, high), (ax, ay, high)])
    uv = np.array([(0, low), (length, low), (length, high), (0, high)])
    return make_mesh(corners[[[0, 1, 2], [0, 2, 3]]], "facade", colour, 1, uv[[[0, 1, 2], [0, 2, 3]]])


def gable(a: ArrayLike, b: ArrayLike, low: float, rise: float) -> Mesh:
    """The triangle of a wall below a roof."""
    (ax, ay), (bx, by) = np.asarray(a, float), np.asarray(b, float)
    length = np.hypot(bx - ax, by - ay)
    corners = np.array([[(ax, ay, low), (bx, by, low), ((ax + bx) / 2, (ay + by) / 2, low + rise)]])
    return make_mesh(corners, "facade", WHITE, 1, np.array([[(0, low), (length, low), (length / 2, low + rise)]]))


def ridge_roof(length: float, depth: float, low: float, rise: float, hip: float = 0, colour: Colour = SLATE,
               side: float = EAVES) -> Mesh:
    """A roof with its ridge along x. hip: by how much each end of the ridge stands back; 0: gables.

    side: by how much the roof is longer than the walls, at each end.
    """
    x, y, drop = length / 2 + side, depth / 2 + EAVES, EAVES * rise / (depth / 2)
    eaves = np.array([(-x, -y, low - drop), (x, -y, low - drop), (x, y, low - drop), (-x, y, low - drop)])
    ends = np.array([(-x + hip + side * (hip > 0), 0, low + rise), (x - hip - side * (hip > 0), 0, low + rise)])
    a, b, c, d, left, right = *eaves, *ends
    faces = [panel([a, b, right, left], "roof", colour), panel([c, d, left, right], "roof", colour)]
    if hip:
        faces += [panel([b, c, right], "roof", colour), panel([d, a, left], "roof", colour)]
    thick = np.array([0, 0, 0.14])
    skin = [moved(face, (0, 0, 0.14)) for face in faces]
    below = [panel(points, "matte", TRIM) for points in ([left, right, b, a], [right, left, d, c],
                                                         *([[right, c, b], [left, a, d]] if hip else []))]
    rim = [(a, b), (c, d), *([(b, c), (d, a)] if hip else [(b, right), (right, c), (d, left), (left, a)])]
    edge = [panel([p, q, q + thick, p + thick], "matte", TRIM) for p, q in rim]
    return join([*skin, *below, *edge])


def turned(mesh: Mesh) -> Mesh:
    """A quarter turn, so that what ran along x runs along y."""
    return moved(mesh, yaw=90)


def flat_roof(outline: ArrayLike, low: float, parapet: float = 0.6, colour: ArrayLike = TRIM) -> list[Mesh]:
    """A flat roof within a parapet of the walls' colour, with a coping around it."""
    points = np.asarray(outline, float)
    inner = points - np.sign(points) * 0.25
    deck = panel(np.c_[points, np.full(len(points), low)], "matte", GREY)
    top = low + parapet
    sides = [panel([(*a, low), (*b, low), (*b, top), (*a, top)], "paint", (0.9, 0.9, 0.9))
             for ring in (points, inner[::-1]) for a, b in zip(ring, np.roll(ring, -1, 0), strict=True)]
    return [deck, *sides, _band(points, top - 0.02, 0.12, 0.05, colour, inner)]


def band(outline: ArrayLike, low: float, thick: float, out: float, colour: ArrayLike = TRIM) -> Mesh:
    """A ledge around a building."""
    points = np.asarray(outline, float)
    return _band(points, low, thick, out, colour, points)


def _band(points: Array, low: float, thick: float, out: float, colour: ArrayLike, inner: Array) -> Mesh:
    """A frame between two outlines of as many corners."""
    outer = points + np.sign(points) * out
    rings = [np.c_[ring, np.full(len(points), z)]
             for ring, z in ((inner, low), (outer, low), (outer, low + thick), (inner, low + thick), (inner, low))]
    return loft(rings, "matte", colour, 1, (False, False))


def chimney(at: tuple[float, float], low: float, high: float, size: tuple[float, float] = (0.6, 0.9),
            pots: int = 3) -> Mesh:
    """Of the colour of the walls, with pots in a row along y."""
    stack = box((*size, high - low), (*at, low), "paint", (0.8, 0.72, 0.68))
    cap = box((size[0] + 0.1, size[1] + 0.1, 0.12), (*at, high - 0.25), "paint", (0.7, 0.64, 0.6))
    row = [moved(lathe([(0.11, 0), (0.09, 0.45)], 6, "matte", (0.55, 0.3, 0.2)), (at[0], at[1] + y, high))
           for y in np.linspace(-1, 1, pots) * (size[1] / 2 - 0.17)]
    return join([stack, cap, *row])


def door(x: float, y: float, width: float = 0.95, height: float = 2.1, hood: bool = True) -> Mesh:
    """In a wall at y that faces -y, of the second colour, with a frame, a light above and a step."""
    parts = [box((width + 0.24, 0.1, height + 0.5), (x, y, 0), "matte", TRIM),
             box((width, 0.06, height), (x, y - 0.04, 0.1), "paint2"),
             box((width, 0.06, 0.3), (x, y - 0.03, height + 0.12), "glass", PANE),
             box((width + 0.3, 0.5, 0.12), (x, y - 0.2, 0), "matte", GREY)]
    if hood:
        parts.append(box((width + 0.5, 0.6, 0.1), (x, y - 0.25, height + 0.5), "matte", TRIM))
    return join(parts)


def bay(x: float, y: float, high: float, storeys: int = 1, width: float = 2.2, depth: float = 0.75) -> Mesh:
    """A bay window with slanted sides in a wall at y that faces -y."""
    outline = np.array([(-width / 2, 0), (-0.3 * width, -depth), (0.3 * width, -depth), (width / 2, 0)])
    outline = outline + np.array([x, y])
    parts = []
    for storey in range(storeys):
        base = storey * high
        for low, top, material, colour in ((0 if not storey else -0.4, 0.75, "paint", WHITE),
                                           (0.75, 0.87, "matte", TRIM),
                                           (0.87, 2.3, "glass", PANE), (2.3, 2.55, "matte", TRIM)):
            parts.append(extrude(outline, base + low, base + top, material, colour, 1))
        bars = [*outline, (outline[1] + outline[2]) / 2]
        parts += [box((0.09, 0.09, 1.43), (*place, base + 0.87), "matte", TRIM) for place in bars]
    roof_top = (storeys - 1) * high + 2.55
    wider = outline + np.array([(-0.1, 0), (-0.1, -0.12), (0.1, -0.12), (0.1, 0)])
    tip = np.array([x, y, roof_top + 0.5])
    rim = np.c_[wider, np.full(4, roof_top)]
    return join([*parts, *(panel([p, q, tip], "roof", SLATE) for p, q in pairwise(rim)),
                 panel(rim[::-1], "matte", TRIM)])


def shop_front(x: float, y: float, width: float, tone: float = 1.0, entrance: float = 0.75,
               awning: bool = False) -> Mesh:
    """The ground floor of a shop, 3.2 m high, in front of a wall at y: panes over a riser, a door and a sign.

    tone: of the second colour.  entrance: place of the door, as a share of the width.
    """
    shade = np.clip(np.ones(3) * tone, 0, 1)
    left, right = x - width / 2, x + width / 2
    gap = left + entrance * width
    parts = [box((width, 0.12, 3.2), (x, y, 0), "paint2", shade * 0.55)]
    for a, b in ((left + 0.25, gap - 0.5), (gap + 0.5, right - 0.25)):
        if b - a > 0.4:
            parts.append(box((b - a, 0.08, 1.95), ((a + b) / 2, y - 0.06, 0.5), "glass", PANE))
            number = max(1, round((b - a) / 1.4))
            parts += [box((0.06, 0.1, 1.95), (place, y - 0.07, 0.5), "paint2", shade)
                      for place in np.linspace(a, b, number + 1)]
    parts += [box((0.9, 0.08, 2.3), (gap, y - 0.04, 0.05), "glass", PANE),
              box((0.06, 0.12, 0.5), (gap - 0.35, y - 0.08, 0.9), "metal", GREY),
              box((width, 0.26, 0.62), (x, y - 0.08, 2.5), "paint2", shade),
              box((width, 0.36, 0.08), (x, y - 0.1, 3.12), "matte", TRIM)]
    parts += [box((0.22, 0.03, 0.2), (place, y - 0.215, 2.7), "matte", (0.9, 0.88, 0.8))
              for place in np.arange(-0.26 * width, 0.27 * width, 0.34) + x]
    parts += [box((0.28, 0.2, 3.2), (place, y - 0.06, 0), "paint2", shade * 0.8)
              for place in (left + 0.12, right - 0.12)]
    if awning:
        corners = np.array([(left + 0.3, y - 1.3, 2.3), (right - 0.3, y - 1.3, 2.3), (right - 0.3, y - 0.2, 2.75),
                            (left + 0.3, y - 0.2, 2.75)])
        front = np.array([corners[0] - [0, 0, 0.22], corners[1] - [0, 0, 0.22], corners[1], corners[0]])
        parts += [panel(corners, "paint2", shade), panel(front, "paint2", shade * 0.9),
                  panel(corners[::-1], "paint2", shade * 0.5)]
    return join(parts)


def balcony(x: float, y: float, low: float, width: float = 3.0, depth: float = 1.2) -> Mesh:
    """A slab with a parapet of glass, and a window behind it."""
    rail = [box((width, 0.04, 0.95), (x, y - depth + 0.03, low + 0.15), "glass", (0.3, 0.33, 0.34)),
            *(box((0.04, depth, 0.95), (x + side * width / 2, y - depth / 2, low + 0.15), "glass", (0.3, 0.33, 0.34))
              for side in (-1, 1))]
    return join([box((width + 0.1, depth + 0.05, 0.18), (x, y - depth / 2, low), "matte", TRIM), *rail,
                 box((width, 0.05, 0.05), (x, y - depth + 0.03, low + 1.1), "metal", GREY),
                 box((2.0, 0.08, 2.1), (x, y, low + 0.18), "glass", PANE),
                 box((0.06, 0.1, 2.1), (x, y, low + 0.18), "matte", TRIM)])


def ribbons(outline: ArrayLike, low: float, storeys: int, storey: float, spacing: float = 1.5) -> list[Mesh]:
    """Storeys of continuous windows between bands of wall, with mullions."""
    points = np.asarray(outline, float)
    parts = []
    for number in range(storeys):
        base = low + number * storey
        parts += [extrude(points, base, base + 0.9, "paint", WHITE, 1),
                  extrude(points * 0.99, base + 0.9, base + storey, "glass", PANE, 1)]
        for a, b in zip(points, np.roll(points, -1, 0), strict=True):
            count = max(2, round(float(np.hypot(*(b - a))) / spacing))
            parts += [box((0.1, 0.1, storey - 0.9), (*place, base + 0.9), "matte", (0.3, 0.3, 0.32))
                      for place in a + (b - a) * np.linspace(0, 1, count, endpoint=False)[:, None]]
    return parts


def outlines(lengths: Sequence[float]) -> Array:
    """Middles along x of neighbours of these lengths, about the origin."""
    edges = np.cumsum([0, *lengths]) - sum(lengths) / 2
    return (edges[:-1] + edges[1:]) / 2
