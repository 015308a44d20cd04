"""Images of a report with their captions.

Legend: k images; H, W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Mistakes:
    """Images that a model got wrong: uint8 [k, H, W, 3], with one caption each, e.g. "7 read as 1"."""

    images: Images
    captions: Sequence[str]

    def __post_init__(self) -> None:
        check_images("error images", self.images)
        if len(self.captions) != len(self.images):
            raise ValueError(f"error images need one caption each, got {len(self.captions)} captions for "
                             f"{len(self.images)} images")


@dataclass(frozen=True, eq=False)
class Outliers:
    """Photos unlike every render. images: uint8 [k, H, W, 3]; captions: one each; note: an explanation."""

    images: Images
    captions: Sequence[str]
    note: str = ""

    def __post_init__(self) -> None:
        check_images("outliers", self.images)
        if len(self.captions) != len(self.images):
            raise ValueError(f"outliers need one caption each, got {len(self.captions)} for {len(self.images)}")


@dataclass(frozen=True, eq=False)
class Reconstructions:
    """photos, renders: uint8 [k, H, W, 3], each photo and the render of its posterior's most likely scene.  note: an
    explanation. ValueError if the shapes differ."""

    photos: Images
    renders: Images
    note: str = ""

    def __post_init__(self) -> None:
        check_images("reconstructed photos", self.photos)
        check_images("reconstructions", self.renders)
        if self.photos.shape != self.renders.shape:
            raise ValueError(f"reconstructions need the shape of their photos, {list(self.photos.shape)}, got "
                             f"{list(self.renders.shape)}")


DARK = 110  # of 255: if hardly any pixel of most photos is brighter, all images are shown brighter
SHARE = 99  # percent of a photo's values that count for that


def brightening(photos: Images) -> float:
    """By what factor to multiply all images [k, H, W, 3] of a report, so that dark photos can be seen; 1 for others."""
    bright = float(np.median([np.percentile(photo, SHARE) for photo in photos]))
    return 1.0 if bright >= DARK else round(230 / max(bright, 8.0), 1)


def brightened(images: Images, factor: float) -> Images:
    """Images uint8 [k, H, W, 3] times a factor, cut at white."""
    return images if factor == 1.0 else np.minimum(images * factor, 255).astype(np.uint8)


def check_images(name: str, images: Any) -> None:
    """ValueError, with the name, unless images are uint8 [k, H, W, 3]."""
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or 0 in images.shape[1:]:
        raise ValueError(f"{name} need to be uint8 [k, H, W, 3], got {images.dtype} {list(images.shape)}")
