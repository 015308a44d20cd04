"""Predictions on photos and on renders of known truth, and which predicted object is which true one.

Legend: N photos; V renders; R targets; m objects.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.nets.attribute_regressor import Target
from scenefit.nets.object_predictions import ObjectPredictions
from scenefit.nets.object_targets import ObjectSpec, TrueObjects
from scenefit.scenes.scene import Ints, SceneBatch

Floats = NDArray[np.float64]
MIN_MATCH = 2.0  # pixels between the centres of a predicted object and the true one, and a share of its size
MATCH_SHARE = 0.4
MIN_R2 = 0.1  # an attribute that is predicted worse than this stays as it was, at first the prior


@dataclass(frozen=True, eq=False)
class Predictions:
    """image [N, R]: of `Problem.targets`.  objects: predicted in the images."""

    image: Floats
    objects: ObjectPredictions


@dataclass(frozen=True, eq=False)
class Known:
    """Renders of known truth. scenes: V in all.  truth [V, R].  objects: visible in them."""

    scenes: Sequence[SceneBatch]
    truth: Floats
    objects: TrueObjects


def renders_of(found: Predictions, known: Known, rows: Ints) -> tuple[Predictions, Known]:
    """Predictions and truth of some renders of one batch, whose numbers rise; the renders are numbered anew."""
    o = found.objects
    kept = np.isin(o.image, rows)
    mine = o.where(kept)
    objects = ObjectPredictions(len(rows), np.searchsorted(rows, mine.image), mine.kind, mine.score, mine.box,
                                mine.outputs, o.pooled[rows])
    return (Predictions(found.image[rows], objects),
            Known([known.scenes[0].take(rows)], known.truth[rows], known.objects.of(rows)))


def match_objects(found: ObjectPredictions, truth: TrueObjects, same_kind: bool = True) -> tuple[Ints, Ints]:
    """Rows of predicted and of true objects that belong together: in order of the score, each takes the nearest true
    object that is still free."""
    pairs: list[tuple[int, int]] = []
    middle = (found.box[:, :2] + found.box[:, 2:]) / 2
    true_middle, size = (truth.box[:, :2] + truth.box[:, 2:]) / 2, (truth.box[:, 2:] - truth.box[:, :2]).max(1)
    for image in np.unique(found.image):
        mine = np.flatnonzero(found.image == image)
        real = np.arange(len(truth.image))[truth.rows(int(image))]
        if not len(real):
            continue
        apart = np.linalg.norm(middle[mine, None] - true_middle[None, real], axis=2)
        apart[apart > np.maximum(MIN_MATCH, MATCH_SHARE * size[real])] = np.inf
        if same_kind:
            apart[found.kind[mine][:, None] != truth.kind[real][None]] = np.inf
        for row in np.argsort(-found.score[mine], kind="stable"):
            best = int(apart[row].argmin())
            if np.isfinite(apart[row, best]):
                pairs.append((mine[row], real[best]))
                apart[:, best] = np.inf
    rows = np.array(pairs, np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def thresholds(spec: ObjectSpec, found: ObjectPredictions, truth: TrueObjects) -> Floats:
    """Of each kind, the score that maximises F1 on renders of known truth."""
    rows, _ = match_objects(found, truth)
    true = np.zeros(len(found.score), bool)
    true[rows] = True
    best = np.full(len(spec.kinds), 0.5)
    for code in range(len(spec.kinds)):
        own, total = found.kind == code, int((truth.kind == code).sum())
        order = np.argsort(-found.score[own], kind="stable")
        hits = true[own][order].cumsum()
        if total and len(hits):
            f1 = 2 * hits / (np.arange(1, len(hits) + 1) + total)
            best[code] = found.score[own][order][int(f1.argmax())]
    return best


def sure(found: ObjectPredictions, least: Floats) -> ObjectPredictions:
    """Those with a score above their kind's threshold."""
    return found.where(found.score >= least[found.kind])


def single_targets(spec: ObjectSpec, targets: Sequence[Target]) -> list[tuple[Target, slice]]:
    """The targets of which each scene holds one value, with their columns."""
    out, at = [], 0
    for target in targets:
        if target.single and target.attribute.kind in spec.single:
            out.append((target, slice(at, at + target.width)))
        at += target.width
    return out


def by_scene(scenes: SceneBatch, kind: str, values: NDArray[Any]) -> Floats:
    """Values [n] of a kind's nodes as those of the scenes [S]; NaN where a scene has none, or several."""
    scene = scenes.tables[kind].scene
    out = np.full(len(scenes), np.nan)
    out[scene] = values
    return np.where(np.bincount(scene, minlength=len(scenes)) == 1, out, np.nan)
