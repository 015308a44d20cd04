"""The loop: learn the distribution of scenes from photos.

The work is a plan of pieces, known in advance. `fit_steps` does them one by one and yields a `Step` after each, with
all that is needed to go on from there; `fit` drains it. Every random number is addressed by (seed, piece), so a fit
that is resumed ends in the same bytes as one that ran through. Legend: N photos; S scenes.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scenefit.data.formats import LabelPolicy
from scenefit.data.photos import as_labelled, as_photos
from scenefit.inference.learning import Learning
from scenefit.inference.settings import Settings
from scenefit.metrics.features import Extractor
from scenefit.metrics.objective import Objective
from scenefit.nets.model import Model
from scenefit.nets.structure_policy import decisions
from scenefit.renderers import Renderer, render, renderer_info
from scenefit.scenes.grammar import Grammar
from scenefit.tasks import Task
from scenefit.tasks.from_labels import renders_to_choose, task_for_labels

State = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Step:
    """One piece of work done.

    number: its place in the plan.  stage: "pretrain", "read", "infer", "look", "search", "focus", "structure",
    "match", "settle", "task" or "check".
    done, of: pieces of the stage.  renders, trainings, cpu_seconds: in all so far.  distance: MMD^2 between this
    piece's renders and the photos, NaN where none was measured.  score: of the task on the labelled photos, likewise.
    state: what a resume needs.  model: what has been learned so far.  objective: the distance as it is measured.
    """

    number: int
    stage: str
    done: int
    of: int
    renders: int
    trainings: int
    distance: float
    score: float
    cpu_seconds: float
    state: State = field(repr=False)
    model: Model = field(repr=False)
    objective: Objective = field(repr=False)

    def record(self) -> dict[str, Any]:
        """In plain values; NaN as None."""
        plain = {name: getattr(self, name) for name in ("number", "stage", "done", "of", "renders", "trainings")}
        distance, score = (value if np.isfinite(value) else None for value in (self.distance, self.score))
        return {**plain, "distance": distance, "score": score, "cpu_seconds": round(self.cpu_seconds, 3)}


def fit(grammar: Grammar, renderer: Renderer, real: Any, labelled: Any = None, *, seed: int = 0,
        settings: Settings | None = None, task: Task | None = None, features: Extractor | None = None,
        label_policy: LabelPolicy | None = None) -> Model:
    """Learn the distribution of scenes whose renders are like the photos; see `fit_steps` for the arguments."""
    step = None
    for step in fit_steps(grammar, renderer, real, labelled, seed=seed, settings=settings, task=task,  # noqa: B007
                          features=features, label_policy=label_policy):
        pass
    assert step is not None
    return step.model


def fit_steps(grammar: Grammar, renderer: Renderer, real: Any, labelled: Any = None, *, seed: int = 0,
              settings: Settings | None = None, task: Task | None = None, features: Extractor | None = None,
              label_policy: LabelPolicy | None = None, state: State | None = None) -> Iterator[Step]:
    """Fit piece by piece.

    real: a folder of photos, a list file inside a data set of boxes, `Photos`, or uint8 images [N, H, W, 3]; no label
    of theirs is read.  labelled: a folder with a subfolder for each class, a data set of boxes (`read_few`), or
    `Photos` with labels or boxes, for the task: by default `Classify` over their classes, or `Detect` over those of
    their boxes and of the renders.  keep: which objects of renders get boxes, and which.
    features: the distance's feature extractor; by default the inner features of a network trained on renders.
    state: of the `Step` to go on from.
    ValueError for a grammar without a learned attribute, unusable photos or settings; `RenderError` from the renderer.
    """
    settings = settings or Settings()
    check_learned(grammar)
    size = frame_size(grammar, renderer)
    photos = as_photos(real, size, settings.most_photos).images
    few = as_labelled(labelled, size)
    looked_at = int(renderer_info(renderer).size is None)  # the scene drawn to see its size
    if few is not None and task is None and settings.task != "none":
        task = task_for_labels(few, grammar, renderer, settings.device)
        looked_at += renders_to_choose(few)
    learning = Learning(grammar, renderer, photos, few, task, features, settings, seed, label_policy)
    learning.renders = looked_at
    return _run(learning, plan(settings, features is None, few is not None, bool(decisions(grammar))), state)


def check_learned(grammar: Grammar) -> None:
    """ValueError for a grammar without a learned attribute."""
    if not (grammar.learned or grammar.learned_heads):
        raise ValueError("nothing to learn: mark attributes with learned(...), e.g. learned(Uniform(0, 1))")


def plan(settings: Settings, read: bool, task: bool, structured: bool = True) -> list[tuple[str, int, int]]:
    """(stage, piece, pieces) of the whole fit. read: distances are measured in the reader's features.  structured: the
    grammar leaves rules, counts or choices to be learned."""
    task = task and settings.task != "none"
    infer = settings.warm_start == "infer"
    stages = {"pretrain": min(settings.pretrain, 1),
              "look": settings.looks if settings.warm_start == "look" else 0,
              "read": settings.reads if infer else int(read),
              "infer": settings.rounds if infer else 0,
              "search": settings.rounds if settings.warm_start == "search" else 0,
              "focus": int(infer and settings.focus),
              "structure": int(settings.structure > 0 and structured),
              "match": settings.descent,
              "settle": 1,
              "task": settings.task_steps if task else 0,
              "check": 1}
    return [(stage, piece, count) for stage, count in stages.items() for piece in range(count)]


def _run(learning: Learning, pieces: list[tuple[str, int, int]], state: State | None) -> Iterator[Step]:
    start, cpu, wall = 0, time.process_time(), time.monotonic()
    if state is not None:
        start, cpu, wall = int(state["piece"]) + 1, cpu - float(state["cpu_seconds"]), wall - float(state["seconds"])
        learning.load(state)
    for number, (stage, piece, count) in enumerate(pieces[start:], start):
        if stage not in ("settle", "check") and learning.spent(stage, piece, (time.monotonic() - wall) / 60):
            continue
        distance, score = learning.work(stage, piece, count)
        seconds = time.process_time() - cpu
        saved = {**learning.state(), "piece": torch.tensor(number), "cpu_seconds": torch.tensor(seconds).double(),
                 "seconds": torch.tensor(time.monotonic() - wall).double()}
        yield Step(number, stage, piece + 1, count, learning.renders, learning.trainings, distance, score, seconds,
                   saved, Model(learning.distribution, learning.seed).copy(), learning.objective)


def frame_size(grammar: Grammar, renderer: Renderer) -> tuple[int, int]:
    """(height, width) of the renderer's images: its info's `size`, or that of one rendered scene."""
    size = renderer_info(renderer).size
    if size is None:
        size = render(renderer, grammar.sample(0, 1)).images.shape[1:3]
    return int(size[0]), int(size[1])

