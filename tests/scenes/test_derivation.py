"""The scenes that grammars make: the same whatever the batch, and as often as their rules and priors say."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from checks import counts, in_processes, likely, same_scenes
from scipy import stats

from scenefit.scenes.attributes import NodeGroup
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Angle, Choice, Integer, Uniform, learned

LEAF: dict[str, Any] = {}


def test_a_scene_is_the_same_in_any_batch_order_and_number(street: Grammar) -> None:
    whole = street.sample(3, 40)
    assert same_scenes(street.sample(3, [17]), whole.take([17]))
    assert same_scenes(street.sample(3, [30, 4, 17]).take([1, 2]), street.sample(3, [4, 17]))
    assert same_scenes(street.sample(3, range(40)), whole)
    assert same_scenes(street.sample(3, np.arange(40, dtype=np.uint8)), whole)
    assert not same_scenes(street.sample(4, [17]), street.sample(3, [17]))
    one = {(node.kind, node.id): node.values for node in street.sample(3, [30, 4, 17])[2].nodes}
    assert one == {(node.kind, node.id): node.values for node in whole[17].nodes}


def test_golden_scene(street: Grammar) -> None:
    """Scene 4711, as it has to come out of every version."""
    scene = street.sample(0, [4711])[0]
    assert [node.kind for node in scene.nodes] == ["road", "lane", "lane", "lane", "verge", "car"]
    assert scene.root.values == {"width": pytest.approx(11.8973336786793, abs=1e-12), "light": "day", "n_lane": 3}
    assert scene.nodes[-1].values == pytest.approx({
        "side": 31.84976846956208, "length": 4.1876124954651655, "gap": 4.264148663169219, "room": 2.48959045439685,
        "yaw": 167.05509420462772, "doors": 4, "colour": "red"}, abs=1e-9)


def test_another_process_with_another_hash_seed_makes_the_same_scenes() -> None:
    code = ("import sys; sys.path.insert(0, 'tests'); import conftest, json\n"
            "street = conftest.street.__wrapped__()\n"
            "rows = street.sample(3, [4711, 2]).rows()\n"
            "print(json.dumps([{k: v.tolist() for k, v in rows.items()}, street.describe()], sort_keys=True))")
    first, second = in_processes(code)
    assert first == second and '"scene": [2,' in first


def test_no_scenes(street: Grammar) -> None:
    empty = street.sample(0, 0)
    assert len(empty) == 0 and empty.node_count == 0
    decoded, units = street.decode(empty, {})
    assert same_scenes(decoded, empty) and all(len(unit.value) == 0 for unit in units.values())
    assert same_scenes(street.sample(0, 9).take([]), empty)


def test_kinds_without_nodes_keep_their_columns_and_types() -> None:
    grammar = Grammar("a", {"a": LEAF, "b": {"word": Choice(["x", "yy"]), "n": Integer(0, 3), "y": learned(Angle())}},
                      [Rule("a", [], weight=1), Rule("a", ["b"], weight=0)])
    table = grammar.sample(0, 2).tables["b"]
    assert len(table) == 0 and {k: v.dtype.kind for k, v in table.columns.items()} == {"word": "U", "n": "i", "y": "f"}


def test_attributes_follow_their_priors(street: Grammar) -> None:
    tables = street.sample(0, 3000).tables
    assert stats.kstest((tables["road"]["width"] - 6) / 6, "uniform").pvalue > 1e-3
    assert likely(np.unique(tables["road"]["light"], return_counts=True)[1], [3, 1])
    assert likely(np.unique(tables["car"]["colour"], return_counts=True)[1], [1, 1, 1])
    assert likely(np.bincount(tables["car"]["doors"])[2:], [1, 1, 1, 1])
    assert likely(np.bincount(tables["road"]["n_lane"])[1:], [1, 1, 1])
    assert stats.kstest(tables["car"]["length"], stats.truncnorm(-2, 4, 4, 0.5).cdf).pvalue > 1e-3


@pytest.mark.parametrize("shape", ["constant", "integer", "learned", "poisson", "learned constant"])
def test_counts_of_repeats(shape: str) -> None:
    prior, expected = {"constant": (3, [0, 0, 0, 1]), "integer": (Integer(1, 3), [0, 1, 1, 1]),
                       "learned": (learned(Integer(0, 2)), [1, 1, 1, 0]),
                       "poisson": (stats.poisson(1.5), stats.poisson(1.5).pmf(range(4))),
                       "learned constant": (learned(2, bounds=(0, 9)), [0, 0, 1, 0])}[shape]
    grammar = Grammar("a", {"a": LEAF, "b": LEAF}, [Rule("a", [repeat("b", prior)])])
    found = counts(grammar, "b")
    assert np.array_equal(found, grammar.sample(0, 4000).tables["a"]["n_b"])
    observed = np.bincount(found, minlength=4)[:4]
    possible = np.asarray(expected) > 0
    assert observed[~possible].sum() == 0
    assert possible.sum() == 1 or likely(observed[possible], np.asarray(expected)[possible])


def test_rules_are_drawn_by_weight_and_odds_override() -> None:
    rules = [Rule("a", ["b"], weight=1), Rule("a", ["c", "c"], weight=3), Rule("a", [], weight=0)]
    grammar = Grammar("a", {"a": LEAF, "b": LEAF, "c": LEAF}, rules)
    assert grammar.rule_probabilities("a").tolist() == [0.25, 0.75, 0]
    scenes = grammar.sample(0, 4000)
    assert likely(np.bincount(scenes.tables["a"].rule, minlength=3)[:2], [1, 3])
    assert (scenes.tables["a"].rule == 2).sum() == 0 and (scenes.tables["b"].rule == -1).all()
    assert len(scenes.tables["c"]) == 2 * (scenes.tables["a"].rule == 1).sum()
    assert likely(np.bincount(grammar.sample(0, 4000, odds={"a": [3, 1, 4]}).tables["a"].rule), [3, 1, 4])


@pytest.mark.parametrize("odds", [{"a": [1.0]}, {"a": [1.0, -1.0]}, {"a": [0.0, 0.0]}, {"a": [np.nan, 1]}, {"b": []},
                                  {"x": [1.0]}], ids=str)
def test_bad_odds(odds: Any) -> None:
    grammar = Grammar("a", {"a": LEAF, "b": LEAF}, [Rule("a", ["b"]), Rule("a", [])])
    with pytest.raises(ValueError, match=r"^odds of [abx] need \d numbers >= 0 with a positive sum, one for each of "):
        grammar.sample(0, 2, odds=odds)


def test_children_keep_their_numbers_when_their_siblings_change() -> None:
    """The second coin is the same coin whether or not there is a third, or a note beside it."""
    symbols = {"a": LEAF, "coin": {"x": Uniform(0, 1)}, "note": {"x": Uniform(0, 1)}}
    few = Grammar("a", symbols, [Rule("a", ["coin", "coin"])]).sample(0, 1)[0].of("coin")
    many = Grammar("a", symbols, [Rule("a", ["coin", "note", repeat("coin", 2)])]).sample(0, 1)[0].of("coin")
    assert [c.x for c in many[:2]] == [c.x for c in few] and len({c.x for c in many}) == 3


def test_the_same_child_by_name_and_by_two_rules_with_one_count() -> None:
    grammar = Grammar("a", {"a": LEAF, "b": LEAF, "c": LEAF},
                      [Rule("a", [repeat("b", 2), "b"]), Rule("a", ["c", repeat("b", 2)])])
    scenes = grammar.sample(0, 50)
    for scene in scenes:
        assert len(scene.of("b")) == (3 if scenes.tables["a"].rule[scene.root.row] == 0 else 2)


# Moves of counts

def test_counts_move_by_a_number_or_a_function_of_the_group(coins: Grammar) -> None:
    scenes = coins.sample(0, 200)
    key = ("table", "n_coin")
    assert set(coins.sample(0, 200, {key: 0.0}).tables["table"]["n_coin"] - scenes.tables["table"]["n_coin"]) == {0}
    more = coins.sample(0, 200, {key: 2 / 6}).tables["table"]["n_coin"]
    low = scenes.tables["table"]["n_coin"] <= 4
    assert np.array_equal(more[low], scenes.tables["table"]["n_coin"][low] + 2) and more.max() <= 6

    def move(groups: Mapping[tuple[str, int], NodeGroup], group: NodeGroup) -> np.ndarray:
        assert groups[group.kind, group.depth] is group
        return np.where(group.address % 2 == 0, 2 / 6, 0.0)

    mixed = coins.sample(0, 200, {key: move})
    even = scenes.tables["table"].address % 2 == 0
    assert np.array_equal(mixed.tables["table"]["n_coin"], np.where(even, more, scenes.tables["table"]["n_coin"]))
    assert np.array_equal(np.bincount(mixed.tables["coin"].scene, minlength=200), mixed.tables["table"]["n_coin"])
    assert same_scenes(coins.sample(0, [5, 9], {key: move}), mixed.take([5, 9]))
    assert same_scenes(coins.decode(mixed, {key: 0.5})[0], mixed)  # counts are no business of decode
