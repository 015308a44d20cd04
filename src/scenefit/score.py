"""How close a learned distribution comes to photos, and what a model trained on it is worth on labelled ones.

Three arms stand side by side: the grammar, the wide prior shrunk about its centre (a control: a distribution that
does not beat it has learned nothing worth having), and the learned distribution.
Legend: S renders; N photos.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from scenefit.address import derive
from scenefit.boxes import Boxes
from scenefit.distance import floor, kernel, kid, mmd2, two_sample
from scenefit.features import Extractor, compute
from scenefit.files import write_json
from scenefit.formats import Keep
from scenefit.model import Model
from scenefit.photos import Photos
from scenefit.pictures import draw, draw_boxes
from scenefit.ranges import shrunk
from scenefit.renderers import Renderer
from scenefit.run import RunError, read_json
from scenefit.scene import SceneBatch
from scenefit.tasks import Detect, Task
from scenefit.tasks.average_precision import average_precision, best_threshold, matched
from scenefit.tasks.choose import choose_task

LEAST = 10  # photos: fewer say nothing
ARMS = ("grammar", "shrunk", "learned")
VALIDATION = 8  # one render for so many that a detector was trained on sets its threshold

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
    photos told right, one value a repeat (other scenes, other first weights; the same model).  ap50: likewise, where
    the photos have boxes: arm -> "mean" or a class -> average precision at IoU 0.5; NaN, null in the file, for a class
    that no photo has.
    """

    features: str
    photos: int
    renders: int
    floor: Band
    distances: dict[str, Distances]
    labelled: int = 0
    images: int = 0
    accuracy: dict[str, list[float]] = {}
    ap50: dict[str, dict[str, list[float | None]]] = {}
    notes: list[str] = []

    @property
    def metric(self) -> str:
        """Of the task: "accuracy", "AP50", or "" where there are no labelled photos."""
        return "accuracy" if self.accuracy else "AP50" if self.ap50 else ""

    @property
    def values(self) -> dict[str, list[float]]:
        """Arm -> the metric, one value a repeat; of AP50 the mean over the classes."""
        return self.accuracy or {arm: [float("nan") if value is None else value for value in classes["mean"]]
                                 for arm, classes in self.ap50.items()}


@dataclass(frozen=True, eq=False)
class Found:
    """What a detector found in the labelled photos, and from which score on it is to be believed: the threshold that
    maximises F1 on renders of its own distribution that it was not trained on."""

    boxes: Boxes
    threshold: float


class Piece(NamedTuple):
    """A piece of the measuring, done. score: at the end, else None.  found: arm -> of its first detector."""

    text: str
    done: int
    of: int
    score: Score | None
    found: Mapping[str, Found]


def score(model: Model, renderer: Renderer, real: Photos, extractor: Extractor, labelled: Photos | None = None, *,
          features: str = "", renders: int = 512, images: int = 1024, repeats: int = 3, seed: int = 0,
          task: Task | None = None, notes: tuple[str, ...] = (), keep: Keep | None = None) -> Score:
    """Measure the three arms. renders: for the distances.  images, repeats: for each training of the task, which is
    that of the labelled photos' labels (`choose_task`) if none is given.  keep: which objects get boxes.

    ValueError for fewer than 10 photos; for images without labels, where there are labelled photos.
    """
    *_, last = score_pieces(model, renderer, real, extractor, labelled, features=features, renders=renders,
                            images=images, repeats=repeats, seed=seed, task=task, notes=notes, keep=keep)
    assert last.score is not None
    return last.score


