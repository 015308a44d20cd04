"""Classes of pixels in translucent colours with thin outlines.

Legend: H, W pixels.
"""

import numpy as np
from numpy.typing import NDArray

from scenefit.report.content.segmentations import IGNORED

# Distinguishable for colour-blind readers (Okabe and Ito 2008); first those that are seen on dark and on light photos.
COLOURS = ("#d55e00", "#56b4e9", "#009e73", "#cc79a7", "#e69f00", "#0072b2", "#f0e442")
OPACITY = 0.35  # of a class; objects stay visible below it
MIXED = (0.0, 0.45, -0.4)  # share of white, or of black if negative, of the classes 1 to 7, 8 to 14, ...


def class_colour(code: int) -> tuple[int, int, int]:
    """The colour of a class, counted from 0."""
    text, mixed = COLOURS[code % len(COLOURS)], MIXED[code // len(COLOURS) % len(MIXED)]
    values = (int(text[at:at + 2], 16) for at in (1, 3, 5))
    red, green, blue = (round(value * (1 - abs(mixed)) + 255 * max(mixed, 0)) for value in values)
    return red, green, blue


def painted(image: NDArray[np.uint8], mask: NDArray[np.uint8], classes: int, width: int) -> NDArray[np.uint8]:
    """An image uint8 [H, W, 3] with the classes of its mask [H, W], so many, and outlines of this width."""
    colours = np.zeros((256, 3), np.float32)
    for code in range(classes):
        colours[code + 1] = class_colour(code)
    opacity = np.zeros(256, np.float32)
    opacity[1:classes + 1], opacity[IGNORED] = OPACITY, 0.6
    edge = _edges(mask, width) & (mask > 0) & (mask != IGNORED)
    picture = np.empty_like(image)
    for top in range(0, len(image), 256):  # floats of a few rows at a time
        rows = slice(top, top + 256)
        part = np.where(edge[rows], 1.0, opacity[mask[rows]])[..., None]
        picture[rows] = np.rint(image[rows] * (1 - part) + colours[mask[rows]] * part)
    return picture


def _edges(mask: NDArray[np.uint8], width: int) -> NDArray[np.bool_]:
    """Pixels [H, W] within this width of a pixel of another value."""
    edge = np.zeros(mask.shape, bool)
    for shift in range(1, width + 1):
        for values, found in ((mask, edge), (mask.T, edge.T)):
            differs = values[shift:] != values[:-shift]
            found[shift:] |= differs
            found[:-shift] |= differs
    return edge
