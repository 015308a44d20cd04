"""Arms with 10 or 50 labels, as `scenefit train RUN --labelled` makes them: the label policy is read from them,
the training set is selected by them, and the detector is fine-tuned on them. The same is done to each training set that
selection had to choose from; all share the label policy.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

import scenefit as sf
from experiments.blood import arms, fits, world
from experiments.blood.arms import Detections
from experiments.kept_fits import kept_in, last
from scenefit.cli.train import CANDIDATES, IMAGES
from scenefit.generation.randomised import RandomisedModel
from scenefit.metrics.average_precision import best_threshold, match_boxes
from scenefit.tasks.selection import select_steps
from scenefit.tasks.training_data import VALIDATION
from scenefit.tasks.training_stages import TrainingData

CELLS = {"few labels": 10, "more labels": 50}  # cell -> number of labelled photos
SELECTED = "selected"


def tuned(candidate: str, labels: int = 10) -> str:
    """The arm of a training set, or of the one that is `SELECTED`, with fine-tuning."""
    return f"{candidate}, then {labels} labels"


def untuned(candidate: str, labels: int = 10) -> str:
    """The arm of a training set whose labels follow the policy that was read, without fine-tuning."""
    return f"{candidate}, label policy of {labels} labels"


def detections(data: Path, work: Path, prior: float, seed: int, photos: sf.Photos,
               labels: int = 10) -> tuple[dict[str, Detections], dict[str, Any]]:
    """Of the detectors of all training sets in the photos, and what was read and selected, from so many labelled
    photos. Each seed has others, if they are fewer than 50."""
    fit = fits.Fit(data, work, "learned", prior, seed)
    few, model, cost, began = world.labelled(data, labels, seed), fits.load(fit), fits.record(fit), time.process_time()
    assert few.boxes is not None
    read = sf.fit_label_policy(model, world.DEFAULT.renderer, few, seed)
    setting, reading = world.Setting(policy=read.policy), time.process_time() - began
    task, held = arms.TASK, IMAGES // VALIDATION
    sets = {name: arms.rendered(RandomisedModel(model, frozenset(), prior=share).sample, setting, np.arange(IMAGES))
            for name, share in CANDIDATES.items()}
    stages = work / "stages"
    selection = last(select_steps(task, {name: TrainingData(one, None, None) for name, one in sets.items()}, few,
                                  seed, kept_in(stages))).selection
    selecting = time.process_time() - began
    result, all_before = {}, {"renders": cost["renders"] + IMAGES, "trainings": cost["trainings"] + 2}
    for name, one in sets.items():
        began = time.process_time()
        network = arms.train(task, TrainingData(one, None, None), seed, stages)
        validation = arms.rendered(RandomisedModel(model, frozenset(), prior=CANDIDATES[name]).sample, setting,
                                   np.arange(IMAGES, IMAGES + held))
        result[untuned(name, labels)] = Detections(
            task.predict(network, photos.images), best_threshold(match_boxes(task.predict(network, validation[0]),
                                                                             validation[1])), all_before)
        network = arms.train(task, TrainingData(one, None, (few.images, few.boxes)), seed, stages)
        threshold = best_threshold(match_boxes(task.predict(network, few.images), few.boxes))
        result[tuned(name, labels)] = Detections(task.predict(network, photos.images), threshold, {
            **all_before, "trainings": cost["trainings"] + 3,
            "cpu_seconds": round(cost["cpu_seconds"] + selecting + time.process_time() - began)})
    result[tuned(SELECTED, labels)] = result[tuned(selection.chosen, labels)]
    return result, {"label policy": read.policy.to_dict(), "read": read.lines(), "selection": vars(selection),
                    "cpu_seconds of the label policy": round(reading), "and of the selection": round(selecting)}
