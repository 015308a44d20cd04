"""Half a turn: which direction of an axis?

Networks predict the axis of nearly symmetric things, such as digits, well before they predict the direction, and
renders near a wrong direction teach them to predict it. So each learned angle of the image is also tried turned by half
a turn, and whichever renders are nearer to the photos are kept. Legend: S scenes.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import torch

from scenefit.inference.npe.posterior import PosteriorSamples
from scenefit.inference.stages.problem import Problem
from scenefit.metrics.features import features_of_chunks
from scenefit.metrics.objective import Objective
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.scenes.attributes import Attribute, Key
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.values import learned_values, scenes_with
from scenefit.scenes.scene import SceneBatch

TRIED = 256  # renders of each direction
CLEARLY = 0.8  # share of the distance that the other direction has to fall below


def angles(grammar: Grammar, kinds: Collection[str]) -> list[Attribute]:
    """Learned angles of kinds of which each scene holds one node."""
    return [a for a in grammar.learned if a.circular and a.kind in kinds]


@torch.no_grad()
def turned_where_nearer(problem: Problem, objective: Objective, distribution: SceneDistribution,
                        samples: PosteriorSamples, tried: Sequence[Attribute], seed: int) -> PosteriorSamples:
    """The samples, with those of the angles tried turned whose renders then are nearer to the photos."""
    for a in tried:
        scenes = distribution.sample(seed, TRIED)
        here, there = (_distance(problem, objective, some)
                       for some in (scenes, half_turned(problem.grammar, scenes, a.key)))
        if here > 0 and there < CLEARLY * here:
            samples = replace(samples, scenes=half_turned(problem.grammar, samples.scenes, a.key))
    return samples


def half_turned(grammar: Grammar, scenes: SceneBatch, key: Key) -> SceneBatch:
    """The same scenes [S], one attribute turned by half a turn."""
    values = {a.key: value for a in grammar.learned
              if not a.count and len(value := learned_values(grammar, scenes)[a.key])}
    return scenes_with(grammar, scenes, {**values, key: (values[key] + 0.5) % 1.0})


def _distance(problem: Problem, objective: Objective, scenes: SceneBatch) -> float:
    (features,) = features_of_chunks(problem.render(scenes), objective.extractor)
    return float(objective.loss_of(features))
