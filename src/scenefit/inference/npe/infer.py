"""Steps 3 and 4 of a round: posterior samples of the photos, corrected by predictions on renders of known truth.

Legend: N photos; V renders; k samples of each photo; R targets; m objects predicted in photos, v in renders.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scenefit.inference.npe.matching import (
    Known,
    Predictions,
    by_scene,
    match_objects,
    single_targets,
    sure,
    thresholds,
)
from scenefit.inference.npe.posterior import PosteriorSamples, scenes_with
from scenefit.metrics.prediction_correction import (
    ANGLE_BINS,
    angle_of,
    angle_posteriors,
    choice_posteriors,
    count_posteriors,
    draw_rows,
    match_quantiles,
    normal_scores,
    response,
    sample_numbers,
)
from scenefit.nets.attribute_regressor import Target
from scenefit.nets.object_predictions import ObjectPredictions
from scenefit.nets.object_targets import UNIT_SPREAD, ObjectAttribute, ObjectSpec, related_rows
from scenefit.scenes.attributes import Key, NodeGroup
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.scene import Ints, SceneBatch

Floats = NDArray[np.float64]
MIN_PAIRS = 12


def infer(grammar: Grammar, targets: Sequence[Target], spec: ObjectSpec, photos: Predictions, renders: Predictions,
          known: Known, visible: Mapping[Key, float], samples: int, seed: int) -> PosteriorSamples:
    """Posterior samples of the photos. renders: predictions on scenes of the present distribution, of one batch.
    visible: R2 of the attributes that can be predicted; no other is inferred."""
    random, count = np.random.default_rng(seed), len(photos.image)
    photo = np.repeat(np.arange(count), samples)
    values = _image_values(grammar, single_targets(spec, targets), photos.image, renders.image, known, visible, photo,
                           random)
    scenes = _structure(grammar, values, len(photo), seed)
    least = thresholds(spec, renders.objects, known.objects)
    objects = _object_values(grammar, spec, sure(photos.objects, least), sure(renders.objects, least), known, visible,
                             scenes, photo, random)
    counts = {a.key for a in grammar.learned if a.count}
    by_node = {key: value[scenes.tables[key[0]].scene] for key, value in values.items() if key not in counts}
    return PosteriorSamples(scenes_with(grammar, scenes, {**objects, **by_node}), photo,
                            frozenset({*values, *objects}))


def _image_values(grammar: Grammar, targets: Sequence[tuple[Target, slice]], photos: Floats, renders: Floats,
                  known: Known, visible: Mapping[Key, float], photo: Ints,
                  random: np.random.Generator) -> dict[Key, Floats]:
    """Values of each sample [N * k] by key: normalised, or indices of options. targets: with their columns."""
    out: dict[Key, Floats] = {}
    scenes = known.scenes[0]
    units = grammar.normalised(scenes)
    mixed = random.integers(0, len(known.truth), len(photo))  # the render whose residuals a sample gets
    for target, part in targets:
        a = target.attribute
        own = by_scene(scenes, a.kind, a.choice.codes(np.asarray(scenes.tables[a.kind][a.name]))
                       if a.form == "choice" else units[a.key])
        there = np.isfinite(own)
        if a.key not in visible or there.sum() < MIN_PAIRS:
            continue
        mine, theirs, truth = photos[:, part], renders[there, part], own[there]
        if a.form == "choice":
            odds = choice_posteriors(mine, theirs, truth.astype(np.int64))
            out[a.key] = draw_rows(odds[photo], random.random(len(photo))).astype(float)
        elif a.form == "angle":
            odds = angle_posteriors(angle_of(mine), angle_of(theirs), truth)
            out[a.key] = (draw_rows(odds[photo], random.random(len(photo))) + random.random(len(photo))) / ANGLE_BINS
        elif a.form == "integer" and not a.conditional:
            low, high = a.bounds or a.prior.bounds  # type: ignore[union-attr]
            bins = int(high - low) + 1
            place = [(x[:, 0] + 1) / 2 * bins - 0.5 for x in (mine, theirs)]
            odds = count_posteriors(place[0], place[1], np.floor(truth * bins).astype(np.int64), bins)
            if np.isfinite(odds).all():
                out[a.key] = (draw_rows(odds[photo], random.random(len(photo))) + 0.5) / bins
        else:
            slope, correlation = response(theirs[:, 0] / 2, truth)
            quantiles = match_quantiles(mine[:, 0] / 2, theirs[:, 0] / 2, truth, slope)
            residual = np.zeros(len(scenes))
            residual[there] = normal_scores(truth) - correlation * normal_scores(theirs[:, 0])
            normal = (residual / max(residual.std(), 1e-9))[mixed]
            out[a.key] = np.clip(sample_numbers(mine[photo, 0], quantiles, correlation, normal), 0, 1)
    return out


def _structure(grammar: Grammar, values: Mapping[Key, Floats], count: int, seed: int) -> SceneBatch:
    """Scenes of the grammar with the inferred counts."""
    def decide(group: NodeGroup) -> dict[str, NDArray[np.int64]]:
        decided = {}
        for a in grammar.attributes[group.kind].values():
            if a.count and a.key in values:
                low, high = a.bounds or a.prior.bounds  # type: ignore[union-attr]
                count = low + np.floor(values[a.key] * (high - low + 1))
                decided[a.name] = count[group.scene].astype(np.int64)
        return decided

    return grammar.sample(seed, count, decide=decide)


def _object_values(grammar: Grammar, spec: ObjectSpec, photos: ObjectPredictions, renders: ObjectPredictions,
                   known: Known, visible: Mapping[Key, float], scenes: SceneBatch, photo: Ints,
                   random: np.random.Generator) -> dict[Key, Floats]:
    """Values of every node of the objects' kinds and of their parts and ancestors, by key; NaN where nothing tells."""
    out: dict[Key, Floats] = {}
    rows, real = match_objects(renders, known.objects)
    for code, kind in enumerate(spec.kinds):
        mine, theirs = photos.where(photos.kind == code), renders.where(renders.kind == code)
        pairs = renders.kind[rows] == code
        if not len(scenes.tables[kind]) or len(mine.score) < MIN_PAIRS or pairs.sum() < MIN_PAIRS:
            continue
        chosen = assigned(scenes.tables[kind].scene, photo, mine, random)
        for one in spec.of(kind):
            truth = known.objects.values[real[pairs], one.column]
            if one.attribute.key in visible and np.isfinite(truth).sum() >= MIN_PAIRS:
                matched = renders.outputs[rows[pairs], one.outputs]
                value = _values(grammar, one, mine.outputs[:, one.outputs], theirs.outputs[:, one.outputs], matched,
                                truth, known.scenes[0], chosen, random)
                _put(out, one, scenes, value)
    return out


