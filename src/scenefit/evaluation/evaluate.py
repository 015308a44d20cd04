"""How close a learned distribution comes to photos, and what a model trained on it is worth on labelled ones.

Three arms stand side by side: the grammar, the wide prior shrunk about its centre (a control: a distribution that
does not beat it has learned nothing worth having), and the learned distribution.
Legend: S renders; N photos.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from scenefit.data.boxes import Boxes
from scenefit.data.formats import LabelPolicy
from scenefit.data.photos import Photos
from scenefit.metrics.c2st import c2st
from scenefit.metrics.features import Extractor, compute
from scenefit.metrics.kid import kid
from scenefit.metrics.mmd import Kernel, kernel, mmd2, noise_floor
from scenefit.nets.model import Model
from scenefit.renderers import Renderer
from scenefit.renderers.batches import render_images
from scenefit.scenes.grammar.domain_randomisation import shrunk
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch
from scenefit.tasks import Task, predict_boxes
from scenefit.tasks.detector_data import VALIDATION
from scenefit.tasks.from_labels import task_for_labels
from scenefit.tasks.rendering import render_labelled

MIN_PHOTOS = 10  # photos: fewer say nothing
BASELINES = ("grammar", "shrunk", "learned")

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


class Evaluation(_Plain):
    """What evaluation.json holds.

    features: what the distances are measured in.  distances: arm -> its own.  metrics: arm -> metric of the task
    (`Task.evaluate`, its headline first) -> one value a repeat (other scenes, other first weights; the same model);
    null where undefined, such as average precision of a class that no labelled photo has.  metric: the headline's
    name, "" where there are no labelled photos.
    """

    features: str
    photos: int
    renders: int
    floor: Band
    distances: dict[str, Distances]
    labelled: int = 0
    images: int = 0
    metric: str = ""
    metrics: dict[str, dict[str, list[float | None]]] = {}
    notes: list[str] = []

    @property
    def values(self) -> dict[str, list[float]]:
        """Arm -> the headline metric, one value a repeat, NaN where undefined."""
        return {arm: [float("nan") if value is None else value for value in metrics[self.metric]]
                for arm, metrics in self.metrics.items()}


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a detector found in the labelled photos, and from which score on it is to be believed: the threshold that
    maximises F1 on renders of its own distribution that it was not trained on."""

    boxes: Boxes
    threshold: float


class Progress(NamedTuple):
    """A piece of the measuring, done. score, found: all so far; found: arm -> of its first detector."""

    text: str
    done: int
    of: int
    evaluation: Evaluation
    predictions: Mapping[str, Predictions]


def evaluate(model: Model, renderer: Renderer, real: Photos, extractor: Extractor, labelled: Photos | None = None, *,
             features: str = "", renders: int = 512, images: int = 1024, repeats: int = 3, seed: int = 0,
             task: Task | None = None, notes: tuple[str, ...] = (), label_policy: LabelPolicy
             | None = None) -> Evaluation:
    """Measure the three arms. renders: for the distances.  images, repeats: for each training of the task, which is
    that of the labelled photos' labels (`choose_task`) if none is given.  keep: which objects get boxes.

    ValueError for fewer than 10 photos; for images without labels, where there are labelled photos.
    """
    *_, last = evaluate_steps(model, renderer, real, extractor, labelled, features=features, renders=renders,
                              images=images, repeats=repeats, seed=seed, task=task, notes=notes,
                              label_policy=label_policy)
    return last.evaluation


