"""How well attributes can be predicted: R2 on renders that no network was trained on, and which of them are inferred.

Legend: V renders; m objects.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scenefit.inference.npe.matching import Known, Predictions, match_objects, single_targets
from scenefit.inference.npe.statistics import ImageRegression
from scenefit.nets.attribute_regressor import Target
from scenefit.nets.object_targets import UNIT_SPREAD, ObjectAttribute, ObjectSpec
from scenefit.scenes.attributes import Key

Floats = NDArray[np.float64]
MIN_R2 = 0.1  # an attribute that is predicted worse than this keeps its prior
MIN_OBJECTS = 30


def r_squared(targets: Sequence[Target], spec: ObjectSpec, predicted: Predictions, known: Known,
              regression: ImageRegression | None) -> dict[Key, float]:
    """Share of each attribute's variance that is predicted: of the whole image's, and of visible objects'. Of an angle,
    the better of direction and axis; of a choice, the share of errors that predictions avoid.

    regression: of the image's attributes, if it was fitted on these renders; its own leave-one-out R2 counts.
    """
    out: dict[Key, float] = {}
    for target, part in single_targets(spec, targets):
        truth, mine = known.truth[:, part], predicted.image[:, part]
        there = np.isfinite(truth).all(1)
        pieces = [slice(0, 2), slice(2, 4)] if target.form == "angle" else [slice(None)]
        if regression is not None:
            own = regression.r2[part].numpy()
            out[target.attribute.key] = float(max(own[piece].mean() for piece in pieces))
            continue
        out[target.attribute.key] = max(_r2(mine[there][:, piece], truth[there][:, piece]) for piece in pieces)
    rows, real = match_objects(predicted.objects, known.objects)
    for one in spec.attributes:
        own = predicted.objects.kind[rows] == spec.kinds.index(one.kind)
        truth, mine = known.objects.values[real[own], one.column], predicted.objects.outputs[rows[own], one.outputs]
        there = np.isfinite(truth)
        if there.sum() >= MIN_OBJECTS:
            found = _of_object(one, mine[there], truth[there])
            out[one.attribute.key] = max(found, out.get(one.attribute.key, -np.inf))
    return out


def _of_object(one: ObjectAttribute, predicted: Floats, truth: Floats) -> float:
    if one.attribute.form == "choice":
        frequent = np.bincount(truth.astype(int)).max() / len(truth)
        return float(1 - (predicted.argmax(1) != truth).mean() / max(1 - frequent, 1e-9))
    if one.attribute.form == "angle":
        turn = 2 * np.pi * truth - np.pi
        pairs = [np.stack([np.sin(times * turn), np.cos(times * turn)], 1) for times in (1, 2)]
        return max(_r2(predicted[:, :2], pairs[0]), _r2(predicted[:, 2:], pairs[1]))
    return _r2(predicted[:, :1] / UNIT_SPREAD + 0.5, truth[:, None])


def _r2(predicted: Floats, truth: Floats) -> float:
    """Of a linear calibration of the predictions: a constant bias is corrected later."""
    total = ((truth - truth.mean(0)) ** 2).sum()
    if len(truth) < 8 or total < 1e-9 * len(truth):
        return 0.0
    error = 0.0
    for mine, true in zip(predicted.T, truth.T, strict=True):
        slope = np.cov(mine, true, bias=True)[0, 1] / max(mine.var(), 1e-12)
        error += ((true - true.mean() - slope * (mine - mine.mean())) ** 2).sum()
    return float(1 - error / total)
