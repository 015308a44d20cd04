"""Polygons cut into the surface of a mesh: windows, lamps, plates, gaps between doors, holes.

The triangles are split along the polygon, so what is cut lies in the surface and follows its curves.
"""

import numpy as np
from numpy.typing import ArrayLike

from scenefit.renderers.street.mesh import MATERIALS, Mesh
from scenefit.renderers.street.models.primitives.triangles import (
    MIN_AREA,
    WHITE,
    Array,
    areas_of,
    corners_of,
    from_corners,
    make_mesh,
)

# Where one looks at the mesh from -> the axes to the right and up in that view, and the direction to the viewer.
VIEWS = {"front": ((0, 1, 0), (0, 0, 1), (1, 0, 0)), "rear": ((0, 1, 0), (0, 0, 1), (-1, 0, 0)),
         "left": ((1, 0, 0), (0, 0, 1), (0, 1, 0)), "right": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
         "top": ((1, 0, 0), (0, 1, 0), (0, 0, 1))}
MIN_FACING = 0.12  # cosine between a face and the view, below which it is not cut
TOLERANCE = 1e-5  # metres


def cut(mesh: Mesh, view: str, polygon: ArrayLike, material: str, colour: ArrayLike = WHITE,
        beyond: float = -np.inf) -> Mesh:
    """The mesh with another material inside a polygon, on the faces that one sees from a side.

    view: a key of `VIEWS`.  polygon: [m, 2], convex: y and z from the front and rear, x and z from the left and right,
    x and y from the top.  beyond: only faces farther than this towards the viewer, in metres from the origin.
    """
    outer, inner, is_in = _split(mesh, view, polygon, beyond)
    corners, number = np.concatenate([outer, inner]), MATERIALS.index(material)
    rows = np.concatenate([is_in[0], is_in[1]])
    materials, colours = mesh.material[rows].copy(), mesh.colour[rows].copy()
    materials[len(outer):], colours[len(outer):] = number, np.asarray(colour, float)
    return from_corners(corners, materials, colours)


def cut_out(mesh: Mesh, view: str, polygon: ArrayLike, beyond: float = -np.inf) -> Mesh:
    """The mesh with a hole in place of a polygon; see `cut`."""
    outer, _, is_in = _split(mesh, view, polygon, beyond)
    return from_corners(outer, mesh.material[is_in[0]], mesh.colour[is_in[0]])


def decal(mesh: Mesh, view: str, one: ArrayLike, other: ArrayLike, material: str = "matte", colour: ArrayLike = WHITE,
          lift: float = 0.004) -> Mesh:
    """A strip between two lines [n, 2], laid on the surface as seen from a side and lifted off it by some metres.

    ValueError where a point is not on the mesh.
    """
    first, second = (_on_surface(mesh, view, np.asarray(line, float), lift) for line in (one, other))
    a, b, c, d = first[:-1], second[:-1], second[1:], first[1:]
    strip = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    turned_away = areas_of(strip).sum(0) @ np.array(VIEWS[view][2], float) < 0
    return make_mesh(strip[:, ::-1] if turned_away else strip, material, colour)


def _on_surface(mesh: Mesh, view: str, points: Array, lift: float) -> Array:
    """Points [n, 2] of a view on the nearest face that is seen there, [n, 3]."""
    right, up, towards = (np.array(axis, float) for axis in VIEWS[view])
    faces = mesh.points[mesh.faces].astype(float)
    a, b, c = (np.stack([faces[:, k] @ right, faces[:, k] @ up], 1) for k in range(3))
    area = _cross(b - a, c - a)
    thick = np.abs(area) > MIN_AREA
    a, b, c, area, faces = a[thick], b[thick], c[thick], area[thick], faces[thick]
    places = points[:, None]
    share = np.stack([_cross(c - b, places - b), _cross(a - c, places - c), _cross(b - a, places - a)], -1)
    share /= area[:, None]
    depth = np.where((share > -1e-6).all(-1), (share * (faces @ towards)).sum(-1), -np.inf).max(1)
    if not np.isfinite(depth).all():
        raise ValueError(f"{int((~np.isfinite(depth)).sum())} of {len(points)} points of a decal miss the mesh")
    return points[:, :1] * right + points[:, 1:] * up + (depth[:, None] + lift) * towards


def _cross(one: Array, other: Array) -> Array:
    return one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]


