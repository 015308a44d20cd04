"""A trained detector in one file, with all that is needed to use it: classes, image size, confidence threshold.

Legend: H, W pixels.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenefit.files.tensors import CorruptFile, read_tensors, write_tensors
from scenefit.metrics.features import Lite0Maps
from scenefit.nets.centre_network import Detector, SmallMaps
from scenefit.tasks.detection import Detect

FORMAT = 1  # of detector files; one of another format is refused
BACKBONES: dict[str, Any] = {"lite0": Lite0Maps, "small": SmallMaps}
AGAIN = "make it again with scenefit train"


@dataclass(frozen=True, eq=False)
class TrainedDetector:
    """task: whose `predict` uses the network.  size: (H, W) that photos are resized to.  threshold: the confidence from
    which predictions count, chosen on the validation images of its training.  flat_field: whether the photos of its
    training were corrected for their camera's flat field."""

    task: Detect
    network: Detector
    size: tuple[int, int]
    threshold: float
    flat_field: bool = False


def write_trained(path: str | Path, trained: TrainedDetector, info: dict[str, Any] | None = None) -> None:
    """Write the file, whole or not at all. info: any other metadata, as plain JSON values."""
    backbone = next(name for name, kind in BACKBONES.items() if trained.task.backbone is kind)
    write_tensors(path, trained.network.state_dict(), {
        "format": FORMAT, "classes": list(trained.task.classes), "backbone": backbone, "upscale": trained.task.upscale,
        "size": list(trained.size), "threshold": trained.threshold,
        "flat_field": trained.flat_field, "info": info or {}})


def read_trained(path: str | Path, device: str = "cpu") -> TrainedDetector:
    """The detector that `write_trained` wrote; the file holds no code. CorruptFile if it is damaged, of another format,
    or no detector."""
    tensors, metadata = read_tensors(path, AGAIN)
    if "classes" not in metadata:
        raise CorruptFile(f"{path} is not a detector; {AGAIN}")
    if metadata.get("format") != FORMAT:
        raise CorruptFile(f"{path} was written by another version of scenefit (its format is "
                          f"{metadata.get('format', 'not recorded')}, and this version reads format {FORMAT}); {AGAIN}")
    try:
        task = Detect(tuple(metadata["classes"]), upscale=float(metadata["upscale"]),
                      backbone=BACKBONES[metadata["backbone"]], device=device)
        height, width = (int(side) for side in metadata["size"])
        network = task.fresh(0)
        network.load_state_dict(tensors)
        return TrainedDetector(task, network.eval(), (height, width), float(metadata["threshold"]),
                               bool(metadata.get("flat_field", False)))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CorruptFile(f"{path} does not fit this version of scenefit ({error}); {AGAIN}") from error
