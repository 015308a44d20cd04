"""Checks of the labels of frames, whatever renderer made them: ids, boxes, visibility, areas.

Boxes and pixel counts are measured again, by other code; boxes and areas that a renderer gives of whole objects are
compared with the masks and with each other. Legend: S frames; H, W pixels; m objects.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scenefit.data.frames import Frames
from scenefit.renderers import name_scenes

EDGE_TOLERANCE = 1 + 1e-6  # pixels by which soft edges and rounding may move the side of a box
MIN_AREAS = 1.5  # separate areas an id has on average, from which on it seems to cover several objects
AREA_TOLERANCE = 0.5  # pixels by which areas may differ; of large areas a thousandth more

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Finding:
    """mode: "ok", "warning" (works, but may not be intended) or "wrong".  text: the result of one check."""

    mode: str
    text: str


def check_labels(frames: Frames) -> list[Finding]:
    """All checks that need no second render."""
    if not len(frames.objects):
        return []
    found = []
    for good, complaints in (("ids are unique, and each box is that of its mask", _masks(frames)),
                             ("boxes lie inside their images, and inside their amodal boxes", _boxes(frames)),
                             ("visibility, truncation and areas agree", _areas(frames))):
        wrong = [Finding("wrong", f"{int(which.sum())} objects {text}, the first is {_first(frames, which)}")
                 for text, which in complaints if which.any()]
        found += wrong or [Finding("ok", good)]
    hidden = frames.objects.pixels == 0
    if hidden.mean() > 0.2:
        found.append(Finding("warning", f"{hidden.mean():.0%} of the objects have no visible pixel: they are hidden, "
                                        "or outside the image"))
    return found


def check_shared_ids(frames: Frames, parts: Collection[str]) -> list[Finding]:
    """A warning where ids seem to cover several objects each, as in a mask of 0 and 1 or of class numbers.

    That is: no scene shows more ids than there are kinds of objects, though scenes have more objects, and the pixels of
    an id mostly form several separate areas.  parts: kinds that are no objects of their own.
    """
    kinds = [table for kind, table in frames.scenes.tables.items() if kind not in parts and (table.id > 0).any()]
    objects = sum((np.bincount(table.scene[table.id > 0], minlength=len(frames)) for table in kinds),
                  np.zeros(len(frames), np.int64))
    many = np.flatnonzero(objects > len(kinds))
    seen = {int(row): np.unique(frames.instances[row][frames.instances[row] > 0]).tolist() for row in many}
    shown = [row for row, ids in seen.items() if ids]
    if len(shown) < 2 or max(map(len, seen.values())) > len(kinds):
        return []
    areas = [ndimage.label(frames.instances[row] == node, np.ones((3, 3)))[1] for row in shown for node in seen[row]]
    if np.mean(areas) < MIN_AREAS:
        return []
    ids = sorted({node for row in shown for node in seen[row]})
    return [Finding("warning", f"an id seems to cover several objects: the masks hold only the ids {ids[:4]}, in "
                               f"{np.mean(areas):.1f} separate areas each on average, though scenes have up to "
                               f"{int(objects.max())} objects; a mask of 0 and 1, or of class numbers, names no single "
                               "objects: give each pixel node.id")]


def _masks(frames: Frames) -> Iterator[tuple[str, Mask]]:
    """Each object occurs once, and its box and pixel count are those of its mask."""
    o = frames.objects
    _, which, times = np.unique(np.stack([o.scene, o.id]), axis=1, return_inverse=True, return_counts=True)
    yield "have an id that another object of their scene has", (times > 1)[which.ravel()]
    box, pixels = np.zeros((len(o), 4)), np.zeros(len(o), np.int64)
    for m in range(len(o)):
        rows, columns = np.nonzero(frames.instances[o.scene[m]] == o.id[m])
        pixels[m] = len(rows)
        if len(rows):
            box[m] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    yield "have a box that is not around their mask", ~(o.box == box).all(axis=1)
    yield "have another number of pixels than their mask", o.pixels != pixels


def _boxes(frames: Frames) -> Iterator[tuple[str, Mask]]:
    o, (height, width) = frames.objects, frames.images.shape[1:3]
    seen, box, amodal = o.pixels > 0, o.box, o.amodal
    yield "have an empty box", seen & ~(box[:, 2:] > box[:, :2]).all(axis=1)
    yield "have a box beyond the image", seen & ~((box >= 0).all(1) & (box[:, 2] <= width) & (box[:, 3] <= height))
    yield "have an amodal box that is infinite or empty", seen & ~(np.isfinite(amodal).all(1)
                                                       & (amodal[:, 2:] > amodal[:, :2]).all(axis=1))
    within = (box[:, :2] >= amodal[:, :2] - EDGE_TOLERANCE) & (box[:, 2:] <= amodal[:, 2:] + EDGE_TOLERANCE)
    yield "have visible pixels outside of their amodal box", seen & ~within.all(axis=1)
    whole = _given(frames)[0]
    fits = np.isfinite(whole).all(axis=1) & (whole[:, 2:] >= whole[:, :2]).all(axis=1)
    yield ("are given an amodal box that needs four numbers, x0 <= x1 and y0 <= y1",
           np.asarray(~fits & ~np.isnan(whole).all(axis=1), bool))


def _areas(frames: Frames) -> Iterator[tuple[str, Mask]]:
    """Visible pixels, area inside the image and whole area agree. Comparisons with NaN, which a renderer gives where it
    does not know, are false."""
    o, (height, width) = frames.objects, frames.images.shape[1:3]
    whole, area, inside = _given(frames)
    for name in ("visibility", "truncation"):
        share = getattr(o, name)
        yield f"have a {name} outside of 0..1", ~((share >= 0) & (share <= 1))
    tolerance = AREA_TOLERANCE + 1e-3 * o.area
    yield ("have a visibility that is not pixels / area inside the image",
           ~(np.abs(o.visibility * o.area * (1 - o.truncation) - o.pixels) <= tolerance))
    yield "are given a negative area", (area < 0) | (inside < 0)
    yield "have more visible pixels than area", o.pixels > area + AREA_TOLERANCE
    yield "have more visible pixels than area inside the image", o.pixels > inside + AREA_TOLERANCE
    yield "have more area inside the image than in total", inside > area + AREA_TOLERANCE
    sides = whole[:, 2:] - whole[:, :2] + 2 * EDGE_TOLERANCE
    yield "have more area than their amodal box", area > sides.prod(axis=1)
    out = np.concatenate([-whole[:, :2], whole[:, 2:] - [width, height]], axis=1).max(axis=1)  # pixels beyond the image
    cut = area - inside > tolerance
    yield "are cut by the image's edge, but their amodal box lies inside", cut & (out <= 0)
    yield ("have an amodal box that reaches beyond the image, but no truncation",
           (inside >= area) & (out > 2 * EDGE_TOLERANCE))


def _given(frames: Frames) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Amodal box [m, 4], area and area inside [m] as the renderer gave them; NaN where it gave none."""
    o = frames.objects
    found = np.full((len(o), 6), np.nan)
    for kind, table in frames.scenes.tables.items():
        rows = {node: row for row, node in enumerate(zip(table.scene.tolist(), table.id.tolist(), strict=True))}
        at = np.array([rows.get(node, -1) for node in zip(o.scene.tolist(), o.id.tolist(), strict=True)])
        for values, columns in ((frames.amodal, slice(0, 4)), (frames.area, 4), (frames.inside, 5)):
            if kind in values:
                found[at >= 0, columns] = values[kind][at[at >= 0]]
    return found[:, :4], found[:, 4], found[:, 5]


def _first(frames: Frames, which: Mask) -> str:
    m = int(np.flatnonzero(which)[0])
    o, scenes = frames.objects, frames.scenes
    return f"node {int(o.id[m])} of {name_scenes(scenes.seed, scenes.index[o.scene[[m]]])}"
