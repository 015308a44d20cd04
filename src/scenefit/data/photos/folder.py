"""Photos of a folder: all below it, or labelled ones, one subfolder for each class."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from scenefit.data.formats.class_folders import ClassFolders, check_loose, find_classes, subfolders
from scenefit.data.formats.reading import NoPart
from scenefit.data.image_files import (
    Fitted,
    Size,
    Skipped,
    check_folder,
    describe_folder,
    describe_skipped,
    find_photos,
    try_photo,
)
from scenefit.data.image_kinds import ENDINGS
from scenefit.data.photos.arguments import check_reading
from scenefit.data.photos.collection import Photos, collect
from scenefit.files.text import printable
from scenefit.scenes.arguments import first_few


def read_folder(folder: str | Path, size: Size, max_photos: int | None = None) -> Photos:
    """All photos below a folder; see `scenefit.data.photos.read_photos`."""
    folder = check_folder(folder)
    paths, others = find_photos(folder)
    photos = _read(folder, paths, others, size, len(paths) if max_photos is None else min(max_photos, len(paths)))
    if not len(photos):
        raise ValueError(f"no readable photo in {folder}: looked there and in its subfolders for files ending in "
                         f"{', '.join(ENDINGS)}; {describe_skipped(photos.skipped)}; {describe_folder(folder)}")
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


def read_labelled(folder: str | Path, size: Size, part: str | Path | None = None, *, max_photos: int | None = None,
                  ) -> Photos:
    """Labelled photos, one subfolder for each class: folder/cat/1.jpg is a cat. Read as `read_photos` reads them.

    Subfolders that all have names of parts (train, val, test) are no classes but hold them: folder/train/cat/1.jpg.
    part: one of these; None: all photos.  max_photos: at most so many, evenly spread over the classes.
    ValueError where photos lie outside the classes, or a class has no readable photo.
    """
    size = check_reading("read_labelled(folder, size)", "folder", folder, size, max_photos)
    folder = check_folder(folder)
    found = find_classes(folder)
    root = folder if part is None else _part(folder, found, str(part))
    above = found.parts and part is None  # whether the classes lie in parts below root
    homes, repeated = _distinct(subfolders(root) if above else [root])
    paths, others = find_photos(root)
    labels = _labels(root, paths, 1 if above else 0)
    rows = np.linspace(0, len(paths) - 1, min(len(paths), max_photos or len(paths))).astype(int)
    photos = collect(folder, size, chain(others, repeated, (try_photo(paths[row], size) for row in rows)), len(rows))
    read = [labels[path] for path in photos.paths]
    missing = {sub.name for home in homes for sub in subfolders(home)} - set(labels.values() if max_photos else read)
    if missing:
        inside = [entry for entry in photos.skipped if missing.intersection(entry.path.parts)]
        raise ValueError(f"{root} has classes without a readable photo: {first_few(sorted(missing))}; add photos or "
                         f"remove those subfolders ({describe_skipped(inside)})")
    return replace(photos, label=np.array([printable(name) for name in read], np.str_))


def _part(folder: Path, found: ClassFolders, part: str) -> Path:
    """The folder of a part. NoPart where there is none."""
    try:
        return folder / found.part(part)
    except KeyError:
        raise NoPart(f"{folder} has no part {part!r}; its parts: {', '.join(found.parts) or 'none'}") from None


def _labels(root: Path, paths: Sequence[Path], depth: int) -> dict[Path, str]:
    """The class of each photo: the folder depth folders below root. ValueError for photos that lie outside these."""
    below = {path: path.relative_to(root).parts for path in paths}
    check_loose(root, ["/".join(parts) for parts in below.values() if len(parts) < depth + 2],
                "train/" * depth + "cat/1.jpg")
    return {path: parts[depth] for path, parts in below.items()}


def _distinct(homes: Sequence[Path]) -> tuple[list[Path], list[Skipped]]:
    """The folders that hold classes, without those that are another one by a link, as are folders of classes.

    ValueError where one folder is two classes.
    """
    first: dict[str, Path] = {}
    kept, skipped = [], []
    for home in homes:
        same = first.setdefault(os.path.realpath(home), home)
        kept += [home] if same is home else []
        for folder in subfolders(home) if same is home else [home]:
            same = first.setdefault(os.path.realpath(folder), folder)
            if same.name != folder.name and folder is not home:
                raise ValueError(f"{folder} and {same} are the same folder, by a link, so that its photos have two "
                                 "classes; remove one")
            if same is not folder:
                skipped.append(Skipped(folder, f"is the same folder as {same}, by a link; its photos are read once"))
    return kept, skipped
