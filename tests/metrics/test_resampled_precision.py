"""Average precision of resampled photos, held against that of pycocotools."""

import numpy as np
import pytest

from scenefit.data.boxes import Boxes, make_boxes
from scenefit.metrics.average_precision import average_precision
from scenefit.metrics.resampled_precision import resampled_precision


def boxes(count: int, each: int, seed: int) -> Boxes:
    random = np.random.default_rng(seed)
    image = np.repeat(np.arange(count), each)
    low = random.uniform(0, 40, (len(image), 2))
    name = random.choice(["a", "b"], len(image))
    return make_boxes(count, image, np.concatenate([low, low + random.uniform(8, 20, (len(image), 2))], 1), name)


def shaken(truth: Boxes, seed: int) -> Boxes:
    random = np.random.default_rng(seed)
    kept = np.flatnonzero(random.random(len(truth)) < 0.8)
    box = truth.box[kept] + random.normal(0, 1, (len(kept), 4))
    return make_boxes(truth.count, truth.image[kept], box, truth.name[kept], random.random(len(kept)))


def test_weights_of_one_give_the_average_precision_of_all_photos():
    truth = boxes(12, 5, 0)
    found = shaken(truth, 1)
    ours = resampled_precision(found, truth, np.ones((1, 12)))
    measured = average_precision(found, truth, ["a", "b"])
    assert ours[0] == pytest.approx(measured["AP"], abs=1e-9)
    assert resampled_precision(found, truth, np.ones((1, 12)), [0.5])[0] == pytest.approx(measured["mAP50"], abs=1e-9)


def test_a_weight_is_how_often_a_photo_counts():
    truth = boxes(6, 4, 2)
    found, drawn = shaken(truth, 3), np.array([0, 0, 2, 5])
    again = average_precision(found.take(drawn), truth.take(drawn), ["a", "b"])["AP"]
    weights = np.bincount(drawn, minlength=6)[None].astype(float)
    assert resampled_precision(found, truth, weights)[0] == pytest.approx(again, abs=0.01), "photos tie with copies"


def test_classes_without_a_box_in_a_resample_are_left_out():
    truth = make_boxes(2, [0, 1], [[0, 0, 9, 9]] * 2, ["a", "b"])
    found = make_boxes(2, [0], [[0, 0, 9, 9]], ["a"], [0.9])
    values = resampled_precision(found, truth, np.array([[1.0, 0], [0, 1], [1, 1], [0, 0]]))
    assert values[:3].tolist() == [1.0, 0.0, 0.5] and np.isnan(values[3])
