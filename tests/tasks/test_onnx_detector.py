"""Detectors as ONNX files: onnxruntime finds the boxes of `Detect.predict`, and what differs is noticed."""

import json
import sys
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx.reference import ReferenceEvaluator

import scenefit as sf
from scenefit.data.boxes import make_boxes
from scenefit.metrics.features import Lite0Maps
from scenefit.nets import onnx_graph
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.tasks.detector_file import TrainedDetector
from scenefit.tasks.onnx_check import OnnxComparison, compare, compare_with_onnxruntime, shapes_and_noise
from scenefit.tasks.onnx_detector import onnx_detector
from scenefit.tasks.onnx_network import LICENSE, metadata

SIZE = (44, 60)  # neither side is a multiple of a map's stride


def detector(backbone=SmallMaps, size=SIZE, heat=3.0, **changes):
    """An untrained detector that finds many boxes, which overlap."""
    task = sf.Detect(("a", "b"), backbone=backbone, **changes)
    network = task.fresh(0)
    with torch.no_grad():
        network.last.weight.mul_(4)
        network.last.bias.add_(torch.tensor([heat, heat, 0.5, 0.5, 0.5, 0.5]))
    return TrainedDetector(task, network.eval(), size, 0.25)


@pytest.fixture(scope="module")
def model():
    return onnx_detector(detector())


@pytest.mark.parametrize("changes", [{}, {"upscale": 0.5}, {"backbone": Lite0Maps},
                                     {"upscale": 1.3, "nms_iou": 0.2, "max_detections": 12}])
def test_other_runtimes_find_the_same_boxes(model, changes):
    """onnxruntime, and ONNX's own runtime, written in numpy."""
    trained, images = detector(**changes), shapes_and_noise(SIZE)
    model = onnx_detector(trained) if changes else model
    found = compare_with_onnxruntime(model, trained)
    assert found.images == 4 and found.boxes > 10 and found.missed == found.others == 0
    assert found.agrees and found.pixels < 1e-3 and found.confidence < 1e-4 and found.runtime[0].isdigit()
    outputs = ReferenceEvaluator(onnx.load_from_string(model)).run(None, {"images": images})
    assert compare(trained.task.predict(trained.network, images), ("a", "b"), outputs, "").agrees


def test_many_boxes_are_suppressed():
    """So that the tests above compare suppression, too."""
    images = shapes_and_noise(SIZE)
    counts = [len(trained.task.predict(trained.network, images)) for trained in (detector(), detector(nms_iou=0.999))]
    assert counts[0] < 0.8 * counts[1]


def test_outputs_are_sorted_and_padded():
    trained = detector(size=(32, 32))  # 128 places of boxes, less than max_detections
    model = onnx_detector(trained)
    images = shapes_and_noise((32, 32))
    session = onnxruntime.InferenceSession(model)
    boxes, scores, classes = session.run(None, {"images": images})
    assert (boxes.shape, scores.shape, classes.shape) == ((4, 200, 4), (4, 200), (4, 200))
    assert (boxes.dtype, scores.dtype, classes.dtype) == (np.float32, np.float32, np.int64)
    there = scores > 0
    assert (np.diff(scores) <= 0).all() and 0 < there.sum() < 512 and set(classes[there]) == {0, 1}
    assert (boxes[~there] == 0).all() and (classes[~there] == -1).all()
    for number in range(4):  # whatever the number of images
        alone = session.run(None, {"images": images[number:number + 1]})
        assert np.abs(alone[0][0] - boxes[number]).max() < 1e-3 and np.array_equal(alone[2][0], classes[number])


def test_the_file_says_what_it_holds(model):
    assert onnx_detector(detector()) == model
    found = onnx.load_from_string(model)
    assert found.ir_version == 8 and [one.version for one in found.opset_import] == [18]
    assert not found.functions and {node.domain for node in found.graph.node} == {""}, "standard operators alone"
    side = found.graph.input[0].type.tensor_type.shape.dim
    assert [one.dim_param or one.dim_value for one in side] == ["N", 44, 60, 3]
    assert {"sides.0.weight", "backbone.stem.0.weight"} <= {one.name for one in found.graph.initializer}
    written = onnxruntime.InferenceSession(model).get_modelmeta().custom_metadata_map
    told = {name: json.loads(value) for name, value in written.items()}
    assert told == {"classes": ["a", "b"], "threshold": 0.25, "size": [44, 60], "flat_field": False,
                    "scenefit": version("scenefit")}
    assert json.loads(metadata(replace(detector(SmallMaps), lost_flat_field=True))["flat_field"]) is True
    assert json.loads(metadata(detector(Lite0Maps))["license"]) == LICENSE and "Apache-2.0" in LICENSE


def test_other_detectors_do_not_agree(model):
    for other in (detector(heat=3.01), detector(nms_iou=0.5)):
        found = compare_with_onnxruntime(model, other)
        assert not found.agrees and max(found.missed, found.others) > 10


def test_what_counts_as_the_same_box():
    expected = make_boxes(2, [0, 0, 1], [[0, 0, 9, 9], [20, 20, 50, 120], [1, 1, 5, 5]], ["a", "b", "b"],
                          [0.9, 0.5, 0.3])
    box, score, code = np.zeros((2, 4, 4)), np.zeros((2, 4)), np.full((2, 4), -1)
    box[0, :2], score[0, :2], code[0, :2] = expected.box[1::-1], (0.5, 0.9), (1, 0)  # in any order
    box[1, 0], score[1, 0], code[1, 0] = expected.box[2], 0.3, 1

    def told(at=(0, 0), move=0.0, chance=0.0, other=None):
        boxes, scores, codes = box.copy(), score.copy(), code.copy()
        boxes[at][3] += move
        scores[at] += chance
        codes[at] = codes[at] if other is None else other
        return compare(expected, ("a", "b"), (boxes, scores, codes), "1")

    assert told() == OnnxComparison(2, 3, 0, 0, 0.0, 0.0, "1")
    assert told(move=4e-3).pixels == pytest.approx(4e-3) and told(chance=5e-5).confidence == pytest.approx(5e-5)
    for wrong in (told(move=6e-3), told(at=(0, 1), move=2e-3), told(chance=2e-4), told(other=0)):
        assert (wrong.missed, wrong.others) == (1, 1) and wrong.pixels == 0
    assert (told(chance=-0.5).missed, told(chance=-0.5).others) == (1, 0)
    for boxes, missed, others, agrees in ((3, 1, 1, True), (3, 2, 0, False), (3, 0, 2, False), (300, 3, 3, True),
                                          (300, 4, 0, False), (0, 0, 0, True)):
        assert OnnxComparison(4, boxes, missed, others, 0, 0, "1").agrees == agrees


def test_without_the_packages(monkeypatch):
    trained = detector()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert compare_with_onnxruntime(b"", trained) is None
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'ONNX files need the extra onnx: pip install "scenefit\[onnx\]"'):
        onnx_detector(trained)


def test_an_operation_without_a_node_is_named(monkeypatch):
    monkeypatch.delitem(onnx_graph.OPERATIONS, "aten.relu.default")
    with pytest.raises(ValueError, match=r"has no node for aten.relu.default, which PyTorch .* uses; install the"):
        onnx_detector(detector())
