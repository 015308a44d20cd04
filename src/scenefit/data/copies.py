"""Photos known by their content: those there more than once, byte by byte (as copies, or as one file by links or in
several spellings), and hashes by which a photo is known again."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scenefit.data.own_folders import what_scenefit_wrote
from scenefit.files.atomic import content_hash
from scenefit.files.caller import warn
from scenefit.files.text import counted

Images = Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
NAMED = 3  # in a warning


class _Photos(Protocol):
    """What is needed of `scenefit.data.photos.Photos`, whose module imports this one."""

    @property
    def images(self) -> NDArray[np.uint8]: ...

    @property
    def paths(self) -> tuple[Path, ...]: ...


def photo_hashes(photos: _Photos) -> list[str]:
    """A hash of each photo's content: of its file's bytes, whatever its name and the size it was brought to; of its
    image, for `Photos` of arrays. OSError for a file that has gone since it was read."""
    if photos.paths:
        return [content_hash(path.read_bytes()) for path in photos.paths]
    return [content_hash(image) for image in photos.images]


def find_copies(paths: Sequence[Path], images: Images) -> list[tuple[int, int]]:
    """(row, first row) of each photo whose file has the same bytes as an earlier one.

    images: uint8 [H, W, 3] of each photo. Files are read only where their sizes and their images are equal.
    """
    groups = [list(range(len(paths)))]
    for key in (lambda row: _size(paths[row]), lambda row: content_hash(images[row]), lambda row: _hash(paths[row])):
        groups = [part for group in groups for part in _parts(group, key)]
    return sorted((row, group[0]) for group in groups for row in group[1:])


def warn_copies(folder: Path, paths: Sequence[Path], images: Images) -> None:
    """A warning where photos of a folder are copies of others; not in a data set of scenefit, whose scenes may repeat.

    images: as of `find_copies`.
    """
    found = [] if what_scenefit_wrote(folder) else find_copies(paths, images)
    if found:
        names = [f"{_below(folder, paths[row])} is {_below(folder, paths[first])}" for row, first in found]
        warn(f"of {counted(len(paths), 'photo')} of {folder}, "
             f"{counted(len(found), 'is a copy of another', 'are copies of others')}, byte by byte: "
             f"{', '.join(names[:NAMED])}{', ...' if len(names) > NAMED else ''}; each copy counts as a photo of its "
             "own; delete the copies unless that is meant")


def warn_shared(folder: Path, paths: Sequence[Path], images: Images, n_train: int) -> None:
    """A warning where held-out photos, those after the first n_train, are copies of training photos; not in a data set
    of scenefit, whose scenes may repeat.  images: as of `find_copies`."""
    found = [] if what_scenefit_wrote(folder) else find_copies(paths, images)
    shared = [row for row, first in found if first < n_train <= row]
    if shared:
        warn(f"of {counted(len(paths) - n_train, 'held-out photo')} of {folder}, "
             f"{counted(len(shared), 'is a training photo', 'are training photos')} too, byte by byte, such as "
             f"{_below(folder, paths[shared[0]])}: scores on them say nothing about other photos; give the part val "
             "photos of its own")


def _parts(rows: Sequence[int], key: Callable[[int], Hashable]) -> list[list[int]]:
    """The groups of two rows or more that have the same key, other than None."""
    found: dict[Hashable, list[int]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return [group for value, group in found.items() if value is not None and len(group) > 1]


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:  # deleted since it was read
        return None


def _hash(path: Path) -> str | None:
    try:
        return content_hash(path.read_bytes())
    except OSError:
        return None


def _below(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
