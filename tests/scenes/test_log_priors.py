"""Priors on a logarithmic scale: scipy's quantiles, and what learning and domain randomisation do with them."""

import re

import numpy as np
import pytest
from scipy import stats
from toys import one

from scenefit.inference.gradients.pathwise import _own_slope
from scenefit.scenes.attributes import NormalisedValues, moved
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.grammar.domain_randomisation import shrunk, uniform_randomisation
from scenefit.scenes.log_priors import LogNormal, LogUniform
from scenefit.scenes.priors import Uniform, learned

U = (np.arange(999) + 1) / 1000


def test_quantiles_are_scipys() -> None:
    np.testing.assert_allclose(LogUniform(0.1, 1000).quantile(U), stats.loguniform(0.1, 1000).ppf(U), rtol=1e-12)
    np.testing.assert_allclose(LogNormal(5, 0.4).quantile(U), stats.lognorm(0.4, scale=5).ppf(U), rtol=1e-12)
    inside = LogNormal(5, 0.4, 4, 9)
    below, above = (stats.lognorm(0.4, scale=5).cdf(end) for end in (4, 9))
    np.testing.assert_allclose(inside.quantile(U), stats.lognorm(0.4, scale=5).ppf(below + U * (above - below)),
                               rtol=1e-9)


def test_ends_are_exact_and_columns_are_as_single_numbers() -> None:
    several = LogUniform(np.array([1.0, 3.0, 0.1]), 50).quantile(np.array([1e-300, 0.3, 1 - 2.0**-53]))
    assert several.tolist() == [LogUniform(low, 50).quantile(np.array([u]))[0]
                                for low, u in ((1.0, 1e-300), (3.0, 0.3), (0.1, 1 - 2.0**-53))]
    assert several[0] == 1 and several[2] <= 50


@pytest.mark.parametrize("make, text", [
    (lambda: LogUniform(0, 5), "LogUniform needs low > 0, since its logarithm is uniform (Uniform takes 0 and below), "
                               "got low=0, high=5"),
    (lambda: LogUniform(np.array([1, -2, 3]), 5), "does not hold for 1 of 3 nodes: the first has low=-2, high=5"),
    (lambda: LogUniform(5, 5), "LogUniform needs low < high, got low=5, high=5"),
    (lambda: LogUniform(1, np.inf), "LogUniform needs finite numbers, got high=inf"),
    (lambda: LogNormal(0, 1), "LogNormal needs median > 0, got median=0"),
    (lambda: LogNormal(1, 0), "LogNormal needs sd > 0, of the natural logarithm, got sd=0"),
    (lambda: LogNormal(1, 1, -1, 2), "LogNormal needs low >= 0, got low=-1"),
    (lambda: LogNormal(1, 200), "median and sd far below 1.8e308"),
    (lambda: learned(LogUniform(1, 5), bounds=(-1, 5)), "needs bounds above 0, since it is learned on a logarithmic"),
    (lambda: learned(LogNormal(1, 0.5)), "has no finite bounds with low < high"),
])
def test_error_texts(make, text) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        make()


@pytest.mark.parametrize("given, low, high", [
    (learned(LogUniform(1, 100)), 1, 100), (learned(LogUniform(2, 4), bounds=(1, 100)), 1, 100),
    (learned(LogNormal(3, 0.2, 1, 100)), 1, 100), (learned(lambda dot: LogNormal(3, 0.2, 1, 100)), 1, 100)])
def test_learning_moves_on_the_logarithmic_scale(given, low, high) -> None:
    """Values are multiplied, so that offsets mean the same for small and for large ones; and never leave the bounds."""
    grammar = one(x=given)
    scenes = grammar.sample(0, 200)
    before, units = np.asarray(scenes.tables["dot"]["x"]), grammar.normalised(scenes)["dot", "x"]
    np.testing.assert_allclose(units, np.log(before / low) / np.log(high / low), atol=1e-12)
    offset = np.full(len(before), 0.1)
    after, at = grammar.decode(scenes, {("dot", "x"): offset})
    factor, whole = after.tables["dot"]["x"] / before, units + 0.1 < 1
    assert whole.sum() > 100
    np.testing.assert_allclose(factor[whole], (high / low) ** 0.1)
    np.testing.assert_allclose(at["dot", "x"].value, units, atol=1e-12)
    np.testing.assert_allclose(grammar.normalised(after)["dot", "x"][whole], units[whole] + 0.1)
    far = grammar.decode(scenes, {("dot", "x"): np.linspace(-3, 3, len(before))})[0].tables["dot"]["x"]
    assert far.min() >= low and far.max() <= high
    np.testing.assert_allclose(grammar.decode(scenes, {("dot", "x"): 0 * offset})[0].tables["dot"]["x"], before)


def test_slopes_are_those_of_finite_differences() -> None:
    value, offset = np.array([0.2, 0.7, 0.4]), np.array([0.1, 0.6, -0.2])
    at = NormalisedValues(value, np.array([1.0, 2.0, -5.0]), np.array([50.0, 3.0, 5.0]), np.array([True, True, False]))
    a = one(x=learned(LogUniform(1, 50))).attributes["dot"]["x"]
    numeric = (moved("number", at, offset + 1e-6) - moved("number", at, offset - 1e-6)) / 2e-6
    np.testing.assert_allclose(_own_slope(a, at, offset), numeric, rtol=1e-6)


def test_domain_randomisation_stays_uniform_in_the_logarithm() -> None:
    for given in (learned(LogUniform(5, 20), bounds=(1, 100)), learned(lambda dot: LogNormal(3, 0.2, 1, 100))):
        wide, narrow = (np.log10(make(one(x=given)).sample(0, 4000).tables["dot"]["x"])
                        for make in (uniform_randomisation, shrunk))
        assert stats.kstest(wide, stats.uniform(0, 2).cdf).pvalue > 1e-3
        assert stats.kstest(narrow, stats.uniform(0.75, 0.5).cdf).pvalue > 1e-3


def test_some_nodes_are_logarithmic_and_a_scene_alone_is_as_in_a_batch() -> None:
    """Groups of one kind at two depths with priors on different scales."""
    def prior(node):
        return LogUniform(node.parent["w"], 90.0) if "w" in node.parent else Uniform(0, 1)

    grammar = Grammar("s", {"s": {"w": LogUniform(1, 2)}, "mid": {}, "dot": {"x": learned(prior)}},
                      [Rule("s", [repeat("dot", 3), "mid"]), Rule("mid", ["dot"])])
    scenes = grammar.sample(0, 50)
    offset = {("dot", "x"): np.full(200, 0.05)}
    after, at = grammar.decode(scenes, offset)
    assert at["dot", "x"].log.tolist() == [True] * 150 + [False] * 50
    assert at["dot", "x"].take(np.arange(149, 151)).log.tolist() == [True, False]
    alone = grammar.decode(grammar.sample(0, [17]), {("dot", "x"): np.full(4, 0.05)})[0]
    rows = after.tables["dot"].scene == 17
    assert alone.tables["dot"]["x"].tolist() == after.tables["dot"]["x"][rows].tolist()
    assert "LogUniform(low=1, high=2)" in str(grammar.describe())