def _put(out: dict[Key, Floats], one: ObjectAttribute, scenes: SceneBatch, value: Floats) -> None:
    """The value of each object's node, or of the part or ancestor that it is of."""
    a = one.attribute
    at = related_rows(scenes, one.kind, a.kind)
    column = out.setdefault(a.key, np.full(len(scenes.tables[a.kind]), np.nan))
    column[at[at >= 0]] = value[at >= 0]


def assigned(scene: Ints, photo: Ints, found: ObjectPredictions, random: np.random.Generator) -> Ints:
    """Of each node of a kind, in sample scenes [n], the predicted object whose values it gets: those of its photo by
    decreasing score; where a scene has more nodes than its photo has objects, one of these again, or of any photo."""
    out = np.empty(len(scene), np.int64)
    first = np.searchsorted(found.image, np.arange(found.count + 1))
    order = np.lexsort((-found.score, found.image))
    start = np.searchsorted(scene, np.arange(len(photo) + 1))
    by_scene = np.argsort(scene, kind="stable")
    start = np.searchsorted(scene[by_scene], np.arange(len(photo) + 1))
    for row, of in enumerate(photo):
        mine = order[first[of]:first[of + 1]]
        n = start[row + 1] - start[row]
        pool = mine if len(mine) else order
        more = random.choice(pool, max(n - len(mine), 0)) if n > len(mine) else np.zeros(0, np.int64)
        out[by_scene[start[row]:start[row + 1]]] = np.concatenate([mine, more])[:n]
    return out


def _values(grammar: Grammar, one: ObjectAttribute, photos: Floats, renders: Floats, matched: Floats, truth: Floats,
            scenes: SceneBatch, chosen: Ints, random: np.random.Generator) -> Floats:
    """Values [n] of the chosen predictions [n] of photos [m, width]. renders [v, width]; matched, truth: those of known
    truth.  scenes: of the renders."""
    a, there = one.attribute, np.isfinite(truth)
    matched, truth = matched[there], truth[there]
    if a.form == "choice":
        odds = choice_posteriors(photos, matched, truth.astype(np.int64))
        return draw_rows(odds[chosen], random.random(len(chosen))).astype(float)
    if a.form == "angle":
        odds = angle_posteriors(angle_of(photos), angle_of(matched), truth)
        return (draw_rows(odds[chosen], random.random(len(chosen))) + random.random(len(chosen))) / ANGLE_BINS
    slope, correlation = response(matched[:, 0] / UNIT_SPREAD, truth)
    own = scenes.tables[a.kind]
    of_q = grammar.normalised(scenes)[a.key] if len(own) else truth
    quantiles = match_quantiles(photos[:, 0] / UNIT_SPREAD, renders[:, 0] / UNIT_SPREAD, of_q, slope)
    normal = random.standard_normal(len(chosen))
    return np.clip(sample_numbers(photos[chosen, 0], quantiles, correlation, normal), 0, 1)
