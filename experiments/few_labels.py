"""Trainings with 10 labelled photos, as `scenefit train RUN --labelled` does them: the training images are selected by
them, and the network is fine-tuned on them. Beside it: the wide grammar's images and the same photos, and these alone.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import scenefit as sf
from experiments.kept_fits import kept_in, last
from scenefit.scenes.rng import derive_seed
from scenefit.tasks.selection import FOLDS, select_steps
from scenefit.tasks.training_stages import TrainingData, train_stages

LABELS = 10
SELECTED, WIDE, ALONE = "selected, 10 labels", "wide, 10 labels", "10 labels"
ARMS = (SELECTED, WIDE, ALONE)


@dataclass(frozen=True, eq=False)
class Tuned:
    """A network at the end of an arm. sets, trainings: of images, and of networks, that it took.  selection: what was
    selected and what that cost, if anything was."""

    network: Any
    sets: int
    trainings: int
    selection: dict[str, Any] = field(default_factory=dict)


def train(arm: str, task: Any, images: Callable[[str], Any], candidates: Sequence[str], few: sf.Photos, labelled: Any,
          seed: int, stages: Path) -> Tuned:
    """The network of one of `ARMS`. images: training images with labels by name.  candidates: their names, the default
    first.  few: the labelled photos; labelled: their images and labels of the task.  stages: folder of finished stages
    of trainings, which arms share."""
    own, kept, started = derive_seed(seed, "network"), kept_in(stages), time.process_time()
    if arm == ALONE:
        return Tuned(task.train(*labelled, own), 0, 1)
    names = candidates if arm == SELECTED else ["wide"]
    sets = {name: TrainingData(images(name), None, None) for name in names}
    chosen, trainings, selection = names[0], 2, dict[str, Any]()
    if arm == SELECTED:
        found = last(select_steps(task, sets, few, own, kept)).selection
        chosen, trainings = found.chosen, len(sets) * (1 + FOLDS) + 1
        selection = {"selection": vars(found), "CPU seconds of the selection": round(time.process_time() - started)}
    network = last(train_stages(task, replace(sets[chosen], labelled=labelled), own, kept)).network
    return Tuned(network, len(sets), trainings, selection)
