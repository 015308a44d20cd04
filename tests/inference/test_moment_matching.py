"""Warm start by reading, in toys where the reader is perfect, or wrong in a known way."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from toys import one

from scenefit.inference.stages.moments import match_moments, nearest_neighbour_abc, widened
from scenefit.nets.attribute_regressor import regression_targets, targets
from scenefit.nets.quantile_offsets import KNOTS, at_knots, prior_at_knots
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation
from scenefit.scenes.priors import Angle, Choice, Integer, Normal, Uniform, learned

N = 1024


def perfect(truth: torch.Tensor) -> torch.Tensor:
    return truth


def shrinking(truth: torch.Tensor) -> torch.Tensor:
    """A reader that errs, and shrinks towards the middle."""
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(len(truth)))
    return 0.6 * truth + 0.1 * noise


def warm(grammar: Grammar, target: Grammar, rounds: int = 3, read: Callable = perfect,
         first: bool = False) -> SceneDistribution:
    """What `rounds` of `agree` make of photos that the target drew; first: with `propose` before."""
    distribution, found = SceneDistribution(grammar), targets(grammar)
    photos = read(regression_targets(grammar, found, target.sample(99, N)))
    if first:
        scenes = uniform_randomisation(grammar).sample(1, N)
        distribution = nearest_neighbour_abc(distribution, scenes, read(regression_targets(grammar, found, scenes)),
                                             photos)
    for number in range(rounds):
        scenes = distribution.sample(number, N)
        truth = regression_targets(grammar, found, scenes)
        distribution = match_moments(distribution, found, scenes, read(truth), photos, truth)
    return distribution


def values(source: SceneDistribution | Grammar, kind: str, name: str) -> np.ndarray:
    return source.sample(5, 2 * N).tables[kind][name]


@pytest.mark.parametrize("read, slack", [(perfect, 1.0), (shrinking, 2.5)])
@pytest.mark.parametrize("start, mean, sd", [
    (Uniform(0, 10), 7, 0.5), (Normal(2, 0.3), 6, 1.5), (Normal(5, 1), 5, 0.2), (Uniform(0, 10), 3, 1.0),
    (5.0, 4, 0.8)], ids=["narrower", "wider", "much narrower", "moved", "a constant widened"])
def test_mean_and_spread_of_a_number(start, mean, sd, read, slack):
    grammar = one(x=learned(start, bounds=(0, 10)))
    found = values(warm(grammar, one(x=learned(Normal(mean, sd), bounds=(0, 10))), read=read), "dot", "x")
    assert abs(found.mean() - mean) < 0.15 * slack
    assert abs(found.std() / sd - 1) < 0.15 * slack


@pytest.mark.parametrize("start", [Angle(0, 10), Angle(0), lambda dot: Angle(0, 10)],
                         ids=["near", "any", "conditional"])
@pytest.mark.parametrize("mean, sd", [(90, 3), (178, 15), (-100, 40)])
def test_an_angle_is_turned_and_stretched_across_the_seam_too(start, mean, sd):
    grammar, target = one(yaw=learned(start)), one(yaw=learned(Angle(mean, sd)))
    found = values(warm(grammar, target, rounds=4, first=True), "dot", "yaw")
    away = (found - mean + 180) % 360 - 180
    assert abs(away.mean()) < 4
    assert abs(away.std() / sd - 1) < 0.4


def test_the_odds_of_a_choice():
    grammar = one(c=learned(Choice(["a", "b", "c"])))
    found = values(warm(grammar, one(c=learned(Choice(["a", "b", "c"], [1, 6, 3])))), "dot", "c")
    for option, share in (("a", 0.1), ("b", 0.6), ("c", 0.3)):
        assert abs(np.mean(found == option) - share) < 0.05


def bag(count: Integer, x: object) -> Grammar:
    return Grammar("bag", {"bag": {}, "dot": {"x": x}}, [Rule("bag", [repeat("dot", learned(count, bounds=(0, 8)))])])


def test_counts_and_the_spread_inside_a_scene():
    grammar = bag(Integer(0, 8), learned(Uniform(0, 10)))
    distribution = warm(grammar, bag(Integer(2, 3), learned(Normal(7, 0.6), bounds=(0, 10))), rounds=4)
    counts, x = values(distribution, "bag", "n_dot"), values(distribution, "dot", "x")
    assert abs(counts.mean() - 2.5) < 0.2 and abs(counts.std() - 0.5) < 0.25
    assert abs(x.mean() - 7) < 0.2 and abs(x.std() / 0.6 - 1) < 0.2


@pytest.mark.parametrize("read, more", [(perfect, 0.0), (shrinking, 0.1)])
@pytest.mark.parametrize("odds, slack", [
    ([0, 0, 0.5, 0.5, 0, 0, 0, 0, 0], 0.05), ([0.1, 0.3, 0.1, 0.2, 0, 0, 0, 0.3, 0], 0.22),
    ([0, 0, 0, 0, 1, 0, 0, 0, 0], 0.05),
    ([0.5, 0, 0, 0, 0, 0, 0, 0, 0.5], 0.2),  # a curve of 17 knots cannot jump
], ids=["two neighbours", "two peaks", "one value", "two ends"])
def test_the_share_of_each_count_whatever_its_form(odds, slack, read, more):
    rng = np.random.default_rng(0)
    distribution, found = SceneDistribution(bag(Integer(0, 8), 1.0)), targets(bag(Integer(0, 8), 1.0))
    drawn = rng.choice(9, 400, p=odds)
    photos = read(torch.from_numpy((2 * (drawn[:, None] + 0.5) / 9 - 1).astype(np.float32)))
    for number in range(4):
        scenes = distribution.sample(number, N)
        truth = regression_targets(distribution.grammar, found, scenes)
        distribution = match_moments(distribution, found, scenes, read(truth), photos, truth)
    learned_odds = np.bincount(values(distribution, "bag", "n_dot"), minlength=9) / (2 * N)
    assert 0.5 * np.abs(learned_odds - np.bincount(drawn, minlength=9) / 400).sum() < slack + more


def test_a_count_that_the_reader_does_not_see_keeps_its_prior():
    def blind(truth):
        return 0.2 + 0.05 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(len(truth)))

    counts = values(warm(bag(Integer(0, 8), 1.0), bag(Integer(7, 8), 1.0), read=blind), "bag", "n_dot")
    assert np.abs(np.bincount(counts, minlength=9) / len(counts) - 1 / 9).max() < 0.04


def test_a_count_that_collapsed_is_widened_to_its_neighbours():
    distribution = SceneDistribution(bag(Integer(4, 4), 1.0))
    counts = values(widened(distribution), "bag", "n_dot")
    assert {3, 4, 5} <= set(counts.tolist()) and counts.std() < 2


def test_a_conditional_prior_moves_within_its_parents_bounds():
    def room(inner: object) -> Grammar:
        return Grammar("room", {"room": {"w": Uniform(2, 10)}, "bed": {"x": learned(inner)}}, [Rule("room", ["bed"])])

    grammar = room(lambda bed: Uniform(0, bed.parent["w"]))
    target = room(lambda bed: Normal(0.75 * bed.parent["w"], 0.05 * bed.parent["w"], 0, bed.parent["w"]))
    scenes = warm(grammar, target).sample(5, N)
    share = scenes.tables["bed"]["x"] / scenes.tables["room"]["w"][scenes.tables["bed"].parent_row]
    assert abs(share.mean() - 0.75) < 0.01 and abs(share.std() / 0.05 - 1) < 0.15 and share.max() <= 1


def test_several_attributes_at_once():
    def make(x: object, y: object, c: object) -> Grammar:
        return one(x=learned(x, bounds=(0, 10)), y=learned(y, bounds=(-5, 5)), c=learned(c))

    distribution = warm(make(Uniform(0, 10), Uniform(-5, 5), Choice([1, 2])),
                       make(Normal(8, 0.5), Normal(-3, 1), Choice([1, 2], [1, 9])), first=True)
    table = distribution.sample(5, N).tables["dot"]
    assert abs(table["x"].mean() - 8) < 0.15 and abs(table["y"].mean() + 3) < 0.2
    assert abs(np.mean(table["c"] == 2) - 0.9) < 0.05


def test_photos_like_the_renders_change_little():
    grammar = one(x=learned(Normal(4, 1), bounds=(0, 10)), yaw=learned(Angle(100, 30)))
    distribution = warm(grammar, grammar)
    x = values(distribution, "dot", "x")
    assert abs(x.mean() - 4) < 0.1 and abs(x.std() - 1) < 0.1
    away = (values(distribution, "dot", "yaw") - 100 + 180) % 360 - 180
    assert abs(away.mean()) < 3 and abs(away.std() / 30 - 1) < 0.15


def test_propose_gives_the_values_of_scenes_that_read_alike():
    grammar = one(x=learned(Normal(2, 0.2), bounds=(0, 10)), yaw=learned(Angle(0, 5)))
    target = one(x=learned(Normal(8, 0.5), bounds=(0, 10)), yaw=learned(Angle(175, 10)))
    distribution = warm(grammar, target, rounds=0, first=True)
    x, yaw = values(distribution, "dot", "x"), values(distribution, "dot", "yaw")
    assert abs(x.mean() - 8) < 0.2 and x.std() < 1
    away = (yaw - 175 + 90) % 180 - 90  # at either end of the axis, for readings confuse the two
    assert abs(away.mean()) < 5 and np.median(np.abs(away)) < 20


def test_a_kind_that_no_render_shows_is_left_alone():
    grammar = Grammar("s", {"s": {}, "rare": {"x": learned(Uniform(0, 1)), "c": learned(Choice([1, 2]))}},
                      [Rule("s", []), Rule("s", ["rare"], 1e-9)])
    distribution, found = SceneDistribution(grammar), targets(grammar)
    before = {name: value.clone() for name, value in distribution.state_dict().items()}
    scenes = distribution.sample(0, 64)
    truth = regression_targets(grammar, found, scenes)
    distribution = match_moments(distribution, found, scenes, torch.zeros(truth.shape), torch.ones(64, truth.shape[1]),
                                 truth)
    distribution = nearest_neighbour_abc(distribution, scenes, torch.randn(truth.shape), torch.ones(64, truth.shape[1]))
    assert all(torch.equal(before[name], value) for name, value in distribution.state_dict().items())


def test_the_prior_at_the_knots():
    grammar = one(x=learned(Normal(3, 1, 0, 10)), yaw=learned(Angle(170, 20)), p=Uniform(2, 4),
                  y=learned(lambda dot: Uniform(0, dot["p"])), turn=learned(lambda dot: Angle(170, 20)))
    distribution = SceneDistribution(grammar)
    scenes = grammar.sample(0, 4000)
    a = grammar.attributes["dot"]
    np.testing.assert_allclose(10 * prior_at_knots(distribution.grammar, a["x"], scenes),
                               stats.truncnorm(-3, 7, 3, 1).ppf(stats.norm.cdf(KNOTS)), atol=1e-5)
    straight = (350 + 20 * KNOTS) / 360
    for name, slack in (("yaw", 1e-6), ("turn", 0.03)):
        found = prior_at_knots(distribution.grammar, a[name], scenes)
        found -= np.round(found[8] - straight[8])
        np.testing.assert_allclose(found[4:13], straight[4:13], atol=slack)
    np.testing.assert_allclose(prior_at_knots(distribution.grammar, a["y"], scenes)[4:13],
                               stats.norm.cdf(KNOTS)[4:13],
                               atol=0.05)


def test_running_means_go_on_straight_beyond_the_data():
    z = np.linspace(-1, 1, 401)
    np.testing.assert_allclose(at_knots(z, 0.3 + 0.2 * z), 0.3 + 0.2 * KNOTS, atol=1e-9)
