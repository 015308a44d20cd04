"""`Shapes` against a plain numpy painter of the same scenes: `python -m benchmarks.shapes`.

One thread, CPU seconds, medians of several alternating runs. The painter below renders scenes one by one and each shape
in its own window, as one would write it by hand; a test compares its pixels with the renderer's.
"""

import math
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import ndimage, special

import scenefit as sf
from scenefit.renderers.shapes import TIE, Shapes, camera, outline
from scenefit.scenes.rng import uniform
from scenefit.scenes.scene import Node, Scene, SceneBatch
from scenes import smear

Array = NDArray[Any]
N_RUNS, SCENES = 5, 64
PROCESSES = 2
APPEARANCE = {  # values of the image's attributes that make the wide grammar's scenes look like real smears
    "red": 0.93, "green": 0.86, "blue": 0.88, "red_r": 0.88, "red_g": 0.62, "red_b": 0.66, "white_r": 0.8,
    "white_g": 0.72, "white_b": 0.88, "nucleus_r": 0.45, "nucleus_g": 0.28, "nucleus_b": 0.62, "platelet_r": 0.6,
    "platelet_g": 0.42, "platelet_b": 0.7, "red_absorb": 1.0, "white_absorb": 0.5, "nucleus_absorb": 0.3,
    "platelet_absorb": 0.7, "red_opacity": 0.95, "white_opacity": 0.85, "nucleus_opacity": 0.93,
    "platelet_opacity": 0.85, "red_spread": 0.1, "white_spread": 0.1, "platelet_spread": 0.25, "nucleus_spread": 0.06,
    "red_stretch": 0.2, "white_stretch": 0.15, "platelet_stretch": 0.4, "nucleus_stretch": 0.2, "red_wobble": 0.02,
    "white_wobble": 0.03, "nucleus_wobble": 0.06, "platelet_wobble": 0.08, "red_grain": 0.03, "white_grain": 0.1,
    "nucleus_grain": 0.15, "platelet_grain": 0.2, "red_size": 40.0, "white_ratio": 1.8, "platelet_ratio": 0.28,
    "nucleus_ratio": 0.7, "lobe": 0.45, "pallor": 0.7, "pallor_size": 0.75, "rim": -0.08, "scatter": 1.5,
    "variation": 0.02, "edge": 1.2, "grain": 0.01, "grain_size": 3.0, "light": 0.1, "vignette": 0.12, "blur": 0.8,
    "noise": 3.0}


def smears(count: int = SCENES, seed: int = 0) -> SceneBatch:
    """Scenes with 34 red cells, one white cell with its nucleus and 4 platelets, 40 shapes in all."""
    symbols = {kind: {a.name: APPEARANCE.get(a.name, a.prior) if kind == "image" else a.prior
                      for a in attributes.values() if not a.count}
               for kind, attributes in smear.grammar.attributes.items()}
    many = [sf.repeat(kind, n) for kind, n in (("red", 34), ("white", 1), ("platelet", 4))]
    return sf.Grammar("image", symbols, [sf.Rule("image", many), sf.Rule("white", ["nucleus"])]).sample(seed, count)


def paint(renderer: Shapes, scene: Scene) -> sf.Frame:
    """Render one scene with plain numpy: the same image model, labels and random numbers as `Shapes`."""
    height, width = renderer.size
    get = {**_defaults(camera.ATTRIBUTES), **renderer.camera, **scene.root.values}
    image = np.empty((height, width, 3), np.float32)
    image[:] = [get["red"], get["green"], get["blue"]]
    if get["grain"] > 0:
        start = outline.GRAIN * uniform(scene.batch.address[scene.row], "grain")
        rough = _grain(np.arange(width) / get["grain_size"] + start, np.arange(height) / get["grain_size"] + start)
        image *= np.maximum(1 + get["grain"] * rough, 0)[..., None]
    instances, amodal, area, classes = np.zeros((height, width), np.int32), {}, {}, {}
    own = {node.id: node for node in scene.nodes[1:]}
    owner = {i: node.parent.id if node.kind in renderer.parts else i  # type: ignore[union-attr]
             for i, node in own.items()}
    for number in sorted(own, key=lambda i: (owner[i], i)):
        node = own[number]
        solid, left, top = _stamp(renderer, node, get["blur"], image, instances, owner[number])
        if node.kind in renderer.parts:
            continue
        down, across = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
        classes[number] = renderer.classes.get(node.kind, node.kind)
        area[number] = float(solid.sum())
        amodal[number] = ([left + across[0], top + down[0], left + across[-1] + 1, top + down[-1] + 1] if len(down)
                          else [0, 0, 0, 0])
    return sf.Frame((_see(image, get, scene) * 255).round().astype(np.uint8), instances, None, classes, amodal, area)


