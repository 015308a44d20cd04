"""Images with their labels: boxes, or classes of pixels.

Legend: H, W pixels; t boxes.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from scenefit.report.charts.class_colours import painted
from scenefit.report.content.images import Images
from scenefit.report.content.segmentations import Masks

LABEL = "#ffd400"
OUTLINE = 320  # pixels of a picture's width for each pixel of an outline's width


def resized(image: Images, width: int) -> Image.Image:
    """An image uint8 [H, W, 3], width pixels wide."""
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    return Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)


def with_boxes(image: Images, boxes: Any, width: int) -> Image.Image:
    """An image uint8 [H, W, 3] with boxes [t, 4], yellow with a dark edge, width pixels wide."""
    picture, scale = resized(image, width), width / image.shape[1]
    draw = ImageDraw.Draw(picture)
    for x0, y0, x1, y1 in drawn_boxes(boxes, scale):
        draw.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), outline="black")
        draw.rectangle((x0, y0, x1, y1), outline=LABEL, width=2)
    return picture


def drawn_boxes(boxes: Any, scale: float) -> Iterator[tuple[float, float, float, float]]:
    """First and last pixels x0, y0, x1, y1 of boxes [t, 4] in a picture of an image, scale times as large."""
    for x0, y0, x1, y1 in (np.asarray(boxes, float).reshape(-1, 4) * scale).tolist():
        yield x0, y0, max(x1 - 1, x0 + 1), max(y1 - 1, y0 + 1)


def with_classes(image: Images, mask: Masks, classes: int, width: int) -> Image.Image:
    """An image uint8 [H, W, 3] with the classes of its mask [H, W], so many, width pixels wide."""
    picture = resized(image, width)
    large = Image.fromarray(mask).resize(picture.size, Image.Resampling.NEAREST)
    return Image.fromarray(painted(np.asarray(picture), np.asarray(large), classes, max(1, round(width / OUTLINE))))
