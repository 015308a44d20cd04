"""Scenes that a round renders: of the present distribution, widened, of the uniform prior, and of the mixture of both
that shows objects of any kind in images like the photos.

The present distribution may be narrow and wrong: where all photos are alike, the errors of their predictions are alike
too. So an attribute is widened by the error of its predictions, at least. Legend: S scenes; n nodes of a kind.
"""

from collections.abc import Collection, Mapping

import numpy as np

from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.scenes.attributes import Attribute, Key, reflect
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.values import Drawing, draw_scenes, learned_values, redrawn, scenes_with, whole_numbers
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch

MIN_SPREAD = 0.04  # of the bounds: the least standard deviation of what widens a number
UNIFORM_SPREAD = 12**-0.5  # standard deviation of a uniform value in 0..1
MIXED = 0.2  # share of nodes whose choice is drawn anew
MIXED_SHARE, UNIFORM_SHARE = 0.25, 0.1  # of a round's scenes


def proposal(distribution: SceneDistribution, uniform: Grammar, objects: Collection[str], r2: Mapping[Key, float],
             count: int, seed: int) -> list[SceneBatch]:
    """Scenes of one round, S in all: near the photos, mixed, uniform. objects: the kinds of objects and their parts.
    r2: of the last round's predictions."""
    grammar = distribution.grammar
    keys = {a.key for a in grammar.learned if a.kind in objects and not a.count}
    mixed, wide = (int(share * count) for share in (MIXED_SHARE if keys else 0.0, UNIFORM_SHARE))
    error = {key: UNIFORM_SPREAD * max(1 - value, 0.0) ** 0.5 for key, value in r2.items()}
    near = distribution.sample(seed, count - mixed - wide)
    if objects:
        near = recounted(grammar, near, error, derive_seed(seed, "recount"))
    out = [widened(grammar, near, error, derive_seed(seed, "widen"))]
    if mixed:
        scenes = distribution.sample(derive_seed(seed, "mixed"), mixed)
        out.append(redrawn(grammar, scenes, keys, derive_seed(seed, "redraw")))
    return [*out, uniform.sample(derive_seed(seed, "uniform"), wide)]


def recounted(grammar: Grammar, scenes: SceneBatch, error: Mapping[Key, float], seed: int) -> SceneBatch:
    """The same images with other counts of the root's children, where their predictions err by more than the counts
    differ; objects that are added have the values of others. The scenes as they are where other counts or rules are
    learned, which may hang together with these."""
    random, own, root = np.random.default_rng(seed), learned_values(grammar, scenes), grammar.start
    counts = [a for a in grammar.learned if a.count]
    structured = any(a.kind != root for a in counts) or any(rule.learned for rule in grammar.rules)
    moved = {a.key: error[a.key] for a in counts if error.get(a.key, 0.0) > _spread(a, own[a.key])}
    if structured or not moved:
        return scenes
    by_scene = {}
    for a in counts:
        noise = random.standard_normal(len(scenes)) * moved.get(a.key, 0.0)
        by_scene[a.key] = whole_numbers(a, reflect(own[a.key] + noise))
    drawn = draw_scenes(grammar, Drawing(derive_seed(seed, "scenes"), len(scenes), {}, by_scene))
    rows = {kind: np.arange(len(scenes)) if kind == root else
            random.integers(0, max(len(scenes.tables[kind]), 1), len(drawn.tables[kind])) for kind in grammar.kinds}
    return scenes_with(grammar, drawn, {a.key: own[a.key][rows[a.kind]] for a in grammar.learned
                                        if not a.count and len(scenes.tables[a.kind])})


def widened(grammar: Grammar, scenes: SceneBatch, error: Mapping[Key, float], seed: int) -> SceneBatch:
    """The same graphs, their attributes spread about twice as wide, and at least by the error of their predictions."""
    random, units, values = np.random.default_rng(seed), learned_values(grammar, scenes), {}
    for a in grammar.learned:
        n = len(scenes.tables[a.kind])
        if a.count or n == 0:
            continue
        if a.form == "choice":
            other = random.integers(0, len(a.choice.options), n)
            values[a.key] = np.where(random.random(n) < MIXED, other, units[a.key]).astype(float)
        else:
            spread = max(MIN_SPREAD, error.get(a.key, 0.0), _spread(a, units[a.key]))
            noise = random.standard_normal(n) * spread
            values[a.key] = (units[a.key] + noise) % 1.0 if a.circular else reflect(units[a.key] + noise)
    return scenes_with(grammar, scenes, values)


def _spread(a: Attribute, units: np.ndarray) -> float:
    """Standard deviation; of angles in turns, from the length of their mean direction."""
    if not a.circular:
        return float(units.std())
    length = abs(np.exp(2j * np.pi * units).mean())
    return float(np.sqrt(max(-2 * np.log(max(length, 0.05)), 0)) / (2 * np.pi))
