"""The distribution transformer: edits, their log-probabilities and their gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from toys import of_scene, one, randomise, same_scenes

from scenefit.inference.gradients.estimate import leave_one_out
from scenefit.nets.graph_encoding import outputs_by_chunk
from scenefit.nets.quantile_offsets import KNOTS, normal_score
from scenefit.nets.scene_distribution import CHUNK, NETWORK_SCALE, SIGMA_FLOOR, SIGMA_START, SceneDistribution
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Angle, Choice, Integer, Normal, Uniform, learned
from scenefit.scenes.rng import uniform
from scenefit.scenes.scene import SceneBatch


def attribute(distribution: SceneDistribution, kind: str, name: str):
    return distribution.grammar.attributes[kind][name]


# ---------------------------------------------------------------------------------------------- where it starts

def test_an_untouched_edit_is_the_identity_in_the_mean(street):
    distribution, index = SceneDistribution(street), np.arange(10 * CHUNK)
    prior, edited = street.sample(7, index), distribution.sample(7, index)
    before, after = prior.tables, edited.tables
    assert abs(len(after["car"]) / len(before["car"]) - 1) < 0.02  # a learned count may step over the edge of its bin
    own = {kind: np.intersect1d(before[kind].address, after[kind].address, return_indices=True)[1:] for kind in before}

    def both(kind: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        return before[kind][name][own[kind][0]], after[kind][name][own[kind][1]]

    for kind, name, spread in (("road", "width", 6), ("lane", "offset", 20), ("car", "side", 80)):
        old, new = both(kind, name)
        assert 0.5 * SIGMA_START * spread < np.std(new - old) < 3 * SIGMA_START * spread
        assert abs(np.mean(new - old)) < 5 * np.std(new - old) / np.sqrt(len(old))
    old, new = both("car", "colour")
    assert np.array_equal(old, new)
    old, new = both("car", "doors")
    assert np.mean(old == new) > 0.9
    old, new = both("car", "yaw")
    turn = (new - old + 180) % 360 - 180
    np.testing.assert_allclose(turn.std(), SIGMA_START * 360, rtol=0.1)
    assert abs(turn.mean()) < 5 * turn.std() / np.sqrt(len(turn))


def test_the_network_starts_at_zero_but_with_a_gradient(street):
    distribution = SceneDistribution(street)
    assert float(distribution.reconstruction_loss(0, np.arange(CHUNK)).detach()) == 0
    edit = distribution.edit(0, CHUNK)
    edit.log_prob().sum().backward()
    for layer in distribution.network.leave.values():
        assert float(layer.weight.grad.abs().max()) > 0


# ---------------------------------------------------------------------------------------------- within bounds

@settings(max_examples=15)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([0.1, 1.0, 10.0]))
def test_edits_stay_in_bounds(street, seed, scale):
    distribution = SceneDistribution(street)
    randomise(distribution, scale, seed)
    scenes = distribution.sample(seed, 40)
    tables = scenes.tables
    assert np.all((tables["road"]["width"] >= 6) & (tables["road"]["width"] <= 12))
    width = tables["road"]["width"][tables["lane"].parent_row]
    assert np.all(np.abs(tables["lane"]["offset"]) <= width)  # the moved parent's
    assert np.all((tables["car"]["side"] >= -40) & (tables["car"]["side"] <= 40))
    assert np.all((tables["car"]["yaw"] >= -180) & (tables["car"]["yaw"] < 180))
    assert tables["car"]["doors"].dtype.kind == "i" and set(tables["car"]["doors"]) <= {2, 3, 4, 5}
    assert set(tables["car"]["colour"]) <= {"red", "grey", "blue"}
    assert tables["lane"]["n_car"].dtype.kind == "i" and set(tables["lane"]["n_car"]) <= {0, 1, 2, 3, 4}
    assert np.all(tables["car"]["room"] <= 12)


def test_the_noise_has_a_floor():
    distribution = SceneDistribution(one(x=learned(0.5, bounds=(0, 1))))
    x = attribute(distribution, "dot", "x")
    for sigma in (0.0, -1.0, SIGMA_FLOOR):
        distribution.set_sigma(x, sigma)
        assert SIGMA_FLOOR <= float(distribution.sigma(x).detach()) < 1.01 * SIGMA_FLOOR
    with torch.no_grad():
        next(iter(distribution.log_sigma.values())).fill_(-1e4)
    assert float(distribution.sigma(x).detach()) == pytest.approx(SIGMA_FLOOR)
    assert bool(distribution.edit(0, 64).log_prob().isfinite().all())


def test_a_constant_is_widened():
    distribution = SceneDistribution(one(x=learned(20, bounds=(0, 100))))
    x = attribute(distribution, "dot", "x")
    distribution.set_offsets(x, 0.1 * KNOTS + 0.2)
    values = distribution.sample(0, 20 * CHUNK).tables["dot"]["x"]
    assert abs(values.mean() - 40) < 1 and abs(values.std() - 10) < 0.8
    distribution.set_offsets(x, 0 * KNOTS)
    distribution.set_sigma(x, 0.05)
    values = distribution.sample(0, 20 * CHUNK).tables["dot"]["x"]
    assert abs(values.mean() - 20) < 1 and abs(values.std() - 5) < 0.4


# ---------------------------------------------------------------------------------------------- curves

@settings(max_examples=20)
@given(st.lists(st.floats(-2, 2), min_size=17, max_size=17))
def test_set_offsets_are_exact_at_the_knots(moves):
    distribution = SceneDistribution(one(x=learned(Uniform(0, 1))))
    x = attribute(distribution, "dot", "x")
    distribution.set_offsets(x, np.array(moves))
    np.testing.assert_allclose(distribution.offset(x, KNOTS).detach(), moves, atol=2e-5)
    between = (KNOTS[:-1] + KNOTS[1:]) / 2
    middle = (np.array(moves)[:-1] + moves[1:]) / 2
    np.testing.assert_allclose(distribution.offset(x, between).detach(), middle, atol=2e-5)
    beyond = distribution.offset(x, np.array([-6.0, 6.0])).detach().numpy()
    ends = np.array([moves[0] - 4 * (moves[1] - moves[0]), moves[-1] + 4 * (moves[-1] - moves[-2])])
    np.testing.assert_allclose(beyond, ends, atol=2e-4)


# ---------------------------------------------------------------------------------------------- log-probabilities

def test_log_probs_are_those_of_the_values_chosen(street):
    """Each computed anew, with scipy, from the parameters and the edit alone."""
    distribution = SceneDistribution(street)
    randomise(distribution)
    edit = distribution.edit(3, 2 * CHUNK)
    counts = {a.key for a in distribution.numbers if a.count}
    for a in distribution.numbers:
        table = edit.scenes.tables[a.kind]
        z = special.ndtri(uniform(table.address, a.name))
        noise = special.ndtri(uniform(table.address, f"{a.name}/edit"))
        sigma = float(distribution.sigma(a).detach())
        np.testing.assert_allclose(edit.log_probs[a.key].detach(), stats.norm.logpdf(noise) - np.log(sigma), atol=2e-3)
        if a.key in counts:
            continue
        mean = edit.offsets[a.key].detach().numpy() - sigma * noise  # the quantile offset and the network's part
        assert np.std(mean - distribution.offset(a, z).detach().numpy()) > 1e-3  # the network's part is not 0
    proposal = street.sample(3, 2 * CHUNK, {
        a.key: lambda _, group, a=a: distribution._sample_offset(a, 0.0, group.address)[0].detach().double().numpy()
        for a in distribution.numbers if a.count},
        {"lane": torch.softmax(next(iter(distribution.rules.values())).detach().double(), 0).numpy()})
    outputs = outputs_by_chunk(distribution.network, proposal, distribution.columns, CHUNK)
    colour = outputs["car"][:, -3:].detach().double() + distribution.logits["car/colour"].detach().double()
    expected = np.log(special.softmax(colour.numpy(), axis=1))[np.arange(len(colour)), edit.codes["car", "colour"]]
    np.testing.assert_allclose(edit.log_probs["car", "colour"].detach(), expected, atol=1e-5)
    first = next(a for a in distribution._edited("car"))
    np.testing.assert_allclose(
        edit.offsets[first.key].detach(),
        (distribution.offset(first, normal_score(edit.scenes.tables["car"].address, first.name))
         + NETWORK_SCALE * outputs["car"][:, 0]).detach().numpy()
        + float(distribution.sigma(first).detach())
        * normal_score(edit.scenes.tables["car"].address, f"{first.name}/edit"), atol=1e-5)
    rules = special.log_softmax(next(iter(distribution.rules.values())).detach().double().numpy())
    np.testing.assert_allclose(edit.log_probs["lane", "rule"].detach(), rules[edit.scenes.tables["lane"].rule],
                               atol=1e-6)


def test_log_prob_of_a_scene_is_the_sum_over_its_nodes(street):
    edit = SceneDistribution(street).edit(1, 30)
    total = np.zeros(30)
    for (kind, _), values in edit.log_probs.items():
        for row, value in zip(edit.scenes.tables[kind].scene, values.detach().numpy(), strict=True):
            total[row] += value
    np.testing.assert_allclose(edit.log_prob().detach(), total, rtol=1e-4)
    some = edit.log_prob([("car", "doors")]).detach().numpy()
    assert np.count_nonzero(some) == len(set(edit.scenes.tables["car"].scene))


def test_every_parameter_gets_a_gradient(street):
    distribution = SceneDistribution(street)
    randomise(distribution, 0.1)
    edit = distribution.edit(0, 2 * CHUNK)
    (edit.log_prob() * torch.linspace(-1, 1, 2 * CHUNK)).sum().backward()
    for name, value in distribution.named_parameters():
        assert value.grad is not None and float(value.grad.abs().max()) > 0, name


@pytest.mark.parametrize("target", [0.8, 0.35])
def test_reinforce_on_a_smooth_reward_is_the_analytic_gradient_in_the_mean(target):
    """E[-(0.5 + a + b z + sigma e - t)^2]: by a -2 (0.5 + a - t), by b -2 b, by sigma -2 sigma."""
    distribution = SceneDistribution(one(x=learned(0.5, bounds=(0, 1))))
    x = attribute(distribution, "dot", "x")
    distribution.set_sigma(x, 0.05)
    with torch.no_grad():
        curve = next(iter(distribution.curves.values()))
        curve[1] = 0.02
    edit = distribution.edit(1, 200 * CHUNK)
    value = torch.from_numpy(edit.scenes.tables["dot"]["x"])
    reward = leave_one_out(-(value - target) ** 2).float()
    (reward * edit.log_prob()).mean().backward()
    z = normal_score(edit.scenes.tables["dot"].address, "x")
    noise = normal_score(edit.scenes.tables["dot"].address, "x/edit")
    each = {"a": noise / 0.05, "b": z * noise / 0.05, "sigma": (noise**2 - 1) / 0.05}
    rise = float(next(iter(distribution.log_sigma.values())).detach().exp())  # d sigma / d its parameter
    found = {"a": float(curve.grad[0]), "b": float(curve.grad[1]),
             "sigma": float(next(iter(distribution.log_sigma.values())).grad) / rise}
    expected = {"a": -2 * (0.5 - target), "b": -2 * 0.02, "sigma": -2 * 0.05}
    for name, value in expected.items():
        error = float((reward.numpy() * each[name]).std() / np.sqrt(len(reward)))
        assert abs(found[name] - value) < 4 * error, (name, found[name], value, error)
    assert abs(found["a"]) > 10 * float((reward.numpy() * each["a"]).std() / np.sqrt(len(reward)))


def test_rules_counts_and_choices_are_learned_by_score_function():
    grammar = Grammar("bag", {"bag": {"colour": learned(Choice(["red", "blue"]))}, "box": {}, "coin": {}},
                      [Rule("bag", [repeat("coin", learned(Integer(0, 4)))], learned=True),
                       Rule("bag", ["box"], learned=True)])
    distribution = SceneDistribution(grammar)
    optimiser = torch.optim.Adam([*distribution.curves.parameters(), *distribution.rules.parameters(),
                                  *distribution.logits.parameters()], 0.05)
    for step in range(60):
        edit = distribution.edit(step, 2 * CHUNK)
        coins = np.bincount(edit.scenes.tables["coin"].scene, minlength=2 * CHUNK)
        red = edit.scenes.tables["bag"]["colour"] == "red"
        reward = leave_one_out(torch.from_numpy(coins + 2.0 * red).float())
        optimiser.zero_grad()
        (-(reward * edit.log_prob()).mean()).backward()
        optimiser.step()
    scenes = distribution.sample(1000, 4 * CHUNK)
    assert len(scenes.tables["coin"]) / len(scenes) > 3  # 1 at the start, 4 at best
    assert np.mean(scenes.tables["bag"]["colour"] == "red") > 0.9
    assert len(scenes.tables["box"]) / len(scenes) < 0.2


# ---------------------------------------------------------------------------------------------- addresses

def test_a_scene_is_the_same_in_any_batch(street):
    distribution = SceneDistribution(street)
    randomise(distribution)
    whole = distribution.edit(5, 200)
    for indices in ([70], [3, 199, 64], list(range(64, 128)), list(range(130))[::-1]):
        some = distribution.edit(5, indices)
        assert same_scenes(some.scenes.take(np.argsort(indices)), whole.scenes.take(np.sort(indices)))
        for index in indices:
            for key in whole.log_probs:
                mine, all_ = (of_scene(edit.scenes, key[0], index) for edit in (some, whole))
                assert torch.equal(some.log_probs[key][mine], whole.log_probs[key][all_])
                if key in whole.offsets:
                    assert torch.equal(some.offsets[key][mine], whole.offsets[key][all_])
                    assert np.array_equal(some.normalised[key].value[mine], whole.normalised[key].value[all_])
                if key in whole.codes:
                    assert np.array_equal(some.codes[key][mine], whole.codes[key][all_])


def test_a_scene_and_its_gradient_do_not_move_when_another_scene_changes(street):
    distribution = SceneDistribution(street)
    randomise(distribution)

    def edit_of(indices: list[int]) -> tuple[SceneBatch, np.ndarray, tuple]:
        edit = distribution.edit(5, indices)
        (row,) = np.flatnonzero(edit.scenes.index == 70)
        gradient = torch.autograd.grad(edit.log_prob()[row], list(distribution.parameters()), allow_unused=True)
        return edit.scenes.take([row]), edit.log_prob()[row].detach().numpy(), gradient

    alone, with_others = edit_of([70]), edit_of([2, 70, 71, 400])
    assert same_scenes(alone[0], with_others[0])
    assert alone[1] == with_others[1]
    for a, b in zip(alone[2], with_others[2], strict=True):
        assert (a is None and b is None) or torch.allclose(a, b, rtol=1e-4, atol=1e-5)


def test_log_prob_touches_only_its_own_scene(street):
    """The gradient of scene i's log-probability to the moves' means of scene j is nothing."""
    distribution = SceneDistribution(street)
    randomise(distribution)
    edit = distribution.edit(0, 6)
    for move in edit.offsets.values():
        (gradient,) = torch.autograd.grad(edit.log_prob()[2], move, retain_graph=True, allow_unused=True)
        assert gradient is None  # the values chosen are taken as given


def test_the_same_seed_gives_the_same_distribution(street):
    a, b, other = SceneDistribution(street, 3), SceneDistribution(street, 3), SceneDistribution(street, 4)
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert not all(torch.equal(x, y) for x, y in zip(a.parameters(), other.parameters(), strict=True))
    state = torch.random.get_rng_state()
    SceneDistribution(street, 3)
    assert torch.equal(state, torch.random.get_rng_state())


# ---------------------------------------------------------------------------------------------- odd grammars

def test_kinds_that_no_scene_of_a_chunk_has():
    grammar = Grammar("a", {"a": {}, "rare": {"x": learned(Normal(0, 1, -3, 3)), "c": learned(Choice(["u", "v"]))}},
                      [Rule("a", []), Rule("a", ["rare"], weight=1e-3)])
    distribution = SceneDistribution(grammar)
    indices = np.arange(20 * CHUNK)
    edit = distribution.edit(0, indices)
    chunks = edit.scenes.tables["rare"].scene // CHUNK
    assert 0 < len(set(chunks)) < 20  # some chunks have one, some have none
    without = next(c for c in range(20) if c not in set(chunks))
    none = distribution.edit(0, np.arange(without * CHUNK, (without + 1) * CHUNK))
    assert none.offsets["rare", "x"].shape == (0,) and not none.log_prob().detach().any()


@pytest.mark.parametrize("kind", ["train", "type", "a.b", "traffic light", "100%", "items", "a/b"])
def test_kinds_may_have_any_name(kind):
    grammar = Grammar("root", {"root": {}, kind: {"x": learned(Uniform(0, 1)), "c": learned(Choice([1, 2]))},
                               "end": {}},
                      [Rule("root", [kind]), Rule(kind, ["end"], learned=True), Rule(kind, [], learned=True)])
    distribution = SceneDistribution(grammar)
    assert distribution.edit(0, 10).log_prob().shape == (10,)
    again = SceneDistribution(grammar, 1)
    again.load_state_dict(distribution.state_dict())
    assert same_scenes(again.sample(0, 10), distribution.sample(0, 10))


def test_kinds_that_differ_only_in_odd_characters_stay_apart():
    names = ["a.b", "a%2Eb", "a%b"]
    grammar = Grammar("root", {"root": {}, **{name: {"x": learned(Uniform(0, 1))} for name in names}},
                      [Rule("root", names)])
    assert len(SceneDistribution(grammar).curves) == 3


def test_recursive_kinds_with_conditional_angles():
    grammar = Grammar("limb", {"limb": {"yaw": learned(Angle(170, 20)),
                                        "twist": learned(lambda limb: Angle(limb["yaw"], 5))}},
                      [Rule("limb", ["limb"], weight=1), Rule("limb", [], weight=1)])
    distribution = SceneDistribution(grammar)
    randomise(distribution, 0.02)
    scenes = distribution.sample(0, 100)
    assert scenes.tables["limb"].depth.max() > 3
    apart = (scenes.tables["limb"]["twist"] - scenes.tables["limb"]["yaw"] + 180) % 360 - 180
    assert np.median(np.abs(apart)) < 45  # the moved parent's angle, across the seam too
