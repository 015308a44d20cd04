"""Data sets of photos with boxes, in COCO, YOLO, Pascal VOC or KITTI layout, or with class masks.

Boxes are moved with their photos to the renderer's size (see `scenefit.data.image_files`). They are taken to be in
pixels of the upright photo, that is, after EXIF rotation. Boxes are clipped at the edge; a box of which too little is
left is dropped. Whatever is left out is named in `Photos.skipped`, with the reason.
Legend: N photos; m boxes; H, W pixels.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from scenefit.data.formats import mask_reader
from scenefit.data.formats.reading import Item, Layout, NoPart
from scenefit.data.image_files import Fitted, Size, Skipped, describe_skipped
from scenefit.data.photos.arguments import check_reading
from scenefit.data.photos.collection import Photos, collect
from scenefit.data.photos.fit_boxes import CropPolicy as CropPolicy
from scenefit.data.photos.fit_boxes import fit_items
from scenefit.data.photos.fit_masks import fit_masks, mask_classes
from scenefit.data.photos.layouts import MASK_LAYOUTS, box_layout, find_layout, locate, mask_layout
from scenefit.files.text import counted
from scenefit.scenes.arguments import first_few


def read_boxes(folder: str | Path, size: Size, part: str | Path | None = None, *, max_photos: int | None = None,
               layout: str | None = None, crop_policy: CropPolicy | None = None, outside: bool = False) -> Photos:
    """Photos with the boxes of their objects, from a data set in COCO, YOLO, Pascal VOC or KITTI layout.

    folder: of the data set, or a list file inside it, which then is the part.  size: (height, width) to bring the
    photos to.  part: "train", "val" or another part of the data set, or a list file of names; its order is kept. None:
    all photos.  max_photos: only the first so many.  layout: "coco", "yolo", "voc" or "kitti"; None: detected.
    outside: whether a label file or a list may name photos outside of the data set's folder.
    ValueError, naming file and line, where labels cannot be parsed; where no photo is left, or more of the labelled
    photos are missing than there are.
    Left out and named in `Photos.skipped`: photos that are missing, broken, without labels or of another size than
    their labels say; photos that are named again; boxes that are empty, not finite, or outside their photo, or that
    repeat another; how many boxes the crop removed; how many regions count neither way (DontCare of KITTI, crowds of
    COCO, difficult objects of VOC). Named there too: how many polygons are read as boxes, and boxes that look like
    corners where they are not.
    """
    return _read(folder, size, part, max_photos, layout, crop_policy or CropPolicy(), outside)


def read_masks(folder: str | Path, size: Size, part: str | Path | None = None, *, max_photos: int | None = None,
               classes: Sequence[str] | Mapping[int, str] | None = None, layout: str | None = None,
               outside: bool = False) -> Photos:
    """Photos with the class of each pixel, `Photos.masks`, from masks as images, or from polygons and masks of objects.

    folder, part, outside: as of `read_boxes`.  max_photos: only the first so many that can be read.  classes: names of
    the values 1, 2, ... of masks as images (or 0, 1, ... where the first is "background"), or {value: name}, in place
    of the folder's table; with a single class, masks of 0 and 255 are read, too.  layout: "masks" (images, with a table
    of classes), "cityscapes", "coco" or "yolo" (polygons); None: detected.
    Each pixel at the renderer's size has the value of the mask at its centre. 255 and names such as void are ignored.
    ValueError where there is no table of classes, a mask has a value that it does not name, or labels cannot be parsed;
    where no photo is left, or more of the photos of masks are missing than there are.
    Left out and named in `Photos.skipped`: photos without a mask, broken, or of another size than their mask; how many
    objects have a box alone, whose pixels are ignored.
    """
    size = check_reading("read_masks(folder, size)", "folder", folder, size, max_photos)
    home, part = locate(Path(folder), part)
    found = mask_layout(home, layout)
    if classes is not None:
        if found is not mask_reader.LAYOUT:
            raise ValueError(f"{home} has the layout {found.name}, which names its own classes; leave classes= out, "
                             "and choose some with photos.masks.of_classes([...])")
        found = replace(found, listing=partial(mask_reader.list_masks, classes=classes))
    items, skipped, names = _items(home, found, part, None, outside)
    names = mask_classes(home, items, names)
    entries = chain(skipped, fit_masks(home, items, size, names, max_photos))
    photos = collect(home, size, entries, min(len(items), max_photos or len(items)), names)
    if not len(photos):
        raise _none_read(home, items, photos.skipped)
    return photos


def read_part(folder: str | Path, size: Size, part: str | Path | None = None, *, max_photos: int | None = None,
              layout: str | None = None, outside: bool = False) -> Photos:
    """The photos that `read_boxes` would read, or `read_masks` where masks alone are there, without their labels: no
    photo's label file is opened. (COCO names photos and boxes in one file; its boxes are not used.)"""
    return _read(folder, size, part, max_photos, layout, None, outside)


def first_size(folder: str | Path, part: str | Path | None = None, *, layout: str | None = None, outside: bool = False,
               ) -> Size:
    """(height, width) of the first photo that `read_boxes` would read, or `read_masks` where masks alone are there,
    upright. ValueError if there is none."""
    home, part = locate(Path(folder), part)
    masks = find_layout(home, layout) in MASK_LAYOUTS
    found = mask_layout(home, layout) if masks else box_layout(home, layout)
    items, skipped, names = _items(home, found, part, None, outside)
    for entry in (fit_masks(home, items, (1, 1), names, 1) if masks else
                  fit_items(home, items, (1, 1), found, CropPolicy())):
        if isinstance(entry, Fitted):
            return entry.full_size
        skipped.append(entry)
    raise _none_read(home, items, skipped)


