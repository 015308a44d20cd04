"""Photos with the classes of their pixels."""

import numpy as np

from scenefit.report.charts.class_colours import OPACITY, class_colour
from scenefit.report.content.segmentations import IGNORED
from scenefit.report.mask_overlay import mask_overlay

NAMES = [f"class {number}" for number in range(21)]


def drawn(mask):
    image = np.full((*mask.shape, 3), 100, np.uint8)
    return np.asarray(mask_overlay(image, mask, NAMES))[:mask.shape[0], :mask.shape[1]]


def test_classes_are_translucent_with_thin_outlines_and_what_shows_none_stays():
    mask = np.zeros((500, 600), np.uint8)
    mask[100:200, 100:300], mask[300:, 500:] = 2, IGNORED
    found, colour = drawn(mask), np.array(class_colour(1))
    assert (found[250, 250] == 100).all() and (found[400, 550] == 40).all()
    np.testing.assert_allclose(found[150, 200], 100 * (1 - OPACITY) + colour * OPACITY, atol=0.6)
    assert (found[100, 200] == colour).all() and (found[150, 299] == colour).all()
    assert (found[99, 200] == 100).all() and (found[150, 300] == 100).all() and (found[400, 499] == 100).all()
    np.testing.assert_allclose(found[110, 110], found[150, 200], atol=0), "outlines are thin"


def test_classes_beyond_the_colours_differ():
    assert len({class_colour(code) for code in range(21)}) == 21
