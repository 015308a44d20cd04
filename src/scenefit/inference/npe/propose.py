"""Scenes that a round renders: of the present distribution, widened, of the uniform prior, and of the mixture of both
that shows objects of any kind in images like the photos.

Legend: S scenes; n nodes of a kind.
"""

from collections.abc import Collection

import numpy as np

from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.scenes.attributes import Attribute, Key, reflect
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.values import scenes_with
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch

MIN_SPREAD = 0.04  # of the bounds: the least standard deviation of what widens a number
MIXED = 0.2  # share of nodes whose choice is drawn anew
MIXED_SHARE, UNIFORM_SHARE = 0.25, 0.25  # of a round's scenes


def proposal(distribution: SceneDistribution, uniform: Grammar, objects: Collection[str], count: int,
             seed: int) -> list[SceneBatch]:
    """Scenes of one round, S in all: near the photos, mixed, uniform. objects: the kinds of objects and their parts."""
    mixed, wide = (int(share * count) for share in (MIXED_SHARE if objects else 0.0, UNIFORM_SHARE))
    grammar = distribution.grammar
    near = widened(grammar, distribution.sample(seed, count - mixed - wide), derive_seed(seed, "widen"))
    out = [near]
    if mixed:
        scenes = distribution.sample(derive_seed(seed, "mixed"), mixed)
        keys = {a.key for a in grammar.learned if a.kind in objects and not a.count}
        out.append(redrawn(grammar, scenes, keys, derive_seed(seed, "redraw")))
    return [*out, uniform.sample(derive_seed(seed, "uniform"), wide)]


def redrawn(grammar: Grammar, scenes: SceneBatch, keys: Collection[Key], seed: int) -> SceneBatch:
    """The same graphs, these attributes drawn uniformly within their bounds."""
    random = np.random.default_rng(seed)
    units, values = grammar.normalised(scenes), {}
    for a in grammar.learned:
        n = len(scenes.tables[a.kind])
        if a.key in keys:
            values[a.key] = (random.integers(0, len(a.choice.options), n).astype(float) if a.form == "choice"
                             else random.random(n))
        elif not a.count and n:  # as it is: `decode` would draw it from the prior
            values[a.key] = (a.choice.codes(np.asarray(scenes.tables[a.kind][a.name])).astype(float)
                             if a.form == "choice" else units[a.key])
    return scenes_with(grammar, scenes, values)


def widened(grammar: Grammar, scenes: SceneBatch, seed: int) -> SceneBatch:
    """The same graphs, their attributes spread about twice as wide, and at least a little."""
    random, units, values = np.random.default_rng(seed), grammar.normalised(scenes), {}
    for a in grammar.learned:
        n = len(scenes.tables[a.kind])
        if a.count or n == 0:
            continue
        if a.form == "choice":
            own = a.choice.codes(np.asarray(scenes.tables[a.kind][a.name]))
            other = random.integers(0, len(a.choice.options), n)
            values[a.key] = np.where(random.random(n) < MIXED, other, own).astype(float)
        else:
            noise = random.standard_normal(n) * max(MIN_SPREAD, _spread(a, units[a.key]))
            values[a.key] = (units[a.key] + noise) % 1.0 if a.circular else reflect(units[a.key] + noise)
    return scenes_with(grammar, scenes, values)


def _spread(a: Attribute, units: np.ndarray) -> float:
    """Standard deviation; of angles in turns, from the length of their mean direction."""
    if not a.circular:
        return float(units.std())
    length = abs(np.exp(2j * np.pi * units).mean())
    return float(np.sqrt(max(-2 * np.log(max(length, 0.05)), 0)) / (2 * np.pi))
