"""Data sets of photos with boxes, in COCO, YOLO, Pascal VOC or KITTI layout.

Boxes are moved with their photos to the renderer's size (see `scenefit.data.image_files`). They are taken to be in
pixels of the upright photo, that is, after EXIF rotation. Boxes are clipped at the edge; a box of which too little is
left is dropped. Whatever is left out is named in `Photos.skipped`, with the reason.
Legend: N photos; m boxes; H, W pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from scenefit.data.formats import coco, kitti, voc, yolo
from scenefit.data.formats.reading import Item, Labels, Layout, NoLabels, NoPart, flaw
from scenefit.data.image_files import (
    Fitted,
    FittedBoxes,
    Size,
    Skipped,
    check_folder,
    check_size,
    describe_skipped,
    try_photo,
)
from scenefit.data.photos.collection import Photos, collect

LAYOUTS = {layout.name: layout for layout in (coco.LAYOUT, yolo.LAYOUT, voc.LAYOUT, kitti.LAYOUT)}
ROUNDING = 1e-3  # of pixels and shares: a box of one pixel, written as a share of the image, is still one pixel


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


def read_boxes(folder: str | Path, size: Size, part: str | Path | None = None, *, max_photos: int | None = None,
               layout: str | None = None, crop_policy: CropPolicy | None = None) -> Photos:
    """Photos with the boxes of their objects, from a data set in COCO, YOLO, Pascal VOC or KITTI layout.

    folder: of the data set, or a list file inside it, which then is the part.  size: (height, width) to bring the
    photos to.  part: "train", "val" or another part of the data set, or a list file of names; its order is kept. None:
    all photos.  max_photos: only the first so many.  layout: "coco", "yolo", "voc" or "kitti"; None: detected.
    ValueError, naming file and line, where labels cannot be parsed; where no photo is left.
    Left out and named in `Photos.skipped`: photos that are missing, broken, without labels or of another size than
    their labels say; boxes that are empty, not finite, or outside their photo; how many boxes the crop removed; how
    many regions count neither way (DontCare of KITTI, crowds of COCO, difficult objects of VOC).
    """
    return _read(folder, size, part, max_photos, layout, crop_policy or CropPolicy())


def read_part(folder: str | Path, size: Size, part: str | Path | None = None, *, max_photos: int | None = None,
              layout: str | None = None) -> Photos:
    """The photos that `read_boxes` would read, without their boxes: no photo's label file is opened. (COCO names photos
    and boxes in one file; its boxes are not used.)"""
    return _read(folder, size, part, max_photos, layout, None)


def matching_layouts(folder: Path) -> list[str]:
    """Names of the layouts that a folder has."""
    return [name for name, layout in LAYOUTS.items() if layout.matches(folder)]


def first_size(folder: str | Path, part: str | Path | None = None) -> Size:
    """(height, width) of the first photo that `read_boxes` would read, upright. ValueError if there is none."""
    folder, items, skipped = _list(folder, part)
    for entry in _entries(folder, items, (1, 1), CropPolicy()):
        if isinstance(entry, Fitted):
            return entry.full_size
        skipped.append(entry)
    raise _none_read(folder, items, skipped)


def layout_descriptions() -> str:
    """What each layout is recognised by."""
    return "; ".join(layout.looks_for for layout in LAYOUTS.values())


def _read(place: str | Path, size: Size, part: str | Path | None, max_photos: int | None, layout: str | None,
          crop_policy: CropPolicy | None) -> Photos:
    """crop_policy: None reads no labels."""
    check_size(size)
    folder, items, skipped = _list(place, part, max_photos, layout)
    photos = collect(folder, size, chain(skipped, _entries(folder, items, size, crop_policy)), len(items))
    if not len(photos):
        raise _none_read(folder, items, photos.skipped)
    return photos


def _list(place: str | Path, part: str | Path | None, max_photos: int | None = None, layout: str | None = None,
          ) -> tuple[Path, tuple[Item, ...], list[Skipped]]:
    """The data set's folder, its photos (at least one), and what is skipped."""
    if max_photos is not None and max_photos < 1:
        raise ValueError(f"max_photos needs at least 1 photo, got {max_photos}")
    folder, part = _locate(Path(place), part)
    listing = _layout(folder, layout).listing(folder, part)
    if not listing.items[:max_photos]:
        raise NoPart(f"{folder} lists no photo{'' if part is None else f' in its part {str(part)!r}'}; "
                     f"{describe_skipped(listing.skipped)}")
    return folder, listing.items[:max_photos], list(listing.skipped)


def _none_read(folder: Path, items: Sequence[Item], skipped: Sequence[Skipped]) -> ValueError:
    return ValueError(f"no labelled photo of {folder} could be read ({len(items)} were tried); "
                      f"{describe_skipped(skipped)}")


