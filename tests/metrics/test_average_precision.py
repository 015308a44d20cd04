"""Average precision, and which detections are true: against cases worked out by hand."""

import sys

import numpy as np
import pytest

from scenefit.data.boxes import Boxes, make_boxes, no_boxes
from scenefit.metrics.average_precision import average_precision, best_threshold, false_at_recall, match_boxes

CLASSES = ("cat", "dog")


def at(*rows: tuple, count: int = 2) -> Boxes:
    """Rows (image, x, class, score, width=10): boxes 10 high at (x, 0)."""
    return make_boxes(count, [row[0] for row in rows],
                      [[row[1], 0, row[1] + (row[4] if len(row) > 4 else 10), 10] for row in rows],
                      [row[2] for row in rows], [row[3] for row in rows])


TRUTH = at((0, 0, "cat", 1), (0, 50, "cat", 1), (1, 0, "cat", 1), (1, 50, "dog", 1))


def test_perfect_detections_score_one():
    assert average_precision(TRUTH, TRUTH, CLASSES) == {
        "AP50": {"cat": pytest.approx(1), "dog": pytest.approx(1)}, "mAP50": pytest.approx(1), "AP": pytest.approx(1)}


def test_by_hand():
    """Cats, surest first: true, false, true; one of three is missed. Precision 1 up to recall 1/3, 2/3 up to 2/3."""
    found = at((0, 0, "cat", 0.9), (0, 100, "cat", 0.8), (1, 0, "cat", 0.7), (1, 50, "dog", 0.3))
    steps = np.linspace(0, 1, 101)
    cat = np.where(steps <= 1 / 3, 1, np.where(steps <= 2 / 3, 2 / 3, 0)).mean()
    value = average_precision(found, TRUTH, CLASSES)
    assert value["AP50"]["cat"] == pytest.approx(cat) and value["AP50"]["dog"] == pytest.approx(1)
    assert value["mAP50"] == pytest.approx((cat + 1) / 2)


def test_ap_counts_how_well_boxes_fit():
    """A box of IoU 0.7 is right at 0.5, 0.55, 0.6, 0.65 and 0.7: half of the ten."""
    truth, found = at((0, 0, "dog", 1, 20), count=1), at((0, 0, "dog", 1, 14), count=1)
    value = average_precision(found, truth, ("dog",))
    assert value["AP50"]["dog"] == pytest.approx(1) and value["AP"] == pytest.approx(0.5)


def test_a_class_without_truths_is_left_out_of_the_mean():
    truth = TRUTH.where(TRUTH.name == "cat")
    value = average_precision(TRUTH, truth, CLASSES)
    assert np.isnan(value["AP50"]["dog"]) and value["mAP50"] == value["AP50"]["cat"] == pytest.approx(1)
    assert value["AP"] == pytest.approx(1)


def test_nothing_found_and_nothing_there():
    value = average_precision(no_boxes(2), TRUTH.where(TRUTH.name == "cat"), CLASSES)
    assert value["AP50"]["cat"] == value["mAP50"] == value["AP"] == 0 and np.isnan(value["AP50"]["dog"])
    value = average_precision(TRUTH, no_boxes(2), CLASSES)
    assert np.isnan([value["mAP50"], value["AP"], *value["AP50"].values()]).all()
    assert average_precision(TRUTH.where(TRUTH.name == "cat"), TRUTH, CLASSES)["AP50"]["dog"] == 0


def test_no_detection_is_cut_off():
    """COCO's own limit is 100 an image."""
    many = [(0, 20 * number, "cat", 1 - number / 1000) for number in range(250)]
    assert average_precision(at(*many), at(*many), CLASSES)["AP50"]["cat"] == pytest.approx(1)


def test_it_prints_nothing(capsys):
    average_precision(TRUTH, TRUTH, CLASSES)
    assert capsys.readouterr().out == ""


def test_errors_say_what_to_do(monkeypatch):
    with pytest.raises(ValueError, match=r"detections of 3 images cannot be compared with labels of 2; both need the"):
        average_precision(no_boxes(3), TRUTH, CLASSES)
    with pytest.raises(ValueError, match=r"boxes of \['dog'\] are not among the classes \['cat'\]; add them, or leave"):
        average_precision(TRUTH, TRUTH, ("cat",))
    for name in ("pycocotools", "pycocotools.coco", "pycocotools.cocoeval"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r'needs pycocotools: pip install "scenefit\[detect\]"'):
        average_precision(TRUTH, TRUTH, CLASSES)


def test_each_truth_is_found_once_by_the_surest():
    found = at((0, 2, "cat", 0.5), (0, 0, "cat", 0.9), (0, 50, "dog", 0.8), (1, 51, "dog", 0.4))
    match = match_boxes(found, TRUTH)
    assert match.true.tolist() == [False, True, False, True]  # the second box of a cat; a cat called a dog
    assert match.detected.tolist() == [True, False, False, True]
    assert match.counts(0) == (2, 2, 2) and match.counts(0.45) == (1, 2, 3) and match.counts(0.95) == (0, 0, 4)


def test_a_detection_takes_the_free_truth_it_overlaps_most():
    truth = at((0, 0, "cat", 1), (0, 3, "cat", 1))
    assert match_boxes(at((0, 2, "cat", 0.9)), truth).detected.tolist() == [False, True]
    assert match_boxes(at((0, 2, "cat", 0.9), (0, 3, "cat", 0.8)), truth).true.tolist() == [True, True]
    assert not match_boxes(at((0, 4, "cat", 0.9)), at((0, 0, "cat", 1))).true.any()  # IoU 6/14


def test_the_threshold_of_the_best_f1():
    found = at((0, 0, "cat", 0.9), (0, 100, "cat", 0.8), (1, 0, "cat", 0.7), (1, 100, "cat", 0.2), (1, 120, "dog", 0.2))
    match = match_boxes(found, TRUTH)
    threshold = best_threshold(match)
    assert threshold == pytest.approx(0.45) and match.counts(threshold) == (2, 1, 2)

    def f1(at_least: float) -> float:
        true, false, missed = match.counts(at_least)
        return 2 * true / (2 * true + false + missed)

    assert f1(threshold) == max(f1(t) for t in np.linspace(0, 1, 101))
    assert best_threshold(match_boxes(no_boxes(2), TRUTH)) == 0.5


def test_equal_scores_are_believed_together():
    found = at((0, 0, "cat", 0.6), *[(0, 100 + 20 * n, "cat", 0.6) for n in range(9)], (1, 0, "cat", 0.5))
    assert best_threshold(match_boxes(found, at((0, 0, "cat", 1), (1, 0, "cat", 1)))) == pytest.approx(0.25)


def test_false_ones_at_equal_recall():
    found = at((0, 0, "cat", 0.9), (0, 100, "cat", 0.8), (1, 0, "cat", 0.7), (1, 100, "cat", 0.6))
    match = match_boxes(found, TRUTH)
    assert [false_at_recall(match, recall) for recall in (0, 0.25, 0.5, 0.75)] == [0, 0, 1, None]
    with pytest.raises(ValueError, match=r"a recall lies in 0\.\.1, got 2"):
        false_at_recall(match, 2)
