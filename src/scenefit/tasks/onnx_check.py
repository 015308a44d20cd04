"""Whether onnxruntime finds the same with an exported network as scenefit.

Legend: N images; H, W pixels; C classes; D boxes of an image at most; m, n boxes of an image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from scenefit.data.boxes import Boxes
from scenefit.files.text import counted
from scenefit.tasks.detection import Detect
from scenefit.tasks.segmentation import Segment
from scenefit.tasks.training.network_file import TrainedNetwork

IMAGES = 4
MAX_PIXELS, MAX_SHARE = 1e-3, 5e-5  # that the sides of a box may differ by: pixels, or a share of the longer side
MAX_CONFIDENCE = 1e-4
LIMITS = (f"{MAX_PIXELS:g} pixels, or {MAX_SHARE:.5f} of their longer side if that is more, and {MAX_CONFIDENCE:g} of "
          "confidence")
MAX_DIFFERENCE, MAX_OTHER = 1e-3, 1e-3  # of a probability, and share of pixels with another class
MAX_UNMATCHED = 0.01  # of the boxes, or one: where two overlap by just the limit, rounding decides which are kept


@dataclass(frozen=True)
class OnnxComparison:
    """What onnxruntime and `Detect.predict` found in the same images.

    boxes: of `Detect.predict`.  missed: those that onnxruntime did not find, within the limits above.  others: of
    onnxruntime alone.  pixels, confidence: the largest differences of boxes that both found.  runtime: the version of
    onnxruntime."""

    images: int
    boxes: int
    missed: int
    others: int
    pixels: float
    confidence: float
    runtime: str

    @property
    def agrees(self) -> bool:
        return max(self.missed, self.others) <= max(1, MAX_UNMATCHED * self.boxes)

    def fault(self, source: Path) -> str:
        """How they differ. source: the network's file."""
        return (f"misses {self.missed} of the {self.boxes} boxes that scenefit finds with {source}, and finds "
                f"{self.others} others")

    @property
    def text(self) -> str:
        """In what they agree."""
        differ = f", and {self.missed} less and {self.others} more, as rounding decides between boxes that overlap" \
            if self.missed or self.others else ""
        return (f"the same {counted(self.boxes - self.missed, 'box', 'boxes')} as scenefit, with differences of up to "
                f"{self.pixels:.2g} pixels and {self.confidence:.2g} of confidence{differ} (boxes are the same within "
                f"{LIMITS})")


@dataclass(frozen=True)
class OnnxMaskComparison:
    """What onnxruntime and `Segment.logits` say of the same images. difference: the largest of a probability.  pixels:
    how many have another most likely class, of all.  runtime: the version of onnxruntime."""

    images: int
    difference: float
    pixels: int
    of: int
    runtime: str

    @property
    def agrees(self) -> bool:
        return self.difference <= MAX_DIFFERENCE and self.pixels <= MAX_OTHER * self.of

    def fault(self, source: Path) -> str:
        """As of `OnnxComparison`."""
        return (f"gives probabilities that differ by up to {self.difference:.2g} from those of scenefit with {source}, "
                f"and another class to {self.pixels:,} of {self.of:,} pixels")

    @property
    def text(self) -> str:
        """As of `OnnxComparison`."""
        return (f"the same probabilities as scenefit, with differences of up to {self.difference:.2g}, and the same "
                f"class in all but {self.pixels:,} of {self.of:,} pixels")


def compare_with_onnxruntime(model: bytes, trained: TrainedNetwork[Detect]) -> OnnxComparison | None:
    """Compare on images of random shapes and noise, always the same. model: of `onnx_detector.onnx_detector`.

    None where onnxruntime is not installed."""
    images = shapes_and_noise(trained.size)
    found = _run(model, ["boxes", "scores", "classes"], images)
    return None if found is None else compare(trained.task.predict(trained.network, images), trained.task.classes,
                                              *found)


def compare_masks_with_onnxruntime(model: bytes, trained: TrainedNetwork[Segment]) -> OnnxMaskComparison | None:
    """The same of `onnx_segmenter.onnx_segmenter`."""
    images = shapes_and_noise(trained.size)
    found = _run(model, ["probabilities", "masks"], images)
    if found is None:
        return None
    (probabilities, masks), runtime = found
    logits = torch.cat(list(trained.task.logits(trained.network, images)))
    difference = np.abs(torch.softmax(logits, 1).numpy() - probabilities).max()
    other = logits.argmax(1).numpy() != masks
    return OnnxMaskComparison(len(images), float(difference), int(other.sum()), other.size, runtime)


def _run(model: bytes, names: Sequence[str], images: NDArray[np.uint8]) -> tuple[list[NDArray[Any]], str] | None:
    """Outputs of these names, and the version of onnxruntime; None where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(list(names), {"images": images}), onnxruntime.__version__


def compare(expected: Boxes, classes: Sequence[str], outputs: Sequence[NDArray[Any]], runtime: str) -> OnnxComparison:
    """expected: of `Detect.predict`.  outputs: of the model for the same images, boxes [N, D, 4], scores and classes
    [N, D].  runtime: the version of what made them."""
    box, score, code = outputs
    missed = others = 0
    pixels = confidence = 0.0
    for image in range(expected.count):
        rows, there = expected.rows(image), score[image] > 0
        ours, theirs = expected.box[rows], box[image][there]
        sides = np.abs(ours[:, None] - theirs[None]).max(2)  # [m, n]
        chances = np.abs(expected.score[rows][:, None] - score[image][there][None])
        longer = (ours[:, 2:] - ours[:, :2]).max(1)[:, None]
        same = expected.name[rows][:, None] == np.array(classes)[code[image][there]][None]
        same &= (sides <= np.maximum(MAX_PIXELS, MAX_SHARE * longer)) & (chances <= MAX_CONFIDENCE)
        missed += int((~same.any(1)).sum())
        others += int((~same.any(0)).sum())
        pixels = max(pixels, float(sides[same].max(initial=0)))
        confidence = max(confidence, float(chances[same].max(initial=0)))
    return OnnxComparison(expected.count, len(expected), missed, others, pixels, confidence, runtime)


def shapes_and_noise(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Random ellipses and rectangles of all sizes on a plain ground, each image noisier than the one before
    [N, H, W, 3]. They hold something that a detector takes for objects, whatever it was trained on."""
    height, width = size
    rng, images = np.random.default_rng(0), []
    for number in range(IMAGES):
        image = Image.new("RGB", (width, height), tuple(rng.integers(0, 256, 3).tolist()))
        draw = ImageDraw.Draw(image)
        for shape in (draw.ellipse, draw.rectangle) * 8:
            x, y = rng.uniform(0, 1, 2) * (width, height)
            across, down = np.exp(rng.uniform(np.log(0.02), np.log(0.3)) + rng.uniform(-0.3, 0.3, 2)) * min(size)
            shape((x - across, y - down, x + across, y + down), tuple(rng.integers(0, 256, 3).tolist()))
        noise = rng.normal(0, 4 * 3.0**number, (height, width, 3))
        images.append(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
    return np.stack(images)
