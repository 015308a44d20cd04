"""The broad grammar and its shrunk control."""

import numpy as np
import pytest
from scipy import stats
from toys import one

from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.grammar.domain_randomisation import shrunk, uniform_randomisation
from scenefit.scenes.priors import Angle, Choice, Constant, Integer, Normal, Uniform, learned


def values(grammar, name, n=4000, kind="dot"):
    return grammar.sample(0, n).tables[kind][name]


@pytest.mark.parametrize("given, low, high", [
    (learned(Normal(2, 0.1), bounds=(0, 10)), 0, 10), (learned(4, bounds=(-2, 6)), -2, 6),
    (learned(Uniform(3, 5)), 3, 5), (learned(Normal(1, 1, low=0, high=3)), 0, 3),
    (learned(stats.beta(2, 5)), 0, 1), (learned(lambda dot: Normal(2, 0.1), bounds=(0, 10)), 0, 10)])
def test_broad_is_uniform_over_the_bounds_and_shrunk_about_their_centre(given, low, high):
    grammar = one(x=given)
    wide, narrow = values(uniform_randomisation(grammar), "x"), values(shrunk(grammar, 0.25), "x")
    middle, span = (low + high) / 2, high - low
    assert stats.kstest(wide, stats.uniform(low, span).cdf).pvalue > 1e-3
    assert stats.kstest(narrow, stats.uniform(middle - span / 8, span / 4).cdf).pvalue > 1e-3


def test_what_is_not_learned_stays():
    grammar = one(x=learned(Uniform(0, 1)), y=Normal(3, 1), c=Constant(2), t=Choice(["a", "b"], [9, 1]))
    for other in (uniform_randomisation(grammar), shrunk(grammar)):
        before, after = grammar.sample(0, 100).tables["dot"], other.sample(0, 100).tables["dot"]
        assert all(np.array_equal(before[name], after[name]) for name in ("y", "c", "t"))


def test_angles_choices_and_rules():
    grammar = Grammar("s", {"s": {"yaw": learned(Angle(170, 5)), "c": learned(Choice(["a", "b"], [99, 1]))},
                            "u": {}, "v": {}},
                      [Rule("s", ["u"], 9, learned=True), Rule("s", ["v"], 1, learned=True), Rule("s", [], 0)])
    wide, narrow = uniform_randomisation(grammar).sample(0, 4000), shrunk(grammar, 0.25).sample(0, 4000)
    assert stats.kstest(wide.tables["s"]["yaw"], stats.uniform(-180, 360).cdf).pvalue > 1e-3
    away = (narrow.tables["s"]["yaw"] - 170 + 180) % 360 - 180
    assert stats.kstest(away, stats.uniform(-45, 90).cdf).pvalue > 1e-3
    for scenes in (wide, narrow):
        assert abs(np.mean(scenes.tables["s"]["c"] == "a") - 0.5) < 0.04
        assert abs(len(scenes.tables["u"]) / 4000 - 0.5) < 0.04  # a rule that is never used stays unused


def test_counts_are_ranged_too():
    grammar = Grammar("s", {"s": {}, "a": {}, "b": {}},
                      [Rule("s", [repeat("a", learned(Integer(2, 3), bounds=(0, 9))), repeat("b", Integer(1, 4))])])
    wide, narrow = uniform_randomisation(grammar).sample(0, 2000).tables["s"], shrunk(grammar, 0.25).sample(0,
                                                                                                            2000).tables["s"]
    assert set(wide["n_a"]) == set(range(10)) and set(narrow["n_a"]) == {4, 5}
    assert np.array_equal(wide["n_b"], grammar.sample(0, 2000).tables["s"]["n_b"])


@pytest.mark.parametrize("low, high, expected", [(1, 2, {1, 2}), (0, 1, {0, 1}), (0, 2, {1}), (1, 6, {3, 4}),
                                                 (0, 10, {4, 5, 6})])
def test_whole_numbers_shrink_to_those_about_the_centre(low, high, expected):
    assert set(values(shrunk(one(n=learned(Integer(low, high))), 0.25), "n", 200)) == expected


def test_conditional_priors_keep_following_their_parents(street):
    for other, most in ((uniform_randomisation(street), 1.0), (shrunk(street), 0.25)):
        tables = other.sample(0, 500).tables
        width = tables["road"]["width"][tables["lane"].parent_row]
        share = np.abs(tables["lane"]["offset"]) / width
        assert 0.95 * most < share.max() <= most


def test_shares_outside_0_to_1_are_refused(street):
    for share in (0, -1, 1.01):
        with pytest.raises(ValueError, match=rf"shrunk needs 0 < share <= 1, got {share}"):
            shrunk(street, share)


def test_recursive_rules_keep_their_odds_so_that_scenes_end():
    grammar = Grammar("tree", {"tree": {"x": learned(Normal(0, 1), bounds=(-9, 9))}},
                      [Rule("tree", ["tree", "tree"], 0.3, learned=True), Rule("tree", [], 0.7, learned=True)])
    for other in (uniform_randomisation(grammar), shrunk(grammar)):
        assert np.array_equal(other.sample(0, 50).tables["tree"].rule, grammar.sample(0, 50).tables["tree"].rule)
    assert np.abs(uniform_randomisation(grammar).sample(0, 200).tables["tree"]["x"]).max() > 8
