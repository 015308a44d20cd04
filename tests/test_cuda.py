"""What runs on a GPU agrees with the CPU. Skipped where there is no GPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import COLOURS, coloured_boxes

import scenefit as sf
from scenefit.data.formats import label_boxes
from scenefit.nets.augmentation import NO_CHANGE
from scenefit.nets.centre_network import SmallMaps
from scenes import digits, smear

DEVICE = "cuda"
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@pytest.mark.parametrize("scene", [smear, digits], ids=["shapes", "sprites"])
def test_renders_and_masks_agree(scene):
    scenes = scene.grammar.sample(0, 8)
    here, there = (sf.render(replace(scene.renderer, device=device), scenes) for device in ("cpu", "cuda"))
    off = np.abs(here.images.astype(int) - there.images.astype(int))
    assert off.max() <= 3 and off.mean() < 0.1
    assert (here.instances != there.instances).mean() < 1e-3
    ours, theirs = label_boxes(here), label_boxes(there)
    assert abs(len(ours) - len(theirs)) <= 1


@pytest.mark.parametrize("whole", [False, True])
def test_a_detector_learns(whole):
    """It finds coloured boxes in images that it has not seen, and finds the same on the CPU."""
    task = sf.Detect(COLOURS, steps=120, batch=8, augmented_copies=1, learning_rate=1e-2, augment=NO_CHANGE,
                     backbone=SmallMaps, train_backbone=whole, device=DEVICE)
    network, (images, truth) = task.train(*coloured_boxes(128, 0), 0), coloured_boxes(32, 1)
    assert {value.device.type for value in network.parameters()} == {DEVICE}
    learned, untrained = (task.evaluate(one, images, truth)["mAP50"] for one in (network, task.fresh(0).eval()))
    assert untrained < 0.1 and learned > 0.85
    there = replace(task, device="cpu").evaluate(network.cpu(), images, truth)["mAP50"]
    assert there == pytest.approx(learned, abs=0.02)
