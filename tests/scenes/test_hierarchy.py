"""Attributes that vary around a mean of their image: where mean and spread stand, and what objects get."""

import pickle
import re

import numpy as np
import pytest
from checks import same_scenes
from scipy import stats

import scenefit as sf
from scenefit.generation.export import export
from scenefit.nets.model import Model
from scenefit.nets.scene_distribution import SceneDistribution


def cells(root=(), n=30, **cell) -> sf.Grammar:
    """n cells below a group, and one that is the image's own child."""
    return sf.Grammar("image", {"image": dict(root), "group": {}, "cell": cell},
                      [sf.Rule("image", ["cell", "group"]), sf.Rule("group", [sf.repeat("cell", n)])])


R = sf.varying(sf.Uniform(40, 60), spread=sf.Uniform(0.5, 3))


def test_mean_and_spread_are_learned_attributes_of_the_root() -> None:
    grammar = cells({"light": sf.learned(sf.Uniform(0, 1))}, r=sf.learned(R))
    assert grammar.learned_names == ["image.light", "image.cell_r_mean", "image.cell_r_spread"]
    assert cells(r=R).learned_names == []
    some = cells(r=sf.varying(sf.learned(sf.Normal(5, 1), bounds=(2, 8)), spread=0.5))
    assert some.learned_names == ["image.cell_r_mean"]
    assert some.attributes["image"]["cell_r_mean"].bounds == (2, 8)
    assert cells(r=sf.learned(sf.varying(5, spread=sf.Uniform(0, 1)))).learned_names == ["image.cell_r_spread"]
    described = grammar.describe()["symbols"]
    assert described["cell"]["r"].startswith("Around(mean='cell_r_mean', spread='cell_r_spread', ")
    other = sf.learned(sf.varying(sf.Uniform(40, 60), spread=sf.Uniform(0.5, 4)))
    assert grammar.describe() != cells({"light": sf.learned(sf.Uniform(0, 1))}, r=other).describe()
    assert {("image", "cell_r_mean"), ("image", "cell_r_spread")} <= grammar.prior_inputs
    spaced = sf.Grammar("image", {"image": {}, "red cell": {"r": R}}, [sf.Rule("image", ["red cell", "red cell"])])
    assert list(spaced.attributes["image"]) == ["red_cell_r_mean", "red_cell_r_spread"]


def test_objects_are_normal_around_their_images_mean_at_any_depth() -> None:
    scenes = cells(r=sf.learned(R)).sample(0, 300)
    image, cell = scenes.tables["image"], scenes.tables["cell"]
    score = (cell["r"] - image["cell_r_mean"][cell.scene]) / image["cell_r_spread"][cell.scene]
    assert stats.kstest(score, stats.norm.cdf).pvalue > 1e-3
    assert stats.kstest(image["cell_r_mean"], stats.uniform(40, 20).cdf).pvalue > 1e-3


def test_objects_follow_a_learned_mean_and_spread() -> None:
    grammar = cells(r=sf.learned(R))
    scenes = grammar.sample(0, 40)
    before = scenes.tables["cell"]["r"]
    moved = grammar.decode(scenes, {("image", "cell_r_mean"): np.full(40, 0.05)})[0].tables
    assert np.mean(moved["cell"]["r"] - before) == pytest.approx(
        np.mean(moved["image"]["cell_r_mean"] - scenes.tables["image"]["cell_r_mean"]), rel=0.05)
    none = -(scenes.tables["image"]["cell_r_spread"] - 0.5) / 2.5
    least = grammar.decode(scenes, {("image", "cell_r_spread"): none})[0].tables
    assert np.std(least["cell"]["r"] - least["image"]["cell_r_mean"][least["cell"].scene]) < 0.53
    assert same_scenes(grammar.decode(scenes, {})[0], scenes) and same_scenes(grammar.sample(0, [7]), scenes.take([7]))


@pytest.mark.parametrize("mean, spread, given, low, high", [
    (sf.Uniform(4, 12), sf.Uniform(0, 3), {}, 1, 21), (sf.Uniform(0.2, 0.9), 0.3, {}, 0.05, 1),
    (sf.Uniform(-2, 5), 2, {}, -8, 11), (sf.Uniform(4, 12), 3, {"low": 3, "high": 13}, 3, 13),
    (sf.LogUniform(1, 10), sf.Uniform(0.1, 0.5), {}, np.exp(-1.5), 10 * np.exp(1.5))])
