"""The loop: learn the distribution of scenes from photos.

The work is a plan of pieces, known in advance. `fit_steps` does them one by one and yields a `Step` after each, with
all that is needed to go on from there; `fit` drains it. Every random number is addressed by (seed, piece), so a fit
that is resumed ends in the same bytes as one that ran through. Legend: N photos; S scenes.
"""

import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scenefit.features import Extractor
from scenefit.formats import Keep
from scenefit.grammar import Grammar
from scenefit.labelled import read_few, read_part
from scenefit.learning import Learning
from scenefit.model import Model
from scenefit.objective import Objective
from scenefit.photos import Photos, read_photos
from scenefit.renderers import Renderer, render
from scenefit.settings import Settings
from scenefit.structure import decisions
from scenefit.tasks import Task
from scenefit.tasks.choose import LOOKED_AT, choose_task

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
        keep: Keep | None = None) -> Model:
    """Learn the distribution of scenes whose renders are like the photos; see `fit_steps` for the arguments."""
    step = None
    for step in fit_steps(grammar, renderer, real, labelled, seed=seed, settings=settings, task=task,  # noqa: B007
                          features=features, keep=keep):
        pass
    assert step is not None
    return step.model


def fit_steps(grammar: Grammar, renderer: Renderer, real: Any, labelled: Any = None, *, seed: int = 0,
              settings: Settings | None = None, task: Task | None = None, features: Extractor | None = None,
              keep: Keep | None = None, state: State | None = None) -> Iterator[Step]:
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
    photos = as_images(real, size, settings.most_photos)
    few = _labelled(labelled, size)
    looked_at = int(getattr(renderer, "size", None) is None)  # the scene drawn to see its size
    if few is not None and task is None and settings.task != "none":
        task = choose_task(few, grammar, renderer, settings.device)
        looked_at += LOOKED_AT if few.boxes is not None else 0
    learning = Learning(grammar, renderer, photos, few, task, features, settings, seed, keep)
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
                   saved, Model(learning.transformer, learning.seed).copy(), learning.objective)


def frame_size(grammar: Grammar, renderer: Renderer) -> tuple[int, int]:
    """(height, width) of the renderer's images: its `size`, or that of one scene drawn to see."""
    size = getattr(renderer, "size", None)
    if size is None:
        size = render(renderer, grammar.sample(0, 1)).images.shape[1:3]
    return int(size[0]), int(size[1])


def as_images(real: Any, size: tuple[int, int], most: int | None = None) -> np.ndarray:
    """Photos of any accepted form as uint8 images [N, H, W, 3] of this size. ValueError where they do not fit."""
    if isinstance(real, (str, Path)):
        real = read_real(real, size, most)
        if real.skipped:
            warnings.warn(f"{len(real.skipped)} files were skipped, the first: {real.skipped[0][0]} "
                          f"({real.skipped[0][1]})", stacklevel=3)
    images = real.images if isinstance(real, Photos) else np.asarray(real)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (*size, 3) or len(images) < 4:
        raise ValueError(f"real needs a folder, Photos or at least 4 uint8 images [N, {size[0]}, {size[1]}, 3], got "
                         f"{images.dtype} {list(images.shape)}")
    if most is not None and len(images) > most:
        images = images[np.linspace(0, len(images) - 1, most).astype(int)]
    return images


def read_real(place: str | Path, size: tuple[int, int], most: int | None = None) -> Photos:
    """Photos of a folder, or those that a list file inside a data set of boxes names; no label of theirs is opened.

    most: at most so many, evenly spread.
    """
    if not Path(place).is_file():
        return read_photos(place, size, most)
    photos = read_part(place, size)
    if most is None or len(photos) <= most:
        return photos
    return photos.take(np.linspace(0, len(photos) - 1, most).astype(int))


def _labelled(labelled: Any, size: tuple[int, int]) -> Photos | None:
    if labelled is None:
        return None
    few = read_few(labelled, size) if isinstance(labelled, (str, Path)) else labelled
    if not isinstance(few, Photos) or (few.boxes is None and not all(few.label)):
        raise ValueError("labelled needs a folder with one subfolder a class, a data set of boxes, or Photos with a "
                         "label or boxes each")
    if few.boxes is not None and not len(few.boxes):
        raise ValueError(f"the {len(few)} labelled photos have no box at all, so nothing can be scored on them")
    if few.images.shape[1:3] != size:
        raise ValueError(f"labelled photos need the renderer's size {size}, got {few.images.shape[1:3]}")
    return few


