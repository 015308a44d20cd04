"""Frames: rendered images with their labels, which all derive from instance masks, here and nowhere else.

Legend: S frames; H, W pixels; n nodes of a kind; m objects. Boxes are x0, y0, x1, y1 in pixels from the top left
corner of the image, x1 and y1 just outside, so that x1 - x0 is the width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scenefit.scene import SceneBatch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Frame:
    """One image and its labels, as a renderer that draws one scene returns it.

    image: uint8 or float in 0..1, [H, W] or [H, W, 3].  instances: whole numbers [H, W], the id of the node seen in
    each pixel, 0 for none.  label: class of the whole image.  classes: node id -> class of the object (its kind if
    absent).  amodal: node id -> box of the whole object, hidden or outside parts too.  area: node id -> pixels of
    the whole object.  Without amodal and area an object is taken to be what is seen of it.
    """

    image: Any
    instances: Any = None
    label: str | None = None
    classes: Mapping[int, str] | None = None
    amodal: Mapping[int, Sequence[float]] | None = None
    area: Mapping[int, float] | None = None


@dataclass(frozen=True, eq=False)
class Objects:
    """What stands in the images, one row an object, sorted by scene and id. All [m], boxes [m, 4].

    pixels: how many show it.  area: how many would, were nothing in the way and the image endless.  visibility:
    pixels / those of its area inside the image (0..1).  truncation: the part of its area outside the image (0..1).
    box: around the visible pixels (all zero if none).  amodal: around the whole object.
    """

    scene: Ints
    id: Ints
    name: NDArray[np.str_]
    box: Floats
    amodal: Floats
    pixels: Ints
    area: Floats
    visibility: Floats
    truncation: Floats

    def __len__(self) -> int:
        return len(self.scene)


@dataclass(frozen=True, eq=False)
class Frames:
    """Many images with labels.

    scenes: what was drawn.  images uint8 [S, H, W, 3].  instances int32 [S, H, W], node ids, 0 for none.
    label: class of each whole image [S], "" for none.  classes, amodal, area: kind -> class [n], box [n, 4],
    whole area [n] and area inside the image [n] of each node of the scenes (see `Frame`), where the renderer knows.
    """

    scenes: SceneBatch
    images: NDArray[np.uint8]
    instances: NDArray[np.int32]
    label: NDArray[np.str_]
    classes: Mapping[str, NDArray[np.str_]]
    amodal: Mapping[str, Floats]
    area: Mapping[str, Floats]
    inside: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def objects(self) -> Objects:
        return _objects(self)

    def take(self, rows: Sequence[int] | Ints) -> "Frames":
        """Some of the frames, in the order of rows; each row at most once."""
        rows = np.asarray(rows, np.int64)
        place = np.zeros(len(self), bool)
        place[rows] = True
        keep = {kind: place[table.scene] for kind, table in self.scenes.tables.items()}

        def kept(parts: Mapping[str, Any]) -> dict[str, Any]:
            return {kind: part[keep[kind]] for kind, part in parts.items()}

        return Frames(self.scenes.take(rows), self.images[rows], self.instances[rows], self.label[rows],
                      kept(self.classes), kept(self.amodal), kept(self.area), kept(self.inside))


def make_frames(scenes: SceneBatch, images: Any, instances: Any = None, *, label: Any = None,
                classes: Mapping[str, Any] | None = None, amodal: Mapping[str, Any] | None = None,
                area: Mapping[str, Any] | None = None, inside: Mapping[str, Any] | None = None) -> Frames:
    """Frames from what a renderer drew, checked.

    images uint8 or float 0..1 [S, H, W] or [S, H, W, 1 or 3]; instances [S, H, W].
    ValueError where shapes, values or ids do not fit the scenes.
    """
    images = to_uint8(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3) or len(images) != len(scenes):
        raise ValueError(f"images need the shape [{len(scenes)}, H, W] or [{len(scenes)}, H, W, 3] for "
                         f"{len(scenes)} scenes, got {list(images.shape)}")
    if images.shape[3] == 1:
        images = np.repeat(images, 3, axis=3)
    masks = np.zeros(images.shape[:3], np.int32) if instances is None else np.asarray(instances)
    if masks.shape != images.shape[:3]:
        raise ValueError(f"instances need the shape of the images, {list(images.shape[:3])}, got {list(masks.shape)}")
    if masks.dtype.kind not in "iub":
        raise ValueError(f"instances need whole numbers (node ids, 0 for none), got {masks.dtype}")
    _check_ids(scenes, masks)
    names = np.full(len(scenes), "") if label is None else np.asarray(label).astype(str)
    kinds: dict[str, Any] = {kind: np.full(len(table), kind) for kind, table in scenes.tables.items()}
    kinds.update({kind: np.asarray(values).astype(str) for kind, values in (classes or {}).items()})
    floats = [{k: np.asarray(v, float) for k, v in (part or {}).items()} for part in (amodal, area, inside)]
    return Frames(scenes, images, masks.astype(np.int32), names, kinds, *floats)


def to_uint8(images: Any) -> NDArray[np.uint8]:
    """uint8 as it is; float in 0..1 scaled and rounded. ValueError on NaN or values outside."""
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise ValueError(f"an image needs uint8, or float in 0..1, got {images.dtype}")
    if not np.all(np.isfinite(images)):
        raise ValueError("an image holds NaN or infinite values")
    if images.size and (images.min() < -1e-4 or images.max() > 1 + 1e-4):
        raise ValueError(f"a float image needs values in 0..1, got {images.min():.4g}..{images.max():.4g}; "
                         "divide by 255, clip, or return uint8")
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def _check_ids(scenes: SceneBatch, masks: NDArray[Any]) -> None:
    count = np.zeros(len(scenes), np.int64)
    for table in scenes.tables.values():
        np.add.at(count, table.scene, 1)
    if masks.size == 0:
        return
    high, low = masks.reshape(len(masks), -1).max(axis=1), masks.min()
    if low < 0 or np.any(high >= count):
        row = int(np.argmax(high >= count))
        raise ValueError(f"instances of scene {int(scenes.index[row])} hold {int(high[row])}, but its nodes are "
                         f"0..{int(count[row]) - 1}; use node.id, and 0 where there is none")


def _objects(frames: Frames) -> Objects:
    """Measure the masks, then join what the renderer knows of each node's whole extent."""
    scene, node, name, amodal, area, inside, known = _nodes(frames)
    top = int(node.max(initial=0)) + 1
    key = scene * top + node  # sorted, as the nodes are
    flat = frames.instances.astype(np.int64) + np.arange(len(frames))[:, None, None] * top
    seen, back = np.unique(np.where(frames.instances > 0, flat, -1), return_inverse=True)
    back = back.reshape(flat.shape)
    start = 1 if len(seen) and seen[0] < 0 else 0
    pixels, box = np.zeros(len(key), np.int64), np.zeros((len(key), 4))
    at = np.searchsorted(key, seen[start:])
    pixels[at] = np.bincount(back.ravel(), minlength=len(seen))[start:]
    for place, slices in zip(at, ndimage.find_objects(back + 1 - start), strict=False):
        box[place] = slices[2].start, slices[1].start, slices[2].stop, slices[1].stop
    amodal = np.where(known[:, None], amodal, box)
    area = np.where(known, area, pixels)
    inside = np.clip(np.where(known, inside, pixels), pixels, None)
    area = np.maximum(area, inside)
    out = np.flatnonzero((pixels > 0) | (known & (area > 0)))
    with np.errstate(invalid="ignore", divide="ignore"):
        visibility = np.where(inside > 0, pixels / inside, 0.0)
        truncation = np.where(area > 0, 1 - inside / area, 0.0)
    return Objects(scene[out], node[out], name[out], box[out], amodal[out], pixels[out], area[out],
                   np.clip(visibility, 0, 1)[out], np.clip(truncation, 0, 1)[out])


def _nodes(frames: Frames) -> tuple[Any, ...]:
    """All nodes but the roots, by scene and id: scene, id, class, amodal box, area, area inside, known."""
    parts = []
    for kind, table in frames.scenes.tables.items():
        n = len(table)
        amodal = frames.amodal.get(kind, np.zeros((n, 4)))
        area = frames.area.get(kind, np.full(n, np.nan))
        inside = frames.inside.get(kind, area)
        known = np.isfinite(area) & (kind in frames.amodal)
        parts.append((table.scene, table.id, frames.classes[kind], amodal, area, inside, known))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((columns[1], columns[0]))
    order = order[columns[1][order] > 0]
    return tuple(column[order] for column in columns)
