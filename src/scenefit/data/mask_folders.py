"""Folders of masks among folders of photos, told by their names and content: their images are no photos.

    images/a.jpg  masks/a.png        JPEGImages/a.jpg  SegmentationClass/a.png

So are masks of Cityscapes and of Roboflow, beside their photos.
"""

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from scenefit.data.image_kinds import ENDINGS, is_ignored, is_photo, walk

NAMES = ("mask", "masks", "annotations", "annotation", "labels", "label", "ground_truth", "groundtruth", "gt",
         "semantic", "instance", "segmentation", "segmentations", "segmentationclass", "segmentationclassaug",
         "segmentationobject")
ENDS = ("_masks", "_mask_png")  # of such names
MASK_END = "_mask.png"  # of the names of masks that have more than their photos'
FIRST, OPENED = 10, 3  # files of which photos are looked for, and of these the ones that are opened
JPEG = (".jpg", ".jpeg", ".jpe", ".jfif")  # which changes values, so that such files are no masks
ROBOFLOW = "_classes.csv"  # the table of classes among its photos and masks
CITYSCAPES = {"gtFine": "leftImg8bit", "gtCoarse": "leftImg8bit"}  # folder of masks -> folder of their photos
MAX_COLOURS = 64  # of a mask without a palette; photos have more
MAX_PIXELS = 50_000_000  # that are decoded to count them


def photos_of_masks(folder: Path) -> Path | None:
    """The folder beside it whose photos have these masks: with the names of at least half of the first files, most of
    which have few colours; None where the folder holds no masks."""
    masks = _files_of(folder, [ending for ending in ENDINGS if ending not in JPEG])
    photos, paired = _photos_beside(folder, masks)
    few = list(islice((found for mask in paired if (found := _has_few_colours(mask)) is not None), OPENED))
    return photos if 2 * sum(few) > len(few) else None


def photos_of_cityscapes(folder: Path) -> Path | None:
    """The folder of photos beside a folder of Cityscapes' masks; None for any other folder."""
    photos = folder.with_name(CITYSCAPES[folder.name]) if folder.name in CITYSCAPES else None
    return photos if photos is not None and photos.is_dir() else None


def jpegs_for_masks(folder: Path) -> Path | None:
    """The first folder below that has a name of masks and holds JPEG in place of them, with the names of photos beside
    it; None where there is none."""
    below = [place / name for place, folders, _ in islice(walk(folder), FIRST) for name in folders]
    return next((place for place in below if not _files_of(place, [end for end in ENDINGS if end not in JPEG])
                 and _photos_beside(place, _files_of(place, JPEG))[0]), None)


def masks_among(paths: Sequence[Path]) -> dict[Path, list[Path]]:
    """Folder -> the masks among these photos, where these lie beside their photos, with Roboflow's table of classes."""
    tables = {place for place in {path.parent for path in paths} if (place / ROBOFLOW).is_file()}
    found: dict[Path, list[Path]] = {}
    for path in paths:
        if path.parent in tables and path.name.lower().endswith(MASK_END) and _has_photo(path.with_suffix("")):
            found.setdefault(path.parent, []).append(path)
    return found


def is_named_as_masks(name: str) -> bool:
    return name.lower() in NAMES or name.lower().endswith(ENDS)


def _files_of(folder: Path, endings: Sequence[str]) -> list[Path]:
    """The first files with these endings of a folder with a name of masks; none of others."""
    if not is_named_as_masks(folder.name):
        return []
    return list(islice((place / name for place, _, names in walk(folder) for name in sorted(names)
                        if is_photo(name) and name.lower().endswith(tuple(endings))), FIRST))


def _photos_beside(folder: Path, masks: Sequence[Path]) -> tuple[Path | None, list[Path]]:
    """The folder beside that of masks which has photos of at least half of them, most first, and the masks that have
    one; None where there is none."""
    best: tuple[Path | None, list[Path]] = None, []
    if not masks:
        return best
    with os.scandir(folder.parent) as entries:
        others = sorted(entry.name for entry in entries if not is_ignored(entry.name) and entry.is_dir())
    for name in others:
        if name != folder.name and name.lower() not in NAMES:
            paired = [mask for mask in masks
                      if _has_photo(folder.parent / name / mask.relative_to(folder).with_suffix(""))]
            if 2 * len(paired) >= len(masks) and len(paired) > len(best[1]):
                best = folder.parent / name, paired
    return best


def _has_photo(stem: Path) -> bool:
    end = MASK_END.removesuffix(".png")
    name = stem.name[:-len(end)] if stem.name.lower().endswith(end) else stem.name
    return any(os.path.isfile(stem.with_name(name + case(ending))) for ending in ENDINGS for case in (str, str.upper))


def _has_few_colours(path: Path) -> bool | None:
    """Whether an image may be a mask; None where it cannot be opened."""
    try:
        with Image.open(path, formats=("PNG", "BMP", "TIFF")) as image:
            if image.width * image.height > MAX_PIXELS:
                return False
            if image.mode.startswith("I"):  # 16 bits, which Pillow does not count
                return len(np.unique(np.asarray(image))) <= MAX_COLOURS
            return image.mode == "P" or image.getcolors(MAX_COLOURS) is not None
    except Exception:  # decoders raise nearly anything on a broken file
        return None