def _split(mesh: Mesh, view: str, polygon: ArrayLike, beyond: float) -> tuple[Array, Array, tuple[Array, Array]]:
    """Corners outside and inside the polygon, and which faces of the mesh both came from."""
    right, up, towards = (np.array(axis, float) for axis in VIEWS[view])
    outline = np.asarray(polygon, float)
    after = np.roll(outline, -1, 0)
    if (outline[:, 0] * after[:, 1] - outline[:, 1] * after[:, 0]).sum() < 0:
        outline = outline[::-1]
        after = np.roll(outline, -1, 0)
    edges = after - outline
    normals = np.stack([-edges[:, 1], edges[:, 0]], 1) / np.linalg.norm(edges, axis=1, keepdims=True)

    corners = corners_of(mesh)
    flat = np.stack([corners[..., :3] @ right, corners[..., :3] @ up], -1)
    faces = areas_of(corners[..., :3])
    facing = faces @ towards > MIN_FACING * np.linalg.norm(faces, axis=1)
    near = (corners[..., :3] @ towards).mean(1) > beyond
    seen = facing & near
    seen[seen] = _overlap(flat[seen], outline, normals)
    flat = flat[seen]
    outside, outside_of = [corners[~seen]], [np.flatnonzero(~seen)]
    inside, inside_of = corners[seen], np.arange(len(flat))
    for start, end, normal in zip(outline, after, normals, strict=True):
        # A face that the edge itself does not reach is not cut along the edge's extension.
        reached = _overlap(flat, np.stack([start, end]), normal[None])[inside_of]
        if not reached.any():
            continue
        plane = right * normal[0] + up * normal[1]
        height = inside[reached][..., :3] @ plane - start @ normal
        part, rows = _above(inside[reached], -height, inside_of[reached])
        outside.append(part)
        outside_of.append(rows)
        part, rows = _above(inside[reached], height, inside_of[reached])
        inside, inside_of = np.concatenate([inside[~reached], part]), np.concatenate([inside_of[~reached], rows])
    faces_of = np.flatnonzero(seen)
    return np.concatenate(outside), inside, (np.concatenate([outside_of[0],
                                                             *(faces_of[rows] for rows in outside_of[1:])]),
                                             faces_of[inside_of])


def _overlap(flat: Array, outline: Array, normals: Array) -> Array:
    """Whether triangles [F, 3, 2] and a convex polygon overlap: by the separating axis theorem."""
    turned = np.roll(flat, -1, 1) - flat
    own = np.stack([-turned[..., 1], turned[..., 0]], -1)
    own = own / np.maximum(np.linalg.norm(own, axis=-1, keepdims=True), 1e-12)
    apart = np.zeros(len(flat), bool)
    for axis in [*normals, *own.transpose(1, 0, 2)]:
        one = np.einsum("fkd,...d->fk", flat, axis) if axis.ndim == 1 else np.einsum("fkd,fd->fk", flat, axis)
        other = (outline @ axis)[None] if axis.ndim == 1 else axis @ outline.T
        apart |= (one.max(1) < other.min(1) + TOLERANCE) | (other.max(1) < one.min(1) + TOLERANCE)
    return ~apart


def _above(corners: Array, height: Array, rows: Array) -> tuple[Array, Array]:
    """What lies above height 0 of triangles [n, 3, 8] whose corners have heights [n, 3], and their rows."""
    up = height > TOLERANCE
    whole = up.any(1) & (up | (np.abs(height) <= TOLERANCE)).all(1)
    parts, where = [corners[whole]], [rows[whole]]
    below = height < -TOLERANCE
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        one = up[:, a] & ~up[:, b] & ~up[:, c] & ~whole
        two = below[:, a] & up[:, b] & up[:, c] & ~whole
        ab, ac = _crossing(corners, height, a, b, one), _crossing(corners, height, a, c, one)
        parts.append(np.stack([corners[one, a], ab, ac], 1))
        where.append(rows[one])
        ab, ac = _crossing(corners, height, b, a, two), _crossing(corners, height, c, a, two)
        parts += [np.stack([ab, corners[two, b], corners[two, c]], 1), np.stack([ab, corners[two, c], ac], 1)]
        where += [rows[two], rows[two]]
    found, where_from = np.concatenate(parts), np.concatenate(where)
    solid = np.linalg.norm(areas_of(found[..., :3]), axis=1) > MIN_AREA
    return found[solid], where_from[solid]


def _crossing(corners: Array, height: Array, up: int, down: int, chosen: Array) -> Array:
    """Where edges from a corner above to one not above cross height 0."""
    a, b = height[chosen, up], np.minimum(height[chosen, down], 0)
    share = (a / (a - b))[:, None]
    return corners[chosen, up] * (1 - share) + corners[chosen, down] * share
