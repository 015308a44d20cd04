"""Photos that are there more than once, byte by byte: as copies, or as one file by links or in several spellings."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenefit.data.own_folders import what_scenefit_wrote
from scenefit.files.atomic import content_hash
from scenefit.files.caller import warn

NAMED = 3  # in a warning


def find_copies(paths: Sequence[Path], images: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """(row, earlier row) of each photo whose file has the same bytes as an earlier one.

    images: uint8 [N, H, W, 3] of the photos. Files are compared only where their sizes and their images are equal.
    """
    groups = [list(range(len(paths)))]
    for key in (lambda row: _size(paths[row]), lambda row: content_hash(images[row]), lambda row: _hash(paths[row])):
        groups = [part for group in groups for part in _parts(group, key)]
    return sorted((row, group[0]) for group in groups for row in group[1:])


def warn_copies(folder: Path, paths: Sequence[Path], images: NDArray[np.uint8]) -> None:
    """A warning where some photos of a folder are the same as others; in what scenefit drew, scenes are, at random."""
    found = [] if what_scenefit_wrote(folder) else find_copies(paths, images)
    if found:
        names = [f"{_below(folder, paths[row])} is {_below(folder, paths[first])}" for row, first in found]
        warn(f"{len(found)} of the {len(paths)} photos of {folder} are the same as others, byte by byte: "
             f"{', '.join(names[:NAMED])}{', ...' if len(names) > NAMED else ''}; such a photo counts several times; "
             "delete the copies unless that is meant")


def warn_shared(folder: Path, train: Sequence[Path], held_out: Sequence[Path]) -> None:
    """A warning where held-out photos of a data set are training photos too: the same bytes, by name, link or copy."""
    if what_scenefit_wrote(folder):  # where scenes repeat at random
        return
    known = {(_size(path), _hash(path)) for path in train}
    shared = [path for path in held_out if (_size(path), _hash(path)) in known]
    if shared:
        warn(f"{len(shared)} of the {len(held_out)} held-out photos of {folder} are training photos too, byte by byte, "
             f"such as {_below(folder, shared[0])}: what is measured on them says nothing about other photos; give the "
             "part val photos of its own")


def _parts(rows: Sequence[int], key: Callable[[int], Hashable]) -> list[list[int]]:
    """The groups of two rows or more that have the same key, other than None."""
    found: dict[Hashable, list[int]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return [group for value, group in found.items() if value is not None and len(group) > 1]


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:  # gone since it was read
        return None


def _hash(path: Path) -> str | None:
    try:
        return content_hash(path.read_bytes())
    except OSError:
        return None


def _below(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
