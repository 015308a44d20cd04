"""Fits on a pretended GPU: everything that has to move does, and nothing else."""

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from pretended_gpu import pretended_gpu
from quick import quick
from toys import COLOURS, Plain, bars, coloured_boxes, dot, dots, photos

import scenefit as sf
from scenefit.inference.arguments import prepared
from scenefit.inference.npe import method, update
from scenefit.metrics import features
from scenefit.nets import object_predictions
from scenefit.nets.attribute_regressor import AttributeRegressor
from scenefit.nets.augmentation import NO_CHANGE
from scenefit.nets.graph_network import GraphNetwork
from scenefit.nets.maximum_likelihood import fit_distribution
from scenefit.nets.object_network import ObjectNetwork
from scenefit.nets.placement import networks_on
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.nets.structure_posterior import StructurePosterior

SPOTS = sf.Grammar("image", {"image": {"red": sf.learned(sf.Uniform(0.1, 0.4))},
                             "spot": {"x": sf.Uniform(4, 28), "y": sf.Uniform(4, 28),
                                      "radius": sf.learned(sf.Uniform(3, 6)), "angle": sf.learned(sf.Uniform(0, 180)),
                                      "green": sf.learned(sf.Choice([0.3, 0.9]))}},
                   [sf.Rule("image", [sf.repeat("spot", sf.learned(sf.Integer(0, 3)))])])
DOT = dot(sf.learned(sf.Uniform(3, 13)), brightness=sf.learned(sf.Choice([0.5, 1.0])))
BARS = dot(sf.learned(sf.Uniform(3, 13)), sprite=sf.learned(sf.Choice([0, 1])))


def spots(**more):
    return sf.Shapes((32, 32), {"spot": {"elongation": 1.5}}, **more)


def parameters(step):
    return {name: value.numpy() for name, value in step.state.items() if "seconds" not in name}


def same_state(one, other, **tolerance):
    ours, theirs = parameters(one), parameters(other)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name], err_msg=name, **tolerance)


def small_batches(monkeypatch):
    """Batches of 16 images of 16 x 16 pixels, or 8 of 32 x 32 for the network of objects."""
    monkeypatch.setattr(features, "PIXELS", 2**12)
    monkeypatch.setattr(object_predictions, "PIXELS", 2**13)


def devices(monkeypatch):
    """Where networks are as they are used: name of the network -> devices."""
    seen = {}
    for kind, name in ((GraphNetwork, "forward"), (ObjectNetwork, "maps"), (AttributeRegressor, "_features"),
                       (StructurePosterior, "forward")):
        monkeypatch.setattr(kind, name, spied(getattr(kind, name), seen.setdefault(kind.__name__, set())))
    return seen


def spied(function, seen):
    def call(network, *given):
        seen.add(next(network.parameters()).device.type)
        return function(network, *given)

    return call


@pytest.mark.parametrize("settings", [
    quick(method__rounds=1, descent__gradient="pathwise"),
    quick("meta-sim", method__pretraining=3, descent__gradient="spsa"),
    quick("none", structure__renders=64, structure__rounds=1, structure__epochs=1, structure__steps=3,
          descent__gradient="score-function")], ids=["npe", "meta-sim", "structure"])
def test_a_fit_is_the_same_on_the_gpu(settings, monkeypatch):
    given = DOT, dots(), photos(DOT, dots(), 40)
    here = list(sf.fit_steps(*given, settings=settings))
    small_batches(monkeypatch)
    used = devices(monkeypatch)
    with pretended_gpu(monkeypatch) as gpu:
        there = list(sf.fit_steps(*given, settings=replace(settings, device="cuda")))
        assert gpu.operations > 100
        assert not any(gpu.on_gpu(value) for step in there for value in step.state.values()), "checkpoints"
        assert {value.device.type for value in there[-1].model.distribution.state_dict().values()} == {"cpu"}
    assert used["GraphNetwork"] == used["AttributeRegressor"] == {"cuda"}
    assert used["StructurePosterior"] == ({"cuda"} if settings.structure.renders else set())
    assert max(gpu.moves) <= 64 * 3 * 16 * 16 * 4, "images are moved in batches of training at most"
    same_state(here[-1], there[-1], rtol=1e-3, atol=1e-4)


