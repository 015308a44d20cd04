"""The task on labelled photos as a reward: REINFORCE with each render's influence, or with the metric of the whole set.

Kar et al. 2019, section 3.2.2, use the metric; the influence of single renders (TracIn, Pruthi et al. 2020) learns more
from the same trainings (experiments/task_reward).
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from scenefit.inference.gradients import Estimate
from scenefit.inference.gradients.estimate import leave_one_out
from scenefit.inference.stages.mmd_descent import Descent
from scenefit.inference.stages.problem import Problem, Stage, State
from scenefit.inference.stages.setting_types import check_types
from scenefit.nets.edit import Edit
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers import renderer_name
from scenefit.scenes.rng import derive_seed
from scenefit.tasks import headline
from scenefit.tasks.rendering import render_labelled

TASK_GRADIENTS = ("influence", "reinforce", "none")


@dataclass(frozen=True)
class TaskReward:
    """Labelled photos as reward.

    gradient: "influence" of each render, "reinforce" with the task's metric, or "none".  steps: trainings of the task's
    network.  renders: images that each is trained on.  weight: of the task's gradient, relative to the distance's.
    """

    gradient: str = "influence"
    steps: int = 20
    renders: int = 512
    weight: float = 0.03

    def __post_init__(self) -> None:
        check_types(self, "task.")
        if self.gradient not in TASK_GRADIENTS:
            raise ValueError(f"task.gradient must be one of {', '.join(TASK_GRADIENTS)}, got {self.gradient!r}")
        if self.renders < 2:
            raise ValueError(f"task.renders must be at least 2, got {self.renders}")
        for name in ("steps", "weight"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"task.{name} must be at least 0, got {getattr(self, name)}")

    def stages(self, problem: Problem, descent: Descent) -> tuple[Stage, ...]:
        """None without labelled photos. descent: resolved; its estimate holds the distance meanwhile."""
        if problem.labelled is None or problem.task is None:
            return ()
        needed = ("labels", "influence") if self.gradient == "influence" else ("labels", "train", "evaluate")
        lacking = [name for name in needed if not callable(getattr(problem.task, name, None))]
        if lacking or isinstance(problem.task, type):
            what = f"lacks {', '.join(lacking)}" if lacking else "is a class; make one"
            raise ValueError(f"task {renderer_name(problem.task)} {what}; scenefit.Task describes what a task has, and "
                             f'task.gradient="{self.gradient}" needs {", ".join(needed)}')

        def run(problem: Problem, state: State, step: int) -> State:
            return self._step(problem, state, step, descent)

        def renders(problem: Problem, state: State, step: int) -> int:
            return self.renders + descent.cost(problem, state, problem.seed_of("task match", step))

        return (Stage("task-reward", self.steps, run, renders, self.renders * 8 + 2 * descent.batch, reserve=1),)

    def _step(self, problem: Problem, state: State, step: int, descent: Descent) -> State:
        """One training of the task's network; its reward, and the distance still, change the distribution."""
        rewarded: list[State] = []
        found: list[Estimate] = []

        def loss(distribution: SceneDistribution) -> Tensor:
            edit = distribution.edit(problem.seed_of("task", step), np.arange(self.renders))
            after, advantage = self._reward(problem, state, edit)
            close = distribution.edit(problem.seed_of("task match", step), np.arange(descent.batch))
            rewarded.append(after)
            found.append(descent.estimate(problem, state, close, step))
            return found[0].surrogate - self.weight * (advantage * edit.log_prob()).mean()

        state = descent.descend(state, loss, step, self.steps)
        after = rewarded[0]
        return replace(state, baseline=after.baseline, metric=after.metric, trainings=after.trainings,
                       renders=after.renders + found[0].renders, distance=found[0].loss)

    def _reward(self, problem: Problem, state: State, edit: Edit) -> tuple[State, Tensor]:
        """The state with the metric measured, and the advantage of each render [S]."""
        assert problem.labelled is not None and problem.task is not None
        photos, count = problem.labelled, len(edit.scenes)
        images, labels = render_labelled(problem.task, problem.renderer, edit.scenes, problem.label_policy)
        seed = derive_seed(problem.seed, "task network")  # the same first weights for every measurement
        real = problem.task.labels(photos, problem.label_policy)
        baseline = state.baseline
        if self.gradient == "influence":
            reward, metric = problem.task.influence(images, labels, photos.images, real, seed)
            advantage = leave_one_out(reward)
        else:
            network = problem.task.train(images, labels, seed)
            metric = headline(problem.task.evaluate(network, photos.images, real))
            baseline = metric if np.isnan(baseline) else 0.8 * baseline + 0.2 * metric  # a running mean
            advantage = torch.full((count,), (metric - baseline) * count ** 0.5)
        return replace(state, baseline=baseline, metric=metric, renders=state.renders + count,
                       trainings=state.trainings + 1), advantage
