"""Instances against merged meshes for `Street`: `python -m benchmarks.instances`.

A street can be traced as instances of meshes, each mesh with a tree that was built once, or as one mesh a scene, merged
from all of them, with a tree built for each scene. CPU milliseconds a frame, one thread, 310x94 pixels: building, then
one ray a pixel and its shadow ray, without ground and shading, by both; depths and shadows are compared.
"""

from typing import Any

import numpy as np
import warp as wp
from rich.console import Console
from rich.table import Table

import scenefit as sf
from benchmarks.street import SCENES, street, timed
from scenefit.renderers.street.kernels.geometry.structs import Hit, World
from scenefit.renderers.street.kernels.geometry.traversal import is_occluded, meet_instances, out_of
from scenefit.renderers.street.layout.scenes import Layout, lay_out
from scenefit.renderers.street.upload import Batch, Uploaded, to_device, upload

wp.set_module_options({"enable_backward": False})
HEIGHT, WIDTH = 94, 310
FAR, OFFSET, REACH = wp.constant(300.0), wp.constant(0.01), wp.constant(80.0)  # metres


@wp.func
def direction_of(world: World, scene: int, pixel: int) -> wp.vec3:
    camera = world.cameras[scene]
    row = pixel / WIDTH
    return wp.normalize(camera.corner + camera.right * (float(pixel - row * WIDTH) + 0.5)
                        + camera.down * (float(row) + 0.5))


@wp.kernel
def instanced(world: World, depth: wp.array2d(dtype=wp.float32), lit: wp.array2d(dtype=wp.uint8)):
    scene, pixel = wp.tid()
    eye = world.cameras[scene].eye
    direction = direction_of(world, scene, pixel)
    hit = Hit()
    hit.distance = FAR
    hit = meet_instances(world, scene, eye, direction, 0.0, hit)
    depth[scene, pixel] = hit.distance
    lit[scene, pixel] = wp.uint8(1)
    if hit.distance < FAR:
        start = eye + direction * (hit.distance - OFFSET)
        lit[scene, pixel] = wp.uint8(not is_occluded(world, scene, start, world.lights[scene].sun, REACH))


@wp.kernel
def merged(world: World, mesh: wp.uint64, depth: wp.array2d(dtype=wp.float32), lit: wp.array2d(dtype=wp.uint8)):
    scene, pixel = wp.tid()
    eye = world.cameras[scene].eye
    direction = direction_of(world, scene, pixel)
    root = wp.mesh_get_group_root(mesh, scene)
    found = wp.mesh_query_ray(mesh, eye, direction, FAR, root)
    depth[scene, pixel] = FAR
    lit[scene, pixel] = wp.uint8(1)
    if found.result:
        depth[scene, pixel] = found.t
        start = eye + direction * (found.t - OFFSET)
        lit[scene, pixel] = wp.uint8(not wp.mesh_query_ray_anyhit(mesh, start, world.lights[scene].sun, REACH, root))


@wp.kernel
def move(world: World, points: wp.array(dtype=wp.vec3), vertex: wp.array(dtype=wp.int32),
         instance: wp.array(dtype=wp.int32), moved: wp.array(dtype=wp.vec3)):
    number = wp.tid()
    one = world.instances[instance[number]]
    moved[number] = one.place + out_of(one, points[vertex[number]])


def ranges(first: Any, count: Any) -> Any:
    """first[0], first[0] + 1, ... for count[0] numbers, and so on."""
    return np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)


def merge(layout: Layout, world: World, meshes: list[sf.Mesh]) -> wp.Mesh:
    """All instances of a batch as one mesh with a group for each scene."""
    model, scene = layout.placed.model, layout.placed.scene
    points, faces = (np.array([len(getattr(mesh, name)) for mesh in meshes]) for name in ("points", "faces"))
    vertex = ranges((np.cumsum(points) - points)[model], points[model])
    face = np.concatenate([mesh.faces for mesh in meshes])[ranges((np.cumsum(faces) - faces)[model], faces[model])]
    face = face + np.repeat(np.cumsum(points[model]) - points[model], faces[model])[:, None]
    moved = wp.empty(len(vertex), dtype=wp.vec3)
    every = wp.array(np.concatenate([mesh.points for mesh in meshes]), dtype=wp.vec3)
    wp.launch(move, len(vertex), [world, every, wp.array(vertex, dtype=wp.int32),
                                  wp.array(np.repeat(np.arange(len(model)), points[model]), dtype=wp.int32), moved])
    return wp.Mesh(moved, wp.array(face.ravel(), dtype=wp.int32), bvh_constructor="sah",
                   groups=wp.array(np.repeat(scene, faces[model]), dtype=wp.int32))


def compare(of: sf.Grammar) -> tuple[list[str], list[str]]:
    """A row of the table for instances, and one for merged meshes."""
    one, scenes = sf.Street((HEIGHT, WIDTH)), of.sample(0, SCENES)
    one(scenes.take([0]))
    models = one.meshes()
    meshes = [mesh for named in models.values() for mesh in named.values()]
    uploaded: Uploaded = upload(tuple(meshes), "cpu")
    layout = lay_out(scenes, models, uploaded.table, one.materials, one.size)

    def build() -> Batch:
        return to_device(layout, uploaded, one.size, "cpu")

    batch = build()
    whole = merge(layout, batch.world, meshes)
    shape = SCENES, HEIGHT * WIDTH
    depth, lit = ([wp.empty(shape, dtype=dtype) for _ in range(2)] for dtype in (wp.float32, wp.uint8))
    kinds = ((instanced, build, []), (merged, lambda: merge(layout, batch.world, meshes), [whole.id]))
    rows = []
    for number, (kernel, make, more) in enumerate(kinds):
        inputs = [batch.world, *more, depth[number], lit[number]]
        wp.launch(kernel, shape, inputs)  # compiles it
        building, tracing = timed(make), timed(lambda kernel=kernel, inputs=inputs: wp.launch(kernel, shape, inputs))
        rows.append([kernel.key, f"{building:.2f}", f"{tracing:.1f}", f"{building + tracing:.1f}"])
    same = np.isclose(depth[0].numpy(), depth[1].numpy(), rtol=1e-3) & (lit[0].numpy() == lit[1].numpy())
    rows[1].append(f"{same.mean():.2%}")
    return rows[0], rows[1]


def main() -> None:
    table = Table(title="CPU ms a frame, one thread, 310x94")
    for name in ("scenes", "", "building", "tracing", "both", "equal pixels"):
        table.add_column(name, justify="right")
    for foliage in (False, True):
        for row in compare(street(foliage)):
            table.add_row("with trees" if foliage else "without trees", *row)
    Console().print(table)


if __name__ == "__main__":
    main()