def _defaults(attributes: Any) -> dict[str, float]:
    return {name: limits[0] for name, limits in attributes.items()}


def _stamp(renderer: Shapes, node: Node, blur: float, image: Array, instances: Array,
           owner: int) -> tuple[Array, int, int]:
    """Paint one shape; returns its unoccluded mask and the mask's left and top in pixels."""
    height, width = renderer.size
    get = {"x": width / 2, "y": height / 2, **_defaults(outline.ATTRIBUTES), **renderer.shapes[node.kind],
           **node.values}
    root = math.sqrt(get["elongation"])
    seen_edge = math.hypot(get["edge"], math.sqrt(outline.BLUR_FACTOR) * blur)
    far = get["radius"] * root * (1.3 if get["wobble"] else 1.0) + seen_edge * root
    left, top = int(np.floor(get["x"] - far)), int(np.floor(get["y"] - far))
    right, bottom = int(np.ceil(get["x"] + far)), int(np.ceil(get["y"] + far))
    dx = (np.arange(left, right) + 0.5 - get["x"]).astype(np.float32)
    dy = (np.arange(top, bottom) + 0.5 - get["y"]).astype(np.float32)[:, None]
    turn = math.radians(get["angle"])
    u, v = (dx * math.cos(turn) - dy * math.sin(turn)) / root, (dx * math.sin(turn) + dy * math.cos(turn)) * root
    away, radius = np.hypot(u, v), get["radius"] * _wave(u, v, get, node)
    cover, seen = (t * t * (3 - 2 * t) for t in (
        np.clip(0.5 + (radius - away) / (2 * min(edge, max(get["radius"], 0.1))), 0, 1)
        for edge in (get["edge"], seen_edge)))
    alpha, light = cover * get["opacity"], 1.0
    if get["rim"]:
        light = 1 + get["rim"] * np.clip((away / radius - 1) / get["rim_width"] + 1, 0, 1) ** 2
    if get["pallor"]:
        alpha = alpha * (1 - get["pallor"] * np.maximum(1 - (away / (radius * get["pallor_size"])) ** 2, 0) ** 2)
    if get["grain"]:
        address = node.batch.tables[node.kind].address[node.row:node.row + 1]
        start = [float(outline.GRAIN / 2 * (uniform(address, f"grain {way}")[0] + 0.5) - 0.5) for way in "vu"]
        at = np.stack([v / get["grain_size"] + start[0], u / get["grain_size"] + start[1]])
        light = light * (1 + get["grain"] * ndimage.map_coordinates(_tile(), at, order=1, mode="reflect"))
    solid = (seen > renderer.solid + TIE) & (get["opacity"] > 0)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if x0 < x1 and y0 < y1:
        inner = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        colour = np.array([get["red"], get["green"], get["blue"]], np.float32)
        below = image[y0:y1, x0:x1]
        ink = (alpha * np.maximum(light, 0))[inner][..., None]
        below[:] = below * (1 - alpha[inner][..., None]) + ink * colour * (1 - get["absorb"] + get["absorb"] * below)
        instances[y0:y1, x0:x1][solid[inner]] = owner
    return solid, left, top


