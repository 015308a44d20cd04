"""Frames: rendered images with their labels. All labels of objects are derived from instance masks, only here.

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

from scenefit.data.boxes import class_counts
from scenefit.data.contact_sheet import contact_sheet_png
from scenefit.data.frame_checks import (
    by_kind,
    check_ids,
    check_mapping,
    check_masks,
    image_labels,
    more_nodes,
    more_pixels,
    to_uint8,
)
from scenefit.files.text import counted
from scenefit.scenes.arguments import brief, check_argument, describe_value
from scenefit.scenes.scene import SceneBatch, rows_of, rows_once

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Frame:
    """One image and its labels, as a renderer that draws one scene returns it.

    image: uint8 or float in 0..1, [H, W] or [H, W, 3].  instances: whole numbers [H, W], the id of the node seen in
    each pixel, 0 for none.  label: class of the whole image.  classes: node id -> class of the object (its kind if
    absent).  amodal: node id -> box of the whole object, with its hidden parts and those outside the image.  area: node
    id -> number of pixels of the whole object.  Without amodal and area they are those of the visible pixels.
    pixels: further images by name, such as "depth": [H, W, ...].  nodes: further labels of nodes by name, such as
    "box3d": node id -> numbers (all of one shape) or a text.
    """

    image: Any
    instances: Any = None
    label: str | None = None
    classes: Mapping[int, str] | None = None
    amodal: Mapping[int, Sequence[float]] | None = None
    area: Mapping[int, float] | None = None
    pixels: Mapping[str, Any] | None = None
    nodes: Mapping[str, Mapping[int, Any]] | None = None

    def __repr__(self) -> str:
        given = [name for name in ("instances", "classes", "amodal", "area", "pixels", "nodes")
                 if getattr(self, name) is not None]
        label = [] if self.label is None else [f"label {brief(self.label)}"]
        return f"Frame({', '.join([describe_value(np.asarray(self.image)), *label, *given])})"

    def _repr_png_(self) -> bytes | None:
        """The image, by which a notebook shows it; None for what is no image."""
        try:
            image = to_uint8(self.image)
            image = image[..., None] if image.ndim == 2 else image
            return contact_sheet_png(np.broadcast_to(image, (*image.shape[:2], 3))[None])
        except (ValueError, IndexError):
            return None


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of the images, one row each, sorted by scene and id. All [m], boxes [m, 4].

    pixels: number of visible ones.  area: number of pixels of the whole object, with hidden parts and those outside the
    image.  visibility: pixels / area inside the image (0..1).  truncation: share of the area outside the image (0..1).
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

    def __repr__(self) -> str:
        return f"Objects({len(self)}{class_counts(self.name)})"


@dataclass(frozen=True, eq=False)
class Frames:
    """Many images with labels. frames[0], frames[10:20] are frames too; a notebook shows them as pictures.

    scenes: what was rendered.  images: uint8 [S, H, W, 3].  label: class of each whole image [S], "" for none.
    pixels: name -> one value a pixel [S, H, W, ...]. "instances", always there, is int32, node ids, 0 for none; a
    renderer may add others, such as "depth".
    nodes: name -> kind -> one value a node [n, ...]. "class" has every kind. "amodal" (box [n, 4]), "area" (of the
    whole object, in pixels) and "inside" (the part of the area inside the image) lack a kind, or hold NaN, where the
    renderer does not give them: then the visible pixels count as the whole object, or the whole area as inside. A
    renderer may add others, such as "box3d".
    """

    scenes: SceneBatch
    images: NDArray[np.uint8]
    label: NDArray[np.str_]
    pixels: Mapping[str, NDArray[Any]]
    nodes: Mapping[str, Mapping[str, NDArray[Any]]]

    @property
    def instances(self) -> NDArray[np.int32]:
        return self.pixels["instances"]

    @property
    def classes(self) -> Mapping[str, NDArray[np.str_]]:
        return self.nodes["class"]

    @property
    def amodal(self) -> Mapping[str, Floats]:
        return self.nodes.get("amodal", {})

    @property
    def area(self) -> Mapping[str, Floats]:
        return self.nodes.get("area", {})

    @property
    def inside(self) -> Mapping[str, Floats]:
        return self.nodes.get("inside", {})

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Any) -> "Frames":
        """The frame of a number, as frames with one image, or those of a slice, of numbers or of a mask."""
        return self.take(rows_of(rows, len(self)))

    def __repr__(self) -> str:
        return f"Frames({counted(len(self), 'image')} of {' x '.join(map(str, self.images.shape[1:3]))} pixels)"

    def _repr_png_(self) -> bytes | None:
        """The first images as a picture, by which a notebook shows them."""
        return contact_sheet_png(self.images)

    @cached_property
    def objects(self) -> Objects:
        return _objects(self)

    def take(self, rows: Sequence[int] | Ints) -> "Frames":
        """Some of the frames, in the order of rows (numbers or a mask); each row at most once."""
        rows = rows_once(rows, len(self))
        place = np.zeros(len(self), bool)
        place[rows] = True
        keep = {kind: place[table.scene] for kind, table in self.scenes.tables.items()}
        return Frames(self.scenes.take(rows), self.images[rows], self.label[rows],
                      {name: values[rows] for name, values in self.pixels.items()},
                      {name: {kind: values[keep[kind]] for kind, values in columns.items()}
                       for name, columns in self.nodes.items()})


def make_frames(scenes: SceneBatch, images: Any, instances: Any = None, *, label: Any = None,
                classes: Mapping[str, Any] | None = None, amodal: Mapping[str, Any] | None = None,
                area: Mapping[str, Any] | None = None, inside: Mapping[str, Any] | None = None,
                pixels: Mapping[str, Any] | None = None,
                nodes: Mapping[str, Mapping[str, Any]] | None = None) -> Frames:
    """Frames from the images and labels of a renderer, checked.

    images: uint8 or float in 0..1, [S, H, W] or [S, H, W, 1 or 3].  instances: [S, H, W].  label: [S].  classes,
    amodal, area, inside: kind -> one row a node, [n] or, for boxes, [n, 4].
    pixels: further names -> [S, H, W, ...].  nodes: further names -> kind -> [n, ...]. See `Frames`.
    ValueError where shapes, values or ids do not fit the scenes.
    """
    check_argument("make_frames(scenes, images, instances)", "scenes", scenes, isinstance(scenes, SceneBatch),
                   "the SceneBatch that the renderer was called with")
    for name, given in (("classes", classes), ("amodal", amodal), ("area", area), ("inside", inside),
                        ("pixels", pixels), ("nodes", nodes), *(nodes.items() if isinstance(nodes, Mapping) else ())):
        check_mapping(name, given)
    images = to_uint8(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3) or len(images) != len(scenes):
        raise ValueError(f"images need the shape [{len(scenes)}, H, W] or [{len(scenes)}, H, W, 3] for "
                         f"{len(scenes)} scenes, got {list(images.shape)}")
    if images.shape[3] == 1:
        images = np.repeat(images, 3, axis=3)
    masks = (np.zeros(images.shape[:3], np.int32) if instances is None
             else check_masks(instances, images.shape[:3], "the images"))
    check_ids(scenes, masks)
    kinds: dict[str, Any] = {kind: np.full(len(table), kind) for kind, table in scenes.tables.items()}
    kinds.update(by_kind(scenes, "classes", classes, str, ()))
    known = {"class": kinds, "amodal": by_kind(scenes, "amodal", amodal, float, (4,)),
             "area": by_kind(scenes, "area", area, float, ()), "inside": by_kind(scenes, "inside", inside, float, ())}
    return Frames(scenes, images, image_labels(label, len(scenes)),
                  {"instances": masks.astype(np.int32), **more_pixels(pixels or {}, images.shape[:3])},
                  {**known, **more_nodes(scenes, nodes or {}, known)})


def _objects(frames: Frames) -> Objects:
    """The masks measured, joined with what the renderer gives of each node's whole extent."""
    scene, node, name, whole, area, inside = _nodes(frames)
    pixels, box = _measure(frames.instances, np.searchsorted(scene, np.arange(len(frames))), len(scene))
    with np.errstate(invalid="ignore"):
        amodal = np.where((whole[:, 2:] > whole[:, :2]).all(axis=1)[:, None], whole, box)
    known = np.isfinite(area)
    area = np.where(known, area, pixels)
    inside = np.maximum(np.where(known & np.isfinite(inside), inside, area), pixels)
    area = np.maximum(area, inside)
    visibility = pixels / np.where(inside > 0, inside, 1)
    truncation = 1 - inside / np.where(area > 0, area, 1)
    out = np.flatnonzero((node > 0) & (area > 0))  # a root is no object: its id, 0, is for none
    return Objects(scene[out], node[out], name[out], box[out], amodal[out], pixels[out], area[out],
                   np.clip(visibility, 0, 1)[out], np.clip(truncation, 0, 1)[out])


def _nodes(frames: Frames) -> tuple[Any, ...]:
    """All nodes, by scene and id: scene, id, class, amodal box, area, area inside; NaN where the renderer gives
    nothing."""
    parts = []
    for kind, table in frames.scenes.tables.items():
        n = len(table)
        unknown = np.full(n, np.nan)
        parts.append((table.scene, table.id, frames.classes[kind], frames.amodal.get(kind, np.full((n, 4), np.nan)),
                      frames.area.get(kind, unknown), frames.inside.get(kind, unknown)))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((columns[1], columns[0]))
    return tuple(column[order] for column in columns)


def _measure(instances: NDArray[np.int32], start: Ints, count: int) -> tuple[Ints, Floats]:
    """Pixels [count] and visible box [count, 4] of each node; a root gets the pixels of no object.

    start: number of the first node of each scene [S].
    """
    label = (instances + start[:, None, None]).astype(np.int32)
    pixels = np.bincount(label.ravel(), minlength=count)
    box = np.zeros((count, 4))
    for number, place in enumerate(ndimage.find_objects(label, max(count - 1, 1)), start=1):
        if place is not None:
            box[number] = place[2].start, place[1].start, place[2].stop, place[1].stop
    return pixels, box

