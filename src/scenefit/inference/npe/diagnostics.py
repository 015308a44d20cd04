"""How well attributes can be predicted: R2 on renders that no network was trained on, which of them are inferred, and
how often the truth lies in the posterior's intervals (simulation-based calibration: Talts et al. 2018).

Legend: V renders; m objects; n values; D posterior samples of each.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from scenefit.inference.npe.matching import Known, Predictions, match_objects, single_targets, sure, thresholds
from scenefit.inference.npe.statistics import variance_within
from scenefit.nets.attribute_regressor import Target
from scenefit.nets.object_targets import UNIT_SPREAD, ObjectAttribute, ObjectSpec
from scenefit.scenes.attributes import Key
from scenefit.scenes.grammar import Grammar

Floats = NDArray[np.float64]
MIN_OBJECTS = 30
PRIOR_SCENES = 512  # in which the width of the prior is measured


def r_squared(targets: Sequence[Target], spec: ObjectSpec, predicted: Predictions, known: Known,
              part: NDArray[np.int64], of_image: Floats | None) -> dict[Key, float]:
    """Share of each attribute's variance that is predicted: of the whole image's, and of visible objects'. Of an angle,
    the better of direction and axis; of a choice, the share of errors that predictions avoid.

    part [V]: of the proposal; differences between parts do not count.  of_image [R]: of the image's targets, where it
    is known from left-out renders.
    """
    out: dict[Key, float] = {}
    for target, columns in single_targets(spec, targets):
        truth, mine = known.truth[:, columns], predicted.image[:, columns]
        there = np.isfinite(truth).all(1)
        pieces = [slice(0, 2), slice(2, 4)] if target.form == "angle" else [slice(None)]
        if of_image is not None:
            own = of_image[columns]
            out[target.attribute.key] = float(max(own[piece].mean() for piece in pieces))
            continue
        out[target.attribute.key] = max(_r2(mine[there][:, piece], truth[there][:, piece], part[there])
                                        for piece in pieces)
    rows, real = match_objects(predicted.objects, known.objects)
    for one in spec.attributes:
        own = predicted.objects.kind[rows] == spec.kinds.index(one.kind)
        truth, mine = known.objects.values[real[own], one.column], predicted.objects.outputs[rows[own], one.outputs]
        there = np.isfinite(truth)
        if there.sum() >= MIN_OBJECTS:
            found = _of_object(one, mine[there], truth[there], part[known.objects.image[real[own]][there]])
            out[one.attribute.key] = max(found, out.get(one.attribute.key, -np.inf))
    return out


def object_counts(spec: ObjectSpec, photos: Predictions, renders: Predictions, known: Known) -> dict[str, Floats]:
    """Of each kind, how many objects are predicted in each photo ("count_photos:kind") and in each render of known
    truth ("count_renders:kind"), and how many are visible in these ("count_true:kind")."""
    least = thresholds(spec, renders.objects, known.objects)
    out: dict[str, NDArray[np.int64]] = {}
    for code, kind in enumerate(spec.kinds):
        for name, found in (("photos", photos), ("renders", renders)):
            own = sure(found.objects, least)
            out[f"count_{name}:{kind}"] = np.bincount(own.image[own.kind == code], minlength=found.objects.count)
        true = known.objects.image[known.objects.kind == code]
        out[f"count_true:{kind}"] = np.bincount(true, minlength=len(known.truth))
    return {name: counts.astype(float) for name, counts in out.items()}


def _of_object(one: ObjectAttribute, predicted: Floats, truth: Floats, part: NDArray[np.int64]) -> float:
    if one.attribute.form == "choice":
        frequent = np.bincount(truth.astype(int)).max() / len(truth)
        return float(1 - (predicted.argmax(1) != truth).mean() / max(1 - frequent, 1e-9))
    if one.attribute.form == "angle":
        turn = 2 * np.pi * truth - np.pi
        pairs = [np.stack([np.sin(times * turn), np.cos(times * turn)], 1) for times in (1, 2)]
        return max(_r2(predicted[:, :2], pairs[0], part), _r2(predicted[:, 2:], pairs[1], part))
    return _r2(predicted[:, :1] / UNIT_SPREAD + 0.5, truth[:, None], part)


def _r2(predicted: Floats, truth: Floats, part: NDArray[np.int64]) -> float:
    """Of a linear calibration of the predictions: a constant bias is corrected later."""
    total = len(truth) * float(variance_within(torch.from_numpy(truth), part).sum())
    if len(truth) < 8 or total < 1e-9 * len(truth):
        return 0.0
    error = 0.0
    for mine, true in zip(predicted.T, truth.T, strict=True):
        slope = np.cov(mine, true, bias=True)[0, 1] / max(mine.var(), 1e-12)
        error += ((true - true.mean() - slope * (mine - mine.mean())) ** 2).sum()
    return float(1 - error / total)


def calibration(grammar: Grammar, held_out: Mapping[Key, tuple[Floats, Floats]], inferred: Collection[Key],
                seed: int) -> dict[str, float]:
    """Of each number and integer with truth [n] and posterior samples [n, D] of held-out renders: "cover50:kind.name"
    and "cover90:", the share of truths in the central 50 and 90 % of the posterior, and "width90:", the median width of
    the 90 % interval relative to the prior's. Of each learned attribute "inferred:", 1 or 0."""
    prior = grammar.normalised(grammar.sample(seed, PRIOR_SCENES))
    random = np.random.default_rng(seed)
    out: dict[str, float] = {}
    for (kind, name), (truth, samples) in held_out.items():
        inside = coverage(truth, samples, random)
        before = np.ptp(np.quantile(prior[kind, name], [0.05, 0.95])) if len(prior[kind, name]) else 0.0
        width = np.median(np.ptp(np.quantile(samples, [0.05, 0.95], axis=1), axis=0))
        out |= {f"cover50:{kind}.{name}": inside[0], f"cover90:{kind}.{name}": inside[1],
                f"width90:{kind}.{name}": float(width / before) if before > 0 else float("nan")}
    return out | {f"inferred:{a.kind}.{a.name}": float(a.key in inferred) for a in grammar.learned}


def coverage(truth: Floats, samples: Floats, random: np.random.Generator) -> tuple[float, float]:
    """Share of truths [n] in the central 50 and 90 % of their posterior samples [n, D], by the rank of the truth; equal
    values are ranked at random."""
    below, equal = (samples < truth[:, None]).sum(1), (samples == truth[:, None]).sum(1)
    ranks = samples.shape[1] + 1
    place = (below + random.integers(0, equal + 1) + 0.5) / ranks
    return tuple(float((np.abs(place - 0.5) < level / 2).mean()) for level in (0.5, 0.9))  # type: ignore[return-value]
