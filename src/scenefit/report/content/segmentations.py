"""Class masks of labelled photos, and those of one segmentation network per baseline.

Legend: k photos; r renders; H, W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenefit.files.text import counted
from scenefit.report.content.images import Images, check_images

Masks = NDArray[np.uint8]
IGNORED = 255  # value of pixels that were not seen: that of data.class_masks, which report does not import


@dataclass(frozen=True, eq=False)
class BaselineMasks:
    """Of the network trained on one baseline's renders. masks: uint8 [k, H, W], predicted in the photos shown.
    headline, details: its metrics in all photos, in words."""

    baseline: str
    masks: Masks
    headline: str = ""
    details: str = ""


@dataclass(frozen=True, eq=False)
class MaskConvention:
    """How the masks of renders were drawn. text: the label policy in words.  renders: uint8 [r, H, W, 3].  masks: of
    them, uint8 [r, H, W]. ValueError if lengths differ."""

    text: str
    renders: Images
    masks: Masks

    def __post_init__(self) -> None:
        check_images("labelled renders", self.renders)
        _check_masks("labelled renders", self.renders, self.masks)


@dataclass(frozen=True, eq=False)
class Segmentations:
    """images: uint8 [k, H, W, 3], the photos shown.  truth: their masks, uint8 [k, H, W], with the values of
    `scenefit.data.class_masks.ClassMasks`.  classes: names of the values from 1 on.  photos: the number of all photos.
    convention: of the renders that networks were trained on. ValueError if shapes differ, or a value has no class."""

    images: Images
    truth: Masks
    classes: Sequence[str]
    baselines: Sequence[BaselineMasks]
    photos: int
    note: str = ""
    convention: MaskConvention | None = None

    def __post_init__(self) -> None:
        check_images("segmented images", self.images)
        for name, masks in (("truth", self.truth), *((one.baseline, one.masks) for one in self.baselines)):
            _check_masks(f"masks of {name}", self.images, masks)
        largest = max(int(masks[masks != IGNORED].max(initial=0)) for masks in self.drawn)
        if largest > len(self.classes):
            raise ValueError(f"masks of {counted(len(self.classes), 'class', 'classes')} need values of 0 to "
                             f"{len(self.classes)}, or {IGNORED} for pixels that are ignored, got {largest}")

    @property
    def drawn(self) -> list[Masks]:
        """All masks: of photos, of each baseline, and of renders."""
        return [self.truth, *(one.masks for one in self.baselines),
                *([] if self.convention is None else [self.convention.masks])]


def _check_masks(name: str, images: Images, masks: Masks) -> None:
    if masks.dtype != np.uint8 or masks.shape != images.shape[:3]:
        raise ValueError(f"{name} need masks uint8 {list(images.shape[:3])}, got {masks.dtype} {list(masks.shape)}")
