"""Detections in a file, for the picture."""

from pathlib import Path

import numpy as np
import torch

from experiments.blood import world
from experiments.blood.arms import Detections
from scenefit.data.boxes import make_boxes
from scenefit.files.tensors import read_tensors, write_tensors

FIX = "remove the cells that wrote it and run the same command again"


def write_detections(path: Path, one: Detections) -> None:
    """Write detections. float32 is lossless, because it is what the network computes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = one.found
    tensors = {"image": found.image, "box": found.box.astype(np.float32), "score": found.score.astype(np.float32),
               "code": world.codes(found)}
    write_tensors(path, {name: torch.from_numpy(value) for name, value in tensors.items()},
                  {"count": found.count, "threshold": one.threshold, "cost": one.cost})


def read_detections(path: Path) -> Detections:
    """Detections as `write_detections` wrote them. CorruptFile."""
    tensors, facts = read_tensors(path, FIX)
    image, box, score, code = (tensors[name].numpy() for name in ("image", "box", "score", "code"))
    return Detections(make_boxes(facts["count"], image, box, np.array(world.CLASSES)[code], score),
                      facts["threshold"], facts["cost"])
