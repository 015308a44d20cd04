"""Launches of the kernels: a batch of scenes in, tensors on the device out.

Legend: S scenes; I instances; H, W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from torch import Tensor

from scenefit.renderers.street.compilation import kernels, warp
from scenefit.renderers.street.kernels.geometry import structs
from scenefit.renderers.street.layout.attributes import dtype_of, linear
from scenefit.renderers.street.layout.scenes import Layout, ModelTable
from scenefit.renderers.street.mesh import Mesh

KEPT = 4  # sets of meshes that stay on a device


@dataclass(frozen=True, eq=False)
class Uploaded:
    """Meshes on a device. trees: one `warp.Mesh` each, which must live as long as they are traced."""

    meshes: Any
    table: ModelTable
    trees: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Traced:
    """image: uint8 [S, H, W, 3].  instances: int32 [S, H, W].  depth: metres along the optical axis [S, H, W], infinite
    in the sky.  normal: in the camera's coordinates (x right, y down, z forward) [S, H, W, 3], zero in the sky.
    extent: of each instance, its box [4], hidden area inside the image, and area outside, in pixels; float32 [I, 6]."""

    image: Tensor
    instances: Tensor
    depth: Tensor
    normal: Tensor
    extent: Tensor


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
    joined = np.concatenate([mesh.faces + first for mesh, first in zip(meshes, points.tolist(), strict=False)])
    for name, values, dtype in (
            ("faces", joined, wp.vec3i), ("material", _joined(meshes, "material"), wp.uint8),
            ("colour", linear(*_joined(meshes, "colour").T), wp.vec3), ("normals", _joined(meshes, "normals"), wp.vec3),
            ("uv", _joined(meshes, "uv"), wp.vec2), ("corners", np.concatenate(corners), wp.vec3)):
        setattr(arrays, name, wp.array(values, dtype=dtype, device=device))
    rows = np.zeros(len(meshes), dtype_of(structs.Instance))
    rows["mesh"] = [tree.id for tree in trees]
    rows["first_face"], rows["first_corner"], rows["end_corner"] = faces[:-1], first_corner[:-1], first_corner[1:]
    ends = np.array([(mesh.points.min(axis=0), mesh.points.max(axis=0)) for mesh in meshes], float)
    return Uploaded(arrays, ModelTable(ends[:, 0], ends[:, 1], rows), trees)


def _joined(meshes: Sequence[Mesh], name: str) -> NDArray[Any]:
    return np.concatenate([getattr(mesh, name) for mesh in meshes])


def _hull(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Corners of the convex hull; all points where they lie in a plane."""
    try:
        return points[ConvexHull(points).vertices]
    except (QhullError, ValueError):
        return points


def trace(layout: Layout, uploaded: Uploaded, size: tuple[int, int], device: str, antialias: bool,
          occlusion: bool) -> Traced:
    """Render scenes that `lay_out` has laid out."""
    wp, passes = warp(), kernels(device)
    (height, width), count = size, len(layout.cameras)
    pixels = count * height * width
    world, kept = _world(layout, uploaded, device)

    def launch(kernel: Any, dim: Any, *inputs: Any) -> None:
        wp.launch(kernel, dim, inputs=list(inputs), device=device)

    everywhere = wp.empty(0, dtype=wp.int64, device=device)
    rays = _rays(passes, pixels, device)
    launch(passes.cast, pixels, world, height, width, everywhere, int(occlusion), rays)
    openness = rays.openness
    if occlusion:
        for step, length in ((1, width), (width, height)):
            smoothed = wp.empty(pixels, dtype=wp.float32, device=device)
            launch(passes.smooth, pixels, rays.key, openness, step, length, smoothed)
            openness = smoothed
    colour = wp.empty(pixels, dtype=wp.vec3, device=device)
    launch(passes.combine, pixels, rays, openness, colour)
    if antialias and pixels:
        edge = wp.empty(pixels, dtype=wp.uint8, device=device)
        launch(passes.find_edges, pixels, rays, colour, height, width, edge)
        found = torch.nonzero(wp.to_torch(edge)).ravel()
        edges = wp.from_torch(found, dtype=wp.int64)
        more = _rays(passes, len(found) * int(passes.EDGE_RAYS), device)
        if len(found):
            launch(passes.cast, len(more.key), world, height, width, edges, 0, more)
            launch(passes.combine_edges, len(found), world, height, width, edges, more, rays.key, openness, colour)
    image = wp.empty((pixels, 3), dtype=wp.uint8, device=device)
    launch(passes.develop, pixels, world, height * width, colour, image)
    extent = _extent(layout, world, rays.id, size, device, launch, passes)
    del kept
    shape = count, height, width
    ids, depth, normal = (wp.to_torch(array) for array in (rays.id, rays.depth, rays.normal))
    return Traced(wp.to_torch(image).view(*shape, 3), ids.view(shape), depth.view(shape), normal.view(*shape, 3),
                  extent)


def _world(layout: Layout, uploaded: Uploaded, device: str) -> tuple[Any, Any]:
    """The kernels' `World`, and what must live as long as it."""
    wp = warp()
    world = structs.World()
    for name, struct in (("cameras", structs.Camera), ("lights", structs.Light), ("roads", structs.Road),
                         ("strips", structs.Strip), ("markings", structs.Strip), ("instances", structs.Instance)):
        setattr(world, name, wp.array(getattr(layout, name), dtype=struct, device=device))
    world.meshes = uploaded.meshes
    if not len(layout.instances):
        return world, None
    ends = np.stack([layout.low, layout.high])
    ends[:, :, 0] = -ends[::-1, :, 0]  # x backwards
    low, high = (wp.array(corner, dtype=wp.vec3, device=device) for corner in ends)
    scene = wp.array(layout.instances["scene"].astype(np.int32), dtype=wp.int32, device=device)
    tree = wp.Bvh(low, high, constructor="sah", groups=scene)
    world.tree = tree.id
    return world, tree


def _rays(passes: Any, count: int, device: str) -> Any:
    wp, rays = warp(), passes.Rays()
    for name, dtype in (("direct", wp.vec3), ("ambient", wp.vec3), ("openness", wp.float32), ("key", wp.int32),
                        ("id", wp.int32), ("depth", wp.float32), ("normal", wp.vec3)):
        setattr(rays, name, wp.empty(count, dtype=dtype, device=device))
    return rays


def _extent(layout: Layout, world: Any, ids: Any, size: tuple[int, int], device: str, launch: Any,
            passes: Any) -> Tensor:
    wp, count = warp(), len(layout.instances)
    boxes = wp.empty(count, dtype=wp.vec4, device=device)
    hits = wp.zeros((count, 2), dtype=wp.int32, device=device)
    spacing = wp.zeros((count, 2), dtype=wp.vec2, device=device)
    if count:
        launch(passes.find_boxes, count, world, boxes)
        launch(passes.count_rays, (count, 2, int(passes.SAMPLES)), world, *size, ids, boxes, hits, spacing)
    area = wp.to_torch(hits) * wp.to_torch(spacing).prod(dim=-1)
    return torch.cat([wp.to_torch(boxes), area], dim=1)
