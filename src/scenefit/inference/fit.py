"""A fit is a list of stages: `fit_steps` runs their steps one by one and yields a `Step` after each, with all that is
needed to go on from there; `fit` runs them all.

Every random number is addressed by (seed, purpose, step), so a fit that is resumed ends in the same bytes as one that
ran through. Legend: N photos; S scenes.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scenefit.data.label_policy import LabelPolicy
from scenefit.data.photos import few_photos
from scenefit.files.caller import warn
from scenefit.inference.arguments import check_fit, prepared
from scenefit.inference.npe.method import load_network
from scenefit.inference.settings import Settings
from scenefit.inference.stages.problem import Problem, Stage, State, distance, load, start, tensors, within_budget
from scenefit.metrics.device import reproducible
from scenefit.metrics.features import Extractor
from scenefit.metrics.objective import Objective
from scenefit.nets.model import Model
from scenefit.nets.placement import networks_on
from scenefit.renderers import Renderer
from scenefit.scenes.grammar import Grammar
from scenefit.tasks import Task


class Checkpoint(dict[str, Tensor]):
    """All that a fit resumes from: tensors by name.  made_with: its method and stages, as a text."""

    def __init__(self, values: Mapping[str, Tensor], made_with: str):
        super().__init__(values)
        self.made_with = made_with


@dataclass(frozen=True, eq=False)
class Step:
    """A finished step of a stage.

    number: its place in the fit.  stage: "npe", "pretraining", "train-regressor", "structure", "mmd-descent",
    "keep-best", "task-reward" or "validate".  done, of: steps of the stage.
    renders, trainings, cpu_seconds: in all so far.  distance: squared MMD between this step's renders and the photos,
    NaN where none was measured.  metric: of the task on the labelled photos, likewise.  progress: share of the fit's
    work that is done, 0..1, roughly.
    state: what a resume needs.  model: what has been learned so far.  objective: the distance as it is measured.
    """

    number: int
    stage: str
    done: int
    of: int
    renders: int
    trainings: int
    distance: float
    metric: float
    cpu_seconds: float
    progress: float
    state: Mapping[str, Tensor] = field(repr=False)
    model: Model = field(repr=False)
    objective: Objective = field(repr=False)

    def record(self) -> dict[str, Any]:
        """As plain JSON values; NaN as None."""
        plain = {name: getattr(self, name) for name in ("number", "stage", "done", "of", "renders", "trainings")}
        distance, metric = (value if np.isfinite(value) else None for value in (self.distance, self.metric))
        return {**plain, "distance": distance, "metric": metric, "cpu_seconds": round(self.cpu_seconds, 3)}


def fit(grammar: Grammar, renderer: Renderer, real: Any, labelled: Any = None, *, seed: int = 0,
        settings: Settings | None = None, task: Task | None = None, features: Extractor | None = None,
        label_policy: LabelPolicy | None = None, progress: bool = True) -> Model:
    """Learn the distribution of scenes whose renders are like the photos.

        model = scenefit.fit(grammar, renderer, "photos/", seed=0)

    grammar: the scenes. Attributes marked `learned(...)` are learned; at least one has to be.
    renderer: draws scenes: a function decorated with `each`, `Shapes`, `Sprites`, or a function from a `SceneBatch` to
    `Frames`.
    real: the unlabelled photos, better hundreds, at least 4: a folder, a list file inside a data set of boxes,
    `Photos`, or uint8 images [N, H, W, 3]. No label of theirs is read.
    labelled: photos for the task, None for no task: a folder with a subfolder for each class, a data set of boxes
    (`read_few`), or `Photos` with labels or boxes.
    seed: 0 to 2**64 - 1; the same seed gives the same model.
    settings: `Settings(...)`, such as the method, the number of renders and the device; None for `Settings()`.
    task: what the labelled photos evaluate; None for `Classify` over their classes, or `Detect` over those of their
    boxes and of the renders.
    features: the distance's feature extractor, from images [N, 3, H, W] in 0..1 to [N, F]; None for the inner features
    of a network trained on renders.
    label_policy: which rendered objects get boxes, and what boxes; None for `LabelPolicy()`.
    progress: show a bar, where standard error is a terminal or in a notebook; False shows none.

    Returns the learned distribution: `model.sample(8)`, `model.save(path)`, `generate(model, ...)`.
    ValueError for a grammar without a learned attribute, arguments of another kind, and unusable photos; `RenderError`
    from the renderer. `fit_steps` fits step by step, and resumes.
    """
    steps = fit_steps(grammar, renderer, real, labelled, seed=seed, settings=settings, task=task, features=features,
                      label_policy=label_policy)
    if progress:
        from scenefit.report.progress import fit_shown

        steps = fit_shown(steps)
    return deque(steps, maxlen=1)[0].model


def fit_steps(grammar: Grammar, renderer: Renderer, real: Any, labelled: Any = None, *, seed: int = 0,
              settings: Settings | None = None, task: Task | None = None, features: Extractor | None = None,
              label_policy: LabelPolicy | None = None, state: Mapping[str, Tensor] | None = None) -> Iterator[Step]:
    """Fit step by step, without a progress bar. Arguments and errors are those of `fit`.

    state: of the `Step` to resume from; None from the start.
    """
    settings = Settings() if settings is None else settings
    check_fit(grammar, renderer, labelled, seed, settings, task, features, label_policy, state)
    problem, rendered = prepared(grammar, renderer, real, labelled, seed, settings, task, features, label_policy)
    if few_photos(len(problem.images)):
        warn(few_photos(len(problem.images)))
    stages = settings.stages(problem)
    made_with = f"the method {settings.chosen.name} ({', '.join(f'{one.name}: {one.steps}' for one in stages)})"
    if isinstance(state, Checkpoint) and state.made_with != made_with:
        raise ValueError(f"state is of another fit: it was made with {state.made_with}, and these settings make "
                         f"{made_with}; give the settings that it was made with, or leave state out to start over")
    return _run(problem, stages, start(problem, rendered), state, made_with)


def _run(problem: Problem, stages: tuple[Stage, ...], state: State,
         saved: Mapping[str, Tensor] | None, made_with: str) -> Iterator[Step]:
    steps = [(stage, step) for stage in stages for step in range(stage.steps)]
    work = np.cumsum([stage.work for stage, _ in steps])
    first, cpu, wall = 0, time.process_time(), time.monotonic()
    if saved is not None:
        first, cpu, wall = int(saved["piece"]) + 1, cpu - float(saved["cpu_seconds"]), wall - float(saved["seconds"])
        state = load(problem, saved, load_network)
    for number, (stage, step) in enumerate(steps[first:], first):
        if not within_budget(problem, state, stage, step, (time.monotonic() - wall) / 60):
            continue
        with reproducible(problem.device):
            state = stage.run(problem, state, step)
        objective = distance(problem, state)
        state = replace(state, objective=objective)
        seconds = time.process_time() - cpu
        yield Step(number, stage.name, step + 1, stage.steps, state.renders, state.trainings, state.distance,
                   state.metric, seconds, float(work[number] / work[-1]),
                   Checkpoint({**tensors(state), "piece": torch.tensor(number),
                               "cpu_seconds": torch.tensor(seconds).double(),
                               "seconds": torch.tensor(time.monotonic() - wall).double()}, made_with),
                   Model(networks_on(state.distribution, "cpu"), problem.seed), objective)
