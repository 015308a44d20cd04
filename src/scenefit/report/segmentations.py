"""Pictures of class masks on photos: labels beside what the networks of several baselines predict.

Legend: k photos.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np
from PIL import Image

from scenefit.report.charts.class_colours import class_colour, painted
from scenefit.report.content.images import Images
from scenefit.report.content.segmentations import IGNORED, BaselineMasks, Masks, Segmentations

GAP = 8
OUTLINE = 320  # pixels of a picture's width for each pixel of an outline's width
CONVENTIONS = "How masks are drawn: in renders and by people"
IGNORES = "ignored, darkened"
Section = tuple[str, str, list[tuple[str, Image.Image]]]  # title, text, pictures with their titles


def title(shown: Segmentations) -> str:
    return f"Segmentation of {shown.photos} labelled photos, by training data"


def legend(shown: Segmentations) -> list[tuple[str, str]]:
    """Name and colour of each class that a mask shows, and of pixels that are ignored where there are any."""
    found = [(name, "#{:02x}{:02x}{:02x}".format(*class_colour(code))) for code, name in enumerate(shown.classes)
             if any((masks == code + 1).any() for masks in shown.drawn)]
    return found + [(IGNORES, "#404040")] * any((masks == IGNORED).any() for masks in shown.drawn)


def columns(shown: Segmentations) -> list[tuple[str, BaselineMasks | None]]:
    """Title of each column of pictures, and the baseline whose predictions it has."""
    return [("photo", None), ("labels", None), *((f"trained on {one.baseline}", one) for one in shown.baselines)]


def rows(shown: Segmentations, width: int) -> Iterator[list[Image.Image]]:
    """The pictures of each photo, of all columns, which fill width pixels."""
    each = (width - GAP * (len(shown.baselines) + 1)) // (len(shown.baselines) + 2)
    for row, image in enumerate(shown.images):
        yield [_resized(image, each), *(picture(image, mask[row], shown, each)
                                        for mask in (shown.truth, *(one.masks for one in shown.baselines)))]


def picture(image: Images, mask: Masks, shown: Segmentations, width: int) -> Image.Image:
    """One image with the classes of its mask, width pixels wide."""
    photo = _resized(image, width)
    large = Image.fromarray(mask).resize(photo.size, Image.Resampling.NEAREST)
    return Image.fromarray(painted(_array(photo), _array(large), len(shown.classes), max(1, round(width / OUTLINE))))


def section(shown: Segmentations | None, width: int) -> Section | None:
    """How renders and photos are labelled, where that is known; pictures are width pixels wide."""
    return None if shown is None or shown.convention is None else (
        CONVENTIONS, shown.convention.text, conventions(shown, width))


def conventions(shown: Segmentations, width: int) -> list[tuple[str, Image.Image]]:
    """Title and picture of up to two renders with their labels, then of up to two labelled photos."""
    assert shown.convention is not None
    renders = zip(shown.convention.renders, shown.convention.masks, strict=True)
    photos = zip(shown.images, shown.truth, strict=True)
    return [(title, picture(image, mask, shown, width)) for title, pairs in (
        ("render, labels by this policy", renders), ("labelled photo", photos)) for image, mask in islice(pairs, 2)]


def _resized(image: Images, width: int) -> Image.Image:
    height = round(image.shape[0] * width / image.shape[1])
    return Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)


def _array(image: Image.Image) -> Images:
    return np.asarray(image)
