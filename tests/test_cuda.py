"""What runs on a GPU agrees with the CPU. Skipped where there is no GPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import scenefit as sf
from scenefit.data.formats import label_boxes
from scenefit.nets.centre_network import SmallMaps
from scenes import digits, smear

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
    frames = sf.render(smear.renderer, smear.grammar.sample(0, 8))
    boxes = label_boxes(frames)
    task = sf.Detect(("RBC", "WBC", "Platelets"), steps=5, batch=4, augmented_copies=8, backbone=SmallMaps,
                     train_backbone=whole,
                     device="cuda")
    network = task.train(frames.images, boxes, 0)
    assert all(value.isfinite().all() for value in network.state_dict().values())
    assert task.predict(network, frames.images).count == 8
