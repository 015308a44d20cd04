"""Solids: lofts, boxes, extrusions, lathes, tubes, cards."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from scenefit.renderers.street.mesh import Mesh
from scenefit.renderers.street.models.primitives.triangles import WHITE, Array, make_mesh, moved


def loft(rings: ArrayLike, material: str | Array = "matte", colour: ArrayLike = WHITE, crease: float = 30,
         caps: tuple[bool, bool] = (True, True)) -> Mesh:
    """A skin over rings of points [n, m, 3], each counter-clockwise seen from the last ring towards the first.

    material: one name, or one for each of the m strips between neighbouring points, or [n - 1, m].  colour: one, or one
    for each material.  caps: whether the first and the last ring are closed, with the last strip's material.
    """
    rings = np.asarray(rings, float)
    n, m, _ = rings.shape
    here, there = rings[:, np.arange(m)], rings[:, (np.arange(m) + 1) % m]
    quads = np.stack([here[:-1], there[:-1], there[1:], here[:-1], there[1:], here[1:]], 2).reshape(-1, 3, 3)
    names = np.broadcast_to(np.asarray(material, object), (n - 1, m)).reshape(-1).repeat(2)
    colours = np.broadcast_to(np.asarray(colour, float), (n - 1, m, 3)).reshape(-1, 3).repeat(2, 0)
    parts = [quads]
    for ring, wanted in ((rings[0, ::-1], caps[0]), (rings[-1], caps[1])):
        if wanted and m == 4:
            parts.append(ring[[[0, 1, 2], [0, 2, 3]]])
        elif wanted:
            parts.append(np.stack([np.broadcast_to(ring.mean(0), ring.shape), ring, np.roll(ring, -1, 0)], 1))
    extra = sum(map(len, parts)) - len(quads)
    return make_mesh(np.concatenate(parts), [*names, *[names[-1]] * extra],
                     np.concatenate([colours, np.broadcast_to(colours[-1], (extra, 3))]), crease)


def box(size: Sequence[float], at: ArrayLike = (0, 0, 0), material: str = "matte", colour: ArrayLike = WHITE,
        yaw: float = 0, taper: float = 1) -> Mesh:
    """A box of length, width and height, resting on `at`; its top is `taper` times as long and wide as its base."""
    x, y, z = np.array(size) / [2, 2, 1]
    base = np.array([[x, -y, 0], [x, y, 0], [-x, y, 0], [-x, -y, 0]])
    solid = loft([base, base * taper + [0, 0, z]], material, colour, 1)
    return moved(solid, at, yaw)


def extrude(outline: ArrayLike, low: float, high: float, material: str = "matte", colour: ArrayLike = WHITE,
            crease: float = 30) -> Mesh:
    """A plate between two heights; outline: points [m, 2], counter-clockwise, all seen from their mean."""
    outline = np.asarray(outline, float)
    return loft([np.c_[outline, np.full(len(outline), z)] for z in (low, high)], material, colour, crease)


def lathe(profile: ArrayLike, sides: int, material: str | Array = "matte", colour: ArrayLike = WHITE,
          crease: float = 50) -> Mesh:
    """A solid of revolution about z; profile: radii and heights [n, 2], from below to above."""
    turn = np.arange(sides) * 2 * np.pi / sides
    circle = np.stack([np.cos(turn), np.sin(turn)], 1)
    rings = [np.c_[circle * radius, np.full(sides, height)] for radius, height in np.asarray(profile, float)]
    names = np.asarray(material, object)
    return loft(rings, names[:, None] if names.ndim else material,
                np.asarray(colour, float)[:, None] if np.ndim(colour) > 1 else colour, crease)


def ball(radii: Sequence[float], at: ArrayLike = (0, 0, 0), sides: int = 8, rings: int = 5, material: str = "matte",
         colour: ArrayLike = WHITE, span: tuple[float, float] = (-90, 90)) -> Mesh:
    """An ellipsoid about `at`, or the part of it between two latitudes in degrees."""
    angle = np.deg2rad(np.linspace(*span, rings + 1))
    profile = np.stack([np.maximum(np.cos(angle), 0), np.sin(angle)], 1)
    return moved(lathe(profile, sides, material, colour, 60), at, scale=radii)


def tube(path: Sequence[ArrayLike] | Array, radii: ArrayLike, sides: int = 6, material: str = "matte",
         colour: ArrayLike = WHITE,
         caps: tuple[bool, bool] = (True, True), flat: float = 1, side: ArrayLike = (0, 1, 0)) -> Mesh:
    """A round bar along points [n, 3]; radii: one, or n.

    flat: its width along `side`, a direction across the path, in units of that across both.
    """
    points = np.array([np.asarray(place, float) for place in path])
    radii = np.broadcast_to(np.asarray(radii, float), len(points))
    steps = np.diff(points, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    along = np.concatenate([steps[:1], steps[:-1] + steps[1:], steps[-1:]])
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    lead = np.asarray(side, float)
    if np.linalg.norm(np.cross(lead, points[-1] - points[0])) < 0.2 * np.linalg.norm(points[-1] - points[0]):
        lead = np.roll(lead, 1)
    over = np.cross(along, lead)
    over /= np.linalg.norm(over, axis=1, keepdims=True)
    across = np.cross(over, along) * flat
    turn = (np.arange(sides) + 0.5)[:, None] * 2 * np.pi / sides
    rings = points[:, None] + radii[:, None, None] * (np.cos(turn) * across[:, None] + np.sin(turn) * over[:, None])
    return loft(rings, material, colour, 65, caps)


def rod(start: ArrayLike, end: ArrayLike, radius: float, sides: int = 5, material: str = "metal",
        colour: ArrayLike = WHITE) -> Mesh:
    """A straight bar with open ends: its ends are inside other parts."""
    return tube([start, end], radius, sides, material, colour, (False, False))


def panel(corners: ArrayLike, material: str = "matte", colour: ArrayLike = WHITE) -> Mesh:
    """A flat polygon of points [m, 3], convex, counter-clockwise seen from its front."""
    points = np.asarray(corners, float)
    fan = np.stack([np.broadcast_to(points[0], (len(points) - 2, 3)), points[1:-1], points[2:]], 1)
    return make_mesh(fan, material, colour, 1)

