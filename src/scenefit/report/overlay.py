"""A photo with its detections: thin outlines around the objects, and below the photo what their colours stand for.

Legend: d detections; H, W pixels.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from scenefit.report.charts.class_colours import COLOURS
from scenefit.report.charts.static import fitted, font
from scenefit.report.charts.style import INK

DASHES = (None, (3, 2), (1, 1))  # on and off in widths of the outline: solid for the first classes of each colour
SMALL, LARGE = 480, 1920  # pixels a photo's shorter side is enlarged to, and its longer side at most
OUTLINE = 400  # pixels of the longer side for each pixel of an outline's width
MAX_SCORES = 24  # detections of a photo; more scores would cover what was not found, and be confused with each other
Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]  # left, top, right, bottom, the last two just outside


def overlay(image: NDArray[np.uint8], boxes: NDArray[np.float64], classes: NDArray[np.int64],
            score: NDArray[np.float64], names: Sequence[str], caption: str) -> Image.Image:
    """The photo uint8 [H, W, 3], enlarged if it is small, and a strip below it: each class with its number of
    detections, then the caption.

    boxes [d, 4]: x0, y0, x1, y1 in pixels of the photo; outlines lie outside of them.  classes [d]: indices in names.
    score [d]: written above or below the box where no other box is, if there are few.
    """
    times, width, type_ = enlargement(image)
    size = image.shape[1] * times, image.shape[0] * times
    order = np.argsort(score, kind="stable")  # the most confident on top
    photo = outlined(image, boxes[order], classes[order], times, width)
    draw = ImageDraw.Draw(photo)
    outer = [_around(box, times, width, size) for box in boxes.tolist()]
    taken = list(outer)
    for box, value in zip(outer, score.tolist(), strict=True) if len(outer) <= MAX_SCORES else ():
        text = f"{value:.2f}"
        place = next((place for place in _beside(box, text, width, type_) if _is_free(place, taken, photo.size)), None)
        if place is not None:
            taken.append(place)
            draw.text(place[:2], text, "white", type_, "lt", stroke_width=width, stroke_fill=INK)
    return with_legend(photo, np.bincount(classes, minlength=len(names)).tolist(), names, caption, width, type_)


def enlargement(image: NDArray[np.uint8]) -> tuple[int, int, ImageFont.FreeTypeFont]:
    """How many times a photo [H, W, 3] is enlarged, the width of outlines, and the type of texts."""
    small, large = min(image.shape[:2]), max(image.shape[:2])
    times = max(1, min(-(-SMALL // small), LARGE // large))
    return times, max(1, round(times * large / OUTLINE)), font(max(11, times * small // 36))


def outlined(image: NDArray[np.uint8], boxes: NDArray[np.float64], classes: NDArray[np.int64], times: int,
             width: int) -> Image.Image:
    """The image uint8 [H, W, 3], enlarged so many times, with outlines of this width around the boxes [d, 4], the last
    on top, in the colours of their classes [d]."""
    picture = Image.fromarray(image.repeat(times, 0).repeat(times, 1) if times > 1 else image).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for box, code in zip(boxes.tolist(), classes.tolist(), strict=True):
        _outline(draw, _around(box, times, width, picture.size), width, code)
    return picture


def with_legend(picture: Image.Image, counts: Sequence[int], names: Sequence[str], caption: str, width: int,
                type_: ImageFont.FreeTypeFont) -> Image.Image:
    """The picture and a strip below it: each class that is there with its colour and number, then the caption."""
    items = [(f"{name}: {counts[code]:,}", code) for code, name in enumerate(names) if counts[code]]
    return with_strip(picture, items, caption, width, type_)


def with_strip(picture: Image.Image, items: Sequence[tuple[str, int | Colour]], caption: str, width: int,
               type_: ImageFont.FreeTypeFont) -> Image.Image:
    """The picture and a strip below it: texts, each with the outline of a class (its index) or a patch of a colour,
    then the caption."""
    strip = _strip(items, caption, picture.width, width, type_)
    whole = Image.new("RGB", (picture.width, picture.height + strip.height))
    whole.paste(picture)
    whole.paste(strip, (0, picture.height))
    return whole


def _around(box: Sequence[float], times: int, width: int, size: tuple[int, int]) -> Box:
    """A box with an outline of this width around it, in a photo that is enlarged so many times to size (x, y)."""
    x0, y0, x1, y1 = (round(v * times) for v in box)
    return max(x0 - width, 0), max(y0 - width, 0), min(x1 + width, size[0]), min(y1 + width, size[1])


def _outline(draw: ImageDraw.ImageDraw, box: Box, width: int, code: int) -> None:
    """The outline of a class, whose outer edges are the box."""
    colour, dash = COLOURS[code % len(COLOURS)], DASHES[code // len(COLOURS) % len(DASHES)]
    x0, y0, x1, y1 = box[0], box[1], box[2] - 1, box[3] - 1
    if dash is None:
        draw.rectangle((x0, y0, x1, y1), outline=colour, width=width)
        return
    on, off = (length * width for length in dash)
    for x in range(x0, x1 + 1, on + off):
        for y in (y0, y1 - width + 1):
            draw.rectangle((x, y, min(x + on - 1, x1), y + width - 1), fill=colour)
    for y in range(y0, y1 + 1, on + off):
        for x in (x0, x1 - width + 1):
            draw.rectangle((x, y, x + width - 1, min(y + on - 1, y1)), fill=colour)


def _beside(box: Box, text: str, width: int, type_: ImageFont.FreeTypeFont) -> Iterator[Box]:
    """Places of a text above and below a box."""
    _, _, wide, high = (round(v) for v in type_.getbbox(text, anchor="lt"))
    for y in (box[1] - high - width - 1, box[3] + width + 1):
        yield box[0], y, box[0] + wide, y + high


def _is_free(place: Box, taken: Sequence[Box], size: tuple[int, int]) -> bool:
    x0, y0, x1, y1 = place
    return (y0 >= 0 and x1 <= size[0] and y1 <= size[1]
            and not any(x0 < box[2] and box[0] < x1 and y0 < box[3] and box[1] < y1 for box in taken))


def _strip(items: Sequence[tuple[str, int | Colour]], caption: str, wide: int, width: int,
           type_: ImageFont.FreeTypeFont) -> Image.Image:
    """The strip below a photo, so many pixels wide, in as many lines as it needs."""
    side = round(type_.size)
    line, gap = round(1.7 * side), side // 2
    places, x, y = [], gap, 0
    told: list[tuple[str, int | Colour | None]] = [*items] or [("nothing found", None)]
    for text, code in [*told, (caption, None)]:
        indent = 0 if code is None else line
        text = fitted(text, type_, wide - 2 * gap - indent)
        length = indent + round(type_.getlength(text))
        if x > gap and x + length > wide - gap:
            x, y = gap, y + line
        places.append((text, code, x, y))
        x += length + 2 * gap
    strip = Image.new("RGB", (wide, y + line + gap), "white")
    draw = ImageDraw.Draw(strip)
    for text, code, x, y in places:
        top = y + (line + gap - side) // 2
        if code is not None:
            if isinstance(code, int):
                _outline(draw, (x, top, x + side, top + side), max(2, width), code)
            else:
                draw.rectangle((x, top, x + side - 1, top + side - 1), fill=code)
        draw.text((x + (0 if code is None else line), top + side // 2), text, INK, type_, "lm")
    return strip
