"""What detectors miss, and what their false detections are, at thresholds with equal false detections per photo.

Legend: t true boxes.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes
from scenefit.metrics.average_precision import match_boxes
from scenefit.metrics.detection_errors import detection_errors
from scenefit.metrics.froc import FALSE_PER_PHOTO, Froc, froc
from scenefit.report.content import BaselineErrors, ErrorAnalysis, Quartiles, SizeGroup

AT = 1.0  # false detections per photo, or as many as all detectors reach


def analyse_errors(predicted: Mapping[str, Boxes], truth: Boxes) -> ErrorAnalysis | None:
    """Of each baseline's detections, with those of low confidence; None without true boxes.

    The three sizes are the thirds of the true boxes, by their side; boxes of one side are of one size.
    """
    if not len(truth):
        return None
    curves = {name: froc(match_boxes(boxes, truth), truth.count) for name, boxes in predicted.items()}
    at = min([AT, *(float(curve.false[-1]) for curve in curves.values())])
    side = np.sqrt((truth.box[:, 2:] - truth.box[:, :2]).prod(1))
    limits = np.quantile(side, [1 / 3, 2 / 3])
    group = np.searchsorted(limits, side)
    ends = [None, *limits.tolist(), None]
    sizes = tuple(SizeGroup(ends[number], ends[number + 1], int((group == number).sum()))
                  for number in np.unique(group).tolist())
    names, counts = np.unique(truth.name, return_counts=True)
    return ErrorAnalysis(at, truth.count, len(truth), FALSE_PER_PHOTO, sizes,
                         tuple(names[np.argsort(-counts, kind="stable")].tolist()),
                         tuple(_of_baseline(name, boxes, truth, curves[name], at, group)
                               for name, boxes in predicted.items()))


def _of_baseline(name: str, boxes: Boxes, truth: Boxes, curve: Froc, at: float,
                 group: NDArray[np.int64]) -> BaselineErrors:
    """group [t]: the size of each true box."""
    point = curve.point(at)
    assert point is not None
    counted = boxes.where(boxes.score >= curve.threshold[point])
    errors = detection_errors(counted, truth)
    missed, beside = ~errors.match.detected, ~np.isnan(errors.side)
    kinds = {kind: count / truth.count for kind, count in errors.counts(np.full(len(counted), True)).items()}
    sides = {of: Quartiles(*np.quantile(errors.side[beside & (counted.name == of)], [0.25, 0.5, 0.75]).tolist())
             for of in np.unique(counted.name[beside]).tolist()}
    return BaselineErrors(name, *_corners(curve), tuple(curve.missed_at(false) for false in FALSE_PER_PHOTO),
                          tuple(float(missed[group == number].mean()) for number in np.unique(group)), kinds, sides)


def _corners(curve: Froc) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """False detections and missed objects where fewer are missed than with fewer false ones, and at the end."""
    last = np.flatnonzero(np.diff(curve.false, append=np.inf))  # of all points with as many false detections
    missed = curve.missed[last]
    fewer = np.diff(missed, prepend=np.inf) < 0
    fewer[-1] = True
    return tuple(curve.false[last][fewer].tolist()), tuple(missed[fewer].tolist())
