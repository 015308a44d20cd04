"""Photos from any accepted source: a folder, a list file inside a data set, or arrays.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from scenefit.data.photos import Photos, read_photos
from scenefit.data.photos.labelled import read_few, read_part


def as_images(real: Any, size: tuple[int, int], most: int | None = None) -> np.ndarray:
    """Photos of any accepted form as uint8 images [N, H, W, 3] of this size. ValueError where they do not fit."""
    if isinstance(real, (str, Path)):
        real = read_real(real, size, most)
        if real.skipped:
            warnings.warn(f"{len(real.skipped)} files were skipped, the first: {real.skipped[0][0]} "
                          f"({real.skipped[0][1]})", stacklevel=3)
    images = real.images if isinstance(real, Photos) else np.asarray(real)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (*size, 3) or len(images) < 4:
        raise ValueError(f"real needs a folder, Photos or at least 4 uint8 images [N, {size[0]}, {size[1]}, 3], got "
                         f"{images.dtype} {list(images.shape)}")
    if most is not None and len(images) > most:
        images = images[np.linspace(0, len(images) - 1, most).astype(int)]
    return images


def read_real(place: str | Path, size: tuple[int, int], most: int | None = None) -> Photos:
    """Photos of a folder, or those that a list file inside a data set of boxes names; no label of theirs is opened.

    most: at most so many, evenly spread.
    """
    if not Path(place).is_file():
        return read_photos(place, size, most)
    photos = read_part(place, size)
    if most is None or len(photos) <= most:
        return photos
    return photos.take(np.linspace(0, len(photos) - 1, most).astype(int))


def _labelled(labelled: Any, size: tuple[int, int]) -> Photos | None:
    if labelled is None:
        return None
    few = read_few(labelled, size) if isinstance(labelled, (str, Path)) else labelled
    if not isinstance(few, Photos) or (few.boxes is None and not all(few.label)):
        raise ValueError("labelled needs a folder with one subfolder a class, a data set of boxes, or Photos with a "
                         "label or boxes each")
    if few.boxes is not None and not len(few.boxes):
        raise ValueError(f"the {len(few)} labelled photos have no box at all, so nothing can be scored on them")
    if few.images.shape[1:3] != size:
        raise ValueError(f"labelled photos need the renderer's size {size}, got {few.images.shape[1:3]}")
    return few
