"""Training of the attribute regressor, in whose features the distance is measured."""

from copy import deepcopy
from dataclasses import dataclass, replace

from scenefit.inference.stages.problem import NAN, Problem, Stage, State
from scenefit.inference.stages.setting_types import check_types
from scenefit.nets.attribute_regressor import regression_targets, train, training_images
from scenefit.renderers.batches import recut, scenes_at_once
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation

MEASURED = 2**24  # pixels of which mean and deviation are computed at once: 4,096 renders of 64x64
MIN_RENDERS = 4


@dataclass(frozen=True)
class Regressor:
    """Training of the attribute regressor.

    renders: of a training on renders of the uniform prior; "npe" trains on those of its rounds instead.  epochs: of
    each training.
    """

    renders: int = 4096
    epochs: int = 3

    def __post_init__(self) -> None:
        check_types(self, "regressor.")
        if self.renders < MIN_RENDERS:
            raise ValueError(f"regressor.renders must be at least {MIN_RENDERS}, got {self.renders}")
        if self.epochs < 1:
            raise ValueError(f"regressor.epochs must be at least 1, got {self.epochs}")


def once(problem: Problem, settings: Regressor) -> tuple[Stage, ...]:
    """One training on renders of the uniform prior, for the distance alone; none where the distance has features of its
    own."""
    def run(problem: Problem, state: State, step: int) -> State:
        seed = problem.seed_of("read", step)
        scenes = uniform_randomisation(problem.grammar).sample(seed, settings.renders)
        truth = regression_targets(problem.grammar, problem.targets, scenes)
        regressor = deepcopy(state.regressor)
        rendered = recut(problem.render(scenes), scenes_at_once(problem.size, MEASURED))
        train(regressor, training_images(regressor, rendered, len(truth)), truth, seed, settings.epochs)
        return replace(state, regressor=regressor, objective=problem.objective(regressor),
                       renders=state.renders + len(scenes), trainings=state.trainings + 1, distance=NAN, metric=NAN)

    if problem.features is not None:
        return ()
    return (Stage("train-regressor", 1, run, lambda *_: settings.renders, settings.renders * (1 + settings.epochs)),)
