"""The method "cma-es": a shift and a stretch of every learned number, by CMA-ES on the distance itself.

Far apart the distance has no gradient, but it still ranks candidates. Each candidate is a distribution, judged by few
renders of the same scenes, so that candidates differ by what was changed alone (Hansen 2016, arXiv 1604.00772).

Legend: D dimensions: a shift and a stretch for each learned number; K knots.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cma
import numpy as np
import torch

from scenefit.inference.stages.problem import NAN, Problem, Stage, State, distance, moved
from scenefit.inference.stages.regressor import Regressor, once
from scenefit.inference.stages.setting_types import check_types
from scenefit.metrics.features import features_of_chunks
from scenefit.metrics.objective import Objective
from scenefit.nets.quantile_offsets import KNOTS, MASS, prior_at_knots
from scenefit.nets.scene_distribution import SIGMA_FLOOR, SceneDistribution
from scenefit.renderers import Renderer
from scenefit.renderers.batches import render_parts
from scenefit.scenes.rng import derive_seed

N_IMAGES = 64  # rendered for each candidate
FIRST_STEP = 0.5  # 0.25 is stuck near the prior in one run of four
STRETCH = 3.0  # candidates are between 1 / exp(STRETCH) and exp(STRETCH) times as wide as the prior
MIN_WIDTH = 0.05  # of the bounds: the width that a constant prior is taken to have
WORK = 640  # renders of a generation of a usual grammar, for the progress bar


@dataclass(frozen=True)
class CmaEs:
    """The method "cma-es".

    rounds: generations, with 64 renders for each of their candidates.
    """

    rounds: int = 3

    name = "cma-es"
    descent_steps = 60
    learning_rate = 0.01

    def __post_init__(self) -> None:
        check_types(self, "method.")
        if self.rounds < 0:
            raise ValueError(f"method.rounds must be at least 0, got {self.rounds}")

    def check(self, problem: Problem) -> None:
        """Any learned attribute will do; choices and rules are left to the descent."""

    def within(self, max_renders: int) -> "CmaEs":
        """The same: generations end when the budget does."""
        return self

    def trainings(self, regressor: Regressor) -> int:
        """How often the regressor could be trained, as the budget counts."""
        return regressor.rounds + 1

    def stages(self, problem: Problem, regressor: Regressor) -> tuple[Stage, ...]:
        search = Stage("cma-es", self.rounds, self._generation, lambda problem, state, step: cost(state.distribution),
                       WORK)
        return *once(problem, regressor), search

    def _generation(self, problem: Problem, state: State, step: int) -> State:
        """One generation; those before are replayed from their losses, without rendering."""
        if not state.distribution.numbers:
            return replace(state, distance=NAN, metric=NAN)
        known = [] if state.losses is None else state.losses.tolist()[:step]
        search = Search(state.distribution, problem.seed_of("search"), known)
        losses = search.generation(problem.renderer, distance(problem, state))
        kept = torch.tensor([*known, losses], dtype=torch.float64)
        return moved(state, search.best(), losses=kept, distance=search.least,
                     renders=state.renders + cost(state.distribution))

class Search:
    """CMA-ES over candidates [D] in -1..1; a new one that is given the losses of earlier generations goes on from
    there. least: the lowest loss so far."""

    def __init__(self, distribution: SceneDistribution, seed: int, losses: Iterable[Sequence[float]] = ()):
        self.distribution, self.seed = distribution, derive_seed(seed, "search")
        scenes = distribution.grammar.sample(self.seed, N_IMAGES)
        self.priors = {a.key: prior_at_knots(distribution.grammar, a, scenes) for a in distribution.numbers}
        self.least, self.candidate = np.inf, np.zeros(2 * len(distribution.numbers))
        if not distribution.numbers:
            return
        rng = np.random.default_rng(derive_seed(seed, "search steps"))  # numpy's global numbers belong to the user
        self.strategy = cma.CMAEvolutionStrategy(self.candidate, FIRST_STEP, {
            "seed": np.nan, "randn": lambda *n: rng.standard_normal(n), "popsize": population(distribution),
            "verbose": -9, "bounds": [-1, 1]})
        for known in losses:
            self._tell(self.strategy.ask(), list(known))

    def generation(self, renderer: Renderer, objective: Objective) -> list[float]:
        """Renders and judges the next candidates; returns their losses."""
        candidates, losses = self.strategy.ask(), []
        for candidate in candidates:
            frames = render_parts(renderer, self.apply(candidate).sample(self.seed, N_IMAGES))
            (features,) = features_of_chunks((part.images for part in frames), objective.extractor)
            losses.append(float(objective.loss_of(features)))
        self._tell(candidates, losses)
        return losses

    def _tell(self, candidates: Sequence[np.ndarray], losses: list[float]) -> None:
        self.strategy.tell(candidates, losses)
        if min(losses) < self.least:
            self.least, self.candidate = min(losses), candidates[int(np.argmin(losses))]

    def best(self) -> SceneDistribution:
        return self.apply(self.candidate)

    def apply(self, candidate: np.ndarray) -> SceneDistribution:
        """The distribution with the shift and stretch of every learned number from candidate [D]."""
        changed = self.distribution.copy()
        for a, (shift, stretch) in zip(changed.numbers, candidate.reshape(-1, 2), strict=True):
            prior = self.priors[a.key]
            centre = float(MASS @ prior)
            width = np.sqrt(float(MASS @ (prior - centre) ** 2))
            form = (prior - centre) / width if width > 2 * SIGMA_FLOOR else KNOTS
            width = max(width, MIN_WIDTH) * np.exp(STRETCH * stretch)
            reach = 0.5 if a.circular else 1.0
            changed.set_offsets(a, centre + reach * shift + width * form - prior)
        return changed


def cost(distribution: SceneDistribution) -> int:
    """Renders of one generation."""
    return N_IMAGES * population(distribution) if distribution.numbers else 0


def population(distribution: SceneDistribution) -> int:
    """Candidates of a generation, as many as Hansen 2016 advises."""
    return 4 + int(3 * np.log(2 * len(distribution.numbers)))
