"""Class masks of a set of images: the class of each pixel, the labels of semantic segmentation.

Legend: N images; H, W pixels; C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.files.scratch import collect_arrays, release, take_rows
from scenefit.files.text import counted
from scenefit.scenes.arguments import describe_value, first_few
from scenefit.scenes.scene import row_numbers

NONE, IGNORED = 0, 255  # values of pixels of no class, and of those that count neither way
MAX_CLASSES = IGNORED - 1


@dataclass(frozen=True, eq=False)
class ClassMasks:
    """classes: names of the C classes.  masks: uint8 [N, H, W], c + 1 where a pixel shows classes[c]; 0 where it shows
    none of them; 255 where it is ignored: neither trained on nor evaluated.

    ValueError for another shape or type, for values that are no class, for more than 254 classes, and for one that is
    named twice.
    """

    classes: tuple[str, ...]
    masks: NDArray[np.uint8]

    def __post_init__(self) -> None:
        check_classes(self.classes)
        if self.masks.size and (self.masks.ndim != 3 or self.masks.dtype != np.uint8):
            raise ValueError(f"class masks need uint8 numbers [N, H, W], got {describe_value(self.masks)}")
        for mask in self.masks:
            wrong = mask[(mask > len(self.classes)) & (mask != IGNORED)]
            if wrong.size:
                raise ValueError(f"class masks need 0 for no class, 1 to {len(self.classes)} for "
                                 f"{first_few(self.classes)}, or {IGNORED} for pixels that are ignored, got {wrong[0]}")
        release(self.masks)

    def __len__(self) -> int:
        return len(self.masks)

    def __repr__(self) -> str:
        height, width = self.masks.shape[1:]
        return f"ClassMasks({counted(len(self), 'mask')} of {height} x {width} pixels: {first_few(self.classes)})"

    def to_bytes(self) -> bytes:
        """Names and masks, for a hash."""
        return "\n".join(self.classes).encode() + b"\0" + np.ascontiguousarray(self.masks).tobytes()

    @property
    def labelled(self) -> NDArray[np.int64]:
        """Numbers of the masks that show at least one class."""
        return np.flatnonzero([((mask != NONE) & (mask != IGNORED)).any() for mask in self.masks])

    @property
    def pixels(self) -> NDArray[np.int64]:
        """How many pixels of all masks have each value [256]."""
        return sum((np.bincount(mask.ravel(), minlength=IGNORED + 1) for mask in self.masks),
                   np.zeros(IGNORED + 1, np.int64))

    def shares(self) -> NDArray[np.float64]:
        """The share of the pixels that show each class [C], of all pixels of all masks."""
        pixels = self.pixels
        return pixels[1:len(self.classes) + 1] / max(pixels.sum(), 1)

    @property
    def present(self) -> tuple[str, ...]:
        """The classes that at least one pixel shows."""
        return tuple(name for name, count in zip(self.classes, self.pixels[1:], strict=False) if count)

    def take(self, images: Sequence[int] | NDArray[Any]) -> "ClassMasks":
        """The masks of some images (numbers or a mask), in the order given; an image may come more than once."""
        return ClassMasks(self.classes, take_rows(self.masks, row_numbers(images, len(self))))

    def of_classes(self, classes: Sequence[str]) -> "ClassMasks":
        """The same masks with these classes, in this order; pixels of any other class show none of them. ValueError
        for more than 254 classes."""
        if tuple(classes) == self.classes:
            return self
        check_classes(classes)
        place = {name: code for code, name in enumerate(classes, 1)}
        code = np.zeros(IGNORED + 1, np.uint8)
        code[1:len(self.classes) + 1] = [place.get(name, NONE) for name in self.classes]
        code[IGNORED] = IGNORED
        return ClassMasks(tuple(classes), collect_arrays((code[mask][None] for mask in self.masks), len(self))
                          if len(self) else self.masks)


def check_classes(classes: Sequence[str], source: str = "class masks") -> None:
    """ValueError for names that class masks cannot have: too many, one that is empty, or two that are equal. source:
    what has them, in words."""
    if len(classes) > MAX_CLASSES:
        raise ValueError(f"{source}: {len(classes)} classes are too many, class masks hold at most {MAX_CLASSES}; "
                         f"choose some of them ({first_few(classes)})")
    if not all(classes) or len(set(classes)) < len(classes):
        raise ValueError(f"{source}: classes need different names, none of them empty, got {first_few(classes)}")


def join_class_masks(parts: Sequence[ClassMasks]) -> ClassMasks:
    """The masks of several sets of images of one size as those of one set, with the classes of all of them; without
    those that no pixel shows, where they would be too many. ValueError where they are even then."""
    classes = tuple(dict.fromkeys(name for part in parts for name in part.classes))
    if len(classes) > MAX_CLASSES:
        classes = tuple(dict.fromkeys(name for part in parts for name in part.present))
    return ClassMasks(classes, collect_arrays((part.of_classes(classes).masks for part in parts), sum(map(len, parts))))
