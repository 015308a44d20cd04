"""Photos with labels: boxes of objects in any of the usual layouts, or one class a photo.

Boxes are moved with their photos to the renderer's size (see `scenefit.data.photos`). They are taken to lie in the
photo as
it is shown, that is, after EXIF has turned it. What is left of a box is cut at the edge; a box of which too little is
left goes. Nothing goes silently: `Photos.skipped` names what was left out, and why.
Legend: N photos; m boxes; H, W pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import make_boxes
from scenefit.data.formats import coco, kitti, voc, yolo
from scenefit.data.formats.reading import Item, Labels, Layout, NoLabels, NoPart, flaw
from scenefit.data.photos import (
    Fitted,
    Photos,
    Size,
    check_folder,
    check_size,
    fit_photo,
    read_labelled,
    say_skipped,
    warn_cropped,
    warn_faint,
)

LAYOUTS = {layout.name: layout for layout in (coco.LAYOUT, yolo.LAYOUT, voc.LAYOUT, kitti.LAYOUT)}

ROUNDING = 1e-3  # of pixels and shares: a box of one pixel, written as a share of the image, is still one pixel


@dataclass(frozen=True)
class Cut:
    """Which boxes stay where a photo's edge was cropped: those of which at least the share min_share of their area, and
    min_side pixels of width and height, are left, at the renderer's size."""

    min_share: float = 0.25
    min_side: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.min_share <= 1:
            raise ValueError(f"Cut needs min_share in 0..1, got {self.min_share}")
        if not self.min_side > 0:
            raise ValueError(f"Cut needs min_side > 0 pixels, got {self.min_side}")


def read_boxes(folder: str | Path, size: Size, part: str | Path | None = None, *, most: int | None = None,
               layout: str | None = None, cut: Cut | None = None) -> Photos:
    """Photos with the boxes of their objects, from a data set in COCO, YOLO, Pascal VOC or KITTI layout.

    folder: of the data set, or a list file inside of it, which then is the part.  size: (height, width) to bring the
    photos to.  part: "train", "val" or what the data set has, or a list file of names; its order is kept. None: all
    photos.  most: only the first so many.  layout: "coco", "yolo", "voc" or "kitti"; None: what the folder tells.
    ValueError, naming file and line, where labels cannot be understood; where no photo is left.
    Left out and named in `Photos.skipped`: photos that are missing, broken, without labels or of another size than
    their labels say; boxes that are empty, no numbers, or outside of their photo; how many boxes the crop cost; how
    many regions are no objects (DontCare of KITTI, crowds of COCO).
    """
    return _read(folder, size, part, most, layout, cut or Cut(), labels=True)


def read_part(folder: str | Path, size: Size, part: str | Path | None = None, *, most: int | None = None,
              layout: str | None = None) -> Photos:
    """The photos that `read_boxes` would read, without their boxes: no photo's label file is opened. (COCO names photos
    and boxes in one file; what it says of boxes is not used.)"""
    return _read(folder, size, part, most, layout, Cut(), labels=False)


def read_few(folder: str | Path, size: Size, part: str | Path | None = None, *, most: int | None = None) -> Photos:
    """Labelled photos of either kind: boxes where the folder is a data set of boxes (`read_boxes`), else one subfolder
    a class (`read_labelled`), of which a part cannot be taken."""
    if part is None and most is None and Path(folder).is_dir() and not matching(Path(folder)):
        try:
            return read_labelled(folder, size)
        except ValueError as error:
            raise ValueError(f"{error}. Nor is it a data set of boxes: looked for {_looks()}") from error
    return read_boxes(folder, size, part, most=most)


def matching(folder: Path) -> list[str]:
    """Names of the layouts that a folder has."""
    return [name for name, layout in LAYOUTS.items() if layout.matches(folder)]


def first_size(folder: str | Path, part: str | Path | None = None) -> Size:
    """(height, width) of the first photo that `read_boxes` would read, upright. ValueError if there is none."""
    folder, items, skipped = _listed(folder, part)
    for _, fitted, _ in _usable(items, (1, 1), skipped):
        return fitted.whole
    raise _none_read(folder, items, skipped)


def _read(place: str | Path, size: Size, part: str | Path | None, most: int | None, layout: str | None, cut: Cut, *,
          labels: bool) -> Photos:
    check_size(size)
    folder, items, skipped = _listed(place, part, most, layout)
    images = np.empty((len(items), *size, 3), np.uint8)
    paths: list[Path] = []
    rows: list[tuple[NDArray[np.float64], list[str]]] = []
    cut_off: list[float] = []
    lost, faint = _Lost(), 0
    for path, fitted, found in _usable(items, size, skipped, labels):
        box, name, gone = _boxes(fitted, found, size, cut, skipped)
        lost = replace(lost, cropped=lost.cropped + gone, regions=lost.regions + found.regions)
        cut_off.append(fitted.lost)
        faint += fitted.faint
        images[len(paths)] = fitted.image
        paths.append(path)
        rows.append((box, name))
    warn_faint(folder, faint)
    warn_cropped(folder, cut_off, size)
    skipped += [(folder, text) for text in lost.say(size, cut)]
    if not paths:
        raise _none_read(folder, items, skipped)
    boxes = make_boxes(len(paths), np.repeat(np.arange(len(paths)), [len(box) for box, _ in rows]),
                       np.concatenate([box for box, _ in rows]), [name for _, names in rows for name in names])
    return Photos(images[:len(paths)], tuple(paths), tuple(skipped), np.full(len(paths), ""),
                  boxes if labels else None)


