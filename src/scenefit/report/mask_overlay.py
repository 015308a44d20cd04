"""A photo with the classes of its pixels: translucent colours with thin outlines, and below it what they stand for.

Legend: H, W pixels.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenefit.report.charts.class_colours import class_colour, painted
from scenefit.report.content.segmentations import IGNORED
from scenefit.report.overlay import enlargement, with_strip


def mask_overlay(image: NDArray[np.uint8], mask: NDArray[np.uint8], names: Sequence[str]) -> Image.Image:
    """The photo uint8 [H, W, 3], enlarged if it is small, each class of its mask [H, W] in a colour of its own, and a
    strip below it: each class with its share of the pixels that were seen. Those that were not (255) are darkened."""
    times, width, type_ = enlargement(image)
    image, mask = (array.repeat(times, 0).repeat(times, 1) for array in (image, mask))
    picture = painted(image, mask, len(names), width)
    counts = np.bincount(mask.ravel(), minlength=256)
    seen = max(int(counts[:IGNORED].sum()), 1)
    items = [(f"{name}: {counts[code + 1] / seen:.1%}", class_colour(code)) for code, name in enumerate(names)
             if counts[code + 1]]
    caption = "share of the pixels" + (", without the margins that were not seen" if counts[IGNORED] else "")
    return with_strip(Image.fromarray(picture), items, caption, width, type_)
