"""A trained network of semantic segmentation in one file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from scenefit.data.class_masks import ClassMasks
from scenefit.data.photos import Photos
from scenefit.nets.segmentation_network import Segmenter
from scenefit.tasks.segmentation import Segment
from scenefit.tasks.training.network_file import Checks, TrainedNetwork, is_number, load_trained


def _one_each(facts: Any) -> bool:
    values = facts.get("threshold")
    return (isinstance(values, list) and len(values) == len(facts["classes"])
            and all(is_number(value, 0, 1) for value in values))


@dataclass(frozen=True, eq=False)
class TrainedSegmenter(TrainedNetwork[Segment]):
    """A network of semantic segmentation with all that is needed to use it; `load_segmenter` reads one, `save(path)`
    writes it.

    task: whose `segment` uses the network.  size: (H, W) that photos are resized to.  threshold: of each class, the
    confidence with the highest IoU on the validation images of its training, and 0.5 for a class that these do not
    show; `scenefit evaluate` measures areas with them, and masks do not depend on them.  flat_field, photos,
    lost_flat_field: see `scenefit.tasks.training.network_file`."""

    noun = "a segmentation network"
    kind = Segment
    checks: ClassVar[Checks] = {"threshold": ("a number in 0..1 for each class", _one_each)}
    network: Segmenter
    threshold: tuple[float, ...]

    def __repr__(self) -> str:
        return (f"TrainedSegmenter(classes {', '.join(self.task.classes)}; photos of {self.size[0]} x {self.size[1]} "
                "pixels)")

    def segment(self, photos: Photos | NDArray[np.uint8]) -> ClassMasks:
        """The most likely class of each pixel of photos of the network's size.

            segmenter.segment(scenefit.read_photos("photos/", segmenter.size))

        photos: `Photos`, or uint8 images [N, H, W, 3], as they are read: the network's flat field is removed from those
        that show it (`scenefit.remove_flat_field`), each by itself. ValueError for anything else.
        """
        return self.task.segment(self.network, self.images(photos, "segmenter.segment(photos)"))


def load_segmenter(path: str | Path, device: str = "cpu") -> TrainedSegmenter:
    """The network that `scenefit train --task segmentation` or `TrainedSegmenter.save` wrote. Nothing in the file is
    executed.

        segmenter = scenefit.load_segmenter("network.safetensors")
        masks = segmenter.segment(scenefit.read_photos("photos/", segmenter.size))

    device: "cpu" or "cuda", where it predicts.
    ValueError for a file that is missing, damaged, of another version or no segmentation network.
    """
    return load_trained(TrainedSegmenter, "load_segmenter(path)", path, device)
