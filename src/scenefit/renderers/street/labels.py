"""Labels of whole objects: amodal boxes, areas, and boxes in space as KITTI has them, with cameras.

Legend: S scenes; I instances; n nodes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.renderers.street.layout.attributes import Floats
from scenefit.renderers.street.layout.scenes import Layout
from scenefit.renderers.street.layout.view import axes, focal_length
from scenefit.scenes.scene import SceneBatch


def node_labels(scenes: SceneBatch, layout: Layout, kinds: Sequence[str], instances: NDArray[np.int32],
                extent: Floats) -> dict[str, dict[str, NDArray[Any]]]:
    """amodal, area, inside and box3d of each node of each kind; NaN and area 0 for what is not drawn, or behind the
    camera. And camera, of the root's kind [S, 3, 4].

    instances: ids [S, H, W].  extent: as `tracing.measure` returns it [I, 6]."""
    size = instances.shape[1], instances.shape[2]
    box, hidden, outside = extent[:, :4].astype(float), extent[:, 4].astype(float), extent[:, 5].astype(float)
    inside = _pixels(instances, scenes, layout) + hidden
    limit = np.array([size[1], size[0], size[1], size[0]], float)
    box = np.where(outside[:, None] > 0, box, np.clip(box, 0, limit))  # no ray found what little lies outside
    area = inside + outside
    box[area == 0] = np.nan
    columns = {"amodal": box, "area": area, "inside": inside, "box3d": boxes3d(layout)}
    out: dict[str, dict[str, NDArray[Any]]] = {name: {} for name in columns}
    for code, kind in enumerate(kinds):
        if kind in scenes.tables:
            mine = layout.placed.kind == code
            for name, values in columns.items():
                fill = 0.0 if name in ("area", "inside") else np.nan
                column = np.full((len(scenes.tables[kind]), *values.shape[1:]), fill)
                column[layout.placed.row[mine]] = values[mine]
                out[name][kind] = column
    matrices = camera_matrix(layout.root, size)
    out["camera"] = {kind: matrices[table.scene] for kind, table in scenes.tables.items()
                     if len(table) and not table.depth.any()}
    return out


def _pixels(instances: NDArray[np.int32], scenes: SceneBatch, layout: Layout) -> NDArray[np.int64]:
    """Visible pixels of each instance [I]."""
    nodes = int(instances.max(initial=0)) + 1
    rows = instances + np.arange(len(scenes))[:, None, None] * nodes
    count = np.bincount(rows.ravel(), minlength=len(scenes) * nodes)
    known = layout.placed.id < nodes
    return np.where(known, count[np.where(known, layout.placed.scene * nodes + layout.placed.id, 0)], 0)


def boxes3d(layout: Layout) -> Floats:
    """[I, 7]: height, width, length, x, y, z of the middle of the bottom in the camera's coordinates (x right, y down,
    z forward), in metres, and rotation_y in radians, -pi..pi: 0 where the object faces right, -pi / 2 where it faces
    away from the camera (Geiger et al. 2012)."""
    scene = layout.placed.scene
    turn = axes(layout.root)[scene]
    apart = layout.instances["place"].astype(float) - layout.cameras["eye"][scene]
    centre = np.einsum("nij,nj->ni", turn, apart)
    yaw = np.deg2rad(layout.yaw)
    ahead = np.einsum("nij,nj->ni", turn, np.stack([np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)], axis=-1))
    rotation = np.arctan2(-ahead[:, 2], ahead[:, 0])
    return np.column_stack([layout.size[:, ::-1], centre, rotation])


def camera_matrix(root: Mapping[str, Floats], size: tuple[int, int]) -> Floats:
    """From the camera's coordinates to pixels, as P2 of KITTI's calibration files [S, 3, 4]."""
    (height, width), focal = size, focal_length(root, size[1])
    out = np.zeros((len(focal), 3, 4))
    out[:, 0, 0] = out[:, 1, 1] = focal
    out[:, 0, 2], out[:, 1, 2], out[:, 2, 2] = width / 2, height / 2, 1
    return out
