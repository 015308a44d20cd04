"""The method "moment-matching": change the distribution until a regressor predicts the same of renders and photos.

Its stages: train-regressor (some rounds, each near the photos), moment-matching (some rounds), refine (train the
regressor once more, close to the photos, and match again). The algorithm itself is in `moments`.
"""

from dataclasses import dataclass, replace

import torch

from scenefit.inference.stages.moments import match_moments, nearest_neighbour_abc, widened
from scenefit.inference.stages.problem import Problem, Stage, State, distance, fits, moved
from scenefit.inference.stages.regressor import Inputs, Regressor, train_regressor, training
from scenefit.inference.stages.setting_types import check_types
from scenefit.inference.stages.validation import measured
from scenefit.metrics.features import compute, features_of_chunks
from scenefit.nets.attribute_regressor import regression_targets
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.scenes.attributes import Attribute
from scenefit.scenes.scene import SceneBatch

REFINED = 2  # rounds of matching after the regressor was refined


@dataclass(frozen=True)
class MomentMatching:
    """The method "moment-matching": simulated moments.

    rounds: of the matching.  renders: in each round.  refine: train the regressor once more, near the photos, and match
    again.
    """

    rounds: int = 3
    renders: int = 512
    refine: bool = True

    name = "moment-matching"
    descent_steps = 60
    learning_rate = 0.002  # small, for this method ends close to the photos

    def __post_init__(self) -> None:
        check_types(self, "method.")
        if self.rounds < 0:
            raise ValueError(f"method.rounds must be at least 0, got {self.rounds}")
        if self.renders < 2:
            raise ValueError(f"method.renders must be at least 2, got {self.renders}")

    def check(self, problem: Problem) -> None:
        """Any learned attribute will do."""

    def within(self, max_renders: int) -> "MomentMatching":
        """A fifth of the renders for all rounds."""
        rounds = max(self.rounds + REFINED * self.refine, 1)
        return replace(self, renders=min(self.renders, max(max_renders // (5 * rounds), 2)))

    def trainings(self, regressor: Regressor) -> int:
        """How often the regressor is trained."""
        return regressor.rounds + self.refine

    def stages(self, problem: Problem, regressor: Regressor) -> tuple[Stage, ...]:
        train = training(regressor, regressor.rounds, _propose)
        match = Stage("moment-matching", self.rounds, self._match, lambda *_: self.renders, self.renders)

        def refined(problem: Problem, state: State, step: int) -> State:
            return self._refine(problem, state, step, regressor)

        refine = Stage("refine", int(self.refine), refined,
                       lambda *_: regressor.renders + REFINED * self.renders, regressor.work)
        return train, match, refine

    @torch.no_grad()
    def _match(self, problem: Problem, state: State, step: int) -> State:
        state = self._round(problem, state, problem.seed_of("infer", step), keep_ends=step > 0)
        if step < self.rounds - 1:
            return state
        cost = self.rounds * self.renders + 2 * problem.budget.validation_renders
        for target in problem.targets:
            if target.form == "angle" and fits(problem, state, cost):
                state = self._nearer_end(problem, state, target.attribute)
        return state

    def _refine(self, problem: Problem, state: State, step: int, regressor: Regressor) -> State:
        state, *_ = train_regressor(problem, state, regressor, problem.seed_of("focus", step),
                                    widened(state.distribution))
        for number in range(REFINED):
            state = self._round(problem, state, problem.seed_of("focused", number), keep_ends=True)
        return state

    @torch.no_grad()
    def _round(self, problem: Problem, state: State, seed: int, keep_ends: bool) -> State:
        """Match once; the distance is the one before."""
        scenes = state.distribution.sample(seed, self.renders)
        predict, objective = state.regressor.predictions, distance(problem, state)
        predictions, features = features_of_chunks(problem.render(scenes), predict, objective.extractor)
        matched = match_moments(state.distribution, problem.targets, scenes, predictions,
                                compute(predict, problem.images),
                                regression_targets(problem.grammar, problem.targets, scenes), keep_ends)
        return moved(state, matched, renders=state.renders + len(scenes),
                     distance=float(objective.loss_of(features)))

    def _nearer_end(self, problem: Problem, state: State, attribute: Attribute) -> State:
        """Predictions confuse the ends of an axis; so match at both, and let the distance decide."""
        here, before = measured(problem, state, "ends")
        other = state.distribution.copy()
        other.shift_offsets(attribute, 0.5)
        turned = moved(here, other)
        for number in range(self.rounds):
            turned = self._round(problem, turned, problem.seed_of("other end", number), keep_ends=True)
        turned, after = measured(problem, turned, "ends")
        chosen = state if after > before else turned
        return replace(chosen, renders=turned.renders, distance=state.distance)


def _propose(problem: Problem, state: State, scenes: SceneBatch, inputs: Inputs) -> SceneDistribution:
    predict = state.regressor.predictions
    return nearest_neighbour_abc(state.distribution, scenes, compute(predict.rest, inputs, prepare=torch.from_numpy),
                                 compute(predict, problem.images))
