"""Scenes laid out as the kernels' arrays, on the CPU, without a loop over scenes or nodes.

Legend: S scenes; I instances.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenefit.renderers import RenderError
from scenefit.renderers.street.kernels.geometry import structs
from scenefit.renderers.street.layout.attributes import ROOT, Floats, dtype_of, keys, linear, read
from scenefit.renderers.street.layout.nodes import Models, Placed, ends, place_nodes, strips_of
from scenefit.renderers.street.layout.road import rise_at, to_world
from scenefit.renderers.street.layout.view import cameras, lights
from scenefit.renderers.street.mesh import MATERIALS
from scenefit.scenes.scene import SceneBatch

MARKING = MATERIALS.index("marking")


@dataclass(frozen=True, eq=False)
class ModelTable:
    """Rows of the meshes of all kinds, in order. low, high: corners of their boxes [models, 3].  rows: values that all
    their instances share, as the struct `Instance`."""

    low: Floats
    high: Floats
    rows: NDArray


@dataclass(frozen=True, eq=False)
class Layout:
    """Arrays of structs: cameras, lights, roads [S], strips, markings, instances [I]. low, high: boxes of the instances
    in the world [I, 3].  size: length, width and height [I, 3].  yaw: in degrees [I].  root: its attributes [S]."""

    cameras: NDArray
    lights: NDArray
    roads: NDArray
    strips: NDArray
    markings: NDArray
    instances: NDArray
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    size: Floats
    yaw: Floats
    placed: Placed
    root: Mapping[str, Floats]


def lay_out(scenes: SceneBatch, models: Models, table: ModelTable, materials: Mapping[str, str],
            size: tuple[int, int], labelled: Collection[str] = ()) -> Layout:
    """materials: kind -> material of its strips.  labelled: kinds of strips whose ids are seen in masks.

    RenderError for a camera below the ground; ValueError for values that are no finite numbers; GrammarMismatch for
    models that do not exist."""
    count = len(scenes)
    root = read_root(scenes)
    surfaces, owner = strips_of(scenes, materials, labelled, dtype_of(structs.Strip))
    is_marking = surfaces["material"] == MARKING
    strips, strip_scene = surfaces[~is_marking], owner[~is_marking]
    markings, marking_scene = surfaces[is_marking], owner[is_marking]
    ground = rise_at(strips, strip_scene, count, np.arange(count), root["camera_t"])
    for row in np.flatnonzero(~(root["camera_height"] > ground))[:1]:
        raise RenderError(f"camera_height is {root['camera_height'][row]:g} m, but the ground below the camera lies at "
                          f"{ground[row]:g} m: Street needs a camera above it", scenes.seed, scenes.index[[row]],
                          scenes)
    roads = np.zeros(count, dtype_of(structs.Road))
    roads["curvature"] = root["curvature"]
    roads["ground"] = linear(*(root[f"ground_{channel}"] for channel in ("red", "green", "blue")))
    roads["first_strip"], roads["end_strip"] = ends(strip_scene, count)
    roads["first_marking"], roads["end_marking"] = ends(marking_scene, count)
    placed = place_nodes(scenes, models)
    roads["instances"] = np.bincount(placed.scene, minlength=count)
    base = placed.values["z"] + rise_at(strips, strip_scene, count, placed.scene, placed.values["t"])
    instances, sides, yaw = _instances(placed, table, root["curvature"][placed.scene], base)
    low, high = _boxes(instances, table.low[placed.model], table.high[placed.model])
    return Layout(cameras(root, size, dtype_of(structs.Camera)),
                  lights(root, keys(scenes.address), dtype_of(structs.Light)), roads, strips, markings, instances,
                  low, high, sides, yaw, placed, root)


def read_root(scenes: SceneBatch) -> dict[str, Floats]:
    """Attributes of the roots, by scene [S]."""
    out = {name: np.full(len(scenes), limits[0]) for name, limits in ROOT.items()}
    for kind, table in scenes.tables.items():
        at = np.flatnonzero(table.depth == 0)
        if len(at):
            for name, limits in ROOT.items():
                out[name][table.scene[at]] = read(scenes, kind, name, limits)[at]
    return out


def _instances(placed: Placed, table: ModelTable, curvature: Floats, base: Floats) -> tuple[NDArray, Floats, Floats]:
    """Instances as structs, their sizes [I, 3] and yaws [I]. base: height of the ground below [I]."""
    values, out = placed.values, table.rows[placed.model].copy()
    x, y, turn = to_world(curvature, values["s"], values["t"])
    own = (table.high - table.low)[placed.model]
    wanted = np.stack([values[name] for name in ("length", "width", "height")], axis=-1)
    sides = np.where(np.isnan(wanted), own, wanted)
    yaw = values["heading"] + turn
    out["place"] = np.stack([x, y, base], axis=-1)
    out["cos"], out["sin"] = np.cos(np.deg2rad(yaw)), np.sin(np.deg2rad(yaw))
    out["scale"] = np.where(own > 0, sides / np.where(own > 0, own, 1), 1)
    out["size"] = sides
    out["paint"] = linear(*(values[name] for name in ("red", "green", "blue")))
    out["paint2"] = linear(*(values[name] for name in ("red2", "green2", "blue2")))
    out["scene"], out["id"], out["key"] = placed.scene, placed.id, placed.key
    return out, sides, yaw


def _boxes(instances: NDArray, low: Floats, high: Floats) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Corners of the instances' boxes in the world. low, high: of their meshes' [I, 3]."""
    middle, half = (low + high) / 2 * instances["scale"], (high - low) / 2 * instances["scale"]
    cos, sin = instances["cos"], instances["sin"]
    turned = np.stack([cos * middle[:, 0] - sin * middle[:, 1], sin * middle[:, 0] + cos * middle[:, 1], middle[:, 2]],
                      axis=-1)
    cos, sin = np.abs(cos), np.abs(sin)
    reach = np.stack([cos * half[:, 0] + sin * half[:, 1], sin * half[:, 0] + cos * half[:, 1], half[:, 2]], axis=-1)
    centre = instances["place"] + turned
    slack = 1e-3  # metres, for rounding
    return (centre - reach - slack).astype(np.float32), (centre + reach + slack).astype(np.float32)
