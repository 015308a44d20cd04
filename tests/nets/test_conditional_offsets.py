"""Attributes that depend on their node's context: learned from samples, drawn from the root down."""

import numpy as np
import pytest
import torch
from scipy import special
from toys import of_scene, same_scenes

import scenefit as sf
from scenefit.generation.export import export
from scenefit.inference.gradients.estimate import perturbed
from scenefit.nets.aggregate_posterior import AggregatePosterior
from scenefit.nets.conditional_offsets import BINS, ConditionalDensity
from scenefit.nets.graph_encoding import Contexts, ancestor_kinds, columns
from scenefit.nets.maximum_likelihood import fit_distribution
from scenefit.nets.model import Model, fill, load_model, with_parts_of
from scenefit.nets.quantile_offsets import KNOTS
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.scenes.grammar.derivation import node_groups
from scenefit.scenes.grammar.rules import rule_choice

PHOTOS = 90
LOT = sf.Grammar("lot", {
    "lot": {"light": sf.learned(sf.Uniform(0, 1))},
    "row": {},
    "car": {"type": sf.learned(sf.Choice(["van", "car"])), "length": sf.learned(sf.Uniform(0, 1)),
            "width": sf.learned(sf.Uniform(0, 1)), "shade": sf.learned(sf.Uniform(0, 255)),
            "heading": sf.learned(sf.Angle()), "free": sf.learned(sf.Uniform(0, 1))}},
    [sf.Rule("lot", [sf.repeat("row", 3)]), sf.Rule("row", [sf.repeat("car", sf.learned(sf.Integer(1, 6)))])])
KEYS = {a.key for a in LOT.learned if not a.count}


def parked(photos, seed, dependent=True):
    """Scenes of cars: vans mostly in row 0; shade follows the light; width follows length; two headings by type."""
    random, scenes = np.random.default_rng(seed), LOT.sample(seed, photos)
    car, row = scenes.tables["car"], Contexts(LOT, columns(LOT)).of(node_groups(scenes), node_groups(scenes)["row", 1])
    number, n = np.rint(np.expm1(row[:, 0]))[car.parent_row], len(car)
    light = random.uniform(0.2, 0.8, photos)
    van = random.random(n) < np.where(number == 0, 0.9, 0.2)
    length = np.clip(random.normal(0.5, 0.1, n), 0, 1)
    width, own = 0.2 + 0.6 * length + random.normal(0, 0.03, n), light[car.scene]
    turn = np.where(van, 170, -30) + random.normal(0, 10, n)
    if not dependent:
        van, width, own, turn = (random.permutation(values) for values in (van, width, own, turn))
    return scenes.with_columns({"lot": {"light": light}, "car": {
        "type": np.where(van, "van", "car"), "length": length, "width": width,
        "shade": np.clip(50 + 150 * own + random.normal(0, 20, n), 0, 255),
        "heading": (turn + 180) % 360 - 180, "free": random.uniform(0.4, 0.6, n)}})


@pytest.fixture(scope="module")
def fitted():
    return fit_distribution(SceneDistribution(LOT), parked(PHOTOS, 0), KEYS, 0)


@pytest.fixture(scope="module")
def cars(fitted):
    scenes = fitted.sample(1, 640)
    table = scenes.tables["car"]
    groups = node_groups(scenes)
    number = groups["row", 1], np.rint(np.expm1(Contexts(LOT, columns(LOT)).of(groups, groups["row", 1])[:, 0]))
    return {name: np.asarray(table[name]) for name in table} | {
        "light": scenes.tables["lot"]["light"][table.scene], "row": number[1][table.parent_row]}


# ---------------------------------------------------------------------------------------------- what is learned

def test_a_childs_number_follows_its_ancestors(cars):
    """shade = 50 + 150 light + noise of 20, light uniform with a spread of 0.6 / sqrt(12)."""
    spread = 150 * 0.6 / np.sqrt(12)
    expected = spread / np.hypot(spread, 20)
    assert np.corrcoef(cars["light"], cars["shade"])[0, 1] == pytest.approx(expected, abs=0.1)
    for low, high in ((0.2, 0.4), (0.4, 0.6), (0.6, 0.8)):
        inside = (cars["light"] > low) & (cars["light"] < high)
        assert cars["shade"][inside].mean() == pytest.approx(50 + 150 * (low + high) / 2, abs=8)


