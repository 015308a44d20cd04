"""Kinds of mistakes, of boxes drawn by hand: one true box of 20 x 20 pixels, and one detection or two."""

import numpy as np
import pytest

from scenefit.data.boxes import join_boxes, make_boxes, no_boxes
from scenefit.metrics.average_precision import match_boxes
from scenefit.metrics.detection_errors import KINDS, TRUE, detection_errors

TRUTH = make_boxes(1, [0, 0], [[20, 20, 40, 40], [70, 70, 90, 90]], ["cat", "dog"])
CASES = {  # detections: class, box, score; the kind of the last of them, and its side over that of its true box
    "the object": ([("cat", [20, 20, 40, 40], 0.9)], None, 1),
    "a larger box, large enough to count": ([("cat", [18, 18, 42, 42], 0.9)], None, 1.2),
    "inside, 0.64 of its side": ([("cat", [24, 24, 36.8, 36.8], 0.9)], "too small", 0.64),
    "around it": ([("cat", [10, 10, 50, 50], 0.9)], "too large", 2),
    "beside it, as large": ([("cat", [30, 20, 50, 40], 0.9)], "misplaced", 1),
    "beside it, 0.9 of its area": ([("cat", [30, 20, 48, 40], 0.9)], "misplaced", np.sqrt(0.9)),
    "found already": ([("cat", [20, 20, 40, 40], 0.9), ("cat", [21, 21, 41, 41], 0.8)], "doubled", 1),
    "an object of another class": ([("dog", [20, 20, 40, 40], 0.9)], "other class", np.nan),
    "beside one of another class": ([("dog", [30, 20, 50, 40], 0.9)], "other class", np.nan),
    "a class that no photo has": ([("bird", [71, 71, 90, 90], 0.9)], "other class", np.nan),
    "nothing there": ([("cat", [50, 0, 60, 10], 0.9)], "background", np.nan),
    "hardly touches it": ([("cat", [38, 38, 58, 58], 0.9)], "background", np.nan),
    "a speck on it": ([("cat", [28, 28, 32, 32], 0.9)], "background", np.nan)}


@pytest.mark.parametrize("case", CASES)
def test_each_kind(case):
    rows, kind, side = CASES[case]
    names, boxes, scores = zip(*rows, strict=True)
    errors = detection_errors(make_boxes(1, [0] * len(rows), boxes, names, scores), TRUTH)
    assert errors.kind[-1] == (TRUE if kind is None else KINDS.index(kind))
    assert errors.side[-1] == pytest.approx(side, nan_ok=True)


def test_a_box_of_its_own_class_decides_unless_one_of_another_is_met():
    """Cats at 20 and 36, a dog at 30, all of 20 x 20 pixels in one row."""
    truth = make_boxes(1, [0] * 3, [[20, 0, 40, 20], [36, 0, 56, 20], [30, 0, 50, 20]], ["cat", "cat", "dog"])

    def kinds(*rows):
        found = make_boxes(1, [0] * len(rows), [[x, 0, x + 20, 20] for _, x in rows], [name for name, _ in rows],
                           np.linspace(0.9, 0.5, len(rows)))
        return [None if kind == TRUE else KINDS[kind] for kind in detection_errors(found, truth).kind]

    assert kinds(("cat", 29)) == ["other class"], "on the dog, and on neither cat by a half"
    assert kinds(("dog", 21)) == ["other class"], "on a cat by nine tenths, on the dog by a third"
    assert kinds(("cat", 20), ("cat", 36), ("cat", 34)) == [None, None, "doubled"], "and on the dog by two thirds"
    assert kinds(("dog", 46)) == ["misplaced"], "on the dog by a ninth, on a cat by a third"


def random_boxes(rng, n, count, scores=False):
    low, size = rng.uniform(0, 60, (n, 2)), rng.uniform(12, 30, (n, 2))
    return make_boxes(count, rng.integers(0, count, n), np.concatenate([low, low + size], 1),
                      rng.choice(["cat", "dog", "bird"], n), rng.random(n) if scores else None)


def test_each_false_detection_has_one_kind_and_images_do_not_meet():
    rng = np.random.default_rng(0)
    truth, found = random_boxes(rng, 120, 8), random_boxes(rng, 800, 8, scores=True)
    errors, match = detection_errors(found, truth), match_boxes(found, truth)
    assert np.array_equal(errors.kind == TRUE, match.true) and match.true.sum() > 20
    assert np.array_equal(errors.match.row, match.row) and np.all(truth.name[match.row[match.true]]
                                                                  == found.name[match.true])
    assert set(errors.kind.tolist()) == {TRUE, *range(len(KINDS))}, "all kinds are there"
    counts = errors.counts(np.full(800, True))
    assert list(counts) == list(KINDS) and sum(counts.values()) == (~match.true).sum()
    cats = errors.counts(found.name == "cat")
    assert sum(cats.values()) == (~match.true & (found.name == "cat")).sum()
    alone = [detection_errors(found.take([image]), truth.take([image])) for image in range(8)]
    assert np.array_equal(np.concatenate([one.kind for one in alone]), errors.kind)


def test_photos_without_detections_or_without_objects():
    found = make_boxes(2, [1], [[0, 0, 9, 9]], ["cat"], [0.5])
    assert detection_errors(found, join_boxes([TRUTH, no_boxes(1)])).counts(np.array([True]))["background"] == 1
    assert detection_errors(no_boxes(1), TRUTH).kind.shape == (0,)
    with pytest.raises(ValueError, match="detections of 2 images cannot be compared with labels of 1"):
        detection_errors(found, TRUTH)
