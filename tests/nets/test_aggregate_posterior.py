"""Correlations of the photos' attributes are those of the scenes."""

import numpy as np
import pytest
import torch
from toys import same_scenes

import scenefit as sf
from scenefit.nets.aggregate_posterior import AggregatePosterior, empty_aggregate_posterior, image_attributes
from scenefit.nets.model import Model, load_model, with_parts_of
from scenefit.nets.scene_distribution import SceneDistribution

GRAMMAR = sf.Grammar("image", {
    "image": {"light": sf.learned(sf.Uniform(0, 10)), "stain": sf.learned(sf.Normal(5, 1, 0, 20)),
              "turn": sf.learned(sf.Angle()), "film": sf.learned(sf.Choice(["a", "b"])), "noise": sf.Uniform(0, 1)},
    "cell": {"x": sf.learned(sf.Uniform(0, 1))}},
    [sf.Rule("image", [sf.repeat("cell", sf.learned(sf.Integer(0, 9)))])])


def without():
    distribution = SceneDistribution(GRAMMAR)
    for a in distribution.numbers:
        distribution.set_sigma(a, 0.0)
    return distribution


def around(centre, error=((0.0, 0.0, 0.0),)):
    return without().with_aggregate_posterior(AggregatePosterior(torch.tensor(centre), torch.tensor(error)))


def test_its_attributes_are_the_roots_learned_numbers_but_no_angles():
    assert [a.name for a in image_attributes(GRAMMAR)] == ["light", "stain", "n_cell"]


def test_scenes_have_the_photos_values_and_their_correlations():
    table = around([[0.1, 0.2, 0.25], [0.9, 0.8, 0.85]]).sample(0, 600).tables["image"]
    first = table["light"] < 5
    assert 0.4 < first.mean() < 0.6
    for rows, light, stain, count in ((first, 1, 4, 2), (~first, 9, 16, 8)):
        assert np.allclose(table["light"][rows], light, atol=0.05)
        assert np.allclose(table["stain"][rows], stain, atol=0.1)
        assert set(table["n_cell"][rows]) == {count}


def test_residuals_spread_the_photos_and_are_reflected_at_the_bounds():
    table = around([[0.95, 0.5, 0.55]], [[0.1, 0.2, 0.0], [-0.1, -0.2, 0.0]]).sample(0, 400).tables["image"]
    place = table["stain"] / 20 - 0.5
    assert abs(place.std() - 0.2) < 0.02 and abs(place.mean()) < 0.03, "the spread of the errors"
    assert len(set(place)) > 300, "hardly one twice"
    raw = 0.95 + place / 2
    assert np.allclose(table["light"], 10 * np.where(raw > 1, 2 - raw, raw), atol=0.05)


def test_the_rest_of_the_scene_keeps_its_prior():
    plain, moved = without().sample(3, 300), around([[0.5, 0.5, 0.3]]).sample(3, 300)
    for name in ("turn", "noise", "film"):
        assert np.array_equal(plain.tables["image"][name], moved.tables["image"][name])
    assert 0.4 < moved.tables["cell"]["x"].mean() < 0.6


def test_a_scene_is_the_same_in_any_batch():
    distribution = around(np.random.default_rng(0).random((20, 3)).tolist())
    whole, part = distribution.sample(1, 200), distribution.sample(1, [7, 150])
    for name in ("light", "stain", "n_cell"):
        assert np.array_equal(whole.tables["image"][name][[7, 150]], part.tables["image"][name])


def test_a_model_with_an_aggregate_posterior_is_saved_and_loaded():
    model = Model(around([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]), 5)
    again = load_model(GRAMMAR, model.state(), 5)
    assert np.array_equal(again.sample(50).tables["image"]["stain"], model.sample(50).tables["image"]["stain"])
    assert np.array_equal(model.copy().sample(9).tables["image"]["light"], model.sample(9).tables["image"]["light"])
    broken = {**model.state(), "cloud.centre": torch.full((2, 3), float("nan"))}
    with pytest.raises(ValueError, match=r"damaged: cloud\.centre holds NaN"):
        load_model(GRAMMAR, broken, 5)
    assert empty_aggregate_posterior(GRAMMAR, 2, 1).centre.shape == (2, 3)


def test_gradients_still_reach_the_curves():
    distribution = around([[0.5, 0.5, 0.5]])
    edit = distribution.edit(0, 64)
    edit.offsets["image", "light"].sum().backward()
    assert distribution.curves["image/light"].grad[0] == 64
    assert torch.isfinite(edit.log_prob()).all()


def test_a_distribution_with_a_posterior_shares_its_parameters_and_leaves_the_first_as_it_was():
    first = without()
    before = first.sample(0, 40)
    second = first.with_aggregate_posterior(AggregatePosterior(torch.tensor([[0.9, 0.1, 0.4]]), torch.zeros(1, 3)))
    assert first.aggregate_posterior is None and second.aggregate_posterior is not None and second.structure is None
    assert same_scenes(first.sample(0, 40), before) and not same_scenes(second.sample(0, 40), before)
    assert all(one is other for one, other in zip(first.parameters(), second.parameters(), strict=True))
    assert set(second.state_dict()) - set(first.state_dict()) == {"cloud.centre", "cloud.error"}
    empty = with_parts_of(first, second.state_dict()).aggregate_posterior
    assert empty is not None and empty.centre.tolist() == [[0, 0, 0]]
