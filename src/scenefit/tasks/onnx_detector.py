"""A trained detector as an ONNX file, from the pixels of an image to its boxes, for runtimes without scenefit.

All of `Detect.predict` is in the graph: scaling, network, peaks, boxes, clipping at the border, suppression.
Legend: N images; H, W pixels; C classes; h, w cells of the finest map; k peaks of an image; D boxes of an image.
"""

from importlib.metadata import version

import numpy as np
import torch

from scenefit.nets.centre_network import MIN_SCORE, centres
from scenefit.nets.onnx_graph import OnnxGraph
from scenefit.tasks.detection import Detect
from scenefit.tasks.onnx_network import metadata, network_output
from scenefit.tasks.training.network_file import TrainedNetwork

NO_CLASS = -1  # of padding


def onnx_detector(trained: TrainedNetwork[Detect]) -> bytes:
    """The ONNX file of a detector; the same detector gives the same bytes.

    Input: `images` uint8 [N, H, W, 3], RGB, of the detector's size.  Outputs: `boxes` float32 [N, D, 4], x0, y0, x1, y1
    in pixels of the image; `scores` float32 [N, D], the highest first; `classes` int64 [N, D], places in the list of
    names. D is the task's max_detections; fewer boxes are padded with score 0, box 0 and class -1.
    ImportError without the extra `onnx`.
    """
    graph, task, (height, width) = OnnxGraph(), trained.task, trained.size
    out, cells = network_output(graph, trained)
    count = min(task.max_detections, len(task.classes) * cells[0] * cells[1])
    box, score, code = _peaks(graph, out, cells, count, task, trained.network.stride)
    box = graph.add("Max", graph.add("Div", box, np.float32(task.upscale)), np.float32(0))
    box = graph.add("Min", box, np.array([width, height, width, height], np.float32))
    box, score, code = _suppressed(graph, box, score, code, count, task.nms_iou)
    _padded(graph, box, score, code, task.max_detections - count)
    rows = ["N", task.max_detections]
    outputs = {"boxes": (np.float32, [*rows, 4]), "scores": (np.float32, rows), "classes": (np.int64, rows)}
    return graph.model({"images": (np.uint8, ["N", height, width, 3])}, outputs, metadata(trained),
                       f"Detects {', '.join(task.classes)}; made with scenefit.", version("scenefit"))


def _peaks(graph: OnnxGraph, out: str, cells: tuple[int, int], count: int, task: Detect,
           stride: int) -> tuple[str, str, str]:
    """As `centre_network.decode`: box [N, k, 4] in pixels of the scaled image, score [N, k], class [N, k]."""
    classes, area = len(task.classes), cells[0] * cells[1]
    heat = graph.add("Sigmoid", graph.add("Slice", out, [0], [classes], [1]))
    highest = graph.add("MaxPool", heat, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    heat = graph.add("Where", graph.add("Equal", heat, highest), heat, np.float32(0))
    score, at = graph.add_pair("TopK", graph.add("Reshape", heat, [0, -1]), [count], axis=1)
    code, cell = graph.add("Div", at, area), graph.add("Mod", at, area)
    sides = graph.add("Reshape", graph.add("Slice", out, [classes], [classes + 4], [1]), [0, 4, -1])
    sides = _rows(graph, graph.add("Transpose", sides, perm=[0, 2, 1]), cell)
    sides = graph.add("Mul", graph.add("Exp", graph.add("Min", sides, np.float32(8))), np.float32(stride))
    before, after = graph.add_pair("Split", sides, axis=2, num_outputs=2)
    x, y = centres(*cells, stride)
    centre = graph.add("Gather", torch.cartesian_prod(y, x).flip(1), cell)
    return graph.add("Concat", graph.add("Sub", centre, before), graph.add("Add", centre, after), axis=2), score, code


def _suppressed(graph: OnnxGraph, box: str, score: str, code: str, count: int, max_iou: float) -> tuple[str, str, str]:
    """As `iou_and_nms.nms` on boxes of decreasing score: the same with score 0 where one is dropped, those last."""
    low, high = graph.add_pair("Split", box, axis=2, num_outputs=2)
    sides = graph.add("Sub", high, low)
    good = graph.add("And", graph.add("GreaterOrEqual", score, np.float32(MIN_SCORE)),
                     graph.add("Greater", graph.add("ReduceMin", sides, [2], keepdims=0), np.float32(0)))
    area = graph.add("ReduceProd", sides, [2], keepdims=0)

    def pairs(operator: str, values: str) -> str:
        return graph.add(operator, graph.add("Unsqueeze", values, [2]), graph.add("Unsqueeze", values, [1]))

    common = graph.add("Max", graph.add("Sub", pairs("Min", high), pairs("Max", low)), np.float32(0))
    common = graph.add("ReduceProd", common, [3], keepdims=0)
    union = graph.add("Max", graph.add("Sub", pairs("Add", area), common), np.float32(1e-9))
    overlap = graph.add("Greater", graph.add("Div", common, union), np.float32(max_iou))
    suppresses = graph.cast(graph.add("And", overlap, pairs("Equal", code)), np.float32)
    suppresses = graph.add("Trilu", suppresses, np.int64(1), upper=1)  # only one of lower score
    kept = _kept(graph, graph.cast(good, np.float32), suppresses, count)
    score, order = graph.add_pair("TopK", graph.add("Mul", score, kept), [count], axis=1)
    return _rows(graph, box, order), score, _rows(graph, code, order)


def _kept(graph: OnnxGraph, good: str, suppresses: str, count: int) -> str:
    """1 for each box that no kept one suppresses [N, k], in rounds until one changes nothing, each of which settles at
    least one more box. good [N, k]: 0 for boxes that do not count.  suppresses [N, k, k]: 1 where one drops another."""
    body = OnnxGraph(graph)
    by = body.add("Squeeze", body.add("MatMul", body.add("Unsqueeze", "before", [1]), suppresses), [1])
    after = body.add("Mul", good, body.cast(body.add("Equal", by, np.float32(0)), np.float32), name="after")
    change = body.add("ReduceMax", body.add("Abs", body.add("Sub", after, "before")), keepdims=0)
    body.add("Greater", change, np.float32(0), name="again")
    boxes = (np.float32, [None, None])
    rounds = body.body({"round": (np.int64, []), "go": (np.bool_, []), "before": boxes},
                       {"again": (np.bool_, []), "after": boxes})
    return graph.add("Loop", np.int64(count), np.bool_(True), good, body=rounds)


def _padded(graph: OnnxGraph, box: str, score: str, code: str, missing: int) -> None:
    """The graph's outputs."""
    there = graph.add("Greater", score, np.float32(0))
    box = graph.add("Where", graph.add("Unsqueeze", there, [2]), box, np.float32(0))
    code = graph.add("Where", there, code, np.int64(NO_CLASS))
    graph.add("Pad", box, [0, 0, 0, 0, missing, 0], np.float32(0), name="boxes")
    graph.add("Pad", score, [0, 0, 0, missing], np.float32(0), name="scores")
    graph.add("Pad", code, [0, 0, 0, missing], np.int64(NO_CLASS), name="classes")


def _rows(graph: OnnxGraph, values: str, at: str) -> str:
    """values [N, n, ...], at [N, k] -> [N, k, ...]"""
    return graph.add("GatherND", values, graph.add("Unsqueeze", at, [2]), batch_dims=1)
