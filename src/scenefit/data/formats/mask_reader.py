"""Reading class masks as images beside their photos, with a table of classes (see `class_tables`).

    images/a.jpg  masks/a.png                      also in train/ and val/, or images/train/ with masks/train/
    JPEGImages/a.jpg  SegmentationClass/a.png      Pascal VOC, CVAT, and what scenefit writes as masks
    train/a.jpg  train/a_mask.png                  with train/_classes.csv: Roboflow

Parts are the lists of `ImageSets/Segmentation`, or those folders. Masks are PNG, BMP or TIFF, which keep each
value, and of one of these kinds in a folder.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from scenefit.data.formats.class_folders import PARTS, subfolders
from scenefit.data.formats.class_tables import HOW_TO, ClassTable, find_table, make_table, read_table
from scenefit.data.formats.index_masks import ENDINGS, read_mask, settle_table
from scenefit.data.formats.paired_folders import LISTS, Home, list_photos
from scenefit.data.formats.photo_files import files_below
from scenefit.data.formats.reading import Labels, Layout, Listing, NoLabels
from scenefit.data.mask_folders import MASK_END, ROBOFLOW, photos_of_masks

BEST = ("segmentationclass", "masks", "mask")  # of several folders of masks
OF_INSTANCES = ("segmentationobject", "instance")
SEGMENTATION = "ImageSets/Segmentation"  # the lists of a data set, before those of boxes
LOOKS_FOR = ("class masks: a folder of masks, such as masks, SegmentationClass or annotations, named as the photos "
             f"of the folder beside it; or *{MASK_END} beside the photos, with {ROBOFLOW}")


def _matches(folder: Path) -> bool:
    return any(_homes(folder))


def _homes(folder: Path) -> Iterator[Home]:
    """Where photos and masks lie: in the folder, or else in its folders of parts."""
    own = list(_home(folder))
    yield from own
    for part in [] if own else subfolders(folder):
        if part.name.lower() in PARTS:
            yield from _home(part, part.name)


def _home(place: Path, part: str = "") -> Iterator[Home]:
    if (place / ROBOFLOW).is_file() and any(path.name.lower().endswith(MASK_END) for path in files_below(place)):
        yield Home(place, place, part, label_end=MASK_END)
        return
    named = sorted((path for path in subfolders(place) if path.name.lower() not in OF_INSTANCES),
                   key=lambda path: (*(path.name.lower() != name for name in BEST), path.name))
    for masks in named:
        photos = photos_of_masks(masks)
        if photos is None:
            continue
        ends = Counter(("_mask" if path.stem.endswith("_mask") else "") + path.suffix.lower()
                       for path in sorted(files_below(masks)) if path.suffix.lower() in ENDINGS)
        end = ends.most_common(1)[0][0]  # the first of those that come equally often
        parts = [path.name for path in subfolders(masks) if path.name.lower() in PARTS]
        for name in parts:
            yield Home(photos / name, masks / name, name, label_end=end)
        if not parts:
            yield Home(photos, masks, part, label_end=end)
        return


def list_masks(folder: Path, part: str | Path | None, classes: Sequence[str] | Mapping[int, str] | None = None,
               ) -> Listing:
    """The photos and masks of a data set. classes: in place of the folder's table. ValueError where there is none."""
    homes = list(_homes(folder))
    table = _table(folder, homes) if classes is None else make_table(classes)
    names = table.classes
    table = settle_table(table, _masks_of(homes))
    found = _listed(folder, homes, part, partial(read_mask, table=table, classes=names), [folder])
    return Listing(found.items, found.skipped, found.missing, names)


def list_photos_alone(folder: Path, part: str | Path | None) -> Listing:
    """The photos that have masks, without a table of classes: no mask can be read."""
    return _listed(folder, list(_homes(folder)), part, _not_read)


def _listed(folder: Path, homes: Sequence[Home], part: str | Path | None, read: Callable[[Path], Labels],
            within: Sequence[Path] = ()) -> Listing:
    return list_photos(homes, ".png", [folder], part, read, (SEGMENTATION, *LISTS), within)


def _not_read(mask: Path) -> Labels:
    raise NoLabels(f"its mask {mask} is not read")


def _masks_of(homes: Sequence[Home]) -> Iterator[Path]:
    for home in homes:
        yield from (path for path in sorted(files_below(home.labels)) if path.name.lower().endswith(home.label_end))


def _table(folder: Path, homes: Sequence[Home]) -> ClassTable:
    """The table of the data set, which may lie in the folders of its parts, the same in each."""
    found: dict[Path, ClassTable] = {}
    for home in homes:
        places = [home.labels, home.photos, home.labels.parent, home.photos.parent, folder]
        path = find_table([place for place in places if place.is_relative_to(folder)])
        if path is None:
            raise ValueError(f"{home.labels} holds masks, but no table names their values: looked for labelmap.txt, "
                             f"classes.txt and classes.csv there and in {folder}; {HOW_TO}")
        if path not in found:
            found[path] = read_table(path)
    (first, table), *others = found.items()
    for path, other in others:
        if (other.of_value, other.of_colour) != (table.of_value, table.of_colour):
            raise ValueError(f"{first} and {path} name different classes; make them equal, or read one part's folder")
    return table


LAYOUT = Layout("masks", LOOKS_FOR, _matches, list_masks, photos_alone=list_photos_alone)
