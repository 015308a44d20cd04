"""Photos and label files of a data set, found below a folder and paired by name.

Subfolders are searched, and endings may be in capitals. A name is the path below the folder without its ending, such
as "a" or "cam2/b": the photo images/cam2/b.PNG has the label file labels/cam2/b.txt.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenefit.data.image_files import Skipped, find_photos
from scenefit.data.image_kinds import is_ignored, why_not_read


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


def photos_below(folder: Path) -> PhotoFiles:
    """The photos of a folder and its subfolders; none where the folder is missing.

    ValueError where two photos have the same name, since a label file could not tell them apart.
    """
    paths, skipped = find_photos(folder)
    photos: dict[str, Path] = {}
    for path in paths:
        name = name_below(folder, path)
        if name in photos:
            raise ValueError(f"{path.parent} holds both {photos[name].name} and {path.name}, so that {path.stem} names "
                             "two photos; remove or rename one")
        photos[name] = path
    unread = {name_below(folder, entry.path): entry for entry in skipped if entry.path.is_file()}
    return PhotoFiles(folder, photos, {name: entry for name, entry in unread.items() if name not in photos},
                      tuple(skipped))


def labels_below(folder: Path, ending: str) -> dict[str, Path]:
    """Name -> label file below a folder, sorted by path. ending: such as ".txt", in any case.

    ValueError where two files have the same name.
    """
    found: dict[str, Path] = {}
    for path in sorted(files_below(folder), key=lambda path: path.relative_to(folder).as_posix()):
        if path.suffix.lower() != ending:
            continue
        name = name_below(folder, path)
        if name in found:
            raise ValueError(f"{path.parent} holds both {found[name].name} and {path.name}, which label the same "
                             "photo; remove or rename one")
        found[name] = path
    return found


def without_photo(labels: Mapping[str, Path], found: PhotoFiles) -> list[Skipped]:
    """The label files that have no photo, each with the reason: an image of a kind that is not read, or none."""
    return [found.unread.get(name) or Skipped(path, f"there is no photo {name} in {found.folder}")
            for name, path in labels.items() if name not in found.photos]


def name_below(folder: Path, path: Path) -> str:
    """The path below a folder, without its ending: "cam2/b"."""
    return path.relative_to(folder).with_suffix("").as_posix()


def find_named(name: str, places: Sequence[Path], homes: Sequence[Path]) -> tuple[Path | None, bool]:
    """The photo that a data set names, in the first of the places that has it, and whether it lies in one of homes.

    Where no place has it as it is written, an ending in other letters (.JPG for .jpg), then \\ for / are tried.
    """
    outside = None
    for path in _spellings(name, places):
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


def in_any_case(path: Path) -> Path:
    """The file, or where it is missing the one whose ending is written in small letters or in capitals."""
    if path.suffix and not os.path.isfile(path):
        for ending in (path.suffix.lower(), path.suffix.upper(), path.suffix.title()):
            other = path.with_name(path.stem + ending)
            if os.path.isfile(other):
                return other
    return path


def _spellings(name: str, places: Sequence[Path]) -> Iterator[Path]:
    yield from (place / name for place in places)
    yield from (in_any_case(place / name) for place in places)
    if "\\" in name:
        yield from (in_any_case(place / name.replace("\\", "/")) for place in places)


def files_below(folder: Path) -> Iterator[Path]:
    """Files below a folder but hidden ones and the like; links to folders are followed, each folder once."""
    visited = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in visited else sorted(name for name in folders if not is_ignored(name))
        if real not in visited:
            yield from (Path(place, name) for name in names if not is_ignored(name))
        visited.add(real)