def test_a_number_follows_an_earlier_one_of_its_node(cars):
    expected = 0.06 / np.hypot(0.06, 0.03)
    assert np.corrcoef(cars["length"], cars["width"])[0, 1] == pytest.approx(expected, abs=0.1)


def test_odds_of_a_choice_depend_on_the_row(cars):
    for rows, share in ((cars["row"] == 0, 0.9), (cars["row"] > 0, 0.2)):
        assert np.mean(cars["type"][rows] == "van") == pytest.approx(share, abs=0.06)


def test_two_modes_of_an_angle_belong_to_two_options(cars):
    for option, mode in (("van", 170), ("car", -30)):
        apart = (cars["heading"][cars["type"] == option] - mode + 180) % 360 - 180
        assert np.mean(np.abs(apart) < 40) > 0.95 and abs(np.median(apart)) < 4


def test_what_is_independent_stays_so(fitted, cars):
    assert not fitted.conditional["car/free"].depends and not fitted.conditional["lot/light"].depends
    assert cars["free"].min() > 0.39 and cars["free"].max() < 0.61
    assert abs(np.corrcoef(cars["free"], cars["light"])[0, 1]) < 0.05


@pytest.mark.parametrize(("photos", "dependent"), [(60, False), (12, True)])
def test_no_dependence_is_invented(photos, dependent):
    """Of independent data, and of so few photos that none could be held out."""
    samples = parked(photos, 3, dependent)
    found = fit_distribution(SceneDistribution(LOT), samples, KEYS, 0)
    assert not any(density.depends for density in found.conditional.values())
    shade = found.sample(1, 320).tables["car"]["shade"]
    assert np.quantile(shade, [0.1, 0.5, 0.9]) == pytest.approx(
        np.quantile(samples.tables["car"]["shade"], [0.1, 0.5, 0.9]), abs=8)


# ---------------------------------------------------------------------------------------------- how it is drawn

def test_a_scene_is_the_same_in_any_batch(fitted):
    whole = fitted.edit(5, 200)
    for indices in ([70], [3, 199, 64], list(range(64, 128))):
        some = fitted.edit(5, indices)
        assert same_scenes(some.scenes.take(np.argsort(indices)), whole.scenes.take(np.sort(indices)))
        for index in indices:
            for key in whole.log_probs:
                mine, all_ = (of_scene(edit.scenes, key[0], index) for edit in (some, whole))
                assert torch.equal(some.log_probs[key][mine], whole.log_probs[key][all_])
                if key in whole.offsets:
                    assert torch.equal(some.offsets[key][mine], whole.offsets[key][all_])


def test_an_edit_holds_the_offsets_that_were_applied(fitted):
    """So pathwise gradients and finite differences, which decode the scenes again, start from the same scenes."""
    edit = fitted.edit(2, 64)
    again = perturbed(LOT, edit, {})
    for name in ("shade", "width", "heading"):
        np.testing.assert_allclose(again.tables["car"][name], edit.scenes.tables["car"][name], rtol=1e-9)
    assert np.array_equal(again.tables["car"]["type"], edit.scenes.tables["car"]["type"])


def test_gradients_reach_curves_noise_and_odds(fitted):
    edit = fitted.edit(2, 64)
    (slope,) = torch.autograd.grad(edit.offsets["car", "shade"].sum(), fitted.curves["car/shade"], retain_graph=True)
    assert float(slope[0]) == len(edit.scenes.tables["car"]), "a shift of the curve shifts every offset"
    assert edit.log_prob().isfinite().all()
    edit.log_prob().square().sum().backward()
    for parameter in (fitted.curves["car/shade"], fitted.log_sigma["car/shade"], fitted.logits["car/type"]):
        assert float(parameter.grad.abs().max()) > 0
    fitted.zero_grad()


