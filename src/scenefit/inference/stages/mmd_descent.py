"""Descent on the MMD between renders and photos, by one of four gradient estimators, with Adam."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from scenefit.inference.gradients import GRADIENTS, Estimate
from scenefit.inference.gradients import cost as gradient_cost
from scenefit.inference.stages.problem import NAN, Problem, Stage, State, distance
from scenefit.inference.stages.setting_types import check_types
from scenefit.nets.edit import Edit
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers import renderer_info

GRADIENT_NAMES = ("auto", *GRADIENTS)
FAINT = 0.05  # gradient of the distance by an offset: Adam must not scale up much weaker ones, which are noise
SLOWEST = 0.1  # of the first learning rate: where the cosine schedule ends


@dataclass(frozen=True)
class Descent:
    """Descent on the MMD.

    steps, learning_rate: by default those that suit the method before it (`Method`); the rate is that of the quantile
    offsets, in units of the bounds.  batch: scenes of a step, a multiple of 64.  gradient: through the renderer; "auto"
    is "pathwise" where the renderer is differentiable, else "score-function".
    """

    steps: int | None = None
    batch: int = 128
    learning_rate: float | None = None
    gradient: str = "auto"

    def __post_init__(self) -> None:
        check_types(self, "descent.")
        if self.steps is not None and self.steps < 0:
            raise ValueError(f"descent.steps must be at least 0, got {self.steps}")
        if self.batch < 64 or self.batch % 64:
            raise ValueError(f"descent.batch must be a multiple of 64, got {self.batch}")
        if self.learning_rate is not None and not 0 < self.learning_rate <= 1:
            raise ValueError("descent.learning_rate must be above 0 and at most 1, in units of the bounds, got "
                             f"{self.learning_rate}")
        if self.gradient not in GRADIENT_NAMES:
            raise ValueError(f"descent.gradient must be one of {', '.join(GRADIENT_NAMES)}, got {self.gradient!r}")

    def resolved(self, problem: Problem, steps: int, learning_rate: float) -> "Descent":
        """With every default filled in. ValueError for a gradient that the renderer does not have."""
        differentiable = renderer_info(problem.renderer).differentiable
        gradient = self.gradient
        if gradient == "auto":
            gradient = "pathwise" if differentiable else "score-function"
        if gradient == "pathwise" and not differentiable:
            raise ValueError('gradient="pathwise" needs a renderer whose info has draw(scenes) -> torch images, such '
                             'as Sprites; this one has none, so use "auto", "spsa" or "score-function"')
        return replace(self, steps=steps if self.steps is None else self.steps, gradient=gradient,
                       learning_rate=learning_rate if self.learning_rate is None else self.learning_rate)

    def stage(self) -> Stage:
        """Of a resolved descent."""
        assert self.steps is not None

        def renders(problem: Problem, state: State, step: int) -> int:
            return self.cost(problem, state, problem.seed_of("match", step))

        return Stage("mmd-descent", self.steps, self._step, renders, 2 * self.batch)

    def cost(self, problem: Problem, state: State, seed: int) -> int:
        """Renders of one estimate."""
        with torch.no_grad():
            edit = state.distribution.edit(seed, np.arange(self.batch))
        return gradient_cost(self.gradient, problem.grammar, edit)

    def estimate(self, problem: Problem, state: State, edit: Edit, step: int) -> Estimate:
        """The gradient of the distance at an edit."""
        return GRADIENTS[self.gradient](problem.grammar, problem.renderer, edit, distance(problem, state),
                                        problem.seed_of("estimate", step))

    def _step(self, problem: Problem, state: State, step: int) -> State:
        assert self.steps is not None
        found: list[Estimate] = []

        def loss(distribution: SceneDistribution) -> Tensor:
            edit = distribution.edit(problem.seed_of("match", step), np.arange(self.batch))
            found.append(self.estimate(problem, state, edit, step))
            return found[0].surrogate

        state = self.descend(state, loss, step, self.steps)
        return replace(state, renders=state.renders + found[0].renders, distance=found[0].loss, metric=NAN)

    def descend(self, state: State, loss: Callable[[SceneDistribution], Tensor], step: int, steps: int) -> State:
        """One step of the optimiser down a loss; the second half of a stage is averaged, which calms the noise of
        single steps."""
        assert self.learning_rate is not None
        distribution = state.distribution.copy()
        optimiser = _adam(distribution, state.optimiser)
        pace = SLOWEST + (1 - SLOWEST) * (1 + np.cos(np.pi * step / steps)) / 2
        for group in optimiser.param_groups:
            group["lr"] = self.learning_rate * group["scale"] * pace
        optimiser.zero_grad()
        loss(distribution).backward()
        optimiser.step()
        weight = 1 / (max(step - steps // 2, 0) + 1)
        with torch.no_grad():
            average = {name: state.average[name].lerp(value, weight)
                       for name, value in distribution.named_parameters()}
        distribution.zero_grad()
        return replace(state, distribution=distribution, average=average, optimiser=_moments(optimiser))


def _adam(distribution: SceneDistribution, moments: Mapping[str, Tensor]) -> torch.optim.Adam:
    """Adam over the learned parameters, with saved moments."""
    optimiser = torch.optim.Adam([
        {"params": list(distribution.curves.parameters()), "scale": 1.0},
        {"params": list(distribution.log_sigma.parameters()), "scale": 5.0},
        {"params": [*distribution.logits.parameters(), *distribution.rules.parameters()], "scale": 5.0},
        {"params": list(distribution.network.parameters()), "scale": 0.1}], betas=(0.8, 0.98), eps=FAINT)
    saved: dict[int, dict[str, Tensor]] = {}
    for key, value in moments.items():
        number, _, name = key.partition(":")
        saved.setdefault(int(number), {})[name] = value.clone()
    optimiser.load_state_dict({"state": saved, "param_groups": optimiser.state_dict()["param_groups"]})
    return optimiser


def _moments(optimiser: torch.optim.Adam) -> dict[str, Tensor]:
    return {f"{number}:{name}": value.clone() for number, moments in optimiser.state_dict()["state"].items()
            for name, value in moments.items()}
