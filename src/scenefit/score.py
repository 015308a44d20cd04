"""How close a learned distribution comes to photos, and what a model trained on it is worth on labelled ones.

Three arms stand side by side: the grammar, the wide prior shrunk about its centre (a control: a distribution that
does not beat it has learned nothing worth having), and the learned distribution.
Legend: S renders; N photos.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from scenefit.address import derive
from scenefit.distance import floor, kernel, kid, mmd2, two_sample
from scenefit.features import Extractor, compute
from scenefit.files import write_json
from scenefit.model import Model
from scenefit.photos import Photos
from scenefit.ranges import shrunk
from scenefit.renderers import Renderer, render
from scenefit.run import RunError, read_json
from scenefit.scene import SceneBatch
from scenefit.tasks import Classify, Task

LEAST = 10  # photos: fewer say nothing
ARMS = ("grammar", "shrunk", "learned")
CHUNK = 256  # scenes drawn at once

Sampler = Callable[[int, int], SceneBatch]  # of a seed and a number of scenes


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Band(_Plain):
    """MMD^2 between photos and other photos: mean, and 5 to 95 % of the draws, with size photos on each side."""

    mean: float
    low: float
    high: float
    size: int


class Distances(_Plain):
    """Of one arm's renders to the photos: `mmd2`, `kid` and its standard error, `two_sample` with its interval."""

    mmd2: float
    kid: float
    kid_error: float
    auc: float
    auc_low: float
    auc_high: float


class Score(_Plain):
    """What score.json holds.

    features: what the distances are measured in.  distances: arm -> its own.  accuracy: arm -> share of the labelled
    photos told right, one value a repeat (other scenes, other first weights; the same model).
    """

    features: str
    photos: int
    renders: int
    floor: Band
    distances: dict[str, Distances]
    labelled: int = 0
    images: int = 0
    accuracy: dict[str, list[float]] = {}
    notes: list[str] = []


def score(model: Model, renderer: Renderer, real: Photos, extractor: Extractor, labelled: Photos | None = None, *,
          features: str = "", renders: int = 512, images: int = 1024, repeats: int = 3, seed: int = 0,
          task: Task | None = None, notes: tuple[str, ...] = ()) -> Score:
    """Measure the three arms. renders: for the distances.  images, repeats: for each training of the task.

    ValueError for fewer than 10 photos; for images without labels, where there are labelled photos.
    """
    if len(real) < LEAST:
        raise ValueError(f"score needs at least {LEAST} photos to say anything, got {len(real)}")
    arms = samplers(model)
    photos = compute(extractor, real.images)
    using, band = kernel(photos), floor(photos, derive(seed, "score floor"))
    distances = {}
    for name, sample in arms.items():
        drawn = compute(extractor, draw(renderer, sample(derive(seed, "score"), renders))[0])
        found, test = kid(drawn, photos, derive(seed, "kid")), two_sample(drawn, photos, derive(seed, "two sample"))
        distances[name] = Distances(mmd2=float(mmd2(drawn, using)), kid=found.value, kid_error=found.error,
                                    auc=test.auc, auc_low=test.low, auc_high=test.high)
    accuracy: dict[str, list[float]] = {}
    if labelled is not None:
        task = task or Classify(tuple(sorted(set(labelled.label.tolist()))))
        accuracy = {name: [_trained(task, renderer, sample, labelled, images, derive(seed, f"score {number}"))
                           for number in range(repeats)] for name, sample in arms.items()}
    return Score(features=features, photos=len(real), renders=renders, distances=distances, accuracy=accuracy,
                 floor=Band(mean=band.mean, low=band.low, high=band.high, size=band.size),
                 labelled=0 if labelled is None else len(labelled), images=images if labelled is not None else 0,
                 notes=list(notes))


def samplers(model: Model) -> Mapping[str, Sampler]:
    """Arm -> how to sample it. The same seed gives all arms scenes of the same addresses."""
    control = shrunk(model.grammar)
    return {"grammar": model.grammar.sample, "shrunk": control.sample,
            "learned": lambda seed, count: model.sample(count, seed)}


def draw(renderer: Renderer, scenes: SceneBatch) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [S, H, W, 3] and labels [S], drawn in parts so that masks of all scenes are never held at once."""
    rows = np.array_split(np.arange(len(scenes)), -(-len(scenes) // CHUNK))
    frames = [render(renderer, scenes.take(part)) for part in rows]
    return np.concatenate([f.images for f in frames]), np.concatenate([f.label for f in frames])


def write_score(path: str | Path, found: Score) -> None:
    write_json(path, found.model_dump(mode="json"))


def read_score(path: str | Path) -> Score | None:
    """What `write_score` wrote; None if there is no such file. RunError if it is damaged."""
    path = Path(path)
    if not path.exists():
        return None
    found: Any = read_json(path, Score, "delete it, or run scenefit score again")
    if set(found.distances) != set(ARMS) or set(found.accuracy) - set(ARMS):
        raise RunError(f"{path} is damaged: it needs the arms {', '.join(ARMS)}; delete it, or run scenefit score "
                       "again")
    return found


def _trained(task: Task, renderer: Renderer, sample: Sampler, labelled: Photos, images: int, seed: int) -> float:
    drawn, labels = draw(renderer, sample(seed, images))
    network = task.train(drawn, labels, derive(seed, "task network"))
    return task.score(network, labelled.images, labelled.label)