def test_a_dependent_model_is_saved_and_exported(fitted):
    model = Model(fitted, 3)
    again = load_model(LOT, model.state(), 3)
    assert same_scenes(again.sample(70), model.sample(70)) and same_scenes(model.copy().sample(70), model.sample(70))
    found = {(row["a"], row["b"]): row["spearman"] for row in export(again, 512)["correlations"]}
    assert found["car.length", "car.width"] > 0.7
    with pytest.raises(ValueError, match=r"does not fit the grammar: conditional\.car/shade\.linear"):
        load_model(LOT, {**model.state(), "conditional.car/shade.linear": torch.zeros(3, 2)}, 3)


def test_an_aggregate_posterior_keeps_the_roots_numbers(fitted):
    plain = fitted.copy()
    plain.set_offsets(LOT.attributes["lot"]["light"], np.zeros(len(KNOTS)))
    held = plain.with_aggregate_posterior(AggregatePosterior(torch.tensor([[0.3]]), torch.zeros(1, 1)))
    scenes = held.sample(0, 200)
    assert np.allclose(scenes.tables["lot"]["light"], 0.3, atol=0.01)
    assert scenes.tables["car"]["shade"].mean() == pytest.approx(95, abs=8), "shade follows the posterior's light"
    refitted = fit_distribution(held, parked(30, 5), KEYS, 0, steps=0)
    assert np.array_equal(refitted.sample(0, 9).tables["lot"]["light"], held.sample(0, 9).tables["lot"]["light"])


# ---------------------------------------------------------------------------------------------- parts

def test_an_untrained_density_is_uniform_and_a_linear_one_a_gaussian_copula():
    density, u = ConditionalDensity("number", 1), np.linspace(0.001, 0.999, 200)
    x, chunk = np.ones((200, 1)), np.zeros(200, int)
    assert np.array_equal(density.ranks(u, x, chunk), u)
    rho, basis = 0.8, density.basis.double().numpy()
    slope = rho / (1 - rho**2)
    score = basis[:, 0] / basis[:, 0].std()
    density.linear[0, 0] = slope
    density.level.copy_(torch.from_numpy(-(rho**2) / (1 - rho**2) / 2 * score**2))
    drawn = special.ndtri(density.ranks(u, x, chunk))
    assert drawn.mean() == pytest.approx(rho, abs=0.05) and drawn.std() == pytest.approx(0.6, abs=0.05)
    assert np.all(np.diff(density.ranks(u, x, chunk)) > 0) and density.level.shape == (BINS,)


def test_contexts_hold_the_nearest_ancestor_of_each_kind():
    grammar = sf.Grammar("hand", {"hand": {"age": sf.Uniform(0, 9)}, "limb": {"size": sf.learned(sf.Uniform(0, 1))}},
                         [sf.Rule("hand", ["limb", "limb"]), sf.Rule("limb", ["limb"]), sf.Rule("limb", [])])
    assert ancestor_kinds(grammar) == {"hand": (), "limb": ("hand", "limb")}
    scenes = grammar.sample(0, 50)
    groups, contexts = node_groups(scenes), Contexts(grammar, columns(grammar))
    first, deeper = (contexts.of(groups, groups["limb", depth]) for depth in (1, 2))
    assert contexts.width("limb") == first.shape[1] == 2 + 3 + 3  # own, of the hand, of the limb above
    assert np.array_equal(np.expm1(first[:, 0]).round(), np.repeat([0, 1], 50)), "number among its siblings"
    assert np.all(first[:, 2] == 1) and not first[:, 5:].any(), "a hand above, but no limb"
    parent = groups["limb", 2].parent_row
    assert np.array_equal(deeper[:, 5:], np.column_stack([np.ones(len(parent)), first[parent, :2]]))
    assert np.array_equal(deeper[:, 2:5], first[parent, 2:5]), "the same hand"
    assert contexts.inputs_of(grammar.attributes["limb"]["size"]).tolist() == [True, False] + 6 * [True]


