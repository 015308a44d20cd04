"""Steps 3 and 4 of a round: posterior samples of the photos, corrected by predictions on renders of known truth.

Legend: N photos; V renders; k samples of each photo; R targets; m objects predicted in photos, v in renders; D draws of
one value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scenefit.inference.npe.cases import Case, Derive, Derived
from scenefit.inference.npe.matching import (
    MIN_R2,
    Known,
    Predictions,
    by_scene,
    match_objects,
    renders_of,
    single_targets,
    sure,
    thresholds,
)
from scenefit.inference.npe.posterior import PosteriorSamples
from scenefit.metrics.prediction_correction import (
    ANGLE_BINS,
    angle_of,
    angle_posteriors,
    choice_posteriors,
    count_posteriors,
    draw_rows,
    match_quantiles,
    posterior_means,
    response,
    sample_numbers,
)
from scenefit.nets.attribute_regressor import Target
from scenefit.nets.object_predictions import ObjectPredictions
from scenefit.nets.object_targets import UNIT_SPREAD, ObjectAttribute, ObjectSpec, related_rows
from scenefit.scenes.attributes import Key, reflect
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.values import Drawing, draw_scenes, learned_values, scenes_with, whole_ends, whole_numbers
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import Ints, SceneBatch

Floats = NDArray[np.float64]
MIN_PAIRS = 12
KNOWN_CASES = 100  # renders of known truth whose structure is inferred, to see its errors
DRAWS = 39  # posterior samples of a value: the rank of the truth among them has 40 values, 20 of them in the middle
FOLDS = 2  # of renders of known truth: each is taken for photos, and corrected by the other
MAX_CHECKED = 1000  # objects of a kind in a fold


def infer(grammar: Grammar, targets: Sequence[Target], spec: ObjectSpec, photos: Predictions, renders: Predictions,
          known: Known, visible: Mapping[Key, float], samples: int, seed: int, draws: int = 1,
          rows: Ints | None = None, derive: Derive | None = None) -> PosteriorSamples:
    """Posterior samples of the photos. renders: predictions on scenes of the present distribution, of one batch.
    visible: R2 of the attributes that are inferred; of those below `MIN_R2` the present distribution is kept.  draws:
    each value, of which the most typical one is taken; with many and samples=1, the scenes are near the mode of each
    photo's posterior.  rows: of the photos that get samples; all by default.  derive: finds what the places of objects
    tell, such as rules of nodes that are no objects; without it, the only structure that is found are counts of the
    image."""
    random = np.random.default_rng(seed)
    photo = np.repeat(np.arange(len(photos.image)) if rows is None else rows, samples)
    values = _image_values(grammar, single_targets(spec, targets), photos.image, renders.image, known, visible,
                           np.repeat(photo, draws), random)
    forms = {a.key: a.form for a in grammar.learned}
    values = {key: typical(forms[key], value.reshape(-1, draws)) for key, value in values.items()}
    least = thresholds(spec, renders.objects, known.objects)
    objects, theirs = sure(photos.objects, least), sure(renders.objects, least)
    drawing = _drawing(grammar, values, len(photo), seed)
    if derive is None:
        derived = Derived(draw_scenes(grammar, replace(drawing, values={})), drawing.values)
    else:
        cases = _as_photos(grammar, targets, spec, replace(renders, objects=theirs), known, visible, seed)
        derived = derive(Case(drawing, photo, objects), cases, known.scenes[0],
                         np.random.default_rng(derive_seed(seed, "structure")))
    scenes = derived.scenes
    of_objects, box = _object_values(grammar, spec, objects, theirs, known, visible, derived, photo, random, draws)
    by_node = {key: value[scenes.tables[key[0]].scene] for key, value in derived.values.items()}
    return PosteriorSamples(scenes_with(grammar, scenes, {**of_objects, **by_node}), photo,
                            frozenset({*values, *of_objects, *derived.inferred}), box, derived.renders)


def _as_photos(grammar: Grammar, targets: Sequence[Target], spec: ObjectSpec, renders: Predictions, known: Known,
               visible: Mapping[Key, float], seed: int) -> Case:
    """Some renders, to be drawn again by what is predicted of their images, as photos are."""
    some, random = np.arange(min(len(renders.image), KNOWN_CASES)), np.random.default_rng(derive_seed(seed, "known"))
    values = _image_values(grammar, single_targets(spec, targets), renders.image, renders.image, known, visible, some,
                           random)
    return Case(_drawing(grammar, values, len(some), derive_seed(seed, "again")), some, renders.objects)


def typical(form: str, values: Floats) -> Floats:
    """One of several draws of each value [n, D] -> [n]: of a choice the most frequent one, of an angle the one nearest
    to the others, of a number their median."""
    if values.shape[1] == 1:
        return values[:, 0]
    if form == "choice":
        return np.array([np.bincount(row.astype(int)).argmax() for row in values], float)
    if form == "angle":
        turn = np.exp(2j * np.pi * values)
        near = (turn * turn.sum(1, keepdims=True).conj()).real
        return np.take_along_axis(values, near.argmax(1)[:, None], 1)[:, 0]
    return np.median(values, axis=1)


def _image_values(grammar: Grammar, targets: Sequence[tuple[Target, slice]], photos: Floats, renders: Floats,
                  known: Known, visible: Mapping[Key, float], photo: Ints,
                  random: np.random.Generator) -> dict[Key, Floats]:
    """Values of each sample [N * k] by key: normalised, or indices of options. targets: with their columns."""
    out: dict[Key, Floats] = {}
    scenes = known.scenes[0]
    true = learned_values(grammar, scenes)
    mixed = random.integers(0, len(known.truth), len(photo))  # the render whose errors a sample gets
    for target, part in targets:
        a = target.attribute
        own = by_scene(scenes, a.kind, true[a.key])
        there = np.isfinite(own)
        if a.key not in visible or there.sum() < MIN_PAIRS:
            continue
        mine, theirs, truth = photos[:, part], renders[there, part], own[there]
        if visible[a.key] < MIN_R2:
            out[a.key] = as_before(truth, len(photo), random)
        elif a.form == "choice":
            odds = choice_posteriors(mine, theirs, truth.astype(np.int64))
            out[a.key] = draw_rows(odds[photo], random.random(len(photo))).astype(float)
        elif a.form == "angle":
            odds = angle_posteriors(angle_of(mine), angle_of(theirs), truth)
            out[a.key] = (draw_rows(odds[photo], random.random(len(photo))) + random.random(len(photo))) / ANGLE_BINS
        elif a.form == "integer" and not a.conditional:
            low, high = whole_ends(a)
            bins = high - low + 1
            place = [(x[:, 0] + 1) / 2 * bins - 0.5 for x in (mine, theirs)]
            odds = count_posteriors(place[0], place[1], np.floor(truth * bins).astype(np.int64), bins)
            out[a.key] = (draw_rows(odds[photo], random.random(len(photo))) + 0.5) / bins
        else:
            means, errors = posterior_means(mine[:, 0] / 2, theirs[:, 0] / 2, truth)
            # Of the same render for all attributes, so that errors that come together stay together; where that one
            # lacks the node, of the render before it that has one.
            out[a.key] = reflect(means[photo] + errors[np.cumsum(there)[mixed] - 1])
    return out


def as_before(truth: Floats, count: int, random: np.random.Generator) -> Floats:
    """Values [count] of the present distribution, from those of renders [v]."""
    return random.choice(truth, count)


def _drawing(grammar: Grammar, values: Mapping[Key, Floats], count: int, seed: int) -> Drawing:
    """Scenes with the inferred attributes and counts of the image."""
    counts = {a.key: whole_numbers(a, values[a.key]) for a in grammar.learned if a.count and a.key in values}
    return Drawing(seed, count, {key: value for key, value in values.items() if key not in counts}, counts)


def _object_values(grammar: Grammar, spec: ObjectSpec, photos: ObjectPredictions, renders: ObjectPredictions,
                   known: Known, visible: Mapping[Key, float], derived: Derived, photo: Ints,
                   random: np.random.Generator, draws: int) -> tuple[dict[Key, Floats], dict[str, Floats]]:
    """Values of every node of the objects' kinds and of their parts and ancestors, by key; NaN where nothing tells. And
    the box of the predicted object that each node has its values of, by kind [n, 4]; NaN where another has it."""
    out: dict[Key, Floats] = {}
    box: dict[str, Floats] = {}
    scenes = derived.scenes
    rows, real = match_objects(renders, known.objects)
    for code, kind in enumerate(spec.kinds):
        mine, theirs = photos.where(photos.kind == code), renders.where(renders.kind == code)
        pairs = renders.kind[rows] == code
        if not len(scenes.tables[kind]) or len(mine.score) < MIN_PAIRS or pairs.sum() < MIN_PAIRS:
            continue
        chosen = assigned(scenes.tables[kind].scene, photo, mine, random)
        if (at := derived.objects.get(kind)) is not None:
            row = np.cumsum(photos.kind == code) - 1  # among the objects of this kind
            chosen = np.where(at >= 0, row[at], chosen)
        _, first = np.unique(np.stack([scenes.tables[kind].scene, chosen]), axis=1, return_index=True)
        own = np.isin(np.arange(len(chosen)), first) & (mine.image[chosen] == photo[scenes.tables[kind].scene])
        box[kind] = np.where(own[:, None], mine.box[chosen], np.nan)
        for one in spec.of(kind):
            truth = known.objects.values[real[pairs], one.column]
            if one.attribute.key in visible and np.isfinite(truth).sum() >= MIN_PAIRS:
                matched = renders.outputs[rows[pairs], one.outputs]
                value = _values(grammar, one, visible[one.attribute.key], mine.outputs[:, one.outputs],
                                theirs.outputs[:, one.outputs], matched, truth, known.scenes[0],
                                np.repeat(chosen, draws), random)
                _put(out, one, scenes, typical(one.attribute.form, value.reshape(-1, draws)))
    return out, box


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


def _values(grammar: Grammar, one: ObjectAttribute, r2: float, photos: Floats, renders: Floats, matched: Floats,
            truth: Floats, scenes: SceneBatch, chosen: Ints, random: np.random.Generator) -> Floats:
    """Values [n] of the chosen predictions [n] of photos [m, width]. renders [v, width]; matched, truth: those of known
    truth.  scenes: of the renders."""
    a, there = one.attribute, np.isfinite(truth)
    matched, truth = matched[there], truth[there]
    if r2 < MIN_R2:
        return as_before(truth, len(chosen), random)
    if a.form == "choice":
        odds = choice_posteriors(photos, matched, truth.astype(np.int64))
        return draw_rows(odds[chosen], random.random(len(chosen))).astype(float)
    if a.form == "angle":
        odds = angle_posteriors(angle_of(photos), angle_of(matched), truth)
        return (draw_rows(odds[chosen], random.random(len(chosen))) + random.random(len(chosen))) / ANGLE_BINS
    gain, correlation = response(matched[:, 0] / UNIT_SPREAD, truth)
    own = scenes.tables[a.kind]
    of_q = grammar.normalised(scenes)[a.key] if len(own) else truth
    quantiles = match_quantiles(photos[:, 0] / UNIT_SPREAD, renders[:, 0] / UNIT_SPREAD, of_q, gain)
    normal = random.standard_normal(len(chosen))
    return np.clip(sample_numbers(photos[chosen, 0], quantiles, correlation, normal), 0, 1)


def held_out_samples(grammar: Grammar, targets: Sequence[Target], spec: ObjectSpec, renders: Predictions, known: Known,
                     visible: Mapping[Key, float], seed: int) -> dict[Key, tuple[Floats, Floats]]:
    """Truth [n] and posterior samples [n, D], normalised to 0..1, of each number and integer in renders of known truth:
    of images and of the objects that were predicted. A fold of the renders is taken for photos, and corrected by the
    other, in turn."""
    parts: dict[Key, list[tuple[Floats, Floats]]] = {}
    for fold in range(FOLDS):
        rows = np.arange(fold, len(renders.image), FOLDS)
        rest = np.setdiff1d(np.arange(len(renders.image)), rows)
        random = np.random.default_rng(derive_seed(seed, f"fold {fold}"))
        photos, truth = renders_of(renders, known, rows)
        others, known_others = renders_of(renders, known, rest)
        units = grammar.normalised(truth.scenes[0])
        values = _image_values(grammar, single_targets(spec, targets), photos.image, others.image, known_others,
                               visible, np.repeat(np.arange(len(rows)), DRAWS), random)
        for key in sorted(values.keys() & units.keys()):
            true = by_scene(truth.scenes[0], key[0], units[key])
            there = np.isfinite(true)
            parts.setdefault(key, []).append((true[there], values[key].reshape(-1, DRAWS)[there]))
        for one, pair in _held_out_objects(grammar, spec, (photos, truth), (others, known_others), visible, random):
            parts.setdefault(one.attribute.key, []).append(pair)
    numbers = {a.key for a in grammar.learned if a.form in ("number", "integer")}
    return {key: (np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs]))
            for key, pairs in parts.items() if key in numbers}


def _held_out_objects(grammar: Grammar, spec: ObjectSpec, photos: tuple[Predictions, Known],
                      others: tuple[Predictions, Known], visible: Mapping[Key, float],
                      random: np.random.Generator) -> Iterator[tuple[ObjectAttribute, tuple[Floats, Floats]]]:
    """Truth and samples of the objects of one fold."""
    least = thresholds(spec, others[0].objects, others[1].objects)
    mine, theirs = sure(photos[0].objects, least), sure(others[0].objects, least)
    rows, real = match_objects(mine, photos[1].objects)
    other_rows, other_real = match_objects(theirs, others[1].objects)
    for code, kind in enumerate(spec.kinds):
        of_kind, pairs = np.flatnonzero(mine.kind[rows] == code)[:MAX_CHECKED], theirs.kind[other_rows] == code
        if len(of_kind) == 0 or pairs.sum() < MIN_PAIRS:
            continue
        place = np.cumsum(mine.kind == code) - 1  # of each predicted object among those of its kind
        for one in spec.of(kind):
            a, true = one.attribute, photos[1].objects.values[real[of_kind], one.column]
            there = np.isfinite(true)
            if a.key not in visible or a.form not in ("number", "integer") or not there.any():
                continue
            chosen = np.repeat(place[rows[of_kind[there]]], DRAWS)
            value = _values(grammar, one, visible[a.key], mine.outputs[mine.kind == code, one.outputs],
                            theirs.outputs[theirs.kind == code, one.outputs],
                            theirs.outputs[other_rows[pairs], one.outputs],
                            others[1].objects.values[other_real[pairs], one.column], others[1].scenes[0], chosen,
                            random)
            yield one, (true[there], _in_bins(one, value).reshape(-1, DRAWS))


def _in_bins(one: ObjectAttribute, values: Floats) -> Floats:
    """Of an integer, the middles of its bins."""
    a = one.attribute
    if a.form != "integer" or a.conditional:
        return values
    low, high = whole_ends(a)
    return (whole_numbers(a, values) - low + 0.5) / (high - low + 1)
