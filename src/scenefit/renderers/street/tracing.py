"""Launches of the kernels: a batch of scenes in, tensors on the device out.

Legend: S scenes; I instances; H, W pixels.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scenefit.renderers.street.kernels.compilation import kernels, warp
from scenefit.renderers.street.kernels.projection import SAMPLES
from scenefit.renderers.street.upload import Batch


@dataclass(frozen=True, eq=False)
class Traced:
    """image: uint8 [S, H, W, 3].  instances: ids, int32 [S, H, W].  depth: metres along the optical axis [S, H, W],
    infinite in the sky.  normal: in the camera's coordinates (x right, y down, z forward) [S, H, W, 3], zero in the
    sky."""

    image: Tensor
    instances: Tensor
    depth: Tensor
    normal: Tensor


def trace(batch: Batch, antialias: bool, occlusion: bool) -> Traced:
    """Render scenes. The tensors are the kernels' own arrays, without a copy."""
    with _launcher(batch.device) as (wp, passes, launch):
        (height, width), world, pixels = batch.size, batch.world, batch.pixels
        everywhere = wp.empty(0, dtype=wp.int64, device=batch.device)
        rays = _rays(batch.device, pixels)
        launch(passes.cast, pixels, world, height, width, everywhere, int(occlusion), rays)
        openness = rays.openness
        for step, length in ((1, width), (width, height)) if occlusion else ():
            smoothed = wp.empty(pixels, dtype=wp.float32, device=batch.device)
            launch(passes.smooth, pixels, rays.key, rays.depth, openness, step, length, smoothed)
            openness = smoothed
        colour = wp.empty(pixels, dtype=wp.vec3, device=batch.device)
        launch(passes.combine, pixels, rays, openness, colour)
        if antialias:
            edge = wp.empty(pixels, dtype=wp.uint8, device=batch.device)
            launch(passes.find_edges, pixels, rays, colour, height, width, edge)
            per_pixel, found = int(passes.EDGE_RAYS), torch.nonzero(wp.to_torch(edge)).ravel()
            edges, more = wp.from_torch(found, dtype=wp.int64), _rays(batch.device, per_pixel * len(found))
            launch(passes.cast, per_pixel * len(found), world, height, width, edges, 0, more)
            launch(passes.combine_edges, len(found), world, height, width, edges, more, rays.key, openness, colour)
        image = wp.empty((pixels, 3), dtype=wp.uint8, device=batch.device)
        launch(passes.develop, pixels, world, height * width, colour, image)
        shape = batch.scenes, height, width
        return Traced(*(wp.to_torch(array).view(*shape, *row) for array, row in (
            (image, (3,)), (rays.id, ()), (rays.depth, ()), (rays.normal, (3,)))))


def measure(batch: Batch, traced: Traced) -> Tensor:
    """Of each whole instance, its box [4], hidden area inside the image, and area outside: pixels, float32 [I, 6]."""
    with _launcher(batch.device) as (wp, passes, launch):
        boxes = wp.empty(batch.instances, dtype=wp.vec4, device=batch.device)
        hits = wp.zeros((batch.instances, 2), dtype=wp.int32, device=batch.device)
        spacing = wp.zeros((batch.instances, 2), dtype=wp.vec2, device=batch.device)
        ids = wp.from_torch(traced.instances.view(-1), dtype=wp.int32)
        launch(passes.find_boxes, batch.instances, batch.world, boxes)
        launch(passes.count_rays, (batch.instances, 2, int(SAMPLES)), batch.world, *batch.size, ids, boxes, hits,
               spacing)
        area = wp.to_torch(hits) * wp.to_torch(spacing).prod(dim=-1)
        return torch.cat([wp.to_torch(boxes), area], dim=1)


@contextmanager
def _launcher(device: str) -> Iterator[tuple[Any, Any, Any]]:
    """Warp, the kernels, and a function that launches one; on a GPU, in the stream that PyTorch uses."""
    wp, passes = warp(), kernels(device)

    def launch(kernel: Any, dim: Any, *inputs: Any) -> None:
        if dim != 0:
            wp.launch(kernel, dim, inputs=list(inputs), device=device)

    if wp.get_device(device).is_cuda:
        with wp.ScopedStream(wp.stream_from_torch(torch.cuda.current_stream(device))):
            yield wp, passes, launch
    else:
        yield wp, passes, launch


def _rays(device: str, count: int) -> Any:
    wp, rays = warp(), kernels(device).Rays()
    for name, dtype in (("direct", wp.vec3), ("ambient", wp.vec3), ("openness", wp.float32), ("key", wp.int32),
                        ("id", wp.int32), ("depth", wp.float32), ("normal", wp.vec3)):
        setattr(rays, name, wp.empty(count, dtype=dtype, device=device))
    return rays
