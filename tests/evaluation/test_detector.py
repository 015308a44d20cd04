"""A detector measured on labelled photos, with predictions that are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenefit.data.boxes import make_boxes
from scenefit.data.photos import Photos
from scenefit.evaluation.detector import evaluate_detector
from scenefit.tasks.detector_file import TrainedDetector

IMAGES = np.zeros((2, 16, 16, 3), np.uint8)
TRUTH = make_boxes(2, [0, 0, 1], [[0, 0, 4, 4], [8, 8, 12, 12], [0, 0, 8, 8]], ["a", "b", "c"])
FOUND = make_boxes(2, [0, 0, 1], [[0, 0, 4, 4], [8, 8, 12, 12], [4, 4, 12, 12]], ["a", "b", "a"], [0.9, 0.3, 0.6])


class Fixed:
    """A task that predicts FOUND."""

    classes = ("a", "b")

    def predict(self, network, images):
        assert images is IMAGES
        return FOUND


DETECTOR = TrainedDetector(Fixed(), None, (16, 16), 0.5)
PHOTOS = Photos(IMAGES, (Path("0.png"), Path("1.png")), (), np.array(["", ""]), TRUTH)


def test_average_precision_of_each_class_and_counts_at_the_threshold():
    found = evaluate_detector(DETECTOR, PHOTOS)
    assert found.ap50 == pytest.approx({"a": 1, "b": 1, "c": 0}) and found.mean_ap50 == pytest.approx(2 / 3)
    assert (found.true, found.false, found.missed) == (1, 1, 2), "at 0.5: one a is true, one false, b is below it"
    assert found.photos == 2 and found.threshold == 0.5


def test_photos_that_cannot_measure_a_detector():
    for boxes, text in ((None, "a class for each photo, and a detector is evaluated on boxes"),
                        (TRUTH.where(TRUTH.name == "none"), "the 2 labelled photos have no box at all"),
                        (TRUTH.where(TRUTH.name == "c"), r"of the classes \['c'\], and the detector kn")):
        with pytest.raises(ValueError, match=text):
            evaluate_detector(DETECTOR, replace(PHOTOS, boxes=boxes))
