"""Photos with detections: what lies inside a box stays as it is."""

import numpy as np
import pytest
from PIL import ImageColor

from scenefit.report.overlay import COLOURS, overlay

NAMES = [f"class {number}" for number in range(15)]


def drawn(image, boxes, classes, caption="zq7"):
    boxes = np.array(boxes, float).reshape(-1, 4)
    return np.asarray(overlay(image, boxes, np.array(classes, int), np.full(len(boxes), 0.5), NAMES, caption))


def grid(width, height, columns, rows):
    """Boxes that do not touch, also at the photo's border."""
    x, y = (np.arange(n) * side // n for n, side in ((columns, width), (rows, height)))
    wide, high = width // columns * 2 // 3, height // rows * 2 // 3
    return [(a, b, a + wide, b + high) for a in x for b in y]


@pytest.mark.parametrize(("size", "times", "width"), [((160, 120), 4, 2), ((320, 240), 2, 2), ((1280, 720), 1, 3)])
@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (4, 3), (10, 8)])
def test_objects_stay_visible(size, times, width, columns, rows):
    image = np.random.default_rng(0).integers(90, 110, (size[1], size[0], 3)).astype(np.uint8)
    boxes = grid(*size, columns, rows)
    found = drawn(image, boxes, [0] * len(boxes))
    large = image.repeat(times, 0).repeat(times, 1)
    changed = np.any(found[:len(large)] != large, axis=2)
    for x0, y0, x1, y1 in np.array(boxes) * times:
        left, top = width * (x0 == 0), width * (y0 == 0)  # at the border, there is no room outside
        assert not changed[y0 + top:y1, x0 + left:x1].any()
        assert np.all(found[(y0 + y1) // 2, x1:x1 + width] == ImageColor.getrgb(COLOURS[0]))
        assert not changed[(y0 + y1) // 2, x1 + width]
    scores = changed[:, :, None] & (found[:len(large)] == 255)
    assert scores.any() == (len(boxes) < 25), "many scores hide what was not found"


def test_the_strip_names_the_classes_that_were_found():
    image = np.full((480, 640, 3), 40, np.uint8)
    none, one, several = (drawn(image, grid(640, 480, 10, 1)[:n], range(n)) for n in (0, 1, 10))
    assert np.array_equal(none[:480], image) and len(none) == len(one) < len(several)
    for n, found in enumerate((none, one)):
        seen = {tuple(colour) for colour in found[480:].reshape(-1, 3).tolist()}
        assert [ImageColor.getrgb(colour) in seen for colour in COLOURS] == [True] * n + [False] * (7 - n)
    assert not np.array_equal(none, drawn(image, [], [], caption="zq8"))


def test_classes_of_one_colour_have_other_dashes():
    image = np.zeros((480, 640, 3), np.uint8)
    lines = [drawn(image, [(200, 200, 400, 300)], [code])[198] for code in (0, 7, 14)]
    solid, dashed, dotted = (np.all(line == ImageColor.getrgb(COLOURS[0]), axis=1).sum() for line in lines)
    assert solid == 204 > dashed > dotted > 90


@pytest.mark.parametrize(("size", "times"), [((96, 128), 5), ((16, 16), 30), ((479, 500), 2), ((480, 500), 1),
                                             ((20, 900), 2), ((3, 4000), 1), ((2000, 3), 1), ((1, 1), 480)])
def test_photos_of_any_shape_are_drawn_and_small_ones_enlarged(size, times):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    found = drawn(image, [], [])
    assert np.array_equal(found[:size[0] * times], image.repeat(times, 0).repeat(times, 1)) and len(found) > size[0]
    assert drawn(image, [(0, 0, size[1], size[0])] * 2, [0, 9]).shape[1] == found.shape[1]
