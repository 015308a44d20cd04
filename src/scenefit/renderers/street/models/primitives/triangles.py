"""Meshes from loose triangles: smooth normals with creases, coordinates of textures; meshes moved, mirrored, split.

Legend: F triangles; corners: arrays with a row for each of a triangle's three corners.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scenefit.renderers.street.mesh import MATERIALS, Mesh

Array = NDArray[Any]
Colour = tuple[float, float, float]
WHITE: Colour = (1.0, 1.0, 1.0)
MIN_AREA = 1e-9  # square metres; smaller triangles are left out
FLAT = 1  # degrees; with a smaller crease, each face has its own normal
TOUCH = 1e-4  # metres; points closer than this are one


def point(x: float, y: float, z: float) -> Array:
    return np.array([x, y, z], float)


def make_mesh(corners: ArrayLike, material: str | Sequence[str] = "matte", colour: ArrayLike = WHITE,
              crease: float = 30,
              uv: Array | None = None) -> Mesh:
    """A mesh of triangles [F, 3, 3], counter-clockwise seen from outside.

    material: one name, or F.  colour: one, or [F, 3].  crease: faces that meet at a smaller angle, in degrees, share a
    normal.  uv: [F, 3, 2] in metres; without it, each face has its own: u to the right and v up, seen from outside.
    """
    points = np.asarray(corners, float)
    names = [material] * len(points) if isinstance(material, str) else list(material)
    numbers = np.array([MATERIALS.index(name) for name in names], np.uint8)
    colours = np.broadcast_to(np.asarray(colour, float), (len(points), 3))
    keep = np.linalg.norm(areas_of(points), axis=1) > MIN_AREA
    points, numbers, colours = points[keep], numbers[keep], colours[keep]
    uv = _flat_uv(points) if uv is None else np.asarray(uv)[keep]
    return from_corners(np.concatenate([points, corner_normals(points, crease), uv], 2), numbers, colours)


def corners_of(mesh: Mesh) -> Array:
    """Points, normals and uv of each triangle's corners, [F, 3, 8]."""
    return np.concatenate([mesh.points, mesh.normals, mesh.uv], 1)[mesh.faces].astype(float)


def from_corners(corners: Array, material: Array, colour: Array) -> Mesh:
    """A mesh of corners as of `corners_of`; equal corners become one vertex, triangles without area are left out."""
    rows = corners.reshape(-1, 8)
    _, first, vertex = np.unique(_keys(rows), return_index=True, return_inverse=True)
    rows, faces = rows[first], vertex.reshape(-1, 3).astype(np.int32)
    keep = np.linalg.norm(areas_of(rows[faces][..., :3]), axis=1) > MIN_AREA
    normals = rows[:, 3:6] / np.linalg.norm(rows[:, 3:6], axis=1, keepdims=True)
    return Mesh(points=rows[:, :3], faces=faces[keep], material=material[keep], colour=colour[keep], normals=normals,
                uv=rows[:, 6:])


def corner_normals(corners: Array, crease: float) -> Array:
    """Unit normals [F, 3, 3] of triangles' corners: means, weighted by area, of the faces that meet there and whose
    directions differ by less than `crease` degrees."""
    areas = areas_of(corners)
    faces = areas / np.linalg.norm(areas, axis=1, keepdims=True)
    if crease <= FLAT:
        return np.repeat(faces[:, None], 3, 1)
    _, point = np.unique(_keys(corners.reshape(-1, 3)), return_inverse=True)
    order, count = np.argsort(point, kind="stable"), np.bincount(point)
    start = np.cumsum(count) - count
    # All pairs of corners that share a point.
    here = np.repeat(np.arange(len(point)), count[point])
    step = np.arange(len(here)) - np.repeat(np.cumsum(count[point]) - count[point], count[point])
    there = order[start[point[here]] + step]
    alike = (faces[here // 3] * faces[there // 3]).sum(1) > np.cos(np.deg2rad(crease)) - 1e-6
    sums = np.stack([np.bincount(here, areas[there // 3, axis] * alike, len(point)) for axis in range(3)], 1)
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(length > 1e-12, sums / np.maximum(length, 1e-12), faces.repeat(3, 0)).reshape(-1, 3, 3)


def moved(mesh: Mesh, at: ArrayLike = (0, 0, 0), yaw: float = 0, pitch: float = 0, roll: float = 0,
          scale: ArrayLike = 1) -> Mesh:
    """The mesh scaled, turned about x (roll), y (pitch: nose down) and z (yaw: to the left) in degrees, then moved."""
    (a, b, c), size = np.deg2rad([yaw, pitch, roll]), np.broadcast_to(np.asarray(scale, float), 3)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(c), -np.sin(c)], [0, np.sin(c), np.cos(c)]])
    turn = about_z @ about_y @ about_x
    normals = mesh.normals / size
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return Mesh(points=mesh.points * size @ turn.T + np.asarray(at, float), faces=mesh.faces, material=mesh.material,
                colour=mesh.colour, normals=normals @ turn.T, uv=mesh.uv)


def mirrored(mesh: Mesh) -> Mesh:
    """The mesh with left and right exchanged."""
    flip = [1, -1, 1]
    return Mesh(points=mesh.points * flip, faces=mesh.faces[:, ::-1], material=mesh.material, colour=mesh.colour,
                normals=mesh.normals * flip, uv=mesh.uv)


def left_half(mesh: Mesh) -> Mesh:
    """The faces on the left of y = 0; none may cross it."""
    corners = corners_of(mesh)
    keep = (corners[..., 1] > -TOUCH).all(1)
    return from_corners(corners[keep], mesh.material[keep], mesh.colour[keep])


def both(mesh: Mesh) -> list[Mesh]:
    """The mesh and its mirror image: what a model has on its left and on its right."""
    return [mesh, mirrored(mesh)]


def grounded(mesh: Mesh) -> Mesh:
    """The mesh moved so that its extent is centred at x = y = 0 and begins at z = 0."""
    low, high = mesh.points.min(0), mesh.points.max(0)
    return moved(mesh, at=(*(-(low + high) / 2)[:2], -low[2]))


def _keys(rows: Array) -> Array:
    """A whole number for each row, equal where all its values are, to within about `TOUCH`."""
    factors = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93,
                        0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3], np.uint64)
    whole = np.round(rows / TOUCH).astype(np.int64).astype(np.uint64)
    return (whole * factors[:rows.shape[1]]).sum(1)


def areas_of(corners: Array) -> Array:
    """Normals of triangles [F, 3], as long as their areas."""
    return cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2


def cross(one: Array, other: Array) -> Array:
    """Cross products of rows [n, 3]: as `numpy.cross`, in a fifth of the time for few rows."""
    (a, b, c), (d, e, f) = one.T, other.T
    return np.stack([b * f - c * e, c * d - a * f, a * e - b * d], 1)


def _flat_uv(corners: Array) -> Array:
    normal = areas_of(corners)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    right = np.stack([-normal[:, 1], normal[:, 0], np.zeros(len(normal))], 1)
    level = np.linalg.norm(right, axis=1) < 0.05
    right[level] = [1, 0, 0]
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    up = cross(normal, right)
    return np.stack([(corners * right[:, None]).sum(2), (corners * up[:, None]).sum(2)], 2)
