"""The folders of a data set of classes, with or without parts above them.

    cat/1.jpg  dog/1.jpg               or               train/cat/1.jpg  train/dog/1.jpg  val/cat/2.jpg

A data set has parts where all its folders have names of parts and hold the folders of classes.
"""

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenefit.data.image_kinds import is_ignored, is_photo, walk
from scenefit.data.mask_folders import photos_of_masks
from scenefit.data.own_folders import what_scenefit_wrote
from scenefit.files.text import counted
from scenefit.scenes.arguments import first_few

PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
         "test": "test", "testing": "test"}  # name of a folder, in small letters -> part
OF_LABELS = ("labels", "label", "annotations", "annotation", "imagesets", "label_2", "label_02", "labeltxt", "ann",
             "xmls")  # folders of data sets of boxes
OF_PHOTOS = ("images", "jpegimages", "image_2", "photos", "data")
WORDS = re.compile("[a-z]+")
LOOKS_FOR = "classes: one subfolder for each class, such as cat/1.jpg, or such subfolders in train/, val/ and test/"


def part_name(name: str) -> str:
    """The part that the name of a folder or file stands for: val for valid; other names stay as they are."""
    return PARTS.get(name.lower(), name)


@dataclass(frozen=True)
class ClassFolders:
    """The classes of a data set, sorted by name.

    parts: the folders above them, sorted; none where the data set's folder holds them itself.  doubt: why the
    folders may not be classes, "" if nothing suggests it.
    """

    classes: tuple[str, ...]
    parts: tuple[str, ...] = ()
    doubt: str = ""

    def part(self, name: str) -> str:
        """The folder of a part: of that name, or of another name of it (valid is val). KeyError if there is none."""
        same = {part_name(part): part for part in self.parts}
        return name if name in self.parts else same[part_name(name)]


def find_classes(folder: Path) -> ClassFolders:
    """The classes of a data set, from the names of its folders. ValueError where it has none, or loose photos."""
    tops = {top.name: subfolders(top) for top in subfolders(folder)}
    check_loose(folder, _photos(folder))
    if not tops:
        raise ValueError(f"{folder} has no subfolders; labelled photos need one for each class, such as cat/1.jpg")
    if all(name.lower() in PARTS for name in tops):
        return _parts(folder, tops)
    return ClassFolders(tuple(tops), (), _doubt(folder, tops))


def _doubt(folder: Path, tops: Mapping[str, Sequence[Path]]) -> str:
    """Why folders, by their names, may be no classes."""
    (first, inside), *others = tops.items()
    if not others and len(inside) > 1 and not _photos(folder / first):
        return f"it holds a single folder, {first}, with {len(inside)} subfolders; if these are the classes, give " \
               f"{folder / first}"
    if odd := _of_boxes(tops) or _of_parts(folder, tops) or _of_masks(map(folder.joinpath, tops)):
        return odd
    if not any(is_photo(file) for name in tops for *_, files in walk(folder / name) for file in files):
        return f"no photo lies in {first_few(list(tops))}"
    return ""


def _of_masks(folders: Iterable[Path]) -> str:
    """Which of the folders holds the masks of another, "" if none does."""
    return next((f"{folder.name} holds the masks of {photos.name}" for folder in folders
                 if (photos := photos_of_masks(folder))), "")


def _of_parts(folder: Path, tops: Mapping[str, Sequence[Path]]) -> str:
    """Why folders look like parts of a data set, such as training_set and test_set, "" if they do not."""
    parts = {name: {PARTS[word] for word in WORDS.findall(name.lower()) if word in PARTS}
             for name, inside in tops.items() if inside and not _photos(folder / name)}
    found = set().union(*parts.values())
    trained = {sub.name for name, words in parts.items() if "train" in words for sub in tops[name]}
    like = [name for name, words in parts.items()
            if words or not trained.isdisjoint(sub.name for sub in tops[name])]  # by any name, such as Validate
    if not trained or (len(found) == 1 and all(parts[name] for name in like)):
        return ""
    return (f"{first_few(like)} look like parts of a data set, not like classes; give one of them, or rename them to "
            "train, val and test")


def _of_boxes(names: Collection[str]) -> str:
    """Why names of folders look like those of a data set of boxes, "" if they do not."""
    of_labels = [name for name in names if name.lower() in OF_LABELS]
    of_photos = [name for name in names if name.lower() in OF_PHOTOS]
    if of_labels:
        return f"{first_few(of_labels)} is no name of a class, but of the labels of a data set of boxes"
    if len(of_photos) == len(names) > 0:
        return f"{first_few(of_photos)} is no name of a class, but of the photos of a data set of boxes"
    return ""


def check_loose(folder: Path, photos: Sequence[str], example: str = "cat/1.jpg") -> None:
    """ValueError where a folder holds photos outside any class."""
    if photos:
        raise ValueError(f"{folder} holds {counted(len(photos), 'photo')} outside any class ({first_few(photos)}); "
                         f"put each photo into a subfolder named after its class, such as {example}")


def _parts(folder: Path, tops: Mapping[str, Sequence[Path]]) -> ClassFolders:
    """The classes where all folders have names of parts."""
    classes = sorted({sub.name for inside in tops.values() for sub in inside})
    named = f"its folders {', '.join(tops)} have the names of parts"
    loose = [name for name in tops if _photos(folder / name)]
    if loose or not classes:
        return ClassFolders(tuple(tops), (), f"{named}, but " + (f"photos outside any class lie in {first_few(loose)}"
                            if loose else "they hold no folders of classes"))
    if what_scenefit_wrote(folder):  # its small parts may lack classes
        return ClassFolders(tuple(classes), tuple(tops))
    if odd := _of_boxes(classes) or _of_masks(sub for inside in tops.values() for sub in inside):
        return ClassFolders(tuple(classes), tuple(tops), f"{named}, and {odd}")
    complete = any(len(inside) == len(classes) for inside in tops.values())
    seen = "; ".join(f"{name} holds {first_few([sub.name for sub in inside]) or 'none'}"
                     for name, inside in tops.items())
    return ClassFolders(tuple(classes), tuple(tops), "" if complete else f"{named}, but none holds all classes: {seen}")


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder that may hold photos, sorted: none that are hidden, of thumbnails, or scenefit's own."""
    with os.scandir(folder) as entries:  # which knows folders without asking the disk for each of many photos
        names = sorted(entry.name for entry in entries if not is_ignored(entry.name) and entry.is_dir())
    return [folder / name for name in names if not what_scenefit_wrote(folder / name)]


def holds_only_photos(folder: Path) -> bool:
    """Whether a folder holds neither folders nor files that are no photos, so that no layout of boxes is in it."""
    with os.scandir(folder) as entries:
        return all(is_ignored(entry.name) or (is_photo(entry.name) and not entry.is_dir()) for entry in entries)


def _photos(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if is_photo(entry.name) and not entry.is_dir())