def _wave(u: Array, v: Array, get: dict[str, float], node: Node) -> Any:
    if not get["wobble"] and not get["lobes"]:
        return 1.0
    direction, wave = np.arctan2(v, u), np.ones_like(u)
    if get["lobes"]:
        wave += get["lobe"] / 2 * (np.cos(get["lobes"] * direction - math.radians(get["phase"])) - 1)
    if get["wobble"]:
        address = node.batch.tables[node.kind].address[node.row:node.row + 1]
        scale = math.sqrt(sum(k**-2.0 for k in outline.WOBBLES))
        for k in outline.WOBBLES:
            cos, sin = (float(special.ndtri(uniform(address, f"wobble {name} {k}"))[0]) for name in ("cos", "sin"))
            wave += get["wobble"] / (k * scale) * (cos * np.cos(k * direction) + sin * np.sin(k * direction))
    return np.maximum(wave, outline.MIN_RADIUS)


def _tile() -> Array:
    return outline._tile()[0, 0].astype(np.float32)


def _grain(x: Array, y: Array) -> Array:
    return ndimage.map_coordinates(_tile(), np.stack(np.meshgrid(y, x, indexing="ij")), order=1, mode="grid-wrap")


def _see(image: Array, get: dict[str, float], scene: Scene) -> Array:
    height, width = image.shape[:2]
    if get["blur"] > 0:
        image = ndimage.gaussian_filter(image, (get["blur"], get["blur"], 0), mode="nearest",
                                        radius=int(np.ceil(3 * get["blur"])))
    half = np.hypot(height, width) / 2
    x = ((np.arange(width) + 0.5 - width / 2) / half).astype(np.float32)
    y = ((np.arange(height) + 0.5 - height / 2) / half).astype(np.float32)[:, None]
    turn = np.deg2rad(get["light_angle"])
    light = 1 + get["light"] * (x * np.cos(turn) - y * np.sin(turn)) - get["vignette"] * (x * x + y * y)
    image = image * light.astype(np.float32)[..., None]
    if get["noise"] > 0:
        image += camera.noise(scene.batch.address[scene.row], height, width)[..., None] * (get["noise"] / 255)
    return np.clip(image, 0, 1)


def seconds(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    torch.set_num_threads(1)
    scenes, renderer = smears(), smear.renderer
    painter = sf.each(lambda scene: paint(renderer, scene))
    works = {"plain numpy painter, with labels": lambda: painter(scenes),
             "Shapes, with labels": lambda: renderer(scenes),
             "Shapes, with labels and boxes": lambda: renderer(scenes).objects,
             "Shapes, images only": lambda: renderer.draw(scenes)}
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(N_RUNS):
        for name, work in works.items():
            times[name].append(seconds(work))
    table = Table(title=f"One thread; {len(scenes)} smears of 40 shapes on 320x240 pixels")
    for name in ("renderer", "CPU ms per scene", "scenes per second", "times the painter's rate"):
        table.add_column(name, justify="left" if name == "renderer" else "right")
    slow = np.array(times["plain numpy painter, with labels"])
    for name, several in times.items():
        one, ratio = np.median(several) / len(scenes), np.median(slow / np.array(several))
        table.add_row(name, f"{1e3 * one:.1f}", f"{1 / one:,.0f}", f"{ratio:.1f}")
    Console().print(table)
    Console().print(f"{PROCESSES} processes at once, with labels: {together():,.0f} scenes per second of wall time")


def together() -> float:
    """Scenes per second of wall time of several processes together; bounded by the number of cores."""
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        list(pool.map(_draw, range(PROCESSES)))  # all processes are warm
        began = time.perf_counter()
        drawn = sum(pool.map(_draw, range(PROCESSES * N_RUNS)))
        return drawn / (time.perf_counter() - began)


def _draw(seed: int) -> int:
    torch.set_num_threads(1)
    return len(smear.renderer(smears(seed=seed)))


if __name__ == "__main__":
    main()
