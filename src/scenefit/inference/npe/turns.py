"""Half a turn: which direction of an axis?

Networks predict the axis of nearly symmetric things, such as digits, well before they predict the direction, and
renders near a wrong direction teach them to see it everywhere. So for each learned angle of the image, a network is
trained to tell scenes of the present distribution from the same scenes turned by half a turn, and photos that it takes
for turned ones turn the distribution. Legend: S scenes; N images; H, W pixels.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import torch

from scenefit.inference.npe.posterior import PosteriorSamples
from scenefit.inference.stages.problem import Problem
from scenefit.inference.stages.regressor import MEASURED
from scenefit.metrics.features import CHUNK, compute, compute_chunks
from scenefit.nets.attribute_regressor import AttributeRegressor, is_grey, train, training_images
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers.batches import recut, scenes_at_once
from scenefit.scenes.attributes import Attribute, Key
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.values import learned_values, scenes_with
from scenefit.scenes.scene import SceneBatch

MOST_RENDERS = 2048  # renders of each direction that the network is trained on, at most
HELD = 4  # one is held out for so many
EPOCHS = 6
CLEARLY = 1.0  # standard errors by which photos have to be taken for turned ones


def angles(grammar: Grammar, kinds: Collection[str]) -> list[Attribute]:
    """Learned angles of kinds of which each scene holds one node."""
    return [a for a in grammar.learned if a.circular and a.kind in kinds]


def direction_renders(count: int) -> int:
    """Renders for each angle, in a round of so many renders."""
    return 2 * sum(_of_each_direction(count))


def _of_each_direction(count: int) -> tuple[int, int]:
    """Renders to train on, and held out."""
    most = min(MOST_RENDERS, max(count // 2, HELD))
    return most, most // HELD


def turned_where_nearer(problem: Problem, distribution: SceneDistribution, samples: PosteriorSamples,
                        attributes: Sequence[Attribute], count: int, seed: int) -> PosteriorSamples:
    """The samples, with those of these angles turned whose photos are like turned renders. count: renders of the
    round."""
    most, held = _of_each_direction(count)
    at_once = scenes_at_once(problem.size, MEASURED)
    for a in attributes:
        scenes = distribution.sample(seed, most + held)
        sides = scenes, half_turned(problem.grammar, scenes, a.key)
        network = AttributeRegressor(problem.size, 1, is_grey(problem.images), seed).to(problem.device)
        truth = torch.tensor([1.0, -1.0]).repeat_interleave(most)[:, None]
        shown = (recut(problem.render(side.take(np.arange(most))), at_once) for side in sides)
        train(network, training_images(network, chain.from_iterable(shown), 2 * most), truth, seed, EPOCHS)
        rest = (recut(problem.render(side.take(np.arange(most, most + held))), CHUNK) for side in sides)
        here, there = (compute_chunks(network.predictions, images).double().numpy()[:, 0] for images in rest)
        photos = compute(network.predictions, problem.images).double().numpy()[:, 0]
        error = np.sqrt((here.var() + there.var()) / 4 / held + photos.var() / len(photos))
        if photos.mean() < (here.mean() + there.mean()) / 2 - CLEARLY * error:
            samples = replace(samples, scenes=half_turned(problem.grammar, samples.scenes, a.key))
    return samples


def half_turned(grammar: Grammar, scenes: SceneBatch, key: Key) -> SceneBatch:
    """The same scenes [S], one attribute turned by half a turn."""
    own = learned_values(grammar, scenes)
    values = {a.key: own[a.key] for a in grammar.learned if not a.count and len(own[a.key])}
    return scenes_with(grammar, scenes, {**values, key: (values[key] + 0.5) % 1.0})