def _locate(place: Path, part: str | Path | None) -> tuple[Path, str | Path | None]:
    """The data set's folder and the part, where place may be a list file inside the data set."""
    if not (place.suffix == ".txt" and place.is_file()):
        return check_folder(place), part
    if part is not None:
        raise ValueError(f"{place} is a list of photos, which is a part of its own; give its data set's folder to read "
                         f"the part {str(part)!r}")
    for folder in list(place.absolute().parents)[:3]:
        if matching_layouts(folder):
            return folder, place
    raise ValueError(f"{place} is a list of photos, but neither its folder nor the two above it are a data set: looked "
                     f"for {layout_descriptions()}")


def _layout(folder: Path, layout: str | None) -> Layout:
    if layout is not None:
        if layout not in LAYOUTS:
            raise ValueError(f"no layout {layout!r}; there are {', '.join(LAYOUTS)}")
        if not LAYOUTS[layout].matches(folder):
            raise ValueError(f"{folder} does not have that layout: looked for {LAYOUTS[layout].looks_for}")
        return LAYOUTS[layout]
    found = matching_layouts(folder)
    if not found:
        raise ValueError(f"{folder} is no data set of photos with boxes: looked for {layout_descriptions()}")
    if len(found) > 1:
        raise ValueError(f"{folder} has labels in several layouts, {' and '.join(found)}; say which with layout=, or "
                         "move one of them away")
    return LAYOUTS[found[0]]


def _entries(folder: Path, items: Sequence[Item], size: Size, crop_policy: CropPolicy | None,
             ) -> Iterator[Fitted | Skipped]:
    """The photos at size, with their boxes unless crop_policy is None, and whatever is left out."""
    cropped = regions = 0
    for item in items:
        for entry in _photo(item, size, crop_policy):
            if isinstance(entry, Fitted) and entry.boxes is not None:
                cropped, regions = cropped + entry.boxes.cropped, regions + entry.boxes.regions
            yield entry
    if crop_policy is not None and cropped:
        yield Skipped(folder, f"{cropped} boxes left out: at {size[1]} x {size[0]} pixels less than "
                              f"{crop_policy.min_share:.0%} of their area, or of {crop_policy.min_side:g} pixels of "
                              "width or height, is left")
    if regions:
        yield Skipped(folder, f"{regions} regions left out that count neither way (KITTI's DontCare, COCO's crowds, objects "
                              "that Pascal VOC marks as difficult)")


def _photo(item: Item, size: Size, crop_policy: CropPolicy | None) -> Iterator[Fitted | Skipped]:
    """One photo, or why it is skipped; before a photo, each of its boxes that is left out."""
    if crop_policy is None:
        yield try_photo(item.photo, size)
        return
    try:
        labels = item.read()
    except NoLabels as error:
        yield Skipped(item.photo, str(error))
        return
    fitted = try_photo(item.photo, size)
    if isinstance(fitted, Skipped):
        yield fitted
    elif labels.size is not None and labels.size != fitted.full_size:
        labelled, real = (f"{width} x {height}" for height, width in (labels.size, fitted.full_size))
        turned = " before EXIF rotation; label it as it is shown" if labels.size == fitted.stored_size else ""
        yield Skipped(item.photo, f"is {real} pixels, but {labels.source} labels one of {labelled}{turned}")
    else:
        yield from _with_boxes(fitted, labels, size, crop_policy)


def _with_boxes(fitted: Fitted, labels: Labels, size: Size, crop_policy: CropPolicy) -> Iterator[Fitted | Skipped]:
    """The boxes that are left out, then the photo with the others, moved to size and clipped."""
    height, width = fitted.full_size
    kept, names, cropped = [], [], 0
    for entry in labels.boxes:
        full = np.array(entry.box) * ((width, height, width, height) if labels.shares else 1.0)
        reason = flaw(full.tolist(), height, width)
        if reason:
            yield Skipped(labels.source, f"{entry.where}: {reason}")
            continue
        full = np.clip(full, 0, (width, height, width, height))  # what lies outside is not seen
        moved = full * np.tile(fitted.scale, 2) + np.tile(fitted.shift, 2)
        left = np.clip(moved, 0, (size[1], size[0], size[1], size[0]))
        sides, before = left[2:] - left[:2], moved[2:] - moved[:2]
        if (sides.min() >= crop_policy.min_side - ROUNDING
                and sides.prod() >= (crop_policy.min_share - ROUNDING) * before.prod()):
            kept.append(left)
            names.append(entry.name)
        else:
            cropped += 1
    box = np.array(kept, float).reshape(-1, 4)
    yield replace(fitted, boxes=FittedBoxes(box, tuple(names), cropped, labels.regions))
