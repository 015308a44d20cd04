"""A trained network of semantic segmentation as an ONNX file, from the pixels of an image to the classes of its pixels.

Legend: N images; H, W pixels; C classes; h, w cells of the finest map.
"""

from importlib.metadata import version

import numpy as np

from scenefit.nets.onnx_graph import OnnxGraph
from scenefit.tasks.onnx_network import interpolation, metadata, network_output
from scenefit.tasks.segmentation import Segment
from scenefit.tasks.training.network_file import TrainedNetwork


def onnx_segmenter(trained: TrainedNetwork[Segment]) -> bytes:
    """The ONNX file of a network; the same network gives the same bytes.

    Input: `images` uint8 [N, H, W, 3], RGB, of the network's size.  Outputs: `probabilities` float32 [N, C + 1, H, W],
    of no class, then of each; `masks` uint8 [N, H, W], the most likely of these, as `ClassMasks` counts: 0 for none.
    ImportError without the extra `onnx`.
    """
    graph, task, (height, width) = OnnxGraph(), trained.task, trained.size
    out, cells = network_output(graph, trained)
    stride = trained.network.stride / task.upscale
    down, across = (interpolation(count, max(side, round(count * stride)), antialias=False)[:side]
                    for count, side in zip(cells, trained.size, strict=True))  # as `at_pixels` does
    logits = graph.add("MatMul", graph.add("MatMul", down, out), across.T)
    graph.add("Softmax", logits, axis=1, name="probabilities")
    graph.add("Cast", graph.add("ArgMax", logits, axis=1, keepdims=0), to=graph.type_of(np.uint8), name="masks")
    outputs = {"probabilities": (np.float32, ["N", len(task.classes) + 1, height, width]),
               "masks": (np.uint8, ["N", height, width])}
    return graph.model({"images": (np.uint8, ["N", height, width, 3])}, outputs, metadata(trained),
                       f"Segments {', '.join(task.classes)}; made with scenefit.", version("scenefit"))
