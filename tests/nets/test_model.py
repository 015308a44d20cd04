"""What a fit ends in."""

import numpy as np
import pytest
import torch
from scipy import special
from toys import one, randomise, same_scenes

from scenefit.nets.model import Model, at_bounds, load_model
from scenefit.nets.quantile_offsets import KNOTS
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Angle, Choice, Integer, Normal, Uniform, learned


def model(grammar: Grammar, scale: float = 0.05, seed: int = 0) -> Model:
    distribution = SceneDistribution(grammar)
    randomise(distribution, scale)
    return Model(distribution, seed)


def test_scenes_are_the_same_in_any_batch_and_differ_by_seed(street):
    m = model(street, seed=4)
    whole = m.sample(150)
    assert same_scenes(m.sample([3, 149]), whole.take([3, 149]))
    assert same_scenes(m.sample(10, seed=whole.seed), whole.take(range(10)))
    assert whole.seed != 4  # scenes of the model are not those of the fit
    assert not same_scenes(Model(m.distribution, 5).sample(10), m.sample(10))


def test_a_saved_model_is_the_same_model(street):
    m = model(street, seed=3)
    again = load_model(street, m.state(), 3)
    assert same_scenes(again.sample(100), m.sample(100)) and again.seed == 3 and again.grammar is street


def test_a_copy_stays_when_learning_goes_on(street):
    m = model(street)
    kept, before = m.copy(), m.sample(20)
    randomise(m.distribution, 0.3, seed=9)
    assert same_scenes(kept.sample(20), before) and not same_scenes(m.sample(20), before)
    assert kept.grammar is street


@pytest.mark.parametrize("change, text", [
    (lambda s: s.pop("curves.road/width"), r"does not fit the grammar: curves.road/width should be \[19\], got noth"),
    (lambda s: s.update({"curves.road/width": torch.zeros(3)}), r"curves.road/width should be \[19\], got \[3\]"),
    (lambda s: s.update(more=torch.zeros(1)), r"does not fit the grammar: it has \['more'\]"),
    (lambda s: s["curves.road/width"].fill_(float("nan")), "is damaged: curves.road/width holds NaN or infinite"),
    (lambda s: s["log_sigma.car/yaw"].fill_(float("inf")), "is damaged: log_sigma.car/yaw holds NaN or infinite")])
def test_a_model_that_does_not_fit_is_refused(street, change, text):
    state = model(street).state()
    change(state)
    with pytest.raises(ValueError, match=text):
        load_model(street, state, 0)


def test_attributes_at_their_bounds_are_named():
    grammar = one(x=learned(Uniform(0, 1)), y=learned(Uniform(0, 1)), z=learned(Uniform(0, 1)),
                  yaw=learned(Angle(0, 5)), c=learned(Choice([1, 2])))
    distribution = SceneDistribution(grammar)
    attributes = grammar.attributes["dot"]
    assert at_bounds(Model(distribution), distribution.sample(0, 500)) == {}
    for name, start, end in (("x", 0.9, 1.0), ("y", 0.0, 0.04), ("z", 0.3, 0.7)):
        a = attributes[name]
        prior = special.ndtr(KNOTS)
        distribution.set_offsets(a, start + (end - start) * prior - prior)
        distribution.set_sigma(a, 0)
    distribution.set_offsets(attributes["yaw"], np.full(17, 0.49))  # an angle has no end
    assert at_bounds(Model(distribution), distribution.sample(0, 500)) == {("dot", "x"): "high", ("dot", "y"): "low"}


def test_counts_and_conditional_numbers_can_be_at_their_bounds():
    grammar = Grammar("s", {"s": {"w": Uniform(2, 9)}, "dot": {"x": learned(lambda d: Uniform(0, d.parent["w"]))}},
                      [Rule("s", [repeat("dot", learned(Integer(1, 5)))])])
    distribution = SceneDistribution(grammar)
    distribution.set_offsets(grammar.attributes["s"]["n_dot"], np.full(17, 0.45))
    assert at_bounds(Model(distribution), distribution.sample(0, 400)) == {("s", "n_dot"): "high"}
    x = grammar.attributes["dot"]["x"]
    distribution.set_offsets(x, -0.97 * special.ndtr(KNOTS))
    assert at_bounds(Model(distribution), distribution.sample(0, 400)) == {("s", "n_dot"): "high", ("dot", "x"): "low"}


def test_a_kind_without_nodes_is_not_at_its_bounds():
    grammar = Grammar("s", {"s": {"y": learned(Normal(0, 1, -9, 9))}, "rare": {"x": learned(Uniform(0, 1))}},
                      [Rule("s", []), Rule("s", ["rare"], 1e-9)])
    assert at_bounds(Model(SceneDistribution(grammar)), grammar.sample(0, 50)) == {}
