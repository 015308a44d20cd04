"""Speed of `Street`: `python -m benchmarks.street`, for a table of README.md.

One thread, CPU milliseconds a frame, medians of several runs; frames a second of one process follow from them. Embree,
through trimesh, casts the same first rays and shadow rays, without colours and labels: what a faster ray caster would
save.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from statistics import median
from typing import Any

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from trimesh.ray.ray_pyembree import RayMeshIntersector

import scenefit as sf
from scenefit.renderers.street.models import standard
from scenefit.scenes.scene import Node, SceneBatch

Array = NDArray[Any]
SCENES, RUNS = 8, 3
SIZES = (94, 310), (180, 240), (188, 620)
COUNTS = {"car": 9, "van": 1, "bus": 1, "cyclist": 1, "pedestrian": 6, "house": 12, "pole": 6, "sign": 3, "tree": 8}
MODELS = standard()


def either_side(away: float) -> Callable[[Node], sf.Prior]:
    """Metres to the right of the road for even numbers of a kind, to the left for odd ones."""
    return lambda node: sf.Constant(np.where(node.number % 2, away, -away))


def turned(node: Node) -> sf.Prior:
    """Fronts of what stands beside the road face it; in lanes, what drives on the left comes towards the camera."""
    return sf.Constant(np.where(node.number % 2, 0.0, 180.0))


def street(foliage: bool) -> sf.Grammar:
    """Houses, vehicles, people and poles along a road; with foliage, trees too."""
    models = {kind: {"model": sf.Integer(0, len(MODELS[kind]) - 1)} for kind in COUNTS}
    paint = {channel: sf.Uniform(0.1, 0.9) for channel in ("red", "green", "blue", "red2", "green2", "blue2")}
    lane: dict[str, Any] = {"s": lambda node: sf.Uniform(6 + 6 * node.number, 9 + 6 * node.number),
                            "t": either_side(1.8), "heading": lambda node: sf.Constant(180.0 * (node.number % 2))}
    symbols: dict[str, dict[str, Any]] = {
        "street": {"curvature": sf.Uniform(-0.005, 0.005), "camera_t": -1.8, "camera_height": sf.Uniform(1.3, 1.8),
                   "sun_azimuth": sf.Angle(), "sun_elevation": sf.Uniform(20, 60), "noise": 2.0},
        "lane": {"t": 0.0, "width": 9.0}, "pavement": {"t": either_side(6.5), "width": 4.0, "rise": 0.12},
        "marking": {"t": 0.0, "width": 0.15, "gap": 4.0},
        "car": {**lane, **models["car"], **paint},
        "van": {**lane, "s": sf.Uniform(60, 80), **models["van"], **paint},
        "bus": {**lane, "s": sf.Uniform(80, 90), **models["bus"], **paint},
        "cyclist": {**lane, "t": -3.8, "s": sf.Uniform(8, 30), **models["cyclist"], **paint},
        "pedestrian": {"s": sf.Uniform(6, 40), "t": either_side(6.5), "heading": sf.Angle(), **models["pedestrian"],
                       **paint},
        "house": {"s": lambda node: sf.Constant(14.0 * (node.number // 2)), "t": either_side(16.0), "heading": turned,
                  "length": 13.0, **models["house"]},
        "pole": {"s": sf.Uniform(5, 60), "t": either_side(4.9), "heading": turned, **models["pole"]},
        "sign": {"s": sf.Uniform(8, 60), "t": either_side(4.9), **models["sign"]},
        "tree": {"s": sf.Uniform(8, 80), "t": either_side(8.2), "heading": sf.Angle(), **models["tree"]}}
    counts = {kind: count for kind, count in COUNTS.items() if foliage or kind != "tree"}
    ground = [sf.repeat("lane", 1), sf.repeat("pavement", 2), sf.repeat("marking", 1)]
    return sf.Grammar("street", {kind: own for kind, own in symbols.items() if foliage or kind != "tree"},
                      [sf.Rule("street", ground + [sf.repeat(kind, count) for kind, count in counts.items()])])


def timed(work: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> float:
    """Milliseconds a scene of a function that renders all scenes."""
    times = []
    for _ in range(RUNS):
        began = clock()
        work()
        times.append(clock() - began)
    return median(times) / SCENES * 1e3


def parts(one: sf.Street, of: sf.Grammar) -> dict[str, float]:
    """CPU milliseconds a scene: sampling; laying out and building trees; images; labels; writing as `generate` does."""
    from scenefit.renderers.street.layout.scenes import lay_out
    from scenefit.renderers.street.tracing import trace
    from scenefit.renderers.street.upload import to_device, upload

    scenes, models = of.sample(0, SCENES), one.meshes()
    one(scenes)  # compiles, uploads
    uploaded = upload(tuple(mesh for meshes in models.values() for mesh in meshes.values()), one.device)

    def build() -> Any:
        layout = lay_out(scenes, models, uploaded.table, one.materials, one.size)
        return to_device(layout, uploaded, one.size, one.device)

    batch = build()
    found = {"sampling": timed(lambda: of.sample(0, SCENES)), "building": timed(build),
             "tracing": timed(lambda: trace(batch, one.antialias, one.occlusion)),
             "labelled": timed(lambda: one(scenes).objects)}
    with tempfile.TemporaryDirectory() as folder:
        numbers = count()
        found["written"] = timed(lambda: sf.generate(of, one, SCENES, out=f"{folder}/{next(numbers)}", format="kitti"))
    return {**found, "bare": found["building"] + found["tracing"]}


def vertices(scenes: SceneBatch) -> Iterator[tuple[Array, Array]]:
    """Points and faces of all that stands in each scene, merged."""
    for scene in scenes:
        points, faces, first = [], [], 0
        for kind in set(COUNTS) & set(scenes.tables):
            meshes = list(MODELS[kind].values())
            for node in scene.of(kind):
                mesh, angle = meshes[node["model"]], np.deg2rad(node.values.get("heading", 0.0))
                turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
                flat = mesh.points[:, :2] @ turn.T + [node["s"], node["t"]]
                points.append(np.column_stack([flat, mesh.points[:, 2]]))
                faces.append(mesh.faces + first)
                first += len(mesh.points)
        yield np.concatenate(points), np.concatenate(faces)


def embree(scenes: SceneBatch, size: tuple[int, int]) -> dict[str, float]:
    """CPU milliseconds a scene: merging and building, first rays and shadow rays; the road is straight, without
    ground."""
    height, width = size
    down, right = np.mgrid[:height, :width] + 0.5
    focal = width / 2 / np.tan(np.deg2rad(30))
    along = np.stack([np.ones(size), (width / 2 - right) / focal, (height / 2 - down) / focal], -1).reshape(-1, 3)
    eye, sun = np.tile([0, -1.8, 1.5], (len(along), 1)), np.array([0.4, 0.6, 0.7])
    building = tracing = 0.0
    for points, faces in vertices(scenes):
        began = time.process_time()
        tracer = RayMeshIntersector(trimesh.Trimesh(points, faces, process=False))
        tracer.intersects_any(eye[:1], along[:1])
        built = time.process_time()
        where, _, _ = tracer.intersects_location(eye, along, multiple_hits=False)
        tracer.intersects_any(where + 0.01 * sun, np.tile(sun, (len(where), 1)))
        building, tracing = building + built - began, tracing + time.process_time() - built
    return {"building": building / len(scenes) * 1e3, "tracing": tracing / len(scenes) * 1e3}


def main() -> None:
    torch.set_num_threads(1)
    table = Table(title="CPU ms a frame, one thread; frames/s of one process")
    for name in ("triangles", "size", "rays", "sampling", "building", "tracing", "frames/s bare", "labelled", "written",
                 "Embree: building", "tracing"):
        table.add_column(name, justify="right")
    for foliage in (False, True):
        of = street(foliage)
        scenes = of.sample(0, SCENES)
        triangles = sum(len(list(MODELS[kind].values())[model].faces) for kind in set(COUNTS) & set(scenes.tables)
                        for model in scenes.tables[kind]["model"]) / SCENES
        for size in SIZES:
            beside = embree(scenes, size)
            for name, more in (("1, shadow", False), ("1 or 4, shadow, occlusion", True)):
                found = parts(sf.Street(size, antialias=more, occlusion=more), of)
                table.add_row(f"{triangles:,.0f}{', trees' if foliage else ''}", f"{size[1]}x{size[0]}", name,
                              *(f"{found[part]:.1f}" for part in ("sampling", "building", "tracing")),
                              *(f"{1e3 / found[part]:.0f}" for part in ("bare", "labelled", "written")),
                              *(f"{beside[part]:.1f}" for part in ("building", "tracing")))
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
