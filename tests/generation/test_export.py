import json

import numpy as np
import pytest
import torch

import scenefit as sf
from scenefit.generation.export import correlations, export, summary
from scenefit.nets.model import Model
from scenefit.nets.quantile_offsets import N_KNOTS
from scenefit.nets.scene_distribution import SceneDistribution


@pytest.fixture(scope="module")
def found():
    """A learned distribution with known answers."""
    grammar = sf.Grammar("road", {
        "road": {"width": sf.learned(sf.Uniform(6, 12)), "name": "high street"},
        "car": {"x": sf.learned(sf.Uniform(0, 10)), "back": lambda car: sf.Constant(-car["x"]),
                "room": lambda car: sf.Constant(2 * car.parent["width"]),
                "yaw": sf.learned(sf.Angle(170, 10)), "doors": sf.Integer(2, 5), "seats": sf.Integer(0, 99),
                "colour": sf.learned(sf.Choice(["red", "blue"]))},
        "tree": {}, "moon": {"phase": 1.0}},
        [sf.Rule("road", [sf.repeat("car", sf.learned(sf.Integer(1, 3)))], learned=True),
         sf.Rule("road", [sf.repeat("car", sf.learned(sf.Integer(1, 3))), "tree"], weight=3, learned=True)])
    distribution = SceneDistribution(grammar)
    with torch.no_grad():
        distribution.curves["car/x"].copy_(torch.tensor([0.0, 0.0] + [0.0] * N_KNOTS))
        distribution.curves["car/yaw"].copy_(torch.tensor([30 / 360, 0.0] + [0.0] * N_KNOTS))
        distribution.logits["car/colour"].copy_(torch.log(torch.tensor([0.9, 0.1])))
        next(iter(distribution.rules.values())).copy_(torch.log(torch.tensor([0.8, 0.2])))
    return export(Model(distribution, seed=7), 2000)


def test_it_is_plain_json_with_the_documented_keys(found):
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found) == {"scenefit", "seed", "scenes", "attributes", "counts", "rules", "correlations"}
    assert found["seed"] == 7 and found["scenes"] == 2000
    x = found["attributes"]["car.x"]
    assert set(x) == {"form", "changed", "bounds", "prior", "learned"}
    assert set(x["learned"]) == {"mean", "sd", "quantiles", "range"}
    assert set(x["learned"]["quantiles"]) == {"1", "5", "25", "50", "75", "95", "99"}


def test_numbers_have_ranges_and_quantiles(found):
    x = found["attributes"]["car.x"]
    assert (x["form"], x["changed"], x["bounds"]) == ("number", True, [0, 10])
    assert x["prior"]["mean"] == pytest.approx(5, abs=0.2) and x["prior"]["sd"] == pytest.approx(2.89, abs=0.1)
    assert x["prior"]["range"] == pytest.approx([0.5, 9.5], abs=0.2)
    assert x["prior"]["quantiles"]["50"] == pytest.approx(5, abs=0.3)
    room = found["attributes"]["car.room"]
    assert (room["changed"], room["bounds"]) == (False, None)


def test_angles_are_not_wrapped(found):
    yaw = found["attributes"]["car.yaw"]
    assert yaw["form"] == "angle"
    assert yaw["prior"]["mean"] == pytest.approx(170, abs=1) and yaw["prior"]["sd"] == pytest.approx(10, abs=0.6)
    assert yaw["prior"]["quantiles"]["99"] == pytest.approx(193.3, abs=2)
    assert yaw["learned"]["mean"] % 360 == pytest.approx(200, abs=1)
    assert yaw["learned"]["sd"] == pytest.approx(np.hypot(10, 3.6), abs=0.8)


def test_choices_whole_numbers_and_words_have_probabilities(found):
    attributes = found["attributes"]
    assert attributes["car.colour"]["learned"]["probabilities"]["red"] == pytest.approx(0.9, abs=0.03)
    assert attributes["car.colour"]["prior"]["probabilities"]["red"] == pytest.approx(0.5, abs=0.03)
    assert attributes["car.colour"]["bounds"] is None
    doors = attributes["car.doors"]["prior"]
    assert set(doors["probabilities"]) == {"2", "3", "4", "5"} and doors["range"] == [2, 5]
    assert "probabilities" not in attributes["car.seats"]["prior"], "too many values to list"
    assert attributes["road.name"]["prior"] == {"probabilities": {"high street": 1}}
    assert "moon.phase" not in attributes, "no scene has one"


def test_counts_and_rules(found):
    cars = found["counts"]["road.car"]["prior"]
    assert cars == {name: pytest.approx(1 / 3, abs=0.05) for name in "123"}
    trees = found["counts"]["road.tree"]
    assert trees["prior"]["1"] == pytest.approx(0.75, abs=0.04)
    assert trees["learned"]["1"] == pytest.approx(0.2, abs=0.04)
    shares = list(found["rules"]["road"].values())
    assert [share["prior"] for share in shares] == pytest.approx([0.25, 0.75], abs=0.04)
    assert [share["learned"] for share in shares] == pytest.approx([0.8, 0.2], abs=0.04)
    assert list(found["rules"]) == ["road"]


def test_correlations_within_a_node_and_with_its_parent(found):
    pairs = {(c["a"], c["b"], c["relation"]): c["spearman"] for c in found["correlations"]}
    assert pairs["car.x", "car.back", "same node"] == pytest.approx(-1)
    assert pairs["car.room", "road.width", "parent"] == pytest.approx(1)
    assert ("car.x", "car.yaw", "same node") not in pairs, "they do not depend on each other"


def test_few_nodes_have_no_correlation(coins):
    assert all(value == 0 for *_, value in correlations(coins, coins.sample(0, 2)))


def test_forms_of_fixed_values(street):
    forms = {a.name: a.form for a in street.attributes["car"].values()}
    assert forms == {"side": "number", "length": "number", "gap": "number", "room": "number", "yaw": "angle",
                     "doors": "integer", "colour": "choice"}
    assert summary(np.array([1.23456789, 1.23456789]), "number")["mean"] == 1.23457
