"""Whether onnxruntime finds the same boxes with an exported detector as `Detect.predict`.

Legend: N images; H, W pixels; D boxes of an image at most; m, n boxes of an image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from scenefit.data.boxes import Boxes
from scenefit.tasks.detector_file import TrainedDetector

IMAGES = 4
MAX_PIXELS, MAX_SHARE = 1e-3, 5e-5  # that the sides of a box may differ by: pixels, or a share of the longer side
MAX_CONFIDENCE = 1e-4
LIMITS = (f"{MAX_PIXELS:g} pixels, or {MAX_SHARE:.5f} of their longer side if that is more, and {MAX_CONFIDENCE:g} of "
          "confidence")
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


def compare_with_onnxruntime(model: bytes, trained: TrainedDetector) -> OnnxComparison | None:
    """Compare on images of random shapes and noise, always the same. model: of `onnx_detector.onnx_detector`.

    None where onnxruntime is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    images = shapes_and_noise(trained.size)
    outputs = session.run(["boxes", "scores", "classes"], {"images": images})
    return compare(trained.task.predict(trained.network, images), trained.task.classes, outputs,
                   onnxruntime.__version__)


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
