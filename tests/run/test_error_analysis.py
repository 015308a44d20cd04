"""Mistakes of two detectors in two photos, counted by hand."""

import numpy as np
import pytest

from scenefit.data.boxes import make_boxes, no_boxes
from scenefit.metrics.detection_errors import KINDS
from scenefit.report.charts import errors
from scenefit.run.error_analysis import analyse_errors


def boxes(*rows):
    """Squares (photo, x, side, class, score) in two photos."""
    return make_boxes(2, [row[0] for row in rows], [[row[1], 0, row[1] + row[2], row[2]] for row in rows],
                      [row[3] for row in rows], [row[4] for row in rows])


TRUTH = boxes((0, 0, 10, "dot", 1), (0, 100, 20, "cell", 1), (1, 200, 20, "cell", 1), (1, 300, 40, "cell", 1))
GOOD = boxes((0, 100, 20, "cell", 0.9), (1, 300, 44, "cell", 0.8), (0, 500, 9, "dot", 0.7), (1, 200, 20, "cell", 0.6),
             (0, 100, 10, "cell", 0.5), (1, 600, 9, "dot", 0.4), (0, 0, 10, "dot", 0.3))
POOR = boxes((1, 600, 9, "dot", 0.9), (1, 300, 40, "dot", 0.8), (0, 0, 10, "dot", 0.2), (0, 700, 9, "dot", 0.1))


def test_by_hand():
    found = analyse_errors({"learned": GOOD, "grammar": POOR}, TRUTH)
    assert (found.at, found.photos, found.objects, found.classes) == (1, 2, 4, ("cell", "dot"))
    assert [(size.low, size.high, size.objects) for size in found.sizes] == [(None, 20, 3), (20, None, 1)]
    good, poor = found.baselines
    assert (good.baseline, poor.baseline) == ("learned", "grammar")
    assert good.false == (0, 0.5, 1.5) and good.missed == (0.5, 0.25, 0), "corners of the curve"
    assert poor.false == (0, 1, 1.5) and poor.missed == (1, 0.75, 0.75), "and its end"
    assert good.missed_at == (0.25, None, None) and poor.missed_at == (0.75, None, None)
    assert good.by_size == (pytest.approx(1 / 3), 0) and poor.by_size == (pytest.approx(2 / 3), 1)
    counts = {kind: count for kind, count in good.kinds.items() if count}
    assert counts == {"too small": 0.5, "background": 0.5}
    assert {kind: count for kind, count in poor.kinds.items() if count} == {"other class": 0.5, "background": 0.5}
    assert good.sides == {"cell": pytest.approx(tuple(np.quantile([0.5, 1, 1, 1.1], [0.25, 0.5, 0.75])))}
    assert poor.sides == {"dot": (1, 1, 1)}, "of boxes that overlap an object of their class"


def test_the_report_has_a_colour_for_each_kind():
    assert tuple(errors.KINDS) == KINDS


def test_detectors_are_compared_where_all_have_as_many_false_detections():
    found = analyse_errors({"learned": GOOD, "grammar": boxes((1, 600, 9, "dot", 0.9))}, TRUTH)
    assert found.at == 0.5 and [sum(one.kinds.values()) for one in found.baselines] == [0.5, 0.5]
    perfect = analyse_errors({"learned": TRUTH, "grammar": POOR}, TRUTH)
    assert perfect.at == 0 and [one.by_size for one in perfect.baselines] == [(0, 0), (1, 1)]
    assert perfect.baselines[0].false == (0,) and perfect.baselines[0].missed == (0,)
    nothing = analyse_errors({"learned": no_boxes(2)}, TRUTH).baselines[0]
    assert nothing.missed == (1,) and nothing.by_size == (1, 1) and nothing.sides == {}


def test_objects_of_one_size_are_one_group_and_without_objects_nothing_is_told():
    (size,) = analyse_errors({"learned": POOR}, TRUTH.where(TRUTH.name == "dot")).sizes
    assert size == (None, 10, 1)
    assert analyse_errors({"learned": POOR}, no_boxes(2)) is None