def list_photos(place: Path) -> tuple[Path, list[Path], tuple[Skipped, ...]]:
    """The folder of the data set that a list file lies in, the photos that it lists, in its order, as paths below that
    folder, and what is skipped. No photo's label file is opened. ValueError where a photo lies elsewhere."""
    folder, _, items, skipped = _list(place, None, outside=True, alone=True)
    paths = [_below(folder, item.photo) for item in items]
    elsewhere = [str(item.photo) for item, path in zip(items, paths, strict=True) if path is None]
    if elsewhere:
        raise ValueError(f"{place} lists {counted(len(elsewhere), 'photo')} outside of the data set {folder}, such as "
                         f"{first_few(elsewhere)}; give the folder of these photos instead, or move them")
    return folder, [path for path in paths if path is not None], tuple(skipped)


def _below(folder: Path, path: Path) -> Path | None:
    """The same file as a path below a folder, as it is written or where its links lead; None where it is elsewhere."""
    for full in (os.path.abspath, os.path.realpath):
        home, there = Path(full(folder)), Path(full(path))
        if there.is_relative_to(home):
            return folder / there.relative_to(home)
    return None


def _read(place: str | Path, size: Size, part: str | Path | None, max_photos: int | None, layout: str | None,
          crop_policy: CropPolicy | None, outside: bool) -> Photos:
    """crop_policy: None reads no labels."""
    size = check_reading(f"read_{'part' if crop_policy is None else 'boxes'}(folder, size)", "folder", place, size,
                         max_photos)
    folder, found, items, skipped = _list(place, part, max_photos, layout, outside, crop_policy is None)
    photos = collect(folder, size, chain(skipped, fit_items(folder, items, size, found, crop_policy)), len(items))
    if not len(photos):
        raise _none_read(folder, items, photos.skipped)
    return photos


def _list(place: str | Path, part: str | Path | None, max_photos: int | None = None, layout: str | None = None,
          outside: bool = False, alone: bool = False) -> tuple[Path, Layout, tuple[Item, ...], list[Skipped]]:
    """The data set's folder, its layout, its photos (at least one), and what is skipped. alone: without labels, so that
    a data set may have masks alone."""
    folder, part = locate(Path(place), part)
    if alone and (name := find_layout(folder, layout)) in MASK_LAYOUTS:
        found = MASK_LAYOUTS[name]
        found = replace(found, listing=found.photos_alone or found.listing)
    else:
        found = box_layout(folder, layout)
    items, skipped, _ = _items(folder, found, part, max_photos, outside)
    return folder, found, items, skipped


def _items(folder: Path, found: Layout, part: str | Path | None, max_photos: int | None, outside: bool,
           ) -> tuple[tuple[Item, ...], list[Skipped], tuple[str, ...]]:
    """Photos of a layout (at least one), what is skipped, and the names of the classes, where masks may be read."""
    listing = found.listing(folder, part)
    skipped = [*listing.missing, *listing.skipped]
    if not listing.items:
        raise NoPart(f"{folder} lists no photo{'' if part is None else f' in its part {str(part)!r}'}; "
                     f"{describe_skipped(skipped)}{'; put the photos there, or correct the names' if skipped else ''}")
    _check_missing(folder, len(listing.items), listing.missing)
    _check_outside(folder, [] if outside else listing.items)
    items, repeated = _once(folder, listing.items)
    return items[:max_photos], [*skipped, *repeated], listing.classes


def _check_missing(folder: Path, there: int, missing: Sequence[Skipped]) -> None:
    """ValueError where most of the labelled photos are missing: the few others are not what was meant."""
    if len(missing) > there:
        first = first_few([f"{path} ({reason})" for path, reason in missing])
        raise ValueError(f"of the {counted(there + len(missing), 'labelled photo')} of {folder}, "
                         f"{counted(len(missing), 'is', 'are')} missing, such as {first}; put them there, or remove "
                         "the labels of photos that are not there")


def _check_outside(folder: Path, items: Sequence[Item]) -> None:
    """ValueError where a file of the data set names a photo outside of its folder."""
    named = [item.outside for item in items if item.outside]
    if named:
        more = f" ({len(named)} photos do)" if len(named) > 1 else ""
        raise ValueError(f"{named[0]} lies outside of the data set {folder}{more}; move the photos into it, or allow "
                         "this with outside=True (--outside)")


def _once(folder: Path, items: Sequence[Item]) -> tuple[tuple[Item, ...], list[Skipped]]:
    """Each photo once, where it comes first, however its path is written; and which photos come again."""
    found: dict[str, Item] = {}
    again = []
    for item in items:
        if found.setdefault(os.path.realpath(item.photo), item) is not item:
            again.append(str(item.photo))
    skipped = [Skipped(folder, f"{counted(len(again), 'photo is', 'photos are')} named more than once: "
                            f"{first_few(again)}; each is read once, with the labels that come first")]
    return tuple(found.values()), skipped if again else []


def _none_read(folder: Path, items: Sequence[Item], skipped: Sequence[Skipped]) -> ValueError:
    return ValueError(f"no labelled photo of {folder} could be read (tried: {len(items)}); "
                      f"{describe_skipped(skipped)}")
