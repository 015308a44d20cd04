"""A trained detector in one file, with all that is needed to use it: classes, size of the images, threshold.

Legend: H, W pixels.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenefit.files.tensors import CorruptFile, read_tensors, write_tensors
from scenefit.metrics.features import Lite0Maps
from scenefit.nets.centre_network import Detector, SmallMaps
from scenefit.tasks.detection import Detect

BACKBONES: dict[str, Any] = {"lite0": Lite0Maps, "small": SmallMaps}
AGAIN = "make it again with scenefit train"


@dataclass(frozen=True, eq=False)
class TrainedDetector:
    """task: whose `predict` uses the network.  size: (H, W) that photos are brought to.  threshold: from which score on
    detections are to be believed, by the validation part of what it was trained on.  flat_field: whether its photos
    were without their camera's pattern."""

    task: Detect
    network: Detector
    size: tuple[int, int]
    threshold: float
    flat_field: bool = False


def write_trained(path: str | Path, trained: TrainedDetector, info: dict[str, Any] | None = None) -> None:
    """Write the file, whole or not at all. info: what else is to be known of it, plain JSON values."""
    backbone = next(name for name, kind in BACKBONES.items() if trained.task.backbone is kind)
    write_tensors(path, trained.network.state_dict(), {
        "classes": list(trained.task.classes), "backbone": backbone, "enlarge": trained.task.upscale,
        "size": list(trained.size), "threshold": trained.threshold,
        "flat_field": trained.flat_field, "info": info or {}})


def read_trained(path: str | Path, device: str = "cpu") -> TrainedDetector:
    """What `write_trained` wrote; nothing in the file is executed. DamagedFile, saying what to do."""
    tensors, facts = read_tensors(path, AGAIN)
    try:
        task = Detect(tuple(facts["classes"]), upscale=float(facts["enlarge"]), backbone=BACKBONES[facts["backbone"]],
                      device=device)
        height, width = (int(side) for side in facts["size"])
        network = task.fresh(0)
        network.load_state_dict(tensors)
        return TrainedDetector(task, network.eval(), (height, width), float(facts["threshold"]),
                               bool(facts.get("flat_field", False)))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CorruptFile(f"{path} is no detector of this version of scenefit ({error}); {AGAIN}") from error
