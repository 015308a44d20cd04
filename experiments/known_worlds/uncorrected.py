"""Sequential neural posterior estimation without correction, to be compared with "npe".

Proposals, renders and networks are those of "npe". But posterior samples are the networks' plain predictions on photos,
with errors as on further renders of the proposal; photos are not compared with renders of the present distribution.
Legend: N photos; V further renders; n values.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import special

from experiments.known_worlds.truth import Array
from scenefit.inference.npe.cases import Case, Derived
from scenefit.inference.npe.infer import KNOWN_CASES, MIN_PAIRS, assigned
from scenefit.inference.npe.matching import (
    MIN_R2,
    Known,
    Predictions,
    by_scene,
    match_objects,
    single_targets,
    sure,
    thresholds,
)
from scenefit.inference.npe.method import HELD_OUT, Npe, compared, fresh_network, spec_of, trained
from scenefit.inference.npe.places import find_placed
from scenefit.inference.npe.posterior import PosteriorSamples
from scenefit.inference.npe.propose import proposal
from scenefit.inference.npe.simulate import simulate
from scenefit.inference.npe.structure import Structure, structure_of
from scenefit.inference.npe.update import update
from scenefit.inference.stages.problem import Problem, State, start
from scenefit.inference.stages.regressor import Regressor
from scenefit.metrics.prediction_correction import angle_of, draw_rows
from scenefit.nets.model import Model
from scenefit.nets.object_targets import UNIT_SPREAD, ObjectSpec, related_rows
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.scenes.attributes import Key
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation
from scenefit.scenes.grammar.values import Drawing, draw_scenes, learned_values, scenes_with, whole_numbers

NAME = "npe-uncorrected"
MIN_SHARE = 0.01  # of an option, whose share of an image's objects may be predicted as negative


@dataclass(frozen=True, eq=False)
class Round:
    """A round, with the fields of `scenefit.Step` that cells record. samples: (samples of each photo, photos [.]) ->
    posterior samples of the photos."""

    done: int
    of: int
    renders: int
    model: Model
    samples: Callable[[int, Array], PosteriorSamples]
    stage: str = NAME
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions on photos and on renders of the proposal that no network was trained on, of one batch. visible: keys
    that are inferred."""

    problem: Problem
    spec: ObjectSpec
    photos: Predictions
    renders: Predictions
    known: Known
    visible: frozenset[Key]
    structure: Structure | None


def fit_steps(problem: Problem, settings: Npe, regressor: Regressor, rendered: int) -> Iterator[Round]:
    """Settings are those of "npe"; each round renders what the networks learn from, and what shows their errors.
    rendered: before the fit."""
    spec = spec_of(problem)
    first, whole = settings.of_images(problem, spec), replace(spec, kinds=(), attributes=())
    placed = find_placed(problem, spec)
    structure = structure_of(problem, spec, placed) if placed.kinds else None
    uniform, state = uniform_randomisation(problem.grammar), start(problem, rendered + placed.renders)
    r2, renders, inferred = dict[Key, float](), state.renders, frozenset[Key]()
    counts = {a.key for a in problem.grammar.learned if a.count}
    for step in range(settings.rounds):
        seed, own_spec = problem.seed_of("npe", step), whole if step < first else spec
        count = settings.simulated(problem) // (2 if step < first else 1)
        network = (deepcopy(state.posterior) or fresh_network(problem, spec)) if spec.kinds else None
        kinds = {*own_spec.kinds, *(one.attribute.kind for one in own_spec.attributes)}

        def parts(number: int, seed: int, state: State = state, r2: Any = r2, kinds: Any = kinds) -> Any:
            if state.trainings == 0:
                return [uniform.sample(seed, number)]
            return proposal(state.distribution, uniform, kinds, r2, number, seed)

        simulated = simulate(problem, own_spec, parts(count, seed), seed, bool(spec.kinds))
        held = np.flatnonzero(np.arange(count) % round(1 / HELD_OUT) == 0)
        predictor, photos, r2 = trained(problem, state, step - first, settings, regressor, own_spec, network,
                                        simulated, held)
        visible = {key for key, value in r2.items() if value >= MIN_R2 or key in inferred}
        visible -= counts if step < first else set()  # counts are better told by objects
        other = problem.seed_of("errors", step)  # of the part that is most like the photos
        fresh = simulate(problem, own_spec, parts(compared(spec, count), other)[:1], other, bool(spec.kinds))
        known = Known(fresh.scenes, fresh.truth.double().numpy(), fresh.objects)
        found = Predicted(problem, own_spec, photos, predictor(fresh.images), known, frozenset(visible),
                          None if step < first else structure)
        each = settings.samples if structure is None else settings.scenes_each(problem)
        samples = posterior(found, each, np.arange(len(problem.images)), seed)
        renders, inferred = renders + count + len(fresh) + samples.renders, inferred | samples.inferred
        state = _moved(state, update(SceneDistribution(problem.grammar, 0), samples, seed), predictor)
        yield Round(step + 1, settings.rounds, renders, Model(state.distribution, problem.seed),
                    lambda k, rows, found=found, seed=seed: posterior(found, k, rows, seed))


def _moved(state: State, distribution: SceneDistribution, predictor: Any) -> State:
    return replace(state, distribution=distribution, regressor=predictor.regressor, posterior=predictor.network,
                   trainings=state.trainings + 1)


