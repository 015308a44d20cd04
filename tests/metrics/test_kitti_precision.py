"""KITTI's average precision: cases worked out by hand."""

import numpy as np
import pytest

from scenefit.data.boxes import make_boxes, no_boxes
from scenefit.metrics.kitti_precision import (
    DIFFICULTIES,
    counted_objects,
    has_difficulties,
    interpolated_precision,
    kitti_precision,
)

EASY, MODERATE, HARD = DIFFICULTIES


def truths(*rows, count=2):
    """Rows (image, x, height, occlusion, truncation, class): boxes 50 wide at (x, 0)."""
    return make_boxes(count, [row[0] for row in rows], [[row[1], 0, row[1] + 50, row[2]] for row in rows],
                      [row[5] if len(row) > 5 else "Car" for row in rows],
                      more={"occlusion": [row[3] for row in rows], "truncation": [row[4] for row in rows]})


def found(*rows, count=2):
    """Rows (image, x, height, score)."""
    return make_boxes(count, [row[0] for row in rows], [[row[1], 0, row[1] + 50, row[2]] for row in rows],
                      ["Car"] * len(rows), [row[3] for row in rows])


TRUTH = truths((0, 0, 40, 0, 0.15), (0, 100, 25, 0, 0), (0, 200, 60, 1, 0), (1, 0, 60, 2, 0.5), (1, 100, 60, 3, 0),
               (1, 200, 24.9, 0, 0))
ALL = found((0, 0, 40, 0.9), (0, 100, 25, 0.8), (0, 200, 60, 0.7), (1, 0, 60, 0.6), (1, 100, 60, 0.5),
            (1, 200, 24.9, 0.4))


def at(predicted, difficulty, **more):
    return kitti_precision(predicted, more.pop("truth", TRUTH), "Car", difficulty, **more)


def test_which_objects_count():
    assert [counted_objects(TRUTH, one).tolist().count(True) for one in DIFFICULTIES] == [1, 3, 4]
    assert counted_objects(TRUTH, EASY)[0], "the limits themselves count"
    half = TRUTH.scaled(0.5)
    assert np.array_equal(counted_objects(half, HARD, np.array([0.5, 0.5])), counted_objects(TRUTH, HARD))
    assert counted_objects(half, HARD).sum() == 2
    assert has_difficulties(TRUTH) and not has_difficulties(ALL) and not has_difficulties(no_boxes(2))


def test_the_least_height_counts_at_any_scale():
    """A box of 25 pixels at any place; sums and quotients of floats are off by a little."""
    scale = np.arange(1, 200) / 317
    top = np.arange(199) * 0.37
    box = np.stack([np.zeros(199), top, np.full(199, 50), top + 25], axis=1) * scale[:, None]
    truth = make_boxes(199, np.arange(199), box, ["Car"] * 199, more={"occlusion": [0] * 199, "truncation": [0] * 199})
    assert counted_objects(truth, HARD, scale).all() and not counted_objects(truth, HARD, scale * 1.0001).any()


def test_interpolation_by_hand():
    """Two objects. True, false, true: precision 1 for the recalls up to a half, 2/3 above; and one never found."""
    score = np.array([0.9, 0.8, 0.7])
    assert interpolated_precision(np.array([True, False, True]), score, 2) == pytest.approx((20 + 20 * 2 / 3) / 40)
    assert interpolated_precision(np.array([True, False, False]), score, 2) == pytest.approx(0.5)
    assert interpolated_precision(np.array([False, True, True]), score, 2) == pytest.approx(2 / 3)
    assert interpolated_precision(np.array([True, True, False]), score[::-1], 2) == pytest.approx(2 / 3), "by score"
    assert interpolated_precision(np.zeros(0, bool), np.zeros(0), 2) == 0
    assert np.isnan(interpolated_precision(np.array([True]), np.array([0.5]), 0))


def test_other_objects_are_neither_missed_nor_false():
    assert [at(ALL, one) for one in DIFFICULTIES] == [1, 1, 1]
    assert [at(ALL.where(ALL.score > 0.85), one) for one in DIFFICULTIES] == pytest.approx([1, 13 / 40, 10 / 40])
    assert at(no_boxes(2), HARD) == 0 and np.isnan(at(ALL, EASY, truth=TRUTH.where(TRUTH.box[:, 3] > 50)))


def test_a_second_detection_of_an_object_is_false():
    """Moderate: three objects; the second detection of an ignored one comes first: 1/2, 2/3, 3/4, of which 3/4 holds
    for all recalls."""
    twice = found((1, 0, 60, 0.99), (1, 0, 60, 0.98), (0, 0, 40, 0.9), (0, 100, 25, 0.8), (0, 200, 60, 0.7))
    assert at(twice, MODERATE) == pytest.approx(3 / 4) and at(twice.where(twice.score != 0.99), MODERATE) == 1


def test_regions_and_small_detections_are_not_false():
    """Easy: one object. A detection above it is false, unless a region holds 70 % of it, or it is below 40 pixels."""
    false = found((0, 500, 50, 0.95), (0, 0, 40, 0.9))
    assert at(false, EASY) == pytest.approx(1 / 2)
    for wide, expected in ((35, 1), (34, 1 / 2)):
        region = make_boxes(2, [0], [[500, 0, 500 + wide, 99]], ["DontCare"])
        assert at(false, EASY, ignored=region) == pytest.approx(expected)
        assert at(false, EASY, ignored=region.take([1, 0])) == pytest.approx(1 / 2), "of its own image"
    assert at(found((0, 500, 39, 0.95), (0, 0, 40, 0.9)), EASY) == 1
    tall = at(found((0, 500, 39, 0.95), (0, 0, 40, 0.9)), EASY, truth=truths((0, 0, 40, 0, 0)), scale=np.full(2, 0.5))
    assert tall == pytest.approx(1 / 2), "78 pixels in the photo"


def test_vans_are_not_cars_but_trucks_are_no_reason():
    some = found((0, 0, 60, 0.9), (1, 0, 60, 0.8))
    for name, expected in (("Van", 1), ("van", 1), ("Truck", 1 / 2)):
        truth = truths((0, 0, 60, 0, 0, name), (1, 0, 60, 0, 0))
        assert at(some, EASY, truth=truth) == pytest.approx(expected)


def test_the_overlap_that_is_asked_for():
    """IoU 0.6: the box is 30 of 50 pixels wide."""
    truth = truths((0, 0, 60, 0, 0))
    narrow = make_boxes(2, [0], [[0, 0, 30, 60]], ["Car"], [0.9])
    assert at(narrow, EASY, truth=truth, min_iou=0.5) == 1 and at(narrow, EASY, truth=truth, min_iou=0.7) == 0
