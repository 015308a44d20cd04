"""The network that predicts attributes from images."""

import numpy as np
import pytest
import torch
from toys import bars, dot, dots, one

from scenefit.metrics.features import to_tensor
from scenefit.nets.attribute_regressor import (
    AttributeRegressor,
    is_grey,
    regression_targets,
    targets,
    train,
    training_images,
)
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation
from scenefit.scenes.priors import Angle, Choice, Integer, Normal, Uniform, learned


def seen(regressor, images):
    return training_images(regressor, [images], len(images))


def test_each_learned_attribute_has_a_target(street):
    found = {target.attribute.key: (target.form, target.single) for target in targets(street)}
    assert found == {("road", "width"): ("number", True), ("lane", "offset"): ("number", False),
                     ("lane", "n_car"): ("integer", False), ("car", "side"): ("number", False),
                     ("car", "yaw"): ("angle", False), ("car", "doors"): ("integer", False),
                     ("car", "colour"): ("choice", False)}
    width = sum(target.width for target in targets(street))
    assert regression_targets(street, targets(street), street.sample(0, 9)).shape == (9, width)


def test_a_conditional_angle_is_predicted_as_an_angle():
    (target,) = targets(one(yaw=learned(lambda node: Angle(180, 5))))
    assert target.form == "angle"


def test_targets_are_the_attributes_of_the_scenes(street):
    """Each computed anew, node by node."""
    found, scenes = targets(street), street.sample(4, 40)
    truth, at = regression_targets(street, found, scenes).numpy(), 0
    for target in found:
        a, part = target.attribute, truth[:, at:at + target.width]
        at += target.width
        for row, scene in enumerate(scenes):
            nodes = scene.of(a.kind)
            if not nodes:
                assert np.isnan(part[row]).all()
                continue
            values = [node[a.name] for node in nodes]
            if target.form == "choice":
                expected = [np.mean([v == option for v in values]) for option in a.prior.options]
            elif target.form == "angle":
                turns = [np.deg2rad(values), 2 * np.deg2rad(values)]
                expected = [f(turn).mean() for turn in turns for f in (np.sin, np.cos)][:target.width]
            else:
                low, high = {"width": (6, 12), "side": (-40, 40), "doors": (1.5, 5.5), "n_car": (-0.5, 4.5),
                             "offset": (0, 0)}[a.name]
                if a.name == "offset":
                    values = [node["offset"] / node.parent["width"] for node in nodes]
                    low, high = -1, 1
                place = 2 * (np.array(values) - low) / (high - low) - 1
                expected = [place.mean(), place.std()][:target.width]
            np.testing.assert_allclose(part[row], expected, atol=1e-6)
    assert at == truth.shape[1]


def test_targets_of_uniform_randomisation_are_in_the_grammars_own_bounds():
    grammar = one(x=learned(Normal(5, 1), bounds=(0, 10)))
    truth = regression_targets(grammar, targets(grammar), uniform_randomisation(grammar).sample(0, 1000))
    assert truth.min() < -0.98 and truth.max() > 0.98


@pytest.mark.parametrize("kind", ["number", "angle", "class"])
def test_a_regressor_learns_to_predict(kind):
    grammar, renderer = {
        "number": (dot(learned(Uniform(3, 13)), learned(Uniform(3, 13))), dots()),
        "angle": (dot(8.0, angle=learned(Angle(0, width=170))), bars()),
        "class": (dot(8.0, sprite=learned(Choice([0, 1]))), bars())}[kind]
    found, scenes = targets(grammar), grammar.sample(0, 768)
    truth = regression_targets(grammar, found, scenes)
    regressor = AttributeRegressor((16, 16), truth.shape[1], True, 0)
    train(regressor, seen(regressor, renderer(scenes).images), truth, 0, epochs=6)
    fresh = grammar.sample(1, 200)
    with torch.no_grad():
        predictions = regressor.predictions(to_tensor(renderer(fresh).images))
    error = (predictions - regression_targets(grammar, found, fresh)).square().mean()
    assert error < 0.15 * truth.var(dim=0).mean()


def test_missing_attributes_do_not_count():
    grammar = Grammar("s", {"s": {}, "dot": {"x": learned(Uniform(3, 13)), "y": 8.0}},
                      [Rule("s", [repeat("dot", Integer(0, 1))])])
    scenes = grammar.sample(0, 128)
    truth = regression_targets(grammar, targets(grammar), scenes)
    assert bool(truth.isnan().any())
    regressor = AttributeRegressor((16, 16), truth.shape[1], True, 0)
    train(regressor, seen(regressor, dots()(scenes).images), truth, 0, epochs=1)
    assert all(bool(value.isfinite().all()) for value in regressor.state_dict().values())


def test_training_is_the_same_each_time_and_leaves_torchs_numbers_alone():
    grammar = dot(learned(Uniform(3, 13)))
    scenes = grammar.sample(0, 128)
    images, truth = dots()(scenes).images, regression_targets(grammar, targets(grammar), scenes)
    before, states = torch.random.get_rng_state(), []
    for _ in range(2):
        regressor = AttributeRegressor((16, 16), truth.shape[1], True, 5)
        train(regressor, seen(regressor, images), truth, 6, epochs=2)
        states.append(regressor.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("grey", [True, False])
def test_images_in_chunks_are_seen_as_all_at_once(grey):
    images = np.random.default_rng(3).integers(0, 256, (21, 90, 70, 3)).astype(np.uint8)
    images = np.repeat(images[..., :1], 3, axis=3) if grey else images
    regressor = AttributeRegressor((90, 70), 2, grey, 0)
    found = training_images(regressor, np.split(images, [2, 3, 19]), 21)
    assert np.array_equal(found.inputs, regressor.reduced(to_tensor(images)).numpy())
    values = (images[..., :1] if grey else images) / 255
    assert found.mean == pytest.approx(values.mean(), rel=1e-6)
    assert found.deviation == pytest.approx(values.std(), rel=1e-5)
    assert torch.equal(regressor.features.rest(torch.from_numpy(found.inputs)), regressor(to_tensor(images))[0])


def test_gradients_reach_the_images_but_not_the_trained_regressor():
    grammar = dot(learned(Uniform(3, 13)))
    scenes = grammar.sample(0, 64)
    images, truth = dots()(scenes).images, regression_targets(grammar, targets(grammar), scenes)
    regressor = AttributeRegressor((16, 16), truth.shape[1], True, 5)
    train(regressor, seen(regressor, images), truth, 6, epochs=1)
    for value in regressor.parameters():
        value.grad = None
    leaf = to_tensor(images).requires_grad_(True)
    regressor.features(leaf).sum().backward()
    assert float(leaf.grad.abs().max()) > 0
    assert all(value.grad is None for value in regressor.parameters())


def test_large_images_are_scaled_down_and_odd_sizes_fit():
    for size in ((200, 100), (9, 30), (64, 64)):
        regressor = AttributeRegressor(size, 3, False, 0)
        features, predictions = regressor(torch.rand(2, 3, *size))
        assert features.shape == (2, 32) and predictions.shape == (2, 3) and max(regressor.input_size) <= 64


def test_grey_is_seen():
    grey = np.repeat(np.arange(48, dtype=np.uint8).reshape(1, 4, 12, 1), 3, axis=3)
    colour = grey.copy()
    colour[0, 0, 0, 1] += 1
    assert is_grey(grey) and is_grey(grey, grey) and not is_grey(colour) and not is_grey(grey, colour)