def test_a_fit_with_the_posterior_network(monkeypatch):
    settings = sf.Settings("npe", validation_renders=16)
    settings = replace(settings, method=replace(settings.chosen, rounds=2, renders=64, steps=2, samples=1),
                       regressor=replace(settings.regressor, epochs=1), device="cuda")
    given = SPOTS, spots(), photos(SPOTS, spots(), 12)
    small_batches(monkeypatch)
    monkeypatch.setattr(method, "COMPARED", 16)
    monkeypatch.setattr(update, "fit_distribution", partial(fit_distribution, steps=2))
    used = devices(monkeypatch)
    with pretended_gpu(monkeypatch) as gpu:
        steps = list(sf.fit_steps(*given, settings=settings))
        assert not any(gpu.on_gpu(value) for step in steps for value in step.state.values()), "checkpoints"
        resumed = list(sf.fit_steps(*given, settings=settings, state=steps[0].state))
    assert used["GraphNetwork"] == used["ObjectNetwork"] == used["AttributeRegressor"] == {"cuda"}
    assert "posterior:values.weight" in steps[0].state
    assert max(gpu.moves) <= 64 * 3 * 32 * 32 * 4
    same_state(steps[-1], resumed[-1], rtol=0, atol=0)


def test_a_classifier_as_reward(monkeypatch):
    few = bars()(BARS.sample(5, 12))
    labelled = sf.Photos(few.images, label=few.label)
    settings = quick("none", descent__gradient="score-function", task__steps=1, device="cuda")
    with pretended_gpu(monkeypatch) as gpu:
        *_, last = sf.fit_steps(BARS, bars(), photos(BARS, bars(), 40), labelled, settings=settings)
        assert gpu.operations > 100 and np.isfinite(last.distance)


def test_densities_given_their_context(monkeypatch):
    """y follows x, which a density on the pretended GPU learns as on the CPU."""
    grammar = sf.Grammar("image", {"image": {"x": sf.learned(sf.Uniform(0, 1)), "y": sf.learned(sf.Uniform(0, 1))}}, [])
    keys = {a.key for a in grammar.learned}
    x = np.random.default_rng(0).random(400)
    scenes = grammar.sample(0, 400).with_columns({"image": {"x": x, "y": 0.2 + 0.6 * x}})
    here = fit_distribution(SceneDistribution(grammar), scenes, keys, 0, steps=20)
    with pretended_gpu(monkeypatch):
        there = fit_distribution(networks_on(SceneDistribution(grammar), "cuda"), scenes, keys, 0, steps=20)
        assert {value.device.type for value in there.conditional["image/y"].buffers()} == {"cuda"}
        found = there.sample(1, 64).tables["image"]
        back = networks_on(there, "cpu")
    assert here.conditional["image/y"].depends
    for name, value in here.state_dict().items():
        np.testing.assert_allclose(back.state_dict()[name].numpy(), value.numpy(), rtol=1e-3, atol=1e-4, err_msg=name)
    assert np.allclose(found["y"], here.sample(1, 64).tables["image"]["y"], atol=1e-3)


def test_a_detector_of_the_gpu_is_that_of_the_cpu(monkeypatch):
    task = sf.Detect(COLOURS, steps=4, batch=4, augmented_copies=1, augment=NO_CHANGE, backbone=SmallMaps)
    train, test = coloured_boxes(8, 0), coloured_boxes(4, 1)
    here = task.influence(*train, *test, 0)
    moved = replace(task, device="cuda")
    with pretended_gpu(monkeypatch) as gpu:
        network = moved.train(*train, 0)
        assert all(gpu.on_gpu(value) for value in network.parameters())
        boxes, (influence, score) = moved.predict(network, test[0]), moved.influence(*train, *test, 0)
        network = network.cpu()
    assert len(boxes) == len(task.predict(network, test[0]))
    assert np.allclose(influence, here[0], atol=1e-2) and score == pytest.approx(here[1])


