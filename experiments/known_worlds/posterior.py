"""Posterior samples of photos, and how well they describe what is true of them.

Legend: N photos; k samples of each; n nodes of a kind; m matched objects.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import scenefit as sf
from experiments.known_worlds import uncorrected
from experiments.known_worlds.coverage import choice_scores, coverage, matched
from experiments.known_worlds.score import Samples, Target, of_scenes, values_of
from experiments.known_worlds.truth import Array
from experiments.known_worlds.world import World
from scenefit.inference.arguments import prepared
from scenefit.inference.fit import load_network
from scenefit.inference.npe.infer import infer
from scenefit.inference.npe.matching import Known
from scenefit.inference.npe.method import COMPARED, last_r2, spec_of, visible_attributes
from scenefit.inference.npe.places import known_placed
from scenefit.inference.npe.posterior import PosteriorSamples
from scenefit.inference.npe.predictor import REGRESSED, Predictor, regressed
from scenefit.inference.npe.propose import proposal
from scenefit.inference.npe.simulate import simulate
from scenefit.inference.npe.structure import structure_of
from scenefit.inference.stages.problem import load
from scenefit.metrics.summary_statistics import histogram_for
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation

DRAWN = 19  # samples of each photo: 5, 25, 75 and 95 % of them are whole numbers of samples
PHOTOS, PLACED_PHOTOS = 100, 40  # whose posterior is sampled, at most; where scenes have to be rendered for it
RADIUS = 4.0  # px between the centres of a predicted object and the true one
MIN_VALUES = 10  # photos or objects, below which no coverage is given
NPE = ("npe", uncorrected.NAME)


def figures(world: World, method: str, last: Any, images: Array, truth: Samples, settings: sf.Settings,
            seed: int) -> dict[str, dict[str, float]]:
    """Attribute -> how the posterior of single photos and objects covers the truth, after the last step of a fit; {}
    for methods without one. truth: of the first photos."""
    if method not in NPE or last is None:
        return {}
    rows = np.arange(min(truth.size, PLACED_PHOTOS if world.grammar.learned_heads else PHOTOS))
    if method == uncorrected.NAME:
        samples = last.samples(DRAWN, rows)
    elif any(key.startswith("posterior:") for key in last.state):
        samples = posterior_samples(world, images, settings, seed, last.state, DRAWN, rows)
    else:  # the budget ended the fit before its first round
        return {}
    return calibrated(world, samples, truth, seed)


def posterior_samples(world: World, images: Array, settings: sf.Settings, seed: int, state: Mapping[str, Any],
                      count: int, rows: Array) -> PosteriorSamples:
    """So many posterior samples of the photos in these rows after a fit with "npe".

    As a further round would draw them, but with the networks as they are: regressions on `REGRESSED` renders of the
    next proposal, and a correction by `COMPARED` renders of the learned distribution.
    """
    problem, _ = prepared(world.grammar, world.renderer, images, None, seed, settings, None, None, None)
    after, spec, uniform = load(problem, state, load_network), spec_of(problem), uniform_randomisation(
        world.grammar)
    placed, r2, own = known_placed(problem, spec, after), last_r2(after), problem.seed_of("posterior samples")
    assert placed is not None
    kinds = {*spec.kinds, *(one.attribute.kind for one in spec.attributes)}
    simulated = simulate(problem, spec, proposal(after.distribution, uniform, kinds, r2, REGRESSED, own), own)
    predictor = Predictor(spec, after.regressor, after.posterior, histogram_for(images))
    predictor, photos, _ = regressed(problem, predictor, simulated, np.arange(REGRESSED), np.arange(0), None,
                                     near=True)
    scenes = after.distribution.sample(own, COMPARED)
    fresh = simulate(problem, spec, [scenes], own)
    known = Known([scenes], fresh.truth.double().numpy(), fresh.objects)
    visible = visible_attributes(after, r2)
    structure = structure_of(problem, spec, placed) if placed.kinds else None
    return infer(world.grammar, problem.targets, spec, photos, predictor(fresh.images), known, visible, count, own,
                 rows=rows, derive=structure)


def calibrated(world: World, samples: PosteriorSamples, truth: Samples, seed: int) -> dict[str, dict[str, float]]:
    """Visible attribute -> the figures of `coverage`, of choices those of `choice_scores`, and "values", of how many
    photos or objects. samples: of the first photos of the truth."""
    mine = of_scenes(samples.scenes, world.more(samples.scenes))
    scenes = world.grammar.sample(seed, 2000)
    prior = of_scenes(scenes, world.more(scenes))
    count, out = len(np.unique(samples.photo)), {}
    for target in world.targets:
        if target.given or not world.visible.get(target.key, True):
            continue
        kind = world.grammar.start if target.form == "count" else target.kind
        of_each, true = (objects(kind, values_of(target, mine), values_of(target, truth), samples, truth)
                         if kind in samples.box else aligned(target, mine, truth, count))
        if len(true) >= MIN_VALUES:
            own = scored(target, of_each, true, values_of(target, prior))
            out[target.key] = {**{name: round(value, 4) for name, value in own.items()}, "values": len(true)}
    return out


def scored(target: Target, samples: Array, true: Array, prior: Array) -> dict[str, float]:
    """Figures of samples [m, k]. Whole numbers are spread over the unit interval around them, for else equal values
    would lie inside any interval."""
    if target.form == "choice":
        return choice_scores(samples, true, prior)
    if target.form == "count":
        random = np.random.default_rng(0)
        samples, true, prior = (part + random.uniform(-0.5, 0.5, part.shape) for part in (samples, true, prior))
    return coverage(target, samples, true, prior)


def aligned(target: Target, samples: Samples, truth: Samples, count: int) -> tuple[Array, Array]:
    """Samples [m, k] and true values [m] of the first photos, where each has equally many nodes; else none."""
    values, true = values_of(target, samples), values_of(target, truth)
    each, left = divmod(len(true), truth.size)
    drawn = samples.size // count
    if left or len(values) != samples.size * each:
        return np.zeros((0, drawn)), np.zeros(0)
    return values.reshape(count, drawn, each).swapaxes(1, 2).reshape(-1, drawn), true[:count * each]


def objects(kind: str, values: Array, true: Array, samples: PosteriorSamples, truth: Samples) -> tuple[Array, Array]:
    """Samples [m, k] and true values [m] of predicted objects that lie near a true one of their kind. Predicted objects
    that are in less than half of their photo's samples are left out; where some samples lack one, others are repeated.
    """
    box, photo = samples.box[kind], samples.photo[samples.scenes.tables[kind].scene]
    drawn = len(samples.photo) // len(np.unique(samples.photo))
    centres = np.stack([truth.values[f"{kind}.x"], truth.values[f"{kind}.y"]], 1)
    found: list[tuple[Array, Any]] = []
    for row in np.unique(samples.photo):
        nodes = np.flatnonzero((photo == row) & np.isfinite(box[:, 0]))
        places, of = np.unique(box[nodes], axis=0, return_inverse=True)
        often = np.flatnonzero(np.bincount(of.ravel(), minlength=len(places)) >= drawn / 2)
        real = np.flatnonzero(truth.scene[kind] == row)
        near, far = matched((places[often, :2] + places[often, 2:]) / 2, centres[real], RADIUS)
        found += [(np.resize(values[nodes[of.ravel() == often[a]]], drawn), true[real[b]])
                  for a, b in zip(near, far, strict=True)]
    return (np.stack([own for own, _ in found]), np.array([value for _, value in found])) if found else (
        np.zeros((0, drawn)), np.zeros(0))


def of_renders(found: Mapping[str, float], visible: Sequence[str]) -> dict[str, dict[str, float]]:
    """The coverage that a fit measured on its own held-out renders, by attribute, from its diagnostics."""
    names = {"cover50": "cover 50", "cover90": "cover 90", "width90": "width 90"}
    out: dict[str, dict[str, float]] = {}
    for key, value in found.items():
        part, _, attribute = key.partition(":")
        if part in names and attribute in visible:
            out.setdefault(attribute, {})[names[part]] = round(value, 4)
    return out
