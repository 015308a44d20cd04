"""Trained networks of all tasks that `scenefit train` trains."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scenefit.data.photos import Photos, read_few
from scenefit.tasks.detector_file import TrainedDetector
from scenefit.tasks.segmenter_file import TrainedSegmenter
from scenefit.tasks.training.dense_prediction import DensePrediction
from scenefit.tasks.training.network_file import FIRST_TASK, TrainedNetwork, read_trained
from scenefit.tasks.training_data import images_with_labels

TRAINED: Mapping[str, type[TrainedNetwork[Any]]] = {one.kind.name: one for one in (TrainedDetector, TrainedSegmenter)}
TASKS: Mapping[str, type[DensePrediction]] = {name: one.kind for name, one in TRAINED.items()}


def read_network(path: str | Path, device: str = "cpu") -> TrainedNetwork[Any]:
    """The network of any task that a file holds. CorruptFile if it is damaged, of another format, or none."""
    return read_trained([*TRAINED.values()], path, device)


def reader(name: str | None) -> Callable[..., Photos]:
    """How photos are read that are labelled for the task of this name; without one, for the first that their labels
    are for."""
    return read_few if name is None else TASKS[name].read


def needs(name: str | None) -> str:
    """What the task of this name needs of photos, in words; without one, what the tasks need."""
    return " or ".join(kind.words.needs for kind in TASKS.values()) if name is None else TASKS[name].words.needs


def kind_of(labelled: Photos | None) -> type[DensePrediction] | None:
    """The first task that the labels of photos are for; None without photos, and for classes of whole photos."""
    return None if labelled is None else next(
        (kind for kind in TASKS.values() if kind.of_photos(labelled) is not None), None)


def task_kind(labelled: Photos | None, name: str | None, place: Path | None) -> type[DensePrediction]:
    """The task of this name; without one, the first that the labels of photos are for, and detection without photos.
    ValueError, naming their place, where the photos have no labels for it."""
    if labelled is None:
        return TASKS[name or FIRST_TASK]
    fitting = [one for one, kind in TASKS.items() if kind.of_photos(labelled) is not None]
    found = TASKS[name or (fitting or [FIRST_TASK])[0]]
    if found.name not in fitting:
        images_with_labels(found, labelled, place)
    return found
