"""Folders of masks among folders of photos, told by their names and content: their images are no photos.

    images/a.jpg  masks/a.png        JPEGImages/a.jpg  SegmentationClass/a.png
"""

import os
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
FIRST = 3  # files that are looked at
MAX_COLOURS = 64  # of a mask without a palette; photos have more
MAX_PIXELS = 50_000_000  # that are decoded to count them


def photos_of_masks(folder: Path) -> Path | None:
    """The folder beside it whose photos have these masks: with the same names, of few colours; None where the folder
    holds no masks."""
    if folder.name.lower() not in NAMES and not folder.name.lower().endswith(ENDS):
        return None
    masks = list(islice((place / name for place, _, names in walk(folder) for name in sorted(names)
                         if is_photo(name) and not name.lower().endswith((".jpg", ".jpeg"))), FIRST))
    if not masks or not all(map(_has_few_colours, masks)):
        return None
    stems = [mask.relative_to(folder).with_suffix("") for mask in masks]
    with os.scandir(folder.parent) as entries:
        others = sorted(entry.name for entry in entries if not is_ignored(entry.name) and entry.is_dir())
    return next((folder.parent / name for name in others if name != folder.name and name.lower() not in NAMES
                 and all(_has_photo(folder.parent / name / stem) for stem in stems)), None)


def _has_photo(stem: Path) -> bool:
    name = stem.name.removesuffix(MASK_END.removesuffix(".png"))
    return any(os.path.isfile(stem.with_name(name + case(ending))) for ending in ENDINGS for case in (str, str.upper))


def _has_few_colours(path: Path) -> bool:
    try:
        with Image.open(path, formats=("PNG", "BMP", "TIFF")) as image:
            if image.width * image.height > MAX_PIXELS:
                return False
            if image.mode.startswith("I"):  # 16 bits, which Pillow does not count
                return len(np.unique(np.asarray(image))) <= MAX_COLOURS
            return image.mode == "P" or image.getcolors(MAX_COLOURS) is not None
    except Exception:  # decoders raise nearly anything on a broken file, which is no mask
        return False
