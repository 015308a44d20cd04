"""Boxes in space, as KITTI labels them. Legend: m boxes; n nodes of a kind; S frames.

A box is height, width, length (m), x, y, z (m) of the middle of its bottom and rotation_y (radians, -pi..pi), in the
coordinates of the camera: x right, y down, z forward. It stands upright on the camera's y axis; rotation_y turns its
length from x, 0, towards -z: -pi / 2 for a car that drives away from the camera. A camera is the matrix [3, 4] that
projects such coordinates to pixels.
Renders give boxes as nodes["box3d"], kind -> [n, 7], NaN for a node without one; and the camera as nodes["camera"], of
the kind of the root alone: [S, 3, 4].
Source: Geiger et al. 2012; the readme of KITTI's object development kit.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.frames import Frames

Floats = NDArray[np.float64]
NEAR = 0.1  # m: what lies nearer to the camera's plane is not projected


def object_boxes3d(frames: Frames) -> Floats:
    """The box in space of each of `frames.objects` [m, 7], NaN where the renders have none. ValueError for another
    shape, and for infinite values."""
    objects, tables = frames.objects, frames.scenes.tables
    known = {kind: np.asarray(values, float) for kind, values in frames.nodes.get("box3d", {}).items()}
    for kind, values in known.items():
        if values.shape[1:] != (7,):
            raise ValueError(f"box3d of {kind} needs the shape [n, 7], got {list(values.shape)}")
        if np.isinf(values).any():
            raise ValueError(f"box3d of {kind} has infinite values; give NaN for a node without a box")
    nodes = 1 + max([int(table.id.max(initial=0)) for table in tables.values()])
    of_node = np.full((len(frames) * nodes, 7), np.nan)
    for kind, values in known.items():
        of_node[tables[kind].scene * nodes + tables[kind].id] = values
    return of_node[objects.scene * nodes + objects.id]


def cameras(frames: Frames) -> Floats | None:
    """The camera of each frame [S, 3, 4]; None where the renders do not give it. ValueError for another shape, and for
    values that are not finite."""
    for kind, values in frames.nodes.get("camera", {}).items():
        if values.shape != (len(frames), 3, 4):
            raise ValueError(f"camera needs one matrix [3, 4] for each scene, of the kind of the root, got "
                             f"{list(values.shape)} of {kind}")
        if not np.isfinite(values).all():
            raise ValueError(f"camera of {kind} has values that are not finite; give each scene its matrix, or none")
        return np.asarray(values, float)
    return None


def observation_angle(box3d: Any) -> Floats:
    """alpha [m], radians, -pi..pi: rotation_y without the angle of the ray that the object is seen along, so that an
    object that looks the same has the same alpha wherever it stands in the image."""
    box3d = np.asarray(box3d, float)
    angle = box3d[..., 6] - np.arctan2(box3d[..., 3], box3d[..., 5])
    return (angle + np.pi) % (2 * np.pi) - np.pi


def corners(box3d: Any) -> Floats:
    """The corners of each box [m, 8, 3] in the camera's coordinates, those of the bottom first."""
    box3d = np.asarray(box3d, float).reshape(-1, 7)
    height, width, length = box3d[:, 0, None], box3d[:, 1, None], box3d[:, 2, None]
    along = length / 2 * np.tile([1, 1, -1, -1], 2)
    across = width / 2 * np.tile([1, -1, -1, 1], 2)
    up = height * np.repeat([0, 1], 4)
    cos, sin = np.cos(box3d[:, 6, None]), np.sin(box3d[:, 6, None])
    turned = np.stack([cos * along + sin * across, -up, cos * across - sin * along], axis=2)
    return turned + box3d[:, None, 3:6]


def project_boxes3d(box3d: Any, camera: Any) -> Floats:
    """The box x0, y0, x1, y1 in pixels [m, 4] around the projected corners of each box in space; it may reach beyond
    the image. NaN where a corner lies behind the camera. camera: one for all [3, 4], or one for each [m, 3, 4]."""
    points = corners(box3d)
    ends = np.concatenate([points, np.ones((*points.shape[:2], 1))], axis=2)
    seen = np.einsum("...ij,...kj->...ki", np.asarray(camera, float), ends)
    depth = np.where(seen[..., 2] >= NEAR, seen[..., 2], np.nan)
    across, down = seen[..., 0] / depth, seen[..., 1] / depth
    return np.stack([across.min(1), down.min(1), across.max(1), down.max(1)], axis=1)
