"""Reading Cityscapes: masks of city streets, whose values are the ids of its labels.

    leftImg8bit/<part>/<city>/*_leftImg8bit.png    gtFine/<part>/<city>/*_gtFine_labelIds.png

The classes are the 19 that its evaluation counts; pixels of other ids are ignored. Format: https://www.cityscapes-dataset.com
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from scenefit.data.formats.class_folders import subfolders
from scenefit.data.formats.class_tables import ClassTable
from scenefit.data.formats.index_masks import read_mask
from scenefit.data.formats.paired_folders import Home, list_photos
from scenefit.data.formats.reading import Layout, Listing
from scenefit.data.mask_folders import CITYSCAPES

MASKS = "gtFine"
PHOTOS = CITYSCAPES[MASKS]
PHOTO_END, MASK_END = "_leftImg8bit", "_gtFine_labelIds.png"
IDS = {7: "road", 8: "sidewalk", 11: "building", 12: "wall", 13: "fence", 17: "pole", 19: "traffic light",
       20: "traffic sign", 21: "vegetation", 22: "terrain", 23: "sky", 24: "person", 25: "rider", 26: "car",
       27: "truck", 28: "bus", 31: "train", 32: "motorcycle", 33: "bicycle"}
TABLE = ClassTable("Cityscapes' table of labels", {id: IDS.get(id, "void") for id in range(34)})


def _matches(folder: Path) -> bool:
    return any(_homes(folder))


def _homes(folder: Path) -> Iterator[Home]:
    if (folder / MASKS).is_dir() and (folder / PHOTOS).is_dir():
        for masks in subfolders(folder / MASKS):
            if (folder / PHOTOS / masks.name).is_dir():
                yield Home(folder / PHOTOS / masks.name, masks, masks.name, PHOTO_END, MASK_END)


def _listing(folder: Path, part: str | Path | None) -> Listing:
    classes = TABLE.classes
    found = list_photos(list(_homes(folder)), MASK_END, [folder], part, partial(read_mask, table=TABLE,
                                                                                 classes=classes))
    return Listing(found.items, found.skipped, found.missing, classes)


LAYOUT = Layout("cityscapes", f"Cityscapes: {PHOTOS}/<part>/<city>/ and {MASKS}/<part>/<city>/*{MASK_END}", _matches,
                _listing)
