"""How good a trained network of any task is on labelled photos."""

from collections.abc import Callable, Mapping
from typing import Any

from scenefit.data.photos import Photos
from scenefit.evaluation.detector import evaluate_detector
from scenefit.evaluation.measured import Measured
from scenefit.evaluation.segmenter import evaluate_segmenter
from scenefit.tasks.training.network_file import TrainedNetwork

EVALUATE: Mapping[str, Callable[[Any, Photos, bool], Measured]] = {  # by the name of the task
    "detection": evaluate_detector, "segmentation": evaluate_segmenter}


def evaluate_trained(trained: TrainedNetwork[Any], labelled: Photos, force: bool = False) -> Measured:
    """As of `evaluate_detector` or `evaluate_segmenter`."""
    return EVALUATE[trained.kind.name](trained, labelled, force)
