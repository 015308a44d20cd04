"""What every stage of a fit works on: a `Problem` never changes, a `State` is replaced by each step of a `Stage`.

Legend: N photos; S scenes; H, W pixels.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.data.photos import Photos
from scenefit.metrics.features import Extractor, on_device
from scenefit.metrics.objective import Objective
from scenefit.metrics.objective import objective as make_objective
from scenefit.nets.attribute_regressor import AttributeRegressor, Target, is_grey, targets
from scenefit.nets.model import fill, with_parts_of
from scenefit.nets.object_network import ObjectNetwork
from scenefit.nets.placement import networks_on
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers import Renderer
from scenefit.renderers.batches import image_chunks
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch
from scenefit.tasks import Task

NAN = float("nan")


@dataclass(frozen=True)
class Budget:
    """validation_renders: for each measurement of the distance.  max_renders: of the whole fit.  minutes: of wall
    clock, after which no step begins."""

    validation_renders: int = 512
    max_renders: int | None = None
    minutes: float | None = None


@dataclass(frozen=True, eq=False)
class Problem:
    """What a fit is given.

    photos: no label of theirs is read.  labelled: photos for the task, if any.  features: the distance's feature
    extractor; None for the inner features of the attribute regressor.  label_policy: which objects of renders get
    boxes, where the labelled photos have them.  seed: with a purpose and a step it addresses every random number.
    device: of all networks; the renderer has its own.
    """

    grammar: Grammar
    renderer: Renderer
    photos: Photos
    labelled: Photos | None
    task: Task | None
    features: Extractor | None
    label_policy: LabelPolicy | None
    budget: Budget
    seed: int
    device: str = "cpu"

    @property
    def images(self) -> NDArray[np.uint8]:
        """Of the photos, uint8 [N, H, W, 3]."""
        return self.photos.images

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """What the attribute regressor predicts."""
        return targets(self.grammar)

    def seed_of(self, purpose: str, step: int = 0) -> int:
        """The seed of all random numbers of one purpose at one step of a stage."""
        return derive_seed(self.seed, f"{purpose} {step}")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of photos and renders."""
        return self.images.shape[1], self.images.shape[2]

    def render(self, scenes: SceneBatch) -> Iterator[NDArray[np.uint8]]:
        """Images uint8 [., H, W, 3] of some scenes at a time. ValueError: see `check`."""
        return image_chunks(self.renderer, scenes, self.size, self.check)

    def check(self, frames: Frames) -> None:
        """ValueError for labels of renders that the task cannot use, such as a class that it does not know: the first
        renders of a fit end it, not its last stage."""
        if self.labelled is not None and self.task is not None:
            self.task.labels(frames, self.label_policy)

    def objective(self, regressor: AttributeRegressor) -> Objective:
        """The distance to the photos, in the given features or in the regressor's."""
        return make_objective(on_device(self.features or regressor.features, self.device), self.images)


@dataclass(frozen=True, eq=False)
class State:
    """What a fit has learned so far.

    distribution: of the scenes.  regressor: predicts attributes from images; its inner features measure the distance.
    objective: that distance, once it means something.  posterior: predicts single objects, for "npe".  diagnostics: of
    its predictions, such as "r2:coin.radius".
    average: running mean of the descent's parameters.  start: parameters that the descent started from.
    optimiser: moments of Adam, "number:name" -> value.  baseline: running mean of the task's metric.
    renders, trainings: in all so far.
    distance, metric: squared MMD to the photos and the task's metric, as measured by the last step; NaN if it measured
    none.
    """

    distribution: SceneDistribution
    regressor: AttributeRegressor
    average: Mapping[str, Tensor]
    start: Mapping[str, Tensor]
    objective: Objective | None = None
    posterior: ObjectNetwork | None = None
    diagnostics: Mapping[str, Tensor] = field(default_factory=dict)
    optimiser: Mapping[str, Tensor] = field(default_factory=dict)
    baseline: float = NAN
    renders: int = 0
    trainings: int = 0
    distance: float = NAN
    metric: float = NAN


@dataclass(frozen=True)
class Stage:
    """Some steps of one kind. step counts from 0, and with the problem's seed addresses all of its random numbers.

    run(problem, state, step) -> the next state.  renders(problem, state, step) -> how many images the step renders at
    most, for the budget.  work: rough cost of a step in images rendered and looked at, for the progress bar.
    reserve: how many measurements of the distance have to remain affordable after a step.  required: it runs even when
    the budget is spent.
    """

    name: str
    steps: int
    run: Callable[[Problem, State, int], State]
    renders: Callable[[Problem, State, int], int]
    work: float
    reserve: int = 3
    required: bool = False


