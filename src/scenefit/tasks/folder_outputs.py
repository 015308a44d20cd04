"""What a network of each task writes about a folder of photos."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scenefit.data.formats.voc_masks import check_class_names
from scenefit.files.caller import warn
from scenefit.files.text import counted
from scenefit.scenes.arguments import first_few
from scenefit.tasks.coco_results import match_ids
from scenefit.tasks.folder_detection import Output
from scenefit.tasks.folder_segmentation import MaskOutput, mask_names
from scenefit.tasks.photo_folders import FolderOutput
from scenefit.tasks.training.network_file import TrainedNetwork

RENAME = ("to rename the classes of a network in Python, replace(network, task=replace(network.task, classes=(...)))"
          ".save(path), with replace of dataclasses and network of scenefit.load_segmenter")


class Wanted(NamedTuple):
    """What a command asks for. folder: of photos.  photos: their paths below it.  network: the name of its file.
    threshold, like: of detectors alone; the confidence in place of their own, and an annotation file of COCO."""

    folder: Path
    photos: Sequence[str]
    network: str
    pictures: bool = True
    threshold: float | None = None
    like: Path | None = None


def folder_output(trained: TrainedNetwork[Any], wanted: Wanted) -> FolderOutput:
    """The output of a network. ValueError for what it cannot give; errors of `match_ids`."""
    return OUTPUTS[trained.kind.name](trained, wanted)


def _detections(trained: TrainedNetwork[Any], wanted: Wanted) -> Output:
    ids = None if wanted.like is None else match_ids(wanted.like, wanted.photos, trained.task.classes)
    if ids is not None and ids.absent:
        warn(f"{wanted.like} lists {counted(len(ids.absent), 'photo')} that {wanted.folder} does not hold, such as "
             f"{first_few(ids.absent)}; nothing is found in them")
    threshold = trained.threshold if wanted.threshold is None else wanted.threshold
    return Output(trained.task.classes, threshold, wanted.network, ids, wanted.pictures)


def _masks(trained: TrainedNetwork[Any], wanted: Wanted) -> MaskOutput:
    given = [name for name, value in (("--threshold", wanted.threshold), ("--like", wanted.like)) if value is not None]
    if given:
        raise ValueError(f"{', '.join(given)}: only for detectors, and this is {trained.noun}, whose masks show the "
                         "most likely class of each pixel")
    check_class_names(trained.task.classes, RENAME)
    return MaskOutput(trained.task.classes, mask_names(wanted.photos), wanted.pictures)


OUTPUTS: Mapping[str, Callable[[TrainedNetwork[Any], Wanted], FolderOutput]] = {  # by the name of the task
    "detection": _detections, "segmentation": _masks}
