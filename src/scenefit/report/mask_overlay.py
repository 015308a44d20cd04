"""A photo with the classes of its pixels: translucent colours with thin outlines, and below it what they stand for.

Legend: H, W pixels.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenefit.report.overlay import COLOURS, enlargement, with_strip

OPACITY = 0.35  # of a class; objects stay visible below it
IGNORED = 255  # value of pixels that were not seen: that of data.class_masks, which report does not import
MIXED = (0.0, 0.45, -0.4)  # share of white, or of black if negative, of the classes 1 to 7, 8 to 14, ...


def class_colour(code: int) -> tuple[int, int, int]:
    """The colour of a class, counted from 0."""
    text, mixed = COLOURS[code % len(COLOURS)], MIXED[code // len(COLOURS) % len(MIXED)]
    values = (int(text[at:at + 2], 16) for at in (1, 3, 5))
    red, green, blue = (round(value * (1 - abs(mixed)) + 255 * max(mixed, 0)) for value in values)
    return red, green, blue


def mask_overlay(image: NDArray[np.uint8], mask: NDArray[np.uint8], names: Sequence[str]) -> Image.Image:
    """The photo uint8 [H, W, 3], enlarged if it is small, each class of its mask [H, W] in a colour of its own, and a
    strip below it: each class with its share of the pixels that were seen. Those that were not (255) are darkened."""
    times, width, type_ = enlargement(image)
    image, mask = (array.repeat(times, 0).repeat(times, 1) for array in (image, mask))
    colours = np.zeros((256, 3), np.float32)
    colours[1:len(names) + 1] = [class_colour(code) for code in range(len(names))]
    opacity = np.zeros(256, np.float32)
    opacity[1:len(names) + 1], opacity[IGNORED] = OPACITY, 0.6
    edge = _edges(mask, width) & (mask > 0) & (mask != IGNORED)
    picture = np.empty_like(image)
    for top in range(0, len(image), 256):  # floats of a few rows at a time
        rows = slice(top, top + 256)
        part = np.where(edge[rows], 1.0, opacity[mask[rows]])[..., None]
        picture[rows] = np.rint(image[rows] * (1 - part) + colours[mask[rows]] * part)
    counts = np.bincount(mask.ravel(), minlength=256)
    seen = max(int(counts[:IGNORED].sum()), 1)
    items = [(f"{name}: {counts[code + 1] / seen:.1%}", class_colour(code)) for code, name in enumerate(names)
             if counts[code + 1]]
    caption = "share of the pixels" + (", without the margins that were not seen" if counts[IGNORED] else "")
    return with_strip(Image.fromarray(picture), items, caption, width, type_)


def _edges(mask: NDArray[np.uint8], width: int) -> NDArray[np.bool_]:
    """Pixels [H, W] within this width of a pixel of another value."""
    edge = np.zeros(mask.shape, bool)
    for shift in range(1, width + 1):
        for values, found in ((mask, edge), (mask.T, edge.T)):
            differs = values[shift:] != values[:-shift]
            found[shift:] |= differs
            found[:-shift] |= differs
    return edge
