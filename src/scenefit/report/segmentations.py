"""Pictures of class masks on photos: labels beside what the networks of several baselines predict.

Legend: k photos.
"""

from collections.abc import Iterator

from PIL import Image

from scenefit.report.charts.class_colours import class_colour
from scenefit.report.charts.labelled import resized, with_classes
from scenefit.report.content.segmentations import IGNORED, BaselineMasks, Segmentations

GAP = 8
IGNORES = "ignored, darkened"


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
        yield [resized(image, each), *(with_classes(image, mask[row], len(shown.classes), each)
                                       for mask in (shown.truth, *(one.masks for one in shown.baselines)))]
