"""All photos below a folder."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from scenefit.data.image_files import (
    Fitted,
    Size,
    Skipped,
    check_folder,
    describe_skipped,
    find_photos,
    try_photo,
)
from scenefit.data.image_kinds import ENDINGS
from scenefit.data.photos.collection import Photos, collect


def read_folder(folder: str | Path, size: Size, max_photos: int | None = None) -> Photos:
    """All photos below a folder; see `scenefit.data.photos.read_photos`."""
    folder = check_folder(folder)
    paths, others = find_photos(folder)
    photos = _read(folder, paths, others, size, len(paths) if max_photos is None else min(max_photos, len(paths)))
    if not len(photos):
        raise ValueError(f"no readable photo in {folder}: looked there and in its subfolders for files ending in "
                         f"{', '.join(ENDINGS)}; {describe_skipped(photos.skipped)}")
    return photos


def _read(folder: Path, paths: list[Path], others: Sequence[Skipped], size: Size, max_photos: int) -> Photos:
    """Up to max_photos readable photos, in the order of paths."""
    photos = collect(folder, size, chain(others, _try(paths, size, max_photos)), max_photos)
    rows = {path: row for row, path in enumerate(paths)}
    order = np.argsort(np.array([rows[path] for path in photos.paths], np.int64))
    return photos if np.all(np.diff(order) > 0) else photos.take(order)


def _try(paths: Sequence[Path], size: Size, max_photos: int) -> Iterator[Fitted | Skipped]:
    """Photos evenly spread over the paths, then, for each that cannot be read, one of the rest."""
    spread = [(2 * i + 1) * len(paths) // (2 * max_photos) for i in range(max_photos)]
    count = 0
    for row in (*spread, *sorted(set(range(len(paths))).difference(spread))):
        if count == max_photos:
            return
        entry = try_photo(paths[row], size)
        count += isinstance(entry, Fitted)
        yield entry
