"""The scene distribution fitted to samples: its marginal distributions and weights."""

import numpy as np
import pytest
import torch
from scipy import stats
from toys import same_scenes

import scenefit as sf
from scenefit.nets.maximum_likelihood import fit_distribution, unwrap_at_emptiest, weighted_quantiles
from scenefit.nets.model import Model, load_model
from scenefit.nets.scene_distribution import SceneDistribution

N = 2000
SINGLE = sf.Grammar("image", {"image": {
    "x": sf.learned(sf.Uniform(0, 1)), "k": sf.learned(20, bounds=(0, 100)), "turn": sf.learned(sf.Angle()),
    "level": sf.learned(sf.Integer(0, 9)), "film": sf.learned(sf.Choice(["a", "b", "c"])),
    "near": sf.learned(lambda image: sf.Normal(image["x"], 0.1, -1, 2))}})


def of_image(**columns):
    count = len(next(iter(columns.values())))
    return SINGLE.sample(0, count).with_columns({"image": columns})


def two_peaks(random, n=N):
    return np.where(random.random(n) < 0.4, 0.35, 0.65) + 0.03 * random.standard_normal(n)


# ---------------------------------------------------------------------------------------------- marginals

def test_marginal_distributions_are_those_of_the_samples():
    random = np.random.default_rng(0)
    x = two_peaks(random)
    data = {"x": x, "k": random.normal(70, 5, N), "level": random.choice([1, 2, 7], N, p=[0.5, 0.1, 0.4]),
            "turn": (np.where(random.random(N) < 0.3, 0, 175) + random.normal(0, 10, N) + 180) % 360 - 180,
            "film": random.choice(["a", "b"], N, p=[0.8, 0.2]), "near": x + random.normal(0.2, 0.05, N)}
    keys = {a.key for a in SINGLE.learned}
    fitted = fit_distribution(SceneDistribution(SINGLE), of_image(**data), keys, 0, steps=0)
    found = fitted.sample(1, 4096).tables["image"]
    for name, width in (("x", 1), ("k", 100), ("level", 9), ("near", 3)):
        assert stats.wasserstein_distance(found[name], data[name]) / width < 0.005, name
    assert stats.wasserstein_distance(found["turn"] % 360, data["turn"] % 360) / 360 < 0.005
    assert {name: np.mean(found["film"] == name) for name in "abc"} == pytest.approx(
        {name: np.mean(data["film"] == name) for name in "abc"}, abs=0.02)
    apart = found["near"] - found["x"]
    assert abs(apart.mean() - 0.2) < 0.005 and abs(apart.std() - 0.05) < 0.005, "a child still follows its prior"


def test_weights_count_scenes_and_others_are_left_out():
    low = np.arange(N) < N / 2
    scenes = of_image(x=np.where(low, 0.2, 0.8) + 0.02 * np.sin(np.arange(N)), film=np.where(low, "a", "b"))
    fitted = fit_distribution(SceneDistribution(SINGLE), scenes, {("image", "x"), ("image", "film")}, 0,
                              log_weight=np.where(low, np.log(3.0), 0.0))
    found = fitted.sample(1, 4096).tables["image"]
    assert np.mean(found["x"] < 0.5) == pytest.approx(0.75, abs=0.02)
    assert np.mean(found["film"] == "a") == pytest.approx(0.75, abs=0.02)
    only = fit_distribution(SceneDistribution(SINGLE), scenes, {("image", "x")}, 0,
                            log_weight=np.where(low, 0.0, -np.inf)).sample(1, 640).tables["image"]["x"]
    assert only.max() < 0.25


def test_attributes_of_other_keys_stay_as_they_were():
    distribution = SceneDistribution(SINGLE)
    distribution.set_odds(SINGLE.attributes["image"]["film"], np.array([0.2, 0.3, 0.5]))
    fitted = fit_distribution(distribution, of_image(x=np.full(50, 0.3)), {("image", "x")}, 0)
    before, after = (d.sample(2, 100).tables["image"] for d in (distribution, fitted))
    for name in ("k", "turn", "level", "film"):
        assert np.array_equal(before[name], after[name])
    assert np.allclose(after["x"], 0.3, atol=0.01) and not np.allclose(before["x"], 0.3, atol=0.1)


def test_weighted_quantiles_are_those_of_repeated_values():
    values = np.random.default_rng(0).standard_normal(400)
    times = np.random.default_rng(1).integers(0, 4, 400)
    ranks = np.linspace(0.05, 0.95, 20)
    repeated = np.quantile(np.repeat(values, times), ranks, method="hazen")
    assert np.allclose(weighted_quantiles(values, times.astype(float), ranks), repeated, atol=0.05)


def test_angles_are_cut_where_they_are_rarest():
    turns = np.random.default_rng(0).normal(0.98, 0.03, 500) % 1
    straight = unwrap_at_emptiest(turns, np.ones(500))
    assert np.std(straight) == pytest.approx(0.03, rel=0.1) and np.allclose(straight % 1, turns)


@pytest.mark.parametrize(("change", "message"), [
    ({"keys": {("image", "size")}}, "name attributes that are wrapped in learned"),
    ({"log_weight": np.zeros(3)}, "one number for each of the 20 scenes"),
    ({"photo": np.zeros(3)}, "one number for each of the 20 scenes"),
    ({"log_weight": np.full(20, -np.inf)}, "one of them finite")])
def test_bad_arguments_are_named(change, message):
    given = {"keys": {("image", "x")}, "seed": 0} | change
    with pytest.raises(ValueError, match=message):
        fit_distribution(SceneDistribution(SINGLE), SINGLE.sample(0, 20), **given)


# ---------------------------------------------------------------------------------------------- saved, in any batch

def test_a_fitted_distribution_is_saved_and_loaded():
    random = np.random.default_rng(0)
    fitted = fit_distribution(SceneDistribution(SINGLE), of_image(x=two_peaks(random, 200)), {("image", "x")}, 0)
    model = Model(fitted, 3)
    again = load_model(SINGLE, model.state(), 3)
    assert same_scenes(again.sample(70), model.sample(70)) and same_scenes(model.copy().sample(9), model.sample(9))
    with pytest.raises(ValueError, match="damaged"):
        load_model(SINGLE, {**model.state(), "conditional.image/x.table": torch.full((134,), float("nan"))}, 3)
