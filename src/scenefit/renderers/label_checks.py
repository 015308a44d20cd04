"""Whether the labels of frames are sound, whoever made them: ids, boxes, visibility, areas.

What is derived from the masks is measured here again, on its own; what a renderer says of whole objects is held
against the masks and against itself. Legend: S frames; H, W pixels; m objects.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scenefit.data.frames import Frames
from scenefit.renderers import name_scenes

EDGE = 1 + 1e-6  # pixels that soft edges and rounding may take a box beyond another
COUNT = 0.5  # pixels that areas may differ by; of large areas a thousandth

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Finding:
    """mode: "ok", "warning" (works, but may not be meant) or "wrong".  text: what was looked at, and what was found."""

    mode: str
    text: str


def without_strangers(frames: Frames) -> tuple[Frames, list[Finding]]:
    """Frames whose masks hold no id but those of their scenes' objects, and what was found where they did."""
    nodes = np.zeros(len(frames), np.int64)
    for table in frames.scenes.tables.values():
        nodes += np.bincount(table.scene, minlength=len(frames))
    strange = (frames.instances < 0) | (frames.instances >= nodes[:, None, None])
    rows = np.flatnonzero(strange.any(axis=(1, 2)))
    if not len(rows):
        return frames, []
    first = int(frames.instances[rows[0]][strange[rows[0]]][0])
    scenes = frames.scenes
    cleared = np.where(strange, 0, frames.instances).astype(np.int32)
    return replace(frames, pixels={**frames.pixels, "instances": cleared}), [Finding(
        "wrong", f"masks of {len(rows)} images hold ids that no node of their scene has, the first is {first} in "
                 f"{name_scenes(scenes.seed, scenes.index[rows[:1]])}; use node.id, and 0 where there is none")]


def check_labels(frames: Frames) -> list[Finding]:
    """All that can be said of the labels without drawing again. Masks need the ids of `without_strangers`."""
    if not len(frames.objects):
        return []
    found = []
    for good, complaints in (("ids are unique, and each box is that of its mask", _masks(frames)),
                             ("boxes lie inside their images, and amodal boxes around what is seen", _boxes(frames)),
                             ("visibility, truncation and areas agree", _areas(frames))):
        wrong = [Finding("wrong", f"{int(which.sum())} objects {text}, the first is {_first(frames, which)}")
                 for text, which in complaints if which.any()]
        found += wrong or [Finding("ok", good)]
    hidden = frames.objects.pixels == 0
    if hidden.mean() > 0.2:
        found.append(Finding("warning", f"{hidden.mean():.0%} of the objects are not seen at all: they are hidden, or "
                                        "outside the image"))
    return found


def _masks(frames: Frames) -> Iterator[tuple[str, Mask]]:
    """Each object once, and its box and pixels as its mask says."""
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
    yield "count other pixels than their mask has", o.pixels != pixels


def _boxes(frames: Frames) -> Iterator[tuple[str, Mask]]:
    o, (height, width) = frames.objects, frames.images.shape[1:3]
    seen, box, amodal = o.pixels > 0, o.box, o.amodal
    yield "have an empty box", seen & ~(box[:, 2:] > box[:, :2]).all(axis=1)
    yield "have a box beyond the image", seen & ~((box >= 0).all(1) & (box[:, 2] <= width) & (box[:, 3] <= height))
    yield "have an amodal box that is no box", seen & ~(np.isfinite(amodal).all(1)
                                                       & (amodal[:, 2:] > amodal[:, :2]).all(axis=1))
    yield "are seen outside of their amodal box", seen & ~((box[:, :2] >= amodal[:, :2] - EDGE).all(axis=1)
                                                          & (box[:, 2:] <= amodal[:, 2:] + EDGE).all(axis=1))
    whole = _said(frames)[0]
    fits = np.isfinite(whole).all(axis=1) & (whole[:, 2:] >= whole[:, :2]).all(axis=1)
    yield ("are given an amodal box that needs four numbers, x0 <= x1 and y0 <= y1",
           np.asarray(~fits & ~np.isnan(whole).all(axis=1), bool))


def _areas(frames: Frames) -> Iterator[tuple[str, Mask]]:
    """Of what is seen, what is inside the image, and the whole. Comparisons with NaN, where a renderer says nothing,
    are false."""
    o, (height, width) = frames.objects, frames.images.shape[1:3]
    whole, area, inside = _said(frames)
    for name in ("visibility", "truncation"):
        share = getattr(o, name)
        yield f"have a {name} outside of 0..1", ~((share >= 0) & (share <= 1))
    room = COUNT + 1e-3 * o.area
    yield ("have a visibility that is not pixels / area inside the image",
           ~(np.abs(o.visibility * o.area * (1 - o.truncation) - o.pixels) <= room))
    yield "are given a negative area", (area < 0) | (inside < 0)
    yield "are seen in more pixels than their area has", o.pixels > area + COUNT
    yield "are seen in more pixels than their area inside the image has", o.pixels > inside + COUNT
    yield "have more area inside the image than in all", inside > area + COUNT
    sides = whole[:, 2:] - whole[:, :2] + 2 * EDGE
    yield "have more area than their amodal box", area > sides.prod(axis=1)
    out = np.concatenate([-whole[:, :2], whole[:, 2:] - [width, height]], axis=1).max(axis=1)  # how far beyond
    cut = area - inside > room
    yield "are cut by the image's edge, but their amodal box lies inside", cut & (out <= 0)
    yield "have an amodal box that reaches beyond the image, but no truncation", (inside >= area) & (out > 2 * EDGE)


def _said(frames: Frames) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """What the renderer itself says of each object: amodal box [m, 4], area and area inside [m]; NaN if nothing."""
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