def test_objects_stay_near_the_range_of_the_means(mean, spread, given, low, high) -> None:
    grammar = cells(r=sf.varying(mean, spread, **given), n=400)
    text = grammar.describe()["symbols"]["cell"]["r"]
    ends = [float(end) for end in re.findall(r"(?:low|high)=([-+.e\d]+)", text)]
    assert ends == pytest.approx([low, high])
    values = grammar.sample(0, 40).tables["cell"]["r"]
    assert low <= values.min() < low + 0.2 * (high - low) and high - 0.4 * (high - low) < values.max() <= high


def test_log_uniform_means_and_angles() -> None:
    grammar = cells(size=sf.learned(sf.varying(sf.LogUniform(1, 100), spread=0.2)),
                    heading=sf.learned(sf.varying(sf.Angle(), spread=sf.Uniform(0, 20))))
    tables = grammar.sample(0, 200).tables
    image, cell = tables["image"], tables["cell"]
    score = np.log(cell["size"] / image["cell_size_mean"][cell.scene]) / 0.2
    assert stats.kstest(score, stats.norm.cdf).pvalue > 1e-3
    away = (cell["heading"] - image["cell_heading_mean"][cell.scene] + 180) % 360 - 180
    assert stats.kstest(away / image["cell_heading_spread"][cell.scene], stats.norm.cdf).pvalue > 1e-3
    assert grammar.attributes["image"]["cell_heading_mean"].circular


def test_a_spread_of_zero_is_one_value_in_an_image() -> None:
    grammar = cells(r=sf.learned(sf.varying(sf.Uniform(4, 12), spread=sf.Uniform(0, 3))))
    scenes = grammar.sample(0, 5)
    none = -scenes.tables["image"]["cell_r_spread"] / 3
    tables = grammar.decode(scenes, {("image", "cell_r_spread"): none})[0].tables
    np.testing.assert_allclose(tables["cell"]["r"], tables["image"]["cell_r_mean"][tables["cell"].scene],
                               rtol=1e-6)


def test_other_parts_of_the_package_take_it() -> None:
    grammar = cells(r=sf.learned(R))
    wide = sf.uniform_randomisation(grammar)
    assert wide.learned_names == grammar.learned_names
    assert pickle.loads(pickle.dumps(grammar)).describe() == grammar.describe()
    found = export(Model(SceneDistribution(grammar, seed=0), seed=7), 50)["attributes"]
    assert found["image.cell_r_mean"]["bounds"] == [40, 60] and found["cell.r"]["bounds"] is None


@pytest.mark.parametrize("make, text", [
    (lambda: sf.varying(sf.Integer(1, 4), 1), "mean needs a prior of numbers or an angle, got Integer(low=1, high=4)"),
    (lambda: sf.varying(sf.Choice([1, 2]), 1), "whole numbers and choices do not vary around a mean"),
    (lambda: sf.varying("red", 1), "mean needs a prior of numbers or an angle, got Constant(value='red')"),
    (lambda: sf.varying(lambda node: sf.Uniform(0, 1), 1), "mean needs a prior of its own, not a function of the node"),
    (lambda: sf.varying(sf.Uniform(0, 1), sf.Uniform(-1, 1)), "spread needs a prior of numbers >= 0 (a stan"),
    (lambda: sf.varying(sf.Uniform(0, 1), 0), "spread needs a prior of numbers >= 0"),
    (lambda: sf.varying(sf.Uniform(0, 1), 0.1, low=0.5), "the mean reaches 0..1, beyond the objects' bound 0.5; n"),
    (lambda: sf.varying(sf.Angle(), 5, high=90), "an angle has no low and high"),
    (lambda: sf.learned(R, bounds=(0, 1)), "learned(varying(...)) takes no bounds; give them to its parts"),
    (lambda: sf.learned(sf.varying(sf.Normal(5, 1), 1)), "has no finite bounds with low < high"),
    (lambda: sf.Grammar("image", {"image": {"r": R}}), "image.r: varying is of several objects in an image, but an "
                                                       "image has one image; write learned(prior)"),
    (lambda: cells({"cell_r_mean": 3}, r=R), "cell.r: image has an attribute cell_r_mean already"),
])
def test_error_texts(make, text) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        make()
