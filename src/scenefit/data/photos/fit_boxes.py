"""Labelled photos brought to the renderer's size, their boxes with them.

What is left out, or read otherwise than it is written, is yielded as `Skipped`: box by box where a box is at fault, in
one line where the whole data set is written so.
Legend: m boxes; H, W pixels.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenefit.data.formats.reading import Item, Labels, Layout, flaw, read_item
from scenefit.data.image_files import Fitted, FittedBoxes, Size, Skipped, try_photo
from scenefit.files.text import counted

ROUNDING = 1e-3  # of pixels and shares: a box of one pixel, written as a share of the image, is still one pixel
STICKS_OUT = 1.0  # pixels; less is rounding
MANY, ALMOST_ALL = 0.25, 0.95  # shares of boxes that stick out, and that fit as corners, of a file that holds corners


@dataclass(frozen=True)
class CropPolicy:
    """Which boxes are kept when the crop cuts them: those of which at least the share min_share of their area, and
    min_side pixels of width and height, are left, at the renderer's size."""

    min_share: float = 0.25
    min_side: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.min_share <= 1:
            raise ValueError(f"CropPolicy needs min_share in 0..1, got {self.min_share}")
        if not self.min_side > 0:
            raise ValueError(f"CropPolicy needs min_side > 0 pixels, got {self.min_side}")


def fit_items(folder: Path, items: Sequence[Item], size: Size, layout: Layout, crop_policy: CropPolicy | None,
              ) -> Iterator[Fitted | Skipped]:
    """The photos at size, with their boxes unless crop_policy is None, and whatever is left out."""
    counts: Counter[str] = Counter()
    absent: list[str] = []
    for item in items:
        yield from _photo(item, size, layout, crop_policy, counts, absent)
    for reason in _summary(size, layout, crop_policy or CropPolicy(), counts, absent):
        yield Skipped(folder, reason)


def _summary(size: Size, layout: Layout, crop_policy: CropPolicy, counts: Mapping[str, int], absent: Sequence[str],
             ) -> Iterator[str]:
    """Reasons that concern the data set as a whole, with their counts."""
    if n := counts["cropped"]:
        yield (f"{counted(n, 'box', 'boxes')} left out: at {size[1]} x {size[0]} pixels less than "
               f"{crop_policy.min_share:.0%} of the area, or of {crop_policy.min_side:g} pixels of width or height, is "
               "left")
    if n := counts["regions"]:
        yield (f"{counted(n, 'region')} left out, which evaluation ignores (KITTI's DontCare, COCO's crowds, objects "
               "that Pascal VOC marks as difficult)")
    if n := counts["from_zero"]:
        yield (f"{counted(n, 'box begins', 'boxes begin')} at pixel 0, where Pascal VOC counts from 1: if this data "
               "set counts from 0, all its boxes lie one pixel too far to the left and to the top; add 1 to its "
               "numbers")
    if n := counts["outlines"]:
        yield f"{counted(n, 'polygon or mask is', 'polygons or masks are')} read as the upright box around each"
    if n := len(absent):
        yield (f"{counted(n, 'photo has', 'photos have')} no label file, which means no objects; the first: "
               f"{absent[0]}")
    n, total = counts["sticks out"], counts["boxes"]
    if n > MANY * total and counts["fits as corners"] >= ALMOST_ALL * total:
        yield (f"{n} of {counted(total, 'box', 'boxes')} stick out of their photos, and would fit if their numbers "
               f"were corners (x0, y0, x1, y1); {layout.numbers}; write them so if they are corners")


def _photo(item: Item, size: Size, layout: Layout, crop_policy: CropPolicy | None, counts: Counter[str],
           absent: list[str]) -> Iterator[Fitted | Skipped]:
    """One photo, or why it is skipped; before a photo, each of its boxes that is left out. Adds to counts, absent."""
    if crop_policy is None:
        yield try_photo(item.photo, size)
        return
    found = read_item(item, size)
    if isinstance(found, Skipped):
        yield found
    else:
        fitted, labels = found
        if labels.absent:
            absent.append(f"{item.photo} (there is no {labels.source})")
        counts.update(regions=labels.regions, from_zero=labels.from_zero,
                      outlines=sum(bool(box.outline) for box in labels.boxes))
        yield from labels.skipped
        yield from _with_boxes(fitted, labels, size, layout, crop_policy, counts)


def _with_boxes(fitted: Fitted, labels: Labels, size: Size, layout: Layout, crop_policy: CropPolicy,
                counts: Counter[str]) -> Iterator[Fitted | Skipped]:
    """The boxes that are left out, then the photo with the others, moved to size and clipped."""
    height, width = fitted.full_size
    kept, names, more = [], [], []
    places: dict[tuple[object, ...], str] = {}
    for entry in labels.boxes:
        scale = (width, height, width, height) if labels.shares else (1.0,) * 4
        full = np.array(entry.box) * scale
        if layout.as_corners is not None:
            corners = [value * factor for value, factor in zip(layout.as_corners(entry.box), scale, strict=True)]
            fits = not flaw(corners, height, width) and not _sticks_out(corners, height, width)
            counts.update({"boxes": 1, "fits as corners": fits,
                           "sticks out": _sticks_out(full.tolist(), height, width)})
        reason = flaw(full.tolist(), height, width)
        if reason:
            yield Skipped(labels.source, f"{entry.where}: {reason}")
            continue
        key = entry.name, entry.outline, *(full / ROUNDING).round().tolist()
        if key in places:  # counted twice, one of them would always be missed
            yield Skipped(labels.source, f"{entry.where}: left out, since it repeats class and box of {places[key]}")
            continue
        places[key] = entry.where
        full = np.clip(full, 0, (width, height, width, height))  # what lies outside is not seen
        moved = full * np.tile(fitted.scale, 2) + np.tile(fitted.shift, 2)
        left = np.clip(moved, 0, (size[1], size[0], size[1], size[0]))
        sides, before = left[2:] - left[:2], moved[2:] - moved[:2]
        if (sides.min() >= crop_policy.min_side - ROUNDING
                and sides.prod() >= (crop_policy.min_share - ROUNDING) * before.prod()):
            kept.append(left)
            names.append(entry.name)
            more.append(entry.more)
        else:
            counts["cropped"] += 1
    box = np.array(kept, float).reshape(-1, 4)
    yield replace(fitted, boxes=FittedBoxes(box, tuple(names), tuple(more), _regions(fitted, labels, size)))


def _regions(fitted: Fitted, labels: Labels, size: Size) -> NDArray[np.float64]:
    """What is left of the ignored regions, moved to size [k, 4]."""
    height, width = fitted.full_size
    scale = np.array((width, height) * 2 if labels.shares else (1.0,) * 4)
    full = [np.array(entry.box) * scale for entry in labels.ignored if entry.box]
    given = np.array([box for box in full if not flaw(box.tolist(), height, width)]).reshape(-1, 4)
    moved = given * np.tile(fitted.scale, 2) + np.tile(fitted.shift, 2)
    left = np.clip(moved, 0, (size[1], size[0], size[1], size[0]))
    return left[(left[:, 2:] > left[:, :2]).all(1)]


def _sticks_out(box: Sequence[float], height: float, width: float) -> bool:
    x0, y0, x1, y1 = box
    return min(x0, y0) < -STICKS_OUT or x1 > width + STICKS_OUT or y1 > height + STICKS_OUT
