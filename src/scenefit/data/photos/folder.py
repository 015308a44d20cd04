"""Folders of photos: all photos below a folder, or one subfolder for each class."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from scenefit.data.image_files import (
    Fitted,
    Size,
    Skipped,
    check_folder,
    check_size,
    describe_skipped,
    find_photos,
    first_few,
    try_photo,
)
from scenefit.data.image_kinds import ENDINGS, is_ignored
from scenefit.data.photos.collection import Photos, collect


def read_folder(folder: str | Path, size: Size, max_photos: int | None = None) -> Photos:
    """All photos below a folder; see `scenefit.data.photos.read_photos`."""
    folder = check_folder(folder)
    check_size(size)
    paths, others = find_photos(folder)
    photos = _read(folder, paths, others, size, len(paths) if max_photos is None else min(max_photos, len(paths)))
    if not len(photos):
        raise ValueError(f"no readable photo in {folder}: looked there and in its subfolders for files ending in "
                         f"{', '.join(ENDINGS)}; {describe_skipped(photos.skipped)}")
    return photos


def read_labelled(folder: str | Path, size: Size) -> Photos:
    """Labelled photos, one subfolder for each class: folder/cat/1.jpg is a cat. Read as `read_photos` reads them.

    ValueError where photos lie outside the subfolders, or a class has no readable photo.
    """
    folder = check_folder(folder)
    check_size(size)
    paths, others = find_photos(folder)
    loose = [path.name for path in paths if path.parent == folder]
    if loose:
        raise ValueError(f"{folder} holds {len(loose)} photos outside any class ({first_few(loose)}); put each photo "
                         "into a subfolder named after its class, such as cat/1.jpg")
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not is_ignored(entry.name))
    if not classes:
        raise ValueError(f"{folder} has no subfolders; labelled photos need one for each class, such as cat/1.jpg")
    photos = _read(folder, paths, others, size, len(paths))
    label = [path.relative_to(folder).parts[0] for path in photos.paths]
    empty = [name for name in classes if name not in set(label)]
    if empty:
        raise ValueError(f"{folder} has classes without a readable photo: {first_few(empty)}; add photos or remove "
                         f"those subfolders ({describe_skipped(photos.skipped)})")
    return replace(photos, label=np.array(label, np.str_))


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
