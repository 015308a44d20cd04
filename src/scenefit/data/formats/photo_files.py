"""Photos and label files of a data set, found below a folder and paired by name.

Subfolders are searched, and endings may be in capitals. A name is the path below the folder without its ending, such
as "a" or "cam2/b": the photo images/cam2/b.PNG has the label file labels/cam2/b.txt, or labels/cam2/b.PNG.txt. Letters
with accents are one code point in a name, however a system stores them.
"""

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePath

from scenefit.data.image_files import Skipped, find_images
from scenefit.data.image_kinds import ENDINGS, walk, why_not_read
from scenefit.files.text import counted

DRIVE = re.compile("[A-Za-z]:")


@dataclass(frozen=True)
class PhotoFiles:
    """Photos below a folder.

    photos: name -> photo, sorted by path.  unread: name -> image of a kind that is not read, and the reason.  skipped:
    further files and folders that were left out.
    """

    folder: Path
    photos: Mapping[str, Path]
    unread: Mapping[str, Skipped]
    skipped: tuple[Skipped, ...]


def photos_below(folder: Path, end: str = "", no_end: str = "") -> PhotoFiles:
    """The photos of a folder and its subfolders; none where the folder is missing.

    end: of the photos' file names before the ending, no part of their names here; other files are no photos.  no_end:
    of the names of files that are no photos; "" for none.
    ValueError where two photos have the same name, since a label file could not tell them apart.
    """
    paths, skipped = find_images(folder)
    photos: dict[str, Path] = {}
    for path in paths:
        name = name_below(folder, path)
        if not name.endswith(end) or (no_end and name.endswith(no_end)):
            continue
        name = name.removesuffix(end)
        if name in photos:
            raise ValueError(f"{path.parent} holds both {photos[name].name} and {path.name}, so that {path.stem} names "
                             "two photos; remove or rename one")
        photos[name] = path
    unread = {name_below(folder, entry.path): entry for entry in skipped if entry.path.is_file()}
    return PhotoFiles(folder, photos, {name: entry for name, entry in unread.items() if name not in photos},
                      tuple(skipped))


def labels_below(folder: Path, ending: str) -> dict[str, Path]:
    """Name -> label file below a folder, sorted by path. ending: such as ".txt" or "_mask.png", in any case.

    ValueError where two files have the same name.
    """
    found: dict[str, Path] = {}
    for path in sorted(files_below(folder), key=lambda path: path.relative_to(folder).as_posix()):
        if not path.name.lower().endswith(ending.lower()):
            continue
        name = composed(path.relative_to(folder).as_posix())[:-len(ending)]
        if name in found:
            raise ValueError(f"{path.parent} holds both {found[name].name} and {path.name}, which label the same "
                             "photo; remove or rename one")
        found[name] = path
    return found


def labels_of(found: PhotoFiles, folder: Path, ending: str) -> dict[str, Path]:
    """As `labels_below`, where a label file may also have the whole name of its photo: b.png.txt for b.png."""
    labels = labels_below(folder, ending)
    for name in [name for name in labels if name.lower().endswith(ENDINGS)]:
        bare = str(PurePath(name).with_suffix(""))
        photo = found.photos.get(bare)
        if name not in found.photos and bare not in labels and photo and photo.suffix == PurePath(name).suffix:
            labels[bare] = labels.pop(name)
    return labels


def without_photo(labels: Mapping[str, Path], found: PhotoFiles) -> list[Skipped]:
    """The label files that have no photo, each with the reason: an image of a kind that is not read, or none."""
    return [found.unread.get(name) or Skipped(path, f"there is no photo {name} in {found.folder}")
            for name, path in labels.items() if name not in found.photos]


def name_below(folder: Path, path: Path) -> str:
    """The path below a folder, without its ending: "cam2/b"."""
    return composed(path.relative_to(folder).with_suffix("").as_posix())


def composed(name: str) -> str:
    """A name with each letter and its accent as one code point; macOS stores them as two."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def find_named(name: str, places: Sequence[Path], homes: Sequence[Path]) -> tuple[Path | None, bool]:
    """The photo that a data set names, in the first of the places that has it, and whether it lies in one of homes.

    Where no place has it as it is written, an ending in other letters (.JPG for .jpg), then \\ for / are tried; and
    where a path of another machine is not there, its last parts: images/a.png of /content/cells/images/a.png.
    """
    outside = None
    for path in chain(_spellings(name, places), *(_spellings(end, places) for end in _ends(name))):
        if os.path.isfile(path):
            if any(is_inside(home, path) for home in homes):
                return path, True
            outside = outside or path
    return outside, False


def is_inside(folder: Path, path: Path) -> bool:
    """Whether a path lies below a folder, as it is written or where its links lead; with .., where it leads."""
    for home in (folder, Path(os.path.abspath(folder))):
        if path.is_relative_to(home) and ".." not in path.relative_to(home).parts:
            return True
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def found_or_missing(photo: Path | None, missing: Skipped) -> Skipped | None:
    """Why a photo that a data set names is not read: it is missing, or of a kind that is not read."""
    reason = None if photo is None else why_not_read(photo)
    return missing if photo is None else None if reason is None else Skipped(photo, reason)


def other_ending(name: str, places: Sequence[Path]) -> str:
    """For a message about a missing photo: which photo has its name with another ending, "" if none has."""
    for place in places:
        path = place / name.replace("\\", "/")
        for ending in ENDINGS if path.suffix.lower() in ENDINGS else ():
            other = in_any_case(path.with_suffix(ending))
            if os.path.isfile(other):
                return f"; {other} has its name with another ending"
    return ""


def in_any_case(path: Path) -> Path:
    """The file, or where it is missing the one whose ending is written in small letters or in capitals, or whose
    letters with accents are one code point each, or two."""
    if path.suffix and not os.path.isfile(path):
        stems = dict.fromkeys([path.stem, *(unicodedata.normalize(form, path.stem) for form in ("NFC", "NFD"))])
        for stem in stems:
            for ending in dict.fromkeys([path.suffix, path.suffix.lower(), path.suffix.upper(), path.suffix.title()]):
                other = path.with_name(stem + ending)
                if os.path.isfile(other):
                    return other
    return path


def named_elsewhere(names: Sequence[tuple[str, Path]], path: Path) -> list[Skipped]:
    """What to say where a file names photos (name, photo) by paths of another machine."""
    moved = [(name, photo) for name, photo in names if _is_elsewhere(name) and not os.path.isfile(name)]
    return [Skipped(path, f"{counted(len(moved), 'photo')} named by a path that is not there, such as {moved[0][0]}; "
                          f"read where the data set has a path that ends so, such as {moved[0][1]}")] if moved else []


def _is_elsewhere(name: str) -> bool:
    return name.startswith(("/", "\\")) or bool(DRIVE.match(name))


def _ends(name: str) -> Iterator[str]:
    """The last parts of a path of another machine, longest first; also below data/, which Darknet writes in front."""
    parts = name.replace("\\", "/").split("/")
    if _is_elsewhere(name) or parts[0] == "data":
        yield from ("/".join(parts[i:]) for i in range(1, len(parts)) if parts[i] not in ("", ".."))


def _spellings(name: str, places: Sequence[Path]) -> Iterator[Path]:
    yield from (place / name for place in places)
    yield from (in_any_case(place / name) for place in places)
    if "\\" in name:
        yield from (in_any_case(place / name.replace("\\", "/")) for place in places)


def files_below(folder: Path) -> Iterator[Path]:
    """Files below a folder but hidden ones and the like; links to folders are followed, each folder once."""
    for place, _, names in walk(folder):
        yield from (place / name for name in names)
