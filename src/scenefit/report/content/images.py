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


def check_images(name: str, images: Any) -> None:
    """ValueError, with the name, unless images are uint8 [k, H, W, 3]."""
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or 0 in images.shape[1:]:
        raise ValueError(f"{name} need to be uint8 [k, H, W, 3], got {images.dtype} {list(images.shape)}")
