"""Rows of images below headings, as pictures of pages. Legend: S images; H, W pixels."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

GAP, HEADING = 8, 34
Pixels = NDArray[np.uint8]


def stacked(parts: Sequence[Pixels]) -> bytes:
    """Parts of one width, one below the other, as a PNG file of 256 colours."""
    whole, file = Image.fromarray(np.concatenate(parts)), io.BytesIO()
    whole.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=4).save(file, "PNG", optimize=True)
    return file.getvalue()


def tiled(images: NDArray[Any]) -> Pixels:
    """One row of images, each with a gap on its right and below, the last one only below."""
    padded = np.pad(images, ((0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=255)
    return np.concatenate(list(padded), 1)[:, :-GAP]


def titled(title: str, images: NDArray[Any], colours: Mapping[str, tuple[int, int, int]]) -> list[Pixels]:
    """A heading as wide as the row of images below it; see `heading`."""
    row = tiled(images)
    return [heading(title, row.shape[1], colours), row]


def heading(title: str, width: int, colours: Mapping[str, tuple[int, int, int]]) -> Pixels:
    """The title on the left, colours with their names on the right."""
    strip = Image.new("RGB", (width, HEADING), "white")
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(20)
    draw.text((2, HEADING // 2), title, (20, 20, 20), font, anchor="lm")
    right = width - 2
    for name, colour in reversed(list(colours.items())):
        right -= int(draw.textlength(name, font))
        draw.text((right, HEADING // 2), name, (20, 20, 20), font, anchor="lm")
        draw.rectangle((right - 24, HEADING // 2 - 8, right - 8, HEADING // 2 + 8), colour)
        right -= 40
    return np.asarray(strip)