def _listed(place: str | Path, part: str | Path | None, most: int | None = None, layout: str | None = None,
            ) -> tuple[Path, tuple[Item, ...], list[tuple[Path, str]]]:
    """The data set's folder, its photos, at least one, and what is skipped."""
    if most is not None and most < 1:
        raise ValueError(f"most needs at least 1 photo, got {most}")
    folder, part = _locate(Path(place), part)
    listing = _layout(folder, layout).listing(folder, part)
    if not listing.items[:most]:
        raise NoPart(f"{folder} lists no photo{'' if part is None else f' in its part {str(part)!r}'}; "
                     f"{say_skipped(listing.skipped)}")
    return folder, listing.items[:most], list(listing.skipped)


def _usable(items: Sequence[Item], size: Size, skipped: list[tuple[Path, str]], labels: bool = True,
            ) -> Iterator[tuple[Path, Fitted, Labels]]:
    """The photos that can be read, at size, with their labels, if these are asked for."""
    for item in items:
        found = _labels_of(item, skipped) if labels else Labels(item.photo, ())
        fitted = None if found is None else _photo(item.photo, size, found, skipped)
        if found is not None and fitted is not None:
            yield item.photo, fitted, found


def _none_read(folder: Path, items: Sequence[Item], skipped: Sequence[tuple[Path, str]]) -> ValueError:
    return ValueError(f"no labelled photo of {folder} could be read ({len(items)} were looked at); "
                      f"{say_skipped(skipped)}")


def _locate(place: Path, part: str | Path | None) -> tuple[Path, str | Path | None]:
    """The data set's folder and the part, where place may be a list file inside of the data set."""
    if not (place.suffix == ".txt" and place.is_file()):
        return check_folder(place), part
    if part is not None:
        raise ValueError(f"{place} is a list of photos, which is a part of its own; give its data set's folder to read "
                         f"the part {str(part)!r}")
    for folder in list(place.absolute().parents)[:3]:
        if matching(folder):
            return folder, place
    raise ValueError(f"{place} is a list of photos, but neither its folder nor the two above it are a data set: looked "
                     f"for {_looks()}")


def _layout(folder: Path, layout: str | None) -> Layout:
    if layout is not None:
        if layout not in LAYOUTS:
            raise ValueError(f"no layout {layout!r}; there are {', '.join(LAYOUTS)}")
        if not LAYOUTS[layout].matches(folder):
            raise ValueError(f"{folder} is not that layout: looked for {LAYOUTS[layout].looks_for}")
        return LAYOUTS[layout]
    found = matching(folder)
    if not found:
        raise ValueError(f"{folder} is no data set of photos with boxes: looked for {_looks()}")
    if len(found) > 1:
        raise ValueError(f"{folder} has labels in several layouts, {' and '.join(found)}; say which with layout=, or "
                         "move one of them away")
    return LAYOUTS[found[0]]


def _looks() -> str:
    return "; ".join(layout.looks_for for layout in LAYOUTS.values())


def _labels_of(item: Item, skipped: list[tuple[Path, str]]) -> Labels | None:
    try:
        return item.read()
    except NoLabels as error:
        skipped.append((item.photo, str(error)))
        return None


def _photo(path: Path, size: Size, labels: Labels, skipped: list[tuple[Path, str]]) -> Fitted | None:
    """The photo at size; None, with the reason in skipped, where it is broken or not the one that was labelled."""
    try:
        fitted = fit_photo(path, size)
    except Exception as error:  # decoders raise nearly anything on a broken file
        skipped.append((path, str(error) or type(error).__name__))
        return None
    if labels.size is None or labels.size == fitted.whole:
        return fitted
    said, real = (f"{width} x {height}" for height, width in (labels.size, fitted.whole))
    turned = " before EXIF turns it; label it as it is shown" if labels.size == fitted.stored else ""
    skipped.append((path, f"is {real} pixels, but {labels.source} labels one of {said}{turned}"))
    return None


def _boxes(fitted: Fitted, labels: Labels, size: Size, cut: Cut, skipped: list[tuple[Path, str]],
           ) -> tuple[NDArray[np.float64], list[str], int]:
    """Boxes [m, 4] at size with their names, and how many the crop cost."""
    height, width = fitted.whole
    box, name, gone = [], [], 0
    for entry in labels.boxes:
        whole = np.array(entry.box) * ((width, height, width, height) if labels.shares else 1.0)
        reason = flaw(whole.tolist(), height, width)
        if reason:
            skipped.append((labels.source, f"{entry.where}: {reason}"))
            continue
        whole = np.clip(whole, 0, (width, height, width, height))  # what lies outside is not seen
        moved = whole * np.tile(fitted.factor, 2) + np.tile(fitted.shift, 2)
        left = np.clip(moved, 0, (size[1], size[0], size[1], size[0]))
        sides, before = left[2:] - left[:2], moved[2:] - moved[:2]
        if sides.min() >= cut.min_side - ROUNDING and sides.prod() >= (cut.min_share - ROUNDING) * before.prod():
            box.append(left)
            name.append(entry.name)
        else:
            gone += 1
    return np.array(box, float).reshape(-1, 4), name, gone


@dataclass(frozen=True)
class _Lost:
    """How many boxes the crop cost, and how many regions are no objects."""

    cropped: int = 0
    regions: int = 0

    def say(self, size: Size, cut: Cut) -> Iterator[str]:
        if self.cropped:
            yield (f"{self.cropped} boxes left out: at {size[1]} x {size[0]} pixels less than {cut.min_share:.0%} of "
                   f"their area, or of {cut.min_side:g} pixels of width or height, is left")
        if self.regions:
            yield f"{self.regions} regions left out that are marked as no objects (DontCare, crowds)"
