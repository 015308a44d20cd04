"""Labelled photos brought to the renderer's size, their class masks with them.

A pixel of the smaller mask has the value of the pixel of the photo's mask that its centre lies in; no value is mixed.
Objects are painted in the order of their labels, later ones above; ignored regions lie below all of them.
Legend: H, W pixels.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenefit.data.class_masks import IGNORED, MAX_CLASSES, check_classes
from scenefit.data.formats.reading import Item, LabelledBox, Labels, NoLabels, read_item
from scenefit.data.formats.segmentation import NotPainted, paint
from scenefit.data.image_files import Fitted, Size, Skipped
from scenefit.files.text import counted


def mask_classes(folder: Path, items: Sequence[Item], classes: Sequence[str]) -> tuple[str, ...]:
    """The classes of the masks of these photos: all, or where they are too many for masks those that objects have.
    ValueError where these are too many as well."""
    classes = tuple(dict.fromkeys(classes))
    if len(classes) > MAX_CLASSES:
        there: set[str] = set()
        for item in items:
            with suppress(NoLabels):
                there |= {entry.name for entry in item.read().boxes}
        classes = tuple(name for name in classes if name in there)
    check_classes(classes, str(folder))
    return classes


def fit_masks(folder: Path, items: Sequence[Item], size: Size, classes: Sequence[str], max_photos: int | None = None,
              ) -> Iterator[Fitted | Skipped]:
    """The first max_photos photos that can be read, at size, with their masks, and whatever is left out. ValueError
    where objects have boxes alone."""
    codes, counts, pixels = {name: code for code, name in enumerate(classes, 1)}, Counter[str](), Counter[str]()
    absent, left = [], len(items) if max_photos is None else max_photos
    for item in items:
        if not left:
            break
        found = read_item(item, size)
        if isinstance(found, Skipped):
            yield found
            continue
        fitted, labels = found
        yield from labels.skipped
        if labels.absent:
            absent.append(f"{item.photo} (there is no {labels.source})")
        mask = labels.mask
        if mask is None:
            mask = np.zeros(fitted.full_size, np.uint8)
            yield from _painted(mask, labels, codes, counts)
        left -= 1
        moved = _moved(mask, fitted)
        pixels["all"] += moved.size
        pixels["ignored"] += int(np.count_nonzero(moved == IGNORED))
        yield replace(fitted, mask=moved)
    if counts["boxes"] and not counts["shapes"]:
        raise ValueError(f"{counted(counts['boxes'], 'object')} of {folder} {'has' if counts['boxes'] == 1 else 'have'}"
                         " a box, and none has a polygon or mask; scenefit.read_boxes reads boxes")
    if n := counts["boxes"]:
        yield Skipped(folder, f"{counted(n, 'object has', 'objects have')} a box and no polygon or mask; the pixels of "
                              "the box are ignored")
    if n := counts["unpainted"]:
        yield Skipped(folder, f"{counted(n, 'object has', 'objects have')} a polygon or mask that covers no pixel; the "
                              "pixels of the box are ignored")
    if n := counts["regions"]:
        yield Skipped(folder, f"the pixels of {counted(n, 'region')} are ignored, as evaluation does (COCO's crowds)")
    if 2 * pixels["ignored"] > pixels["all"]:
        yield Skipped(folder, f"{pixels['ignored'] / pixels['all']:.0%} of the pixels are ignored: nothing is learned "
                              "or measured there, not even that no class is seen. Where they show the background, they "
                              "need its value (0 in masks of scenefit generate --format masks)")
    if n := len(absent):
        yield Skipped(folder, f"{counted(n, 'photo has', 'photos have')} no label file, which means no objects; the "
                              f"first: {absent[0]}")


def _painted(mask: NDArray[np.uint8], labels: Labels, codes: Mapping[str, int], counts: Counter[str],
             ) -> Iterator[Skipped]:
    """Paints the labels of a photo into its mask; yields those that are left out."""
    scale = (float(mask.shape[1]), float(mask.shape[0])) if labels.shares else (1.0, 1.0)
    for entry in (*labels.ignored, *labels.boxes):
        box, painted = _around(entry), 0
        if entry.name:
            counts["boxes" if entry.shape is None else "shapes"] += 1
        try:
            if entry.shape is not None:
                painted = paint(mask, entry.shape, codes.get(entry.name, IGNORED), labels.source, entry.where, scale)
                counts["unpainted"] += bool(entry.name and box and not painted)
        except NotPainted as reason:
            yield Skipped(labels.source, f"{entry.where}: {reason}{'; the pixels of its box are ignored' * bool(box)}")
        if box and not painted:
            painted = paint(mask, box, IGNORED, labels.source, entry.where, scale)
        counts["regions"] += bool(painted and not entry.name)


def _around(entry: LabelledBox) -> list[float]:
    """The polygon of a box; none where there is no box that is finite."""
    if not (entry.box and np.isfinite(entry.box).all()):
        return []
    x0, y0, x1, y1 = entry.box
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def _moved(mask: NDArray[np.uint8], fitted: Fitted) -> NDArray[np.uint8]:
    """The mask of a full photo at the size of its image, nearest neighbour at the centres of pixels."""
    places = [np.clip(np.floor((np.arange(count) + 0.5 - fitted.shift[axis]) / fitted.scale[axis]), 0,
                      mask.shape[1 - axis] - 1).astype(np.int64)
              for axis, count in enumerate(fitted.image.shape[1::-1])]
    return mask[np.ix_(places[1], places[0])]
