"""The curve of missed objects over false detections, of cases worked out by hand."""

import numpy as np
import pytest

from scenefit.metrics.average_precision import Match
from scenefit.metrics.froc import froc

INF = float("inf")


def match(*detections: tuple[float, bool], objects: int = 4) -> Match:
    """Detections (confidence, whether true) in any order; objects: how many there are."""
    row = np.cumsum([true for _, true in detections]) - 1
    true = np.array([true for _, true in detections], bool)
    return Match(np.where(true, row, -1), np.arange(objects) < true.sum(),
                 np.array([score for score, _ in detections], float))


def test_by_hand():
    """Most confident first: true, false, true, false, false, in two photos with four objects."""
    curve = froc(match((0.2, False), (0.9, True), (0.8, False), (0.5, True), (0.4, False)), photos=2)
    assert curve.threshold.tolist() == [INF, 0.9, 0.8, 0.5, 0.4, 0.2]
    assert curve.false.tolist() == [0, 0, 0.5, 0.5, 1, 1.5]
    assert curve.missed.tolist() == [1, 0.75, 0.75, 0.5, 0.5, 0.5]
    assert [curve.missed_at(false) for false in (0, 0.4, 0.5, 0.9, 1.5)] == [0.75, 0.75, 0.5, 0.5, 0.5]
    assert curve.threshold[curve.point(0.9)] == 0.5, "the lowest with at most so many"
    assert curve.missed_at(1.6) is None and curve.point(1.6) is None, "the detector never makes so many"


def test_equal_confidences_count_together():
    curve = froc(match((0.5, False), (0.5, True), (0.5, True), (0.7, False)), photos=1)
    assert curve.false.tolist() == [0, 1, 2] and curve.missed.tolist() == [1, 1, 0.5]
    assert curve.missed_at(1) == 1 and curve.missed_at(2) == 0.5


def test_nothing_found_and_nothing_there():
    none = froc(match(), photos=3)
    assert none.false.tolist() == [0] and none.missed.tolist() == [1] and none.missed_at(1) is None
    empty = froc(match((0.5, False), objects=0), photos=1)
    assert empty.false.tolist() == [0, 1] and empty.missed_at(1) is None and empty.point(1) == 1
    with pytest.raises(ValueError, match="need at least 1 photo, got 0"):
        froc(match(), photos=0)


def test_a_point_counts_what_lies_above_its_threshold():
    rng = np.random.default_rng(0)
    found = match(*zip(rng.integers(0, 60, 300) / 60, rng.random(300) < 0.4, strict=True), objects=200)
    curve = froc(found, photos=7)
    for threshold, false, missed in zip(curve.threshold, curve.false, curve.missed, strict=True):
        _, wrong, lost = found.counts(threshold)
        assert (false, missed) == pytest.approx((wrong / 7, lost / 200))
    assert len(curve.false) == len(np.unique(found.score)) + 1
