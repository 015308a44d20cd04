"""How a network of each task is written as an ONNX file, and checked."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from scenefit.tasks.onnx_check import compare_masks_with_onnxruntime, compare_with_onnxruntime
from scenefit.tasks.onnx_detector import onnx_detector
from scenefit.tasks.onnx_segmenter import onnx_segmenter


class Comparison(Protocol):
    """What onnxruntime and scenefit find in the same images."""

    @property
    def images(self) -> int: ...
    @property
    def runtime(self) -> str: ...
    @property
    def agrees(self) -> bool: ...
    @property
    def text(self) -> str:
        """In what they agree."""

    def fault(self, source: Path) -> str:
        """How they differ. source: the network's file."""


class OnnxFile(NamedTuple):
    """make: the file of a network.  compare: with onnxruntime; None where that is not installed.  counts: what
    counts as a prediction, in words."""

    make: Callable[[Any], bytes]
    compare: Callable[[bytes, Any], Comparison | None]
    counts: Callable[[Any], str]


ONNX_FILES: Mapping[str, OnnxFile] = {  # by the name of the task
    "detection": OnnxFile(onnx_detector, compare_with_onnxruntime,
                          lambda trained: f"boxes count from a score of {trained.threshold:.4g} on"),
    "segmentation": OnnxFile(onnx_segmenter, compare_masks_with_onnxruntime,
                             lambda trained: "each pixel has its most likely class")}
