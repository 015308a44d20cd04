"""Class masks in the report: photos, labels and predictions side by side, on the page and in the picture."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import ImageColor

from scenefit.report import ReportContent, conventions, page, picture
from scenefit.report import segmentations as pictures
from scenefit.report.charts.class_colours import OPACITY, class_colour
from scenefit.report.charts.labelled import resized
from scenefit.report.content import BaselineMasks, MaskConvention, Segmentations
from scenefit.report.content.segmentations import IGNORED

GREY = np.full((3, 32, 48, 3), 90, np.uint8)


def square(row, value=1):
    """Masks [3, 32, 48] with a square at this row."""
    out = np.zeros((3, 32, 48), np.uint8)
    out[:, row:row + 10, 8:20] = value
    return out


SHOWN = Segmentations(GREY, square(4), ["car", "tree"], [
    BaselineMasks("grammar", square(20), "mIoU 12.3%", "IoU car 12.3%"),
    BaselineMasks("learned", square(4), "mIoU 1%")], 77, "By class.",
    MaskConvention("Masks show <b>.", GREY[:2], square(20, 2)[:2]))


def has(part, colour):
    return (np.abs(np.asarray(part).astype(int) - colour) <= 1).all(2).sum()


def test_each_photo_has_a_row_with_labels_and_predictions():
    rows = list(pictures.rows(SHOWN, 1000))
    assert [len(row) for row in rows] == [4, 4, 4] and {part.width for part in rows[0]} == {244}
    inside = np.array([90, 90, 90]) * (1 - OPACITY) + np.array(class_colour(0)) * OPACITY
    upper = [has(part.crop((0, 0, 244, 80)), inside) for part in rows[0]]
    lower = [has(part.crop((0, 80, 244, 163)), inside) for part in rows[0]]
    assert upper[0] == lower[0] == 0 and upper[1] == upper[3] > 2000 and lower[2] > 2000 and upper[2] == lower[1] == 0
    assert [title for title, _ in pictures.columns(SHOWN)] == ["photo", "labels", "trained on grammar",
                                                               "trained on learned"]


def test_the_legend_names_what_is_shown():
    assert [name for name, _ in pictures.legend(SHOWN)] == ["car", "tree"], "tree of the convention alone"
    assert ImageColor.getrgb(pictures.legend(SHOWN)[1][1]) == class_colour(1)
    assert [name for name, _ in pictures.legend(replace(SHOWN, convention=None))] == ["car"]
    assert pictures.legend(replace(SHOWN, truth=square(4, IGNORED)))[-1][0] == pictures.IGNORES


def test_pictures_of_very_wide_images_have_a_row():
    assert resized(np.zeros((1, 700, 3), np.uint8), 300).size == (300, 1)


def test_page_and_picture_show_them():
    content = ReportContent("Cars", segmentations=SHOWN)
    text = page.render(content)
    for part in ("Segmentation of 77 labelled photos, by training data", "mIoU 12.3%", "IoU car 12.3%", "By class.",
                 conventions.MASKS, "Masks show &lt;b&gt;."):
        assert part in text, part
    assert text.count('<img alt="photo"') == text.count('<img alt="trained on learned"') == 3
    assert text.count('<img alt="labelled photo"') == text.count('<img alt="render, labels by this policy"') == 2
    first = picture.first_view(content)
    assert first.width == 1400 and has(first, class_colour(0)) > 1000 and has(first, class_colour(1)) > 200
    assert picture.first_view(ReportContent("Cars")).height < first.height - 900


def test_shapes_and_values_are_checked():
    with pytest.raises(ValueError, match=r"masks of grammar need masks uint8 \[3, 32, 48\], got uint8 \[2, 32, 48\]"):
        replace(SHOWN, baselines=[BaselineMasks("grammar", square(2)[:2])])
    with pytest.raises(ValueError, match="labelled renders need masks"):
        MaskConvention("", GREY, square(2).astype(int))
    with pytest.raises(ValueError, match=r"masks of 1 class need values of 0 to 1, or 255 .* got 2"):
        replace(SHOWN, classes=["car"])
