"""Renders with the labels of the label policy, beside labelled photos."""

from collections.abc import Callable, Iterable
from itertools import chain, islice, repeat
from typing import Any, NamedTuple

from PIL import Image

from scenefit.report.charts.labelled import with_boxes, with_classes
from scenefit.report.content import Detections, Images, Segmentations

BOXES = "How boxes are drawn: in renders and by people"
MASKS = "How masks are drawn: in renders and by people"
PICTURES = 2  # of renders, and of photos


class Section(NamedTuple):
    """Heading, text, titles and pictures."""

    heading: str
    text: str
    pictures: list[tuple[str, Image.Image]]


def section(boxes: Detections | None, masks: Segmentations | None, width: int) -> Section | None:
    """How renders and photos are labelled, boxes before masks; None where neither's policy is known.

    Pictures, width pixels wide, of up to two renders, then of up to two photos.
    """
    if boxes is not None and boxes.convention is not None:
        policy = boxes.convention
        return Section(BOXES, policy.text, _pictures(
            lambda image, truth: with_boxes(image, truth, width),
            zip(policy.renders, policy.box, strict=True), zip(boxes.images, boxes.truth, strict=True)))
    if masks is not None and masks.convention is not None:
        drawn, classes = masks.convention, len(masks.classes)
        return Section(MASKS, drawn.text, _pictures(
            lambda image, mask: with_classes(image, mask, classes, width),
            zip(drawn.renders, drawn.masks, strict=True), zip(masks.images, masks.truth, strict=True)))
    return None


def _pictures(draw: Callable[[Images, Any], Image.Image], renders: Iterable[tuple[Images, Any]],
              photos: Iterable[tuple[Images, Any]]) -> list[tuple[str, Image.Image]]:
    return [(title, draw(image, labels)) for title, (image, labels) in chain(
        zip(repeat("render, labels by this policy"), islice(renders, PICTURES)),
        zip(repeat("labelled photo"), islice(photos, PICTURES)))]
