"""Pictures of detections on labelled photos: true, false and missed objects, distinguished by colour and line.

Legend: k photos; d detections; t true boxes.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from scenefit.report.charts.labelled import drawn_boxes, resized
from scenefit.report.content import BaselineDetections, Detections, Images

TRUE, FALSE, MISSED = "#22b45e", "#e8480c", "#2b3fd6"  # distinguishable for colour-blind readers too
MAX_PHOTOS = 3  # per row
GAP = 14
MISTAKES = "What detectors miss, and what they report falsely"
Rows = Any  # boxes [d, 4]
DASH = (9, 6)


def photo(image: Images, truth: Rows, boxes: Rows, true: Any,
          hit: Any, width: int) -> Image.Image:
    """One photo, width pixels wide. Thin: a true detection. Thick with a cross: a false one. Dashed: a missed object.

    truth [t, 4], hit [t]: whether a detection matches.  boxes [d, 4], true [d]: whether a true box matches.
    """
    picture, scale = resized(image, width), width / image.shape[1]
    draw = ImageDraw.Draw(picture)
    true, hit = np.asarray(true, bool), np.asarray(hit, bool)
    for box in drawn_boxes(np.reshape(truth, (-1, 4))[~hit], scale):
        _dashed(draw, box)
    for box in drawn_boxes(np.reshape(boxes, (-1, 4))[true], scale):
        draw.rectangle(box, outline=TRUE, width=2)
    for box in drawn_boxes(np.reshape(boxes, (-1, 4))[~true], scale):
        _crossed(draw, box)
    return picture


def counted(found: BaselineDetections) -> str:
    true, false, missed = found.counts
    return f"{true:,} found, {false:,} false, {missed:,} missed"


def equal_recall(shown: Detections) -> list[str]:
    """One sentence per recall: how many false detections each detector makes to reach it."""
    sentences = []
    for number, recall in enumerate(shown.recalls):
        counts = [one.false_at[number] for one in shown.baselines]
        texts = ["never reached" if count is None else f"{count:,} false" for count in counts]
        sentences.append(f"At equal recall {recall:g}:  " + "  \u2192  ".join(texts))
    return sentences


def names(shown: Detections) -> str:
    return "  \u2192  ".join(one.baseline for one in shown.baselines)


def rows(shown: Detections, width: int) -> Iterator[tuple[BaselineDetections, list[Image.Image]]]:
    """The detections on each baseline, with its pictures, which fill width pixels in a row."""
    count = min(len(shown.images), MAX_PHOTOS)
    each = (width - GAP * (count - 1)) // count if count > 1 else min(width, 640)
    for one in shown.baselines:
        yield one, [photo(shown.images[i], shown.truth[i], one.box[i], one.true[i], one.hit[i], each)
                    for i in range(count)]


def sample(kind: str) -> Image.Image:
    """A small box as drawn for "true", "false" or "missed"."""
    picture = Image.new("RGB", (30, 22), "white")
    draw, box = ImageDraw.Draw(picture), (4.0, 3.0, 26.0, 18.0)
    if kind == "true":
        draw.rectangle(box, outline=TRUE, width=2)
    elif kind == "false":
        _crossed(draw, box)
    else:
        _dashed(draw, box)
    return picture


LEGEND = {"true": "found, thin green", "false": "false, thick orange with a cross", "missed": "missed, dashed blue"}


def _crossed(draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float]) -> None:
    draw.rectangle(box, outline=FALSE, width=4)
    x0, y0, x1, y1 = box
    arm = min(x1 - x0, y1 - y0, 18) / 2 - 2
    if arm < 3:
        return  # too small for a cross
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    for colour, width in (("white", 5), (FALSE, 3)):
        for way in (1, -1):
            draw.line((x - arm, y - way * arm, x + arm, y + way * arm), colour, width)


def _dashed(draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float]) -> None:
    """Dashes on white, visible on any image."""
    draw.rectangle(box, outline="white", width=4)
    x0, y0, x1, y1 = box
    colour, (on, off) = ImageColor.getrgb(MISSED), DASH
    for start, end, fixed, down in ((x0, x1, y0, False), (x0, x1, y1 - 3, False), (y0, y1, x0, True),
                                    (y0, y1, x1 - 3, True)):
        at = start
        while at < end:
            stop = min(at + on, end)
            draw.rectangle((fixed, at, fixed + 3, stop) if down else (at, fixed, stop, fixed + 3), fill=colour)
            at += on + off