# ---------------------------------------------------------------------------------------------- counts

def test_counts_depend_on_earlier_counts_and_on_the_row():
    """As many spoons as forks, give or take one; in row 0 of a tray at least 3 cups, in row 1 at most 1."""
    grammar = sf.Grammar("tray", {"tray": {}, "fork": {}, "spoon": {}, "row": {}, "cup": {}}, [
        sf.Rule("tray", [sf.repeat("fork", sf.learned(sf.Integer(0, 9))), sf.repeat("row", 2),
                         sf.repeat("spoon", sf.learned(sf.Integer(0, 9)))]),
        sf.Rule("row", [sf.repeat("cup", sf.learned(sf.Integer(0, 5)))])])
    many = grammar.sample(0, 5000)
    tray, cups = many.tables["tray"], many.tables["row"]["n_cup"]
    samples = many.take((abs(tray["n_fork"] - tray["n_spoon"]) < 2) & (cups[::2] >= 3) & (cups[1::2] <= 1))
    fitted = fit_distribution(SceneDistribution(grammar), samples, {a.key for a in grammar.learned}, 0)
    found = fitted.sample(1, 640)
    assert np.mean(abs(found.tables["tray"]["n_fork"] - found.tables["tray"]["n_spoon"]) < 3) > 0.9, "independent: half"
    cups = found.tables["row"]["n_cup"]
    assert np.mean(cups[::2] >= 3) > 0.9 and np.mean(cups[1::2] <= 1) > 0.9
    assert same_scenes(fitted.sample(1, [70, 300]), found.take([70, 300]))
    assert fitted.edit(1, 64).log_prob().isfinite().all()


# ---------------------------------------------------------------------------------------------- rules

def test_rules_depend_on_the_row_and_on_attributes_that_are_not_learned():
    """Bays of rows 0 and 3 hold vehicles, the others none; where the ground is soft, none at all."""
    grammar = sf.Grammar("lot", {"lot": {"ground": sf.Choice(["soft", "hard"]), "light": sf.learned(sf.Uniform(0, 1))},
                                 "row": {}, "bay": {}, "car": {}}, [
        sf.Rule("lot", [sf.repeat("row", 4)]), sf.Rule("row", [sf.repeat("bay", 3)]),
        sf.Rule("bay", ["car"], learned=True), sf.Rule("bay", [], learned=True)])

    def decide(group):
        if group.kind != "bay":
            return {}
        row, random = np.repeat(np.arange(len(group) // 3) % 4, 3), np.random.default_rng(0)
        soft = np.repeat(np.asarray(grammar.sample(0, 400).tables["lot"]["ground"]) == "soft", 12)
        return {"rule": ((random.random(len(group)) > 0.9) | soft | (row == 1) | (row == 2)).astype(np.int64)}

    samples = grammar.sample(0, 400, decide=decide)
    fitted = fit_distribution(SceneDistribution(grammar), samples, {("bay", "rule")}, 0)
    found = fitted.sample(1, 640)
    hard = np.asarray(found.tables["lot"]["ground"]) == "hard"
    empty = found.tables["bay"].rule.reshape(-1, 4, 3)
    share = empty[hard].mean((0, 2))
    assert np.all(share[[1, 2]] > 0.9) and np.all(share[[0, 3]] < 0.2) and empty[~hard].mean() > 0.9
    assert len(found.tables["car"]) == (empty == 0).sum()
    assert same_scenes(fitted.sample(1, [70, 300]), found.take([70, 300]))
    assert fitted.edit(1, 64).log_prob().isfinite().all()
    copy = with_parts_of(SceneDistribution(grammar), fitted.state_dict())
    fill(copy, fitted.state_dict(), "model")
    assert same_scenes(copy.sample(1, 64), fitted.sample(1, 64))
    use = Contexts(grammar, fitted.columns).inputs_of(rule_choice(grammar, "bay"))
    assert use.sum() == len(use) - 1, "all but the light, which is learned"
