"""Evaluates a learned distribution: distances of its renders to photos, and metrics of a model trained on them.

Two baselines are evaluated beside the learned distribution: the grammar's prior, and a control, "shrunk": uniform
randomisation shrunk about its centre. A fit that does not beat the control has learned nothing useful.
Legend: S renders; N photos.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from scenefit.data.boxes import Boxes
from scenefit.data.class_masks import ClassMasks
from scenefit.data.label_policy import LabelPolicy
from scenefit.data.photos import Photos
from scenefit.metrics.c2st import c2st
from scenefit.metrics.features import CHUNK, Extractor, compute, compute_chunks
from scenefit.metrics.kid import kid
from scenefit.metrics.mmd import Kernel, NoiseFloor, kernel, mmd2, noise_floor
from scenefit.nets.model import Model
from scenefit.renderers import Renderer
from scenefit.renderers.batches import image_chunks, recut
from scenefit.scenes.arguments import check_argument, check_renderer, is_function
from scenefit.scenes.grammar.domain_randomisation import shrunk
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch
from scenefit.tasks import Task, predict_boxes, predict_masks
from scenefit.tasks.from_labels import task_for_labels
from scenefit.tasks.rendering import render_labelled

MIN_PHOTOS = 10
MIN_VALIDATION = 10  # renders
N_SHOWN = 3  # labelled photos whose predicted masks are kept
CONTROL = "shrunk"
BASELINES = ("grammar", CONTROL, "learned")
VALIDATION = 8  # one validation render per so many training renders; they set the confidence threshold

Sampler = Callable[[int, int], SceneBatch]  # of a seed and a number of scenes


@dataclass(frozen=True)
class EvaluationSettings:
    """features: name of the features that distances are measured in.  renders: for the distances, per distribution.
    images, repeats: training images, and trainings, per distribution."""

    features: str = ""
    renders: int = 512
    images: int = 1024
    repeats: int = 3
    seed: int = 0


class Distances(BaseModel):
    """Between one distribution's renders and the photos: `mmd2`; `kid` and its standard error; AUC of `c2st` and its
    95 % interval."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mmd2: float
    kid: float
    kid_error: float
    auc: float
    auc_low: float
    auc_high: float


