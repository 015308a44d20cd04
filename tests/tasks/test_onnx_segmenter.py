"""Segmentation networks as ONNX files: onnxruntime gives the probabilities of `Segment.logits`, and what differs is
noticed."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx.reference import ReferenceEvaluator

import scenefit as sf
from scenefit.metrics.features import Lite0Maps
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.tasks.onnx_check import OnnxMaskComparison, compare_masks_with_onnxruntime, shapes_and_noise
from scenefit.tasks.onnx_segmenter import onnx_segmenter
from scenefit.tasks.segmenter_file import TrainedSegmenter

SIZE = (44, 60)  # neither side is a multiple of a map's stride


def segmenter(backbone=SmallMaps, size=SIZE, bias=0.0, **changes):
    """An untrained network whose classes differ from pixel to pixel."""
    task = sf.Segment(("a", "b"), backbone=backbone, **changes)
    network = task.fresh(0).eval()
    logits = torch.cat(list(task.logits(network, shapes_and_noise(size))))
    with torch.no_grad():  # logits of spread 2 about 0
        times = 2 / logits.std((0, 2, 3))
        network.last.weight.mul_(times[:, None, None, None])
        network.last.bias.copy_((network.last.bias - logits.mean((0, 2, 3))) * times)
        network.last.bias[0] += bias
    return TrainedSegmenter(task, network, size, (0.25, 0.75))


@pytest.mark.parametrize("changes", [{}, {"upscale": 0.5}, {"backbone": Lite0Maps}, {"upscale": 1.3},
                                     {"upscale": 8, "size": (12, 20)}])
def test_other_runtimes_give_the_same_probabilities(changes):
    """onnxruntime, and ONNX's own runtime, written in numpy."""
    trained = segmenter(**changes)
    model, images = onnx_segmenter(trained), shapes_and_noise(trained.size)
    found = compare_masks_with_onnxruntime(model, trained)
    assert found.agrees and found.difference < 1e-3 and found.pixels <= 2 and found.images == 4
    assert found.of == 4 * trained.size[0] * trained.size[1]
    expected = torch.softmax(torch.cat(list(trained.task.logits(trained.network, images))), 1).numpy()
    assert len(np.unique(expected.argmax(1))) > 1, "else masks would tell nothing"
    if not changes:
        probabilities, masks = ReferenceEvaluator(onnx.load_from_string(model)).run(None, {"images": images[:1]})
        assert np.abs(probabilities - expected[:1]).max() < 1e-3 and (masks[0] == expected[0].argmax(0)).mean() > 0.999


def test_the_file_says_what_it_holds():
    model = onnx_segmenter(segmenter())
    assert onnx_segmenter(segmenter()) == model
    session = onnxruntime.InferenceSession(model)
    told = session.get_modelmeta().custom_metadata_map
    assert (json.loads(told["classes"]), json.loads(told["threshold"])) == (["a", "b"], [0.25, 0.75])
    images = shapes_and_noise(SIZE)
    probabilities, masks = session.run(["probabilities", "masks"], {"images": images[:3]})
    assert probabilities.shape == (3, 3, *SIZE) and probabilities.dtype == np.float32
    assert masks.shape == (3, *SIZE) and masks.dtype == np.uint8
    assert np.abs(probabilities.sum(1) - 1).max() < 1e-5 and (probabilities.argmax(1) == masks).all()


def test_other_networks_do_not_agree(monkeypatch):
    model = onnx_segmenter(segmenter())
    found = compare_masks_with_onnxruntime(model, segmenter(bias=0.3))
    assert not found.agrees and found.difference > 0.01
    assert found.fault(Path("s")) == (f"gives probabilities that differ by up to {found.difference:.2g} from those of "
                                      f"scenefit with s, and another class to {found.pixels:,} of {found.of:,} pixels")
    good = OnnxMaskComparison(4, 1e-4, 1, 2000, "1")
    assert good.agrees and "the same class in all but 1 of 2,000 pixels" in good.text
    assert not replace(good, pixels=3).agrees and not replace(good, difference=2e-3).agrees
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert compare_masks_with_onnxruntime(model, segmenter()) is None