def no_renders(problem: Problem, state: State, step: int) -> int:
    """For stages that render nothing that the budget has to leave room for."""
    return 0


def fits(problem: Problem, state: State, renders: int, reserve: int = 3) -> bool:
    """Whether so many renders leave enough for the measurements that follow."""
    most = problem.budget.max_renders
    return most is None or state.renders + renders + reserve * problem.budget.validation_renders <= most


def within_budget(problem: Problem, state: State, stage: Stage, step: int, minutes: float) -> bool:
    """Whether a step may begin. minutes: of wall clock so far."""
    budget = problem.budget
    if stage.required:
        return True
    if budget.minutes is not None and minutes > budget.minutes:
        return False
    return budget.max_renders is None or fits(problem, state, stage.renders(problem, state, step), stage.reserve)


def start(problem: Problem, renders: int = 0) -> State:
    """The state before the first step. renders: drawn to prepare the problem."""
    distribution = SceneDistribution(problem.grammar, derive_seed(problem.seed, "transformer"))
    distribution = networks_on(distribution, problem.device)
    regressor = AttributeRegressor(problem.size, sum(target.width for target in problem.targets),
                                   is_grey(problem.images), derive_seed(problem.seed, "reader")).to(problem.device)
    values = parameters(distribution)
    objective = None if problem.features is None else problem.objective(regressor)
    return State(distribution, regressor, values, values, objective, renders=renders)


def distance(problem: Problem, state: State) -> Objective:
    """The objective of the state; before the regressor was trained, that of its random features."""
    return state.objective or problem.objective(state.regressor)


def parameters(distribution: SceneDistribution) -> dict[str, Tensor]:
    """A copy of the values of all parameters."""
    return {name: value.detach().clone() for name, value in distribution.named_parameters()}


@torch.no_grad()
def set_parameters(distribution: SceneDistribution, values: Mapping[str, Tensor]) -> SceneDistribution:
    """A copy of the distribution with other values."""
    copy = distribution.copy()
    for name, value in copy.named_parameters():
        value.copy_(values[name])
    return copy


def moved(state: State, distribution: SceneDistribution, **changes: Any) -> State:
    """The state after a step that ended at this distribution, from which the next stage starts.

    changes: of other fields; what they do not name was not measured.
    """
    values = parameters(distribution)
    return replace(state, distribution=distribution, average=values, start=values,
                   **{"distance": NAN, "metric": NAN, **changes})


def tensors(state: State) -> dict[str, Tensor]:
    """All that later steps depend on, as a checkpoint keeps it."""
    out = {"counts": torch.tensor([state.renders, state.trainings]),
           "baseline": torch.tensor(state.baseline, dtype=torch.float64)}
    networks = {"transformer": state.distribution.state_dict(), "reader": state.regressor.state_dict(),
                "average": state.average, "warm": state.start, "adam": state.optimiser,
                "posterior": {} if state.posterior is None else state.posterior.state_dict(),
                "diagnostics": state.diagnostics}
    for part, values in networks.items():
        out |= {f"{part}:{name}": value.detach().clone().cpu().contiguous() for name, value in values.items()}
    return out


def load(problem: Problem, saved: Mapping[str, Tensor],
         load_posterior: Callable[[Problem, Mapping[str, Tensor]], ObjectNetwork]) -> State:
    """The state that `tensors` was made of. load_posterior: makes its network from its weights.

    ValueError where it does not fit the grammar.
    """
    parts: dict[str, dict[str, Tensor]] = {}
    for key, value in saved.items():
        part, _, name = key.partition(":")
        parts.setdefault(part, {})[name] = value.clone()
    blank = start(problem)
    distribution, regressor = blank.distribution, blank.regressor
    distribution = with_parts_of(distribution, parts["transformer"])
    fill(distribution, parts["transformer"], "state")
    distribution = networks_on(distribution, problem.device)
    average, warm = ({name: parts[part][name].to(value.device) for name, value in distribution.named_parameters()}
                     for part in ("average", "warm"))
    fill(regressor, parts["reader"], "state of the regressor")
    renders, trainings = (int(count) for count in saved["counts"])
    own = parts.get("posterior")
    return State(distribution, regressor, average, warm, problem.objective(regressor),
                 None if own is None else load_posterior(problem, own), parts.get("diagnostics", {}),
                 parts.get("adam", {}), float(saved["baseline"]), renders, trainings)