class Evaluation(BaseModel):
    """The content of evaluation.json.

    features, renders, images: as in `EvaluationSettings`.  photos, labelled: numbers of photos.  floor: of the MMD.
    distances: baseline -> its distances.  metrics: baseline -> metric of the task (`Task.evaluate`, its headline first)
    -> one value per repeat (other scenes, other first weights; the same distribution); null if undefined, such as
    average precision of a class that no labelled photo has.  metric: name of the headline, "" without labelled photos.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: str
    photos: int
    renders: int
    floor: NoiseFloor
    distances: dict[str, Distances]
    labelled: int = 0
    images: int = 0
    metric: str = ""
    metrics: dict[str, dict[str, list[float | None]]] = {}
    notes: list[str] = []

    @property
    def values(self) -> dict[str, list[float]]:
        """Baseline -> the headline metric, one value per repeat, NaN if undefined."""
        return {name: [float("nan") if value is None else value for value in metrics[self.metric]]
                for name, metrics in self.metrics.items()}


@dataclass(frozen=True, eq=False)
class Predictions:
    """A detector's boxes in the labelled photos, and its confidence threshold, which maximises F1 on renders of its own
    distribution that it was not trained on."""

    boxes: Boxes
    threshold: float


class Progress(NamedTuple):
    """One step of an evaluation, done. evaluation: so far.  predictions: baseline -> of its first detector.  masks:
    baseline -> of its first segmentation network, in the photos of `shown_rows`."""

    text: str
    done: int
    of: int
    evaluation: Evaluation
    predictions: Mapping[str, Predictions]
    masks: Mapping[str, ClassMasks] = {}


def shown_rows(labelled: NDArray[np.int64], count: int = N_SHOWN) -> NDArray[np.int64]:
    """Of the numbers of labelled photos, so many that are evenly spread, whatever is predicted in them."""
    k = min(count, len(labelled))
    return labelled[(2 * np.arange(k) + 1) * len(labelled) // (2 * max(k, 1))]


def evaluate(model: Model, renderer: Renderer, real: Photos, extractor: Extractor, labelled: Photos | None = None,
             settings: EvaluationSettings | None = None, *, task: Task | None = None, notes: tuple[str, ...] = (),
             label_policy: LabelPolicy | None = None) -> Evaluation:
    """Evaluate the learned distribution and its baselines.

    labelled: photos that the task is evaluated on.  task: `task_for_labels` by default.  notes: kept in the result.
    label_policy: which rendered objects get boxes.
    ValueError for fewer than 10 photos, or renders without labels if there are labelled photos.
    """
    *_, last = evaluate_steps(model, renderer, real, extractor, labelled, settings, task=task, notes=notes,
                              label_policy=label_policy)
    return last.evaluation


def evaluate_steps(model: Model, renderer: Renderer, real: Photos, extractor: Extractor,
                   labelled: Photos | None = None, settings: EvaluationSettings | None = None, *,
                   task: Task | None = None, notes: tuple[str, ...] = (), label_policy: LabelPolicy | None = None,
                   start: Progress | None = None) -> Iterator[Progress]:
    """Evaluate step by step; see `evaluate`. start: the last step of the same evaluation, to resume after it."""
    _check_kinds(model, renderer, real, extractor, labelled, settings)
    if len(real) < MIN_PHOTOS:
        raise ValueError(f"an evaluation needs at least {MIN_PHOTOS} photos, got {len(real)}; give more "
                         "(--real)")
    settings = settings or EvaluationSettings()
    distributions = samplers(model)
    photos = compute(extractor, real.images)
    photo_kernel, seed = kernel(photos), settings.seed
    step = start or _start(photos, len(real), labelled, settings, notes)
    for name, sample in distributions.items():
        if name not in step.evaluation.distances:
            chunks = image_chunks(renderer, sample(derive_seed(seed, "score"), settings.renders))
            renders = compute_chunks(extractor, recut(chunks, CHUNK))
            found = {**step.evaluation.distances, name: _distances(renders, photos, photo_kernel, seed)}
            step = _next(step, f"distances of {name}", distances=found)
            yield step
    if labelled is not None:
        task = task or task_for_labels(labelled, model.grammar, renderer)
        for name, sample in distributions.items():
            for number in range(len(step.evaluation.values.get(name, [])), settings.repeats):
                step = _train_and_evaluate(step, name, task, renderer, sample, labelled, label_policy,
                                           settings.images, derive_seed(seed, f"score {number}"))
                yield step
    yield step._replace(text="done")


def _check_kinds(model: Any, renderer: Any, real: Any, extractor: Any, labelled: Any, settings: Any) -> None:
    """ValueError, naming the argument and what it takes."""
    call = "evaluate(model, renderer, real, extractor, labelled=None, settings=None)"
    check_argument(call, "model", model, isinstance(model, Model),
                   "a model, as scenefit.fit or scenefit.load returns it")
    check_renderer(call, renderer)
    check_argument(call, "real", real, isinstance(real, Photos),
                   "Photos, as scenefit.read_photos(folder, (height, width)) returns them")
    check_argument(call, "extractor", extractor, is_function(extractor),
                   "a function from images [N, 3, H, W] to features [N, F], such as "
                   "scenefit.metrics.features.pixels(8)")
    check_argument(call, "labelled", labelled, labelled is None or isinstance(labelled, Photos),
                   "Photos, as scenefit.read_few(folder, (height, width)) returns them, or None")
    check_argument(call, "settings", settings, settings is None or isinstance(settings, EvaluationSettings),
                   "scenefit.evaluation.evaluate.EvaluationSettings(...), or None")


def samplers(model: Model) -> Mapping[str, Sampler]:
    """Baseline -> how to sample it. The same seed gives all of them scenes with the same addresses."""
    control = shrunk(model.grammar)
    return {"grammar": model.grammar.sample, CONTROL: control.sample,
            "learned": lambda seed, count: model.sample(count, seed)}


def _start(photos: Tensor, count: int, labelled: Photos | None, settings: EvaluationSettings,
           notes: tuple[str, ...]) -> Progress:
    floor = noise_floor(photos, derive_seed(settings.seed, "score floor"))
    empty = Evaluation(features=settings.features, photos=count, renders=settings.renders, distances={},
                       notes=list(notes), floor=floor, labelled=0 if labelled is None else len(labelled),
                       images=0 if labelled is None else settings.images)
    return Progress("", 0, len(BASELINES) * (1 + (0 if labelled is None else settings.repeats)), empty, {})


def _next(step: Progress, text: str, **changed: Any) -> Progress:
    """The next step, with changed fields of the evaluation."""
    return step._replace(text=text, done=step.done + 1, evaluation=step.evaluation.model_copy(update=changed))


def _distances(renders: Tensor, photos: Tensor, photo_kernel: Kernel, seed: int) -> Distances:
    """Distances between features of renders [S, F] and of photos [N, F]."""
    value = kid(renders, photos, derive_seed(seed, "kid"))
    test = c2st(renders, photos, derive_seed(seed, "two sample"))
    return Distances(mmd2=float(mmd2(renders, photo_kernel)), kid=value.value, kid_error=value.error, auc=test.auc,
                     auc_low=test.low, auc_high=test.high)


def _train_and_evaluate(step: Progress, name: str, task: Task, renderer: Renderer, sample: Sampler, labelled: Photos,
                        label_policy: LabelPolicy | None, images: int, seed: int) -> Progress:
    """The next step: one training on renders of the distribution, and its metrics on the labelled photos."""
    def rendered(seed: int, count: int) -> tuple[np.ndarray, Any]:
        return render_labelled(task, renderer, sample(seed, count), label_policy)

    labels = task.labels(labelled, label_policy)
    network = task.train(*rendered(seed, images), derive_seed(seed, "task network"))
    before = step.evaluation.metrics
    if name not in before:
        step = _predicted(step, name, task, network, labelled, lambda: rendered(
            derive_seed(seed, "validation"), max(images // VALIDATION, MIN_VALIDATION)))
    measured, earlier = task.evaluate(network, labelled.images, labels), before.get(name, {})
    own = {metric: [*earlier.get(metric, []), None if np.isnan(value) else value] for metric, value in measured.items()}
    return _next(step, f"training on {name}", metric=next(iter(measured)), metrics={**before, name: own})


def _predicted(step: Progress, name: str, task: Task, network: Any, labelled: Photos,
               validation: Callable[[], tuple[np.ndarray, Any]]) -> Progress:
    """The same step with what the network predicts in the labelled photos, for the report."""
    boxes = predict_boxes(task, network, labelled.images, validation)
    if boxes is not None:
        return step._replace(predictions={**step.predictions, name: Predictions(*boxes)})
    shown = None if labelled.masks is None else labelled.images[shown_rows(labelled.masks.labelled)]
    masks = None if shown is None else predict_masks(task, network, shown)
    return step if masks is None else step._replace(masks={**step.masks, name: masks})