def evaluate_steps(model: Model, renderer: Renderer, real: Photos, extractor: Extractor, labelled: Photos | None = None,
                   *, features: str = "", renders: int = 512, images: int = 1024, repeats: int = 3, seed: int = 0,
                   task: Task | None = None, notes: tuple[str, ...] = (), label_policy: LabelPolicy | None = None,
                   start: Progress | None = None) -> Iterator[Progress]:
    """Measure piece by piece; see `score`. start: the last piece of a measuring of the same that was stopped."""
    if len(real) < MIN_PHOTOS:
        raise ValueError(f"score needs at least {MIN_PHOTOS} photos to say anything, got {len(real)}")
    arms = samplers(model)
    photos = compute(extractor, real.images)
    using = kernel(photos)
    if start is None:
        band = noise_floor(photos, derive_seed(seed, "score floor"))
        empty = Evaluation(features=features, photos=len(real), renders=renders, distances={}, notes=list(notes),
                           floor=Band(mean=band.mean, low=band.low, high=band.high, size=band.size),
                           labelled=0 if labelled is None else len(labelled), images=0 if labelled is None else images)
        start = Progress("", 0, len(arms) * (1 + (0 if labelled is None else repeats)), empty, {})
    piece = start
    for name, sample in arms.items():
        if name not in piece.evaluation.distances:
            drawn = compute(extractor, render_images(renderer, sample(derive_seed(seed, "score"), renders))[0])
            told = _distances(drawn, photos, using, seed)
            piece = _after(piece, f"distances of {name}", distances={**piece.evaluation.distances, name: told})
            yield piece
    if labelled is not None:
        task = task or task_for_labels(labelled, model.grammar, renderer)
        for name, sample in arms.items():
            for number in range(len(piece.evaluation.values.get(name, [])), repeats):
                trial = _Trial(task, renderer, sample, labelled, label_policy, images, derive_seed(seed,
                                                                                                   f"score {number}"))
                piece = trial.after(piece, name)
                yield piece
    yield piece._replace(text="done")


def _distances(drawn: Tensor, photos: Tensor, using: Kernel, seed: int) -> Distances:
    found, test = kid(drawn, photos, derive_seed(seed, "kid")), c2st(drawn, photos, derive_seed(seed, "two sample"))
    return Distances(mmd2=float(mmd2(drawn, using)), kid=found.value, kid_error=found.error, auc=test.auc,
                     auc_low=test.low, auc_high=test.high)


def _after(piece: Progress, text: str, found: Mapping[str, Predictions] | None = None, **more: Any) -> Progress:
    """The next piece: more is what the score holds now."""
    evaluation = piece.evaluation.model_copy(update=more)
    return Progress(text, piece.done + 1, piece.of, evaluation, found or piece.predictions)


def samplers(model: Model) -> Mapping[str, Sampler]:
    """Arm -> how to sample it. The same seed gives all arms scenes of the same addresses."""
    control = shrunk(model.grammar)
    return {"grammar": model.grammar.sample, "shrunk": control.sample,
            "learned": lambda seed, count: model.sample(count, seed)}


@dataclass(frozen=True, eq=False)
class _Trial:
    """One training on renders of one arm, tried on the labelled photos."""

    task: Task
    renderer: Renderer
    sample: Sampler
    labelled: Photos
    label_policy: LabelPolicy | None
    images: int
    seed: int

    def rendered(self, seed: int, count: int) -> tuple[np.ndarray, Any]:
        return render_labelled(self.task, self.renderer, self.sample(seed, count), self.label_policy)

    def after(self, piece: Progress, arm: str) -> Progress:
        """piece with one more training of arm, and its metrics on the labelled photos."""
        photos, had = self.labelled, piece.evaluation
        labels = self.task.labels(photos, self.label_policy)
        network = self.task.train(*self.rendered(self.seed, self.images), derive_seed(self.seed, "task network"))
        found = piece.predictions
        if arm not in found:
            predicted = predict_boxes(self.task, network, photos.images, self.validation)
            found = found if predicted is None else {**found, arm: Predictions(*predicted)}
        measured, before = self.task.evaluate(network, photos.images, labels), had.metrics.get(arm, {})
        own = {name: [*before.get(name, []), None if np.isnan(value) else value] for name, value in measured.items()}
        return _after(piece, f"training on {arm}", found, metric=next(iter(measured)),
                      metrics={**had.metrics, arm: own})

    def validation(self) -> tuple[np.ndarray, Any]:
        """Renders of the same distribution that the network was not trained on."""
        return self.rendered(derive_seed(self.seed, "validation"), max(self.images // VALIDATION, MIN_PHOTOS))
