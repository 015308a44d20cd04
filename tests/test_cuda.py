"""What runs on a GPU agrees with the CPU. Skipped where there is no GPU; `make gpu` runs it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from quick import quick
from toys import COLOURS, bars, coloured_boxes, coloured_masks, dot, dots, photos

import scenefit as sf
from scenefit.data.formats import label_boxes
from scenefit.inference.npe import method
from scenefit.nets.augmentation import NO_CHANGE
from scenefit.nets.placement import networks_on
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.nets.scene_distribution import SceneDistribution
from scenes import digits, smear

DEVICE = "cuda"
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
SPOTS = sf.Grammar("image", {"image": {"red": sf.learned(sf.Uniform(0.1, 0.4))},
                             "spot": {"x": sf.Uniform(8, 88), "y": sf.Uniform(8, 88), "opacity": 1.0,
                                      "radius": sf.learned(sf.Uniform(4, 9)),
                                      "green": sf.learned(sf.Choice([0.3, 0.9]))}},
                   [sf.Rule("image", [sf.repeat("spot", sf.learned(sf.Integer(0, 4)))])])
SIZE = 96, 96


@pytest.mark.parametrize("scene", [smear, digits], ids=["shapes", "sprites"])
def test_renders_and_masks_agree(scene):
    scenes = scene.grammar.sample(0, 8)
    here, there = (sf.render(replace(scene.renderer, device=device), scenes) for device in ("cpu", "cuda"))
    off = np.abs(here.images.astype(int) - there.images.astype(int))
    assert off.max() <= 3 and off.mean() < 0.1
    assert (here.instances != there.instances).mean() < 1e-3
    ours, theirs = label_boxes(here), label_boxes(there)
    assert abs(len(ours) - len(theirs)) <= 1


def test_layers_agree():
    renderer, scenes = sf.Layers([sf.Shapes(SIZE, {"spot": {}})]), SPOTS.sample(0, 8)
    here, there = sf.render(renderer, scenes), sf.render(renderer.info.to(DEVICE), scenes)
    assert np.abs(here.images.astype(int) - there.images.astype(int)).max() <= 3
    assert (here.instances != there.instances).mean() < 1e-3


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


@pytest.mark.parametrize("whole", [False, True])
def test_a_segmentation_network_learns(whole):
    """It finds the pixels of coloured boxes in images that it has not seen, and finds the same on the CPU."""
    task = sf.Segment(COLOURS, steps=120, batch=8, augmented_copies=1, learning_rate=1e-2, augment=NO_CHANGE,
                      train_backbone=whole, device=DEVICE)
    network, test = task.train(*coloured_masks(128, 0), 0), coloured_masks(32, 1)
    assert {value.device.type for value in network.parameters()} == {DEVICE}
    learned = task.evaluate(network, *test)["mIoU"]
    assert learned > 0.8
    assert replace(task, device="cpu").evaluate(network.cpu(), *test)["mIoU"] == pytest.approx(learned, abs=0.01)


@pytest.mark.filterwarnings("error:.*does not have a deterministic implementation")
def test_a_detector_is_trained_the_same_twice():
    task = sf.Detect(COLOURS, steps=10, batch=8, augmented_copies=1, backbone=SmallMaps, device=DEVICE)
    first, second = (task.train(*coloured_boxes(16, 0), 0).state_dict() for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_classifier_learns():
    task = sf.Classify(("lying", "standing"), epochs=6, device=DEVICE)
    grammar = dot(sf.Uniform(4, 12), sprite=sf.Choice([0, 1]))
    learn, test = bars()(grammar.sample(0, 512)), bars()(grammar.sample(1, 128))
    network = task.train(learn.images, learn.label, 0)
    assert task.evaluate(network, test.images, test.label)["accuracy"] > 0.95
    there = replace(task, device="cpu").logits(network.cpu(), test.images)
    assert torch.allclose(there, task.logits(network.to(DEVICE), test.images), atol=1e-3)


def test_scenes_of_a_distribution_agree():
    distribution = SceneDistribution(SPOTS)
    with torch.no_grad():
        for layer in distribution.network.leave.values():
            torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))
    here, there = (one.sample(0, 128).tables["spot"]["radius"] for one in
                   (distribution, networks_on(distribution, DEVICE)))
    assert np.abs(here - there).max() < 1e-3 and np.ptp(here) > 3


@pytest.mark.parametrize("gradient", ["pathwise", "spsa", "score-function"])
def test_a_fit_finds_the_same_as_on_the_cpu(gradient):
    true, grammar = dot(sf.Uniform(10, 12)), dot(sf.learned(sf.Uniform(3, 13)))
    settings = quick(regressor__renders=512, regressor__epochs=3, descent__gradient=gradient)
    here, there = (sf.fit(grammar, dots(), photos(true, dots(), 60), settings=replace(settings, device=device),
                          progress=False).sample(500).tables["dot"]["x"] for device in ("cpu", DEVICE))
    assert abs(here.mean() - there.mean()) < 0.3 and abs(there.mean() - 11) < 0.7


def npe(device):
    settings = sf.Settings("npe", validation_renders=64, device=device)
    return replace(settings, method=replace(settings.chosen, rounds=2, renders=128, steps=50, samples=2))


@pytest.mark.filterwarnings("error:.*does not have a deterministic implementation")
def test_a_fit_with_the_posterior_network(monkeypatch):
    """It learns what the CPU learns, and ends in the same bytes where it is resumed."""
    monkeypatch.setattr(method, "COMPARED", 64)
    true = SPOTS.sample(7, 40).with_columns({"image": {"red": np.full(40, 0.35)}})
    renderer = sf.Shapes(SIZE, {"spot": {}})
    given = SPOTS, renderer, sf.render(renderer, true).images
    steps = list(sf.fit_steps(*given, settings=npe(DEVICE)))
    resumed = list(sf.fit_steps(*given, settings=npe(DEVICE), state=steps[0].state))
    *_, here = sf.fit_steps(*given, settings=npe("cpu"))
    assert {value.device.type for value in steps[-1].state.values()} == {"cpu"}
    for name, value in steps[-1].state.items():
        if "seconds" not in name:
            np.testing.assert_array_equal(value.numpy(), resumed[-1].state[name].numpy(), err_msg=name)
    ours, theirs = (step.model.sample(400).tables["image"]["red"] for step in (here, steps[-1]))
    assert abs(theirs.mean() - 0.35) < 0.05 and abs(ours.mean() - theirs.mean()) < 0.04
