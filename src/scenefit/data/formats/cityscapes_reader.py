"""Reading Cityscapes. `scenefit.data.formats.cityscapes` describes and writes the layout.

The classes are the 19 that its evaluation counts; pixels of other ids are ignored.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from scenefit.data.formats.cityscapes import EVALUATED, IDS, MASK_END, PHOTO_END
from scenefit.data.formats.class_folders import subfolders
from scenefit.data.formats.class_tables import ClassTable
from scenefit.data.formats.index_masks import read_mask
from scenefit.data.formats.paired_folders import Home, list_photos
from scenefit.data.formats.reading import Layout, Listing
from scenefit.data.mask_folders import CITYSCAPES

MASKS = "gtFine"
PHOTOS = CITYSCAPES[MASKS]
TABLE = ClassTable("Cityscapes' table of labels", dict.fromkeys(range(34), "void") | {
    number: name for name, number in IDS.items() if number in EVALUATED})


def _matches(folder: Path) -> bool:
    return any(_homes(folder))


def _homes(folder: Path) -> Iterator[Home]:
    if (folder / MASKS).is_dir() and (folder / PHOTOS).is_dir():
        for masks in subfolders(folder / MASKS):
            if (folder / PHOTOS / masks.name).is_dir():
                yield Home(folder / PHOTOS / masks.name, masks, masks.name, PHOTO_END, MASK_END)


def _listing(folder: Path, part: str | Path | None) -> Listing:
    classes = TABLE.classes
    read = partial(read_mask, table=TABLE, classes=classes)
    found = list_photos(list(_homes(folder)), MASK_END, [folder], part, read, within=[folder / PHOTOS, folder / MASKS])
    return Listing(found.items, found.skipped, found.missing, classes)


LAYOUT = Layout("cityscapes", f"Cityscapes: {PHOTOS}/<part>/<city>/ and {MASKS}/<part>/<city>/*{MASK_END}", _matches,
                _listing)