def posterior(found: Predicted, samples: int, rows: Array, seed: int) -> PosteriorSamples:
    """Posterior samples of the photos in these rows, side by side for each photo."""
    random, photo = np.random.default_rng(seed), np.repeat(rows, samples)
    spec, known = found.spec, found.known
    least = thresholds(spec, found.renders.objects, known.objects)
    objects, theirs = sure(found.photos.objects, least), sure(found.renders.objects, least)
    values = _of_images(found, found.photos.image, photo, random)
    drawing = _drawing(found, values, len(photo), seed)
    if found.structure is None:
        derived = Derived(draw_scenes(found.problem.grammar, replace(drawing, values={})), drawing.values)
    else:
        some = np.arange(min(len(known.truth), KNOWN_CASES))
        again = _drawing(found, _of_images(found, found.renders.image, some, random), len(some), seed + 1)
        derived = found.structure(Case(drawing, photo, objects), Case(again, some, theirs), known.scenes[0], random)
    of_objects, box = _of_objects(found, objects, theirs, derived, photo, random)
    by_node = {key: value[derived.scenes.tables[key[0]].scene] for key, value in derived.values.items()}
    scenes = scenes_with(found.problem.grammar, derived.scenes, {**of_objects, **by_node})
    return PosteriorSamples(scenes, photo, frozenset({*values, *of_objects, *derived.inferred}), box, derived.renders)


def _of_images(found: Predicted, predicted: Array, photo: Array, random: np.random.Generator) -> dict[Key, Array]:
    """Values of attributes of which each image has one, by key [n], normalised, or indices of options."""
    scenes, out = found.known.scenes[0], {}
    true = learned_values(found.problem.grammar, scenes)
    mixed = random.integers(0, len(scenes), len(photo))  # the render whose errors a sample gets, of all attributes
    for target, columns in single_targets(found.spec, found.problem.targets):
        a = target.attribute
        truth = by_scene(scenes, a.kind, true[a.key])
        if a.key in found.visible and np.isfinite(truth).sum() >= MIN_PAIRS:
            mine, theirs = predicted[photo][:, columns], found.renders.image[:, columns]
            if a.form == "choice":
                out[a.key] = draw_rows(np.maximum(mine, MIN_SHARE), random.random(len(photo))).astype(float)
            elif a.form == "angle":
                out[a.key] = plain_angles(mine, theirs, truth, mixed)
            else:
                out[a.key] = plain_numbers(mine[:, 0] / 2 + 0.5, theirs[:, 0] / 2 + 0.5, truth, mixed)
    return out


def plain_numbers(photos: Array, renders: Array, truth: Array, mixed: Array) -> Array:
    """Normalised predictions [n], each with the error of the render in row mixed [n], of those with predictions and
    truth [V]; none where a render lacks the value."""
    return np.clip(photos + np.nan_to_num(truth - renders)[mixed], 0, 1)


def plain_angles(photos: Array, renders: Array, truth: Array, mixed: Array) -> Array:
    """The same of angles in turns, from predictions [n, 4] and [V, 4]."""
    return (angle_of(photos) + np.nan_to_num(truth - angle_of(renders))[mixed]) % 1.0


def _drawing(found: Predicted, values: dict[Key, Array], count: int, seed: int) -> Drawing:
    counts = {a.key: whole_numbers(a, values[a.key]) for a in found.problem.grammar.learned
              if a.count and a.key in values}
    return Drawing(seed, count, {key: value for key, value in values.items() if key not in counts}, counts)


def _of_objects(found: Predicted, photos: Any, renders: Any, derived: Derived, photo: Array,
                random: np.random.Generator) -> tuple[dict[Key, Array], dict[str, Array]]:
    """Values of the nodes of objects, their parts and ancestors by key [n], NaN where none is predicted; and the boxes
    of the predicted objects that nodes of each kind have their values of [n, 4], NaN for nodes of other images."""
    out, box, scenes = dict[Key, Array](), dict[str, Array](), derived.scenes
    matched, real = match_objects(renders, found.known.objects)
    for code, kind in enumerate(found.spec.kinds):
        mine, pairs = photos.where(photos.kind == code), renders.kind[matched] == code
        if not len(scenes.tables[kind]) or len(mine.score) < MIN_PAIRS or pairs.sum() < MIN_PAIRS:
            continue
        chosen = assigned(scenes.tables[kind].scene, photo, mine, random)
        if (at := derived.objects.get(kind)) is not None:
            chosen = np.where(at >= 0, (np.cumsum(photos.kind == code) - 1)[at], chosen)
        _, first = np.unique(np.stack([scenes.tables[kind].scene, chosen]), axis=1, return_index=True)
        own = np.isin(np.arange(len(chosen)), first) & (mine.image[chosen] == photo[scenes.tables[kind].scene])
        box[kind] = np.where(own[:, None], mine.box[chosen], np.nan)
        for one in found.spec.of(kind):
            truth = found.known.objects.values[real[pairs], one.column]
            if one.attribute.key in found.visible and np.isfinite(truth).sum() >= MIN_PAIRS:
                theirs = renders.outputs[matched[pairs], one.outputs]
                value = _values(one.attribute.form, mine.outputs[chosen, one.outputs], theirs, truth, random)
                at = related_rows(scenes, kind, one.attribute.kind)
                column = out.setdefault(one.attribute.key, np.full(len(scenes.tables[one.attribute.kind]), np.nan))
                column[at[at >= 0]] = value[at >= 0]
    return out, box


def _values(form: str, mine: Array, renders: Array, truth: Array, random: np.random.Generator) -> Array:
    """Of nodes [n] from the network's outputs for their objects [n, w], and for those of renders [v, w] with truth."""
    if form == "choice":
        return draw_rows(special.softmax(mine, axis=1), random.random(len(mine))).astype(float)
    mixed = random.integers(0, len(truth), len(mine))
    if form == "angle":
        return plain_angles(mine, renders, truth, mixed)
    return plain_numbers(mine[:, 0] / UNIT_SPREAD + 0.5, renders[:, 0] / UNIT_SPREAD + 0.5, truth, mixed)
