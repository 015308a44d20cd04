"""Meshes and layouts on a device, as the kernels read them. Legend: S scenes; I instances."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from scenefit.renderers.street.kernels.compilation import warp
from scenefit.renderers.street.kernels.geometry import structs
from scenefit.renderers.street.layout.attributes import dtype_of, linear
from scenefit.renderers.street.layout.scenes import Layout, ModelTable
from scenefit.renderers.street.mesh import MATERIALS, Mesh

LEAF = MATERIALS.index("leaf")
KEPT = 4  # sets of meshes that stay on a device


@dataclass(frozen=True, eq=False)
class Uploaded:
    """Meshes on a device: arrays for the kernels, and `trees`, one `warp.Mesh` each, which live as long as this."""

    meshes: Any
    table: ModelTable
    trees: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Batch:
    """S scenes on a device, of images of a size (H, W), with I instances. world: the struct `World`.  kept: what has to
    live as long as it."""

    world: Any
    size: tuple[int, int]
    scenes: int
    instances: int
    device: str
    kept: tuple[Any, ...]

    @property
    def pixels(self) -> int:
        return self.scenes * self.size[0] * self.size[1]


@lru_cache(maxsize=KEPT)
def upload(meshes: tuple[Mesh, ...], device: str) -> Uploaded:
    """Meshes on a device, with a tree of bounding volumes each."""
    wp = warp()
    faces, points = (np.cumsum([0, *(len(getattr(mesh, name)) for mesh in meshes)]) for name in ("faces", "points"))
    corners = [_hull(mesh.points) for mesh in meshes]
    first_corner = np.cumsum([0, *map(len, corners)])
    trees = tuple(wp.Mesh(wp.array(mesh.points, dtype=wp.vec3, device=device),
                          wp.array(mesh.faces.ravel(), dtype=wp.int32, device=device), bvh_constructor="sah")
                  for mesh in meshes)
    arrays = structs.Meshes()
    none = np.zeros((0, 3))
    joined = [mesh.faces + first for mesh, first in zip(meshes, points.tolist(), strict=False)]
    for name, values, dtype in (
            ("faces", np.concatenate([none, *joined]), wp.vec3i), ("material", _joined(meshes, "material"), wp.uint8),
            ("colour", linear(*_joined(meshes, "colour", 3).T), wp.vec3),
            ("normals", _joined(meshes, "normals", 3), wp.vec3), ("uv", _joined(meshes, "uv", 2), wp.vec2),
            ("corners", np.concatenate([none, *corners]), wp.vec3)):
        setattr(arrays, name, wp.array(values, dtype=dtype, device=device))
    rows = np.zeros(len(meshes), dtype_of(structs.Instance))
    rows["mesh"] = [tree.id for tree in trees]
    rows["leaves"] = [(mesh.material == LEAF).any() for mesh in meshes]
    rows["first_face"], rows["first_corner"], rows["end_corner"] = faces[:-1], first_corner[:-1], first_corner[1:]
    ends = np.array([(mesh.points.min(axis=0), mesh.points.max(axis=0)) for mesh in meshes], float).reshape(-1, 2, 3)
    return Uploaded(arrays, ModelTable(ends[:, 0], ends[:, 1], rows), trees)


def to_device(layout: Layout, uploaded: Uploaded, size: tuple[int, int], device: str) -> Batch:
    """A layout on the device of its meshes, with a tree of its instances' boxes."""
    wp, world = warp(), structs.World()
    for name, struct in (("cameras", structs.Camera), ("lights", structs.Light), ("roads", structs.Road),
                         ("strips", structs.Strip), ("markings", structs.Strip), ("instances", structs.Instance)):
        setattr(world, name, wp.array(getattr(layout, name), dtype=struct, device=device))
    world.meshes = uploaded.meshes
    kept: tuple[Any, ...] = (uploaded,)
    if len(layout.instances):
        ends = np.stack([layout.low, layout.high])
        ends[:, :, 0] = -ends[::-1, :, 0]  # x backwards
        low, high = (wp.array(corner, dtype=wp.vec3, device=device) for corner in ends)
        scene = wp.array(layout.instances["scene"].astype(np.int32), dtype=wp.int32, device=device)
        tree = wp.Bvh(low, high, groups=scene)
        world.tree, kept = tree.id, (uploaded, tree)
    return Batch(world, size, len(layout.cameras), len(layout.instances), device, kept)


def _joined(meshes: Sequence[Mesh], name: str, *row: int) -> NDArray[Any]:
    return np.concatenate([np.zeros((0, *row)), *(getattr(mesh, name) for mesh in meshes)])


def _hull(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Corners of the convex hull; all points where they lie in a plane."""
    try:
        return points[ConvexHull(points).vertices]
    except (QhullError, ValueError):
        return points
