"""Polygons of masks, and masks of polygons, against each other, matplotlib and pycocotools."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from matplotlib.path import Path as Outline
from pycocotools import mask as reference

from scenefit.data.formats.polygons import paint_polygon, polygon_of

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # inside pycocotools


def painted(corners, height, width):
    mask = np.zeros((height, width), np.uint8)
    paint_polygon(mask, np.asarray(corners, float), 7)
    assert set(np.unique(mask).tolist()) <= {0, 7}
    return mask == 7


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), elements=st.booleans()))
@settings(max_examples=100, deadline=None)
def test_the_polygon_of_a_mask_holds_its_pixels_whatever_pieces_and_holes_it_has(mask):
    assert np.array_equal(painted(polygon_of(mask), *mask.shape), mask)


def test_simple_polygons():
    mask = np.zeros((6, 8), bool)
    assert polygon_of(mask).shape == (0, 2)
    mask[1:3, 2:7] = True
    assert sorted(polygon_of(mask).tolist()) == [[2, 1], [2, 3], [7, 1], [7, 3]]


def test_a_polygon_of_any_corners_holds_the_pixels_whose_centres_lie_inside():
    rng = np.random.default_rng(0)
    centres = np.stack(np.meshgrid(np.arange(40) + 0.5, np.arange(30) + 0.5), -1).reshape(-1, 2)
    for _ in range(20):
        angle = np.sort(rng.uniform(0, 2 * np.pi, 9))  # beyond the edges, too
        corners = [20, 15] + rng.uniform(4, 24, (9, 1)) * np.stack([np.cos(angle), np.sin(angle)], 1)
        mask = painted(corners, 30, 40)
        closed = Outline(np.concatenate([corners, corners[:1]]))
        assert np.array_equal(mask, closed.contains_points(centres).reshape(30, 40))
        coco = reference.decode(reference.merge(reference.frPyObjects([corners.ravel().tolist()], 30, 40))) > 0
        assert (mask & coco).sum() > 0.9 * (mask | coco).sum()
