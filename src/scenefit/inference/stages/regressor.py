"""Training of the attribute regressor, whose predictions drive moment matching and whose features measure the distance.

Legend: S scenes; R predictions.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from scenefit.inference.stages.problem import NAN, Problem, Stage, State, moved
from scenefit.inference.stages.setting_types import check_types
from scenefit.nets.attribute_regressor import regression_targets, train, training_images
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers.batches import recut, scenes_at_once
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation
from scenefit.scenes.scene import SceneBatch

Inputs = NDArray[np.float32]
MEASURED = 2**24  # pixels of which mean and deviation are computed at once: 4,096 renders of 64x64
FAR = 4  # one in so many renders of a later round is of the uniform prior, so that nothing learned there is forgotten


@dataclass(frozen=True)
class Regressor:
    """Training of the attribute regressor.

    rounds: trainings before moment matching, the first on renders of the uniform prior, later ones near the photos; the
    other methods train it once.  renders, epochs: of each training.
    """

    rounds: int = 3
    renders: int = 4096
    epochs: int = 3

    def __post_init__(self) -> None:
        check_types(self, "regressor.")
        if self.renders < FAR:
            raise ValueError(f"regressor.renders must be at least {FAR}, got {self.renders}")
        for name in ("rounds", "epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"regressor.{name} must be at least 1, got {getattr(self, name)}")

    @property
    def work(self) -> float:
        """Of one training, for the progress bar."""
        return self.renders * (1 + self.epochs)

    def cost(self, problem: Problem, state: State, step: int) -> int:
        return self.renders


def train_regressor(problem: Problem, state: State, settings: Regressor, seed: int,
                    near: SceneDistribution | None) -> tuple[State, SceneBatch, Inputs]:
    """Train on renders of the uniform prior or, but for a quarter, on those of a distribution near the photos.

    Returns the state, the scenes rendered (those near the photos, if any), and what the regressor sees of their images,
    [S, c, h, w].
    """
    count, uniform = settings.renders, uniform_randomisation(problem.grammar)
    parts = [uniform.sample(seed, count)]
    if near is not None:
        parts = [near.sample(seed, count - count // FAR), uniform.sample(seed, count // FAR)]
    truth = torch.cat([regression_targets(problem.grammar, problem.targets, part) for part in parts])
    regressor = deepcopy(state.regressor)
    rendered = recut(chain.from_iterable(map(problem.render, parts)), scenes_at_once(problem.size, MEASURED))
    images = training_images(regressor, rendered, len(truth))
    train(regressor, images, truth, seed, settings.epochs)
    state = replace(state, regressor=regressor, objective=problem.objective(regressor),
                    renders=state.renders + sum(map(len, parts)), trainings=state.trainings + 1,
                    distance=NAN, metric=NAN)
    return state, parts[0], images.inputs[:len(parts[0])]


Propose = Callable[[Problem, State, SceneBatch, Inputs], SceneDistribution]


def training(settings: Regressor, rounds: int, propose: Propose | None = None) -> Stage:
    """The stage that trains the regressor `rounds` times. propose: makes the distribution that the next round renders
    from the scenes of this one and what the regressor sees of them."""
    def run(problem: Problem, state: State, step: int) -> State:
        first = step == 0 and state.distribution.aggregate_posterior is None
        near = None if first else state.distribution
        state, scenes, inputs = train_regressor(problem, state, settings, problem.seed_of("read", step), near)
        if propose is None or step == rounds - 1:
            return state
        return moved(state, propose(problem, state, scenes, inputs))

    return Stage("train-regressor", rounds, run, settings.cost, settings.work)



def once(problem: Problem, settings: Regressor) -> tuple[Stage, ...]:
    """One training, for the distance alone; none where the distance has features of its own."""
    return (training(settings, 1),) if problem.features is None else ()