def test_a_renderer_that_cannot_choose_stays_on_the_cpu(monkeypatch):
    still = Plain(dots())
    still.info = replace(still.info, to=None)
    settings = quick("none", descent__steps=1, device="cuda")
    with pretended_gpu(monkeypatch) as gpu:
        *_, last = sf.fit_steps(DOT, still, photos(DOT, dots(), 40), settings=settings)
        assert gpu.operations and np.isfinite(last.distance)


def test_features_of_the_users_own_see_images_on_the_device(monkeypatch):
    seen = set()

    def own(images):
        seen.add(images.device.type)
        return images.mean((2, 3))

    settings = quick("none", descent__steps=1, device="cuda")
    with pretended_gpu(monkeypatch):
        list(sf.fit_steps(DOT, dots(), photos(DOT, dots(), 40), settings=settings, features=own))
    assert seen == {"cuda"}


def test_a_network_that_was_not_moved_is_refused(monkeypatch):
    """The pretended GPU itself: it refuses what PyTorch does."""
    network, x = torch.nn.Linear(2, 1), torch.ones(3, 2)
    with pretended_gpu(monkeypatch) as gpu:
        with pytest.raises(RuntimeError, match="on the same device"):
            network(x.to("cuda"))
        out = network.to("cuda")(x.to("cuda"))
        assert gpu.on_gpu(out) and out.device == torch.device("cuda:0") and out.cpu().device.type == "cpu"
        with pytest.raises(TypeError, match="to numpy"):
            out.detach().numpy()
        with pytest.raises(RuntimeError, match="on the same device"):
            out + torch.ones(3, 1)
        (slope,) = torch.autograd.grad(out.sum(), [network.weight])
        assert slope.device.type == "cuda"
        assert (out[torch.tensor([0])].sum() + torch.tensor(1.0)).item() == pytest.approx(out[0].item() + 1)


def test_a_device_that_pytorch_lacks(monkeypatch):
    given = DOT, dots(), photos(DOT, dots(), 8)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for call in (lambda: sf.fit_steps(*given, settings=quick(device="cuda:1")),
                 lambda: sf.Detect(("a",), device="cuda:1").fresh(0),
                 lambda: sf.Classify(("a", "b"), device="cuda:1").train(given[2], ["a"] * 8, 0)):
        with pytest.raises(ValueError, match=r'device\)? is "cuda:1", but .*; use "cpu", or install PyTorch'):
            call()
    with pretended_gpu(monkeypatch):
        text = 'settings.device is "cuda:1", but the last GPU of this machine is cuda:0; use one from cuda:0 to cuda:0'
        with pytest.raises(ValueError, match=re.escape(text)):
            sf.fit_steps(*given, settings=quick(device="cuda:1"))


def test_pytorchs_state_is_left_as_it_was(monkeypatch):
    from scenefit.metrics.device import reproducible

    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with reproducible("cuda"):
        assert torch.are_deterministic_algorithms_enabled() and not torch.backends.cudnn.allow_tf32
    assert not torch.are_deterministic_algorithms_enabled() and torch.backends.cudnn.allow_tf32
    with reproducible("cpu"):
        assert not torch.are_deterministic_algorithms_enabled()


def test_maps_of_a_pretrained_backbone_are_computed_on_the_gpu(monkeypatch):
    """Images above the regressor's size: the backbone's scale, the maps of renders, and those of the photos."""
    pytest.importorskip("efficientnet_lite_pytorch")
    grammar = sf.Grammar("image", {"image": {"red": sf.learned(sf.Uniform(0.1, 0.4))},
                                   "spot": {"x": sf.Uniform(9, 63), "y": sf.Uniform(9, 63), "radius": 6}},
                         [sf.Rule("image", [sf.repeat("spot", 2)])])
    renderer = sf.Shapes((72, 72), {"spot": {}})
    real = renderer(grammar.sample(3, 6)).images
    with pretended_gpu(monkeypatch):
        problem, _ = prepared(grammar, renderer, real, None, 0, sf.Settings(), None, None, None)
        problem = replace(problem, device="cuda")
        spec = method.spec_of(problem)
        network = method.fresh_network(problem, spec)
        network.measure_scale(real)
        maps = method.photo_maps(problem, spec, 100)
        assert network.last.weight.device.type == "cuda"
    assert maps is not None and [level.shape[0] for level in maps.levels] == [6] * 4