def score_pieces(model: Model, renderer: Renderer, real: Photos, extractor: Extractor, labelled: Photos | None = None,
                 *, features: str = "", renders: int = 512, images: int = 1024, repeats: int = 3, seed: int = 0,
                 task: Task | None = None, notes: tuple[str, ...] = (), keep: Keep | None = None) -> Iterator[Piece]:
    """Measure piece by piece; see `score`."""
    if len(real) < LEAST:
        raise ValueError(f"score needs at least {LEAST} photos to say anything, got {len(real)}")
    if labelled is not None and task is None:
        task = choose_task(labelled, model.grammar, renderer)
    arms = samplers(model)
    done, of = 0, len(arms) * (1 + (repeats if labelled is not None else 0))
    photos = compute(extractor, real.images)
    using, band = kernel(photos), floor(photos, derive(seed, "score floor"))
    distances = {}
    for name, sample in arms.items():
        drawn = compute(extractor, draw(renderer, sample(derive(seed, "score"), renders))[0])
        found, test = kid(drawn, photos, derive(seed, "kid")), two_sample(drawn, photos, derive(seed, "two sample"))
        distances[name] = Distances(mmd2=float(mmd2(drawn, using)), kid=found.value, kid_error=found.error,
                                    auc=test.auc, auc_low=test.low, auc_high=test.high)
        done += 1
        yield Piece(f"distances of {name}", done, of, None, {})
    accuracy: dict[str, list[float]] = {}
    ap50: dict[str, dict[str, list[float | None]]] = {}
    found_by: dict[str, Found] = {}
    for name, sample in arms.items() if labelled is not None else ():
        assert labelled is not None and task is not None
        for number in range(repeats):
            trial = _Trial(task, renderer, sample, labelled, keep, images, derive(seed, f"score {number}"))
            network = trial.train()
            if labelled.boxes is None:
                accuracy.setdefault(name, []).append(task.score(network, labelled.images, labelled.label))
            else:
                boxes = trial.add(network, ap50.setdefault(name, {}))
                if number == 0 and boxes is not None:
                    found_by[name] = Found(boxes, trial.threshold(network))
            done += 1
            yield Piece(f"training on {name}", done, of, None, {})
    result = Score(features=features, photos=len(real), renders=renders, distances=distances, accuracy=accuracy,
                   floor=Band(mean=band.mean, low=band.low, high=band.high, size=band.size), ap50=ap50,
                   labelled=0 if labelled is None else len(labelled), images=images if labelled is not None else 0,
                   notes=list(notes))
    yield Piece("done", of, of, result, found_by)


def samplers(model: Model) -> Mapping[str, Sampler]:
    """Arm -> how to sample it. The same seed gives all arms scenes of the same addresses."""
    control = shrunk(model.grammar)
    return {"grammar": model.grammar.sample, "shrunk": control.sample,
            "learned": lambda seed, count: model.sample(count, seed)}


def write_score(path: str | Path, found: Score) -> None:
    write_json(path, found.model_dump(mode="json"))


def read_score(path: str | Path) -> Score | None:
    """What `write_score` wrote; None if there is no such file. RunError if it is damaged."""
    path = Path(path)
    if not path.exists():
        return None
    found: Any = read_json(path, Score, "delete it, or run scenefit score again")
    if set(found.distances) != set(ARMS) or set(found.values) - set(ARMS):
        raise RunError(f"{path} is damaged: it needs the arms {', '.join(ARMS)}; delete it, or run scenefit score "
                       "again")
    return found


@dataclass(frozen=True, eq=False)
class _Trial:
    """One training on renders of one arm, tried on the labelled photos."""

    task: Task
    renderer: Renderer
    sample: Sampler
    labelled: Photos
    keep: Keep | None
    images: int
    seed: int

    def drawn(self, seed: int, count: int) -> tuple[np.ndarray, Any]:
        scenes = self.sample(seed, count)
        return draw(self.renderer, scenes) if self.labelled.boxes is None else draw_boxes(self.renderer, scenes,
                                                                                          self.keep)

    def train(self) -> Any:
        return self.task.train(*self.drawn(self.seed, self.images), derive(self.seed, "task network"))

    def add(self, network: Any, values: dict[str, list[float | None]]) -> Boxes | None:
        """Append the mean average precision, and that of each class; what was found, if the task is `Detect`."""
        photos = self.labelled
        assert photos.boxes is not None
        if not isinstance(self.task, Detect):
            values.setdefault("mean", []).append(self.task.score(network, photos.images, photos.boxes))
            return None
        found = self.task.predict(network, photos.images)
        judged = average_precision(found, photos.boxes, self.task.classes)
        for name, value in {"mean": judged["mAP50"], **judged["AP50"]}.items():
            values.setdefault(name, []).append(None if np.isnan(value) else value)
        return found

    def threshold(self, network: Any) -> float:
        """From the network's own synthetic validation part."""
        assert isinstance(self.task, Detect)
        images, labels = self.drawn(derive(self.seed, "validation"), max(self.images // VALIDATION, LEAST))
        return best_threshold(matched(self.task.predict(network, images), labels))
