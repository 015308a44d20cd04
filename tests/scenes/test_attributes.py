"""What conditional priors see, and how values are moved."""

from typing import Any

import numpy as np
import pytest
from checks import same_scenes
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from scenefit.scenes.grammar import Grammar, NormalisedValues, Rule, View, reflect, repeat
from scenefit.scenes.priors import Angle, Choice, Constant, Integer, Normal, Prior, Uniform, learned

LEAF: dict[str, Any] = {}


# Conditional priors

def test_priors_follow_own_attributes_parents_and_grandparents(street: Grammar) -> None:
    for scene in street.sample(0, 100):
        for car in scene.of("car"):
            assert car.parent is not None and car.length <= car.gap <= 2 * car.length
            assert car.room <= scene.root.width
            assert abs(car.side - car.parent.offset) < 12  # parents of two kinds: lanes and verges
            if car.parent.kind == "verge":
                assert car.side > 8
        for lane in scene.of("lane"):
            assert abs(lane.offset) <= scene.root.width


def test_a_prior_may_ask_which_child_a_node_is() -> None:
    """Of its parent and its kind, whatever stands beside it, and alike in any batch."""
    place = {"place": lambda node: Constant(node.number)}
    grammar = Grammar("root", {
        "root": {}, "lane": {}, "park": {}, "car": place,
        "door": {"of": lambda node: Constant(node.parent.number), "up": lambda n: Constant(n.parent.parent.number)}},
        [Rule("root", ["lane", "park", "lane"]), Rule("lane", ["car", repeat("car", Integer(0, 3))]),
         Rule("park", [repeat("car", 2)]), Rule("car", ["door"])])
    scenes = grammar.sample(0, 20)
    for scene in scenes:
        for kind, number in (("lane", 0), ("park", 0), ("lane", 1)):
            parent = scene.of(kind)[number]
            cars = [car for car in scene.of("car") if car.parent == parent]
            assert [car.place for car in cars] == list(range(len(cars)))
        assert {(door.of, door.up) for door in scene.of("door")} == {
            (car.place, scene.of(car.parent.kind).index(car.parent)) for car in scene.of("car")}
    assert same_scenes(scenes.take([7]), grammar.sample(0, [7]))
    assert Grammar("root", {"root": place}, []).sample(0, 3).tables["root"]["place"].tolist() == [0, 0, 0]


def test_mixed_parents_of_any_type_and_their_parents() -> None:
    """Words of different length, whole numbers beside floats, and parents of parents of two kinds."""
    def echo(node: View) -> Prior:
        return Constant(node.parent["word"])

    grammar = Grammar("root", {
        "root": {"base": Uniform(0, 1)},
        "a": {"word": Constant("x"), "size": Constant(1)}, "b": {"word": Constant("longer"), "size": Constant(2.5)},
        "leaf": {"word": echo, "size": lambda n: Constant(n.parent["size"])},
        "bud": {"word": lambda n: Constant(n.parent.parent["word"]),
                "base": lambda n: Constant(n.parent.parent.parent["base"])}},
        [Rule("root", ["a", "b", "a"]), Rule("a", ["leaf"]), Rule("b", ["leaf", "leaf"]), Rule("leaf", ["bud"])])
    for scene in grammar.sample(0, 5):
        for leaf in scene.of("leaf"):
            assert leaf.parent is not None and (leaf.word, leaf.size) == (leaf.parent.word, leaf.parent.size)
        for bud in scene.of("bud"):
            assert bud.parent is not None
            assert (bud.word, bud.base) == (bud.parent.word, scene.root.base)
    assert {leaf.word for leaf in grammar.sample(0, 1)[0].of("leaf")} == {"x", "longer"}


def test_a_node_sees_its_root_from_any_depth_and_through_parents_of_several_kinds() -> None:
    def prior(node):
        assert "w" in node.root and "v" not in node.root
        return Constant(node.root["w"] + 1)

    grammar = Grammar("s", {"s": {"w": Uniform(0, 1)}, "a": {}, "b": {}, "leaf": {"x": prior}},
                      [Rule("s", ["a", "b", "leaf"]), Rule("a", ["leaf"]), Rule("b", [repeat("leaf", 2)])])
    for scenes in (grammar.sample(0, 9), grammar.sample(0, 9).take([2, 5])):
        decoded = grammar.decode(scenes, {})[0].tables
        assert np.array_equal(decoded["leaf"]["x"], decoded["s"]["w"][decoded["leaf"].scene] + 1)
    wrong = {"s": {}, "a": {}, "leaf": {"x": lambda node: Constant(node.root["size"])}}
    with pytest.raises(ValueError, match="s, the parent of the parent, has no attribute 'size'"):
        Grammar("s", wrong, [Rule("s", ["a"]), Rule("a", ["leaf"])])


def test_a_kind_at_many_depths_sees_its_own_parent() -> None:
    grammar = Grammar("seed", {"seed": {"length": Constant(64.0)},
                               "twig": {"length": lambda t: Constant(t.parent["length"] / 2)}},
                      [Rule("seed", ["twig", "twig"]), Rule("twig", ["twig"], weight=4), Rule("twig", [])])
    scenes = grammar.sample(0, 50)
    assert scenes.tables["twig"].depth.max() > 5
    assert np.array_equal(scenes.tables["twig"]["length"], 64.0 / 2 ** scenes.tables["twig"].depth)


def test_a_view_is_a_mapping_of_columns() -> None:
    seen: list[Any] = []

    def look(node: View) -> Prior:
        seen.append((list(node), len(node), dict(node)["x"].shape, "x" in node, "z" in node))
        return Constant(0)

    Grammar("a", {"a": {"x": Uniform(0, 1), "y": look}})
    assert seen[0] == (["x"], 1, (32,), True, False)


@given(st.integers(1, 40))
def test_conditional_learned_priors_with_bounds_take_any_number_of_nodes(n: int) -> None:
    """Checking the bounds of a prior with one mean a node once needed exactly three nodes."""
    scenes = CONDITIONAL.sample(0, n)
    assert np.abs(scenes.tables["b"]["x"]).max() <= 3
    assert same_scenes(CONDITIONAL.decode(scenes, {})[0], scenes)


CONDITIONAL = Grammar("a", {"a": {"x": learned(Uniform(-9, 9))},
                            "b": {"x": learned(lambda b: Normal(b.parent["x"], 1), bounds=(-3, 3))}},
                      [Rule("a", ["b"])])


# Moving

finite = st.floats(allow_nan=False, allow_infinity=False)


def test_without_moves_decoding_changes_no_bit(street: Grammar, coins: Grammar) -> None:
    for grammar in (street, coins, CONDITIONAL):
        scenes = grammar.sample(1, 50)
        assert same_scenes(grammar.decode(scenes, {})[0], scenes)
        assert same_scenes(grammar.decode(scenes.take([8, 3]), {})[0], scenes.take([8, 3]))


def test_moves_of_nothing_change_nothing(street: Grammar) -> None:
    scenes = street.sample(1, 200)
    moved, _ = street.decode(scenes, {a.key: np.zeros(len(scenes.tables[a.kind])) for a in street.learned
                                      if not (a.count or isinstance(a.prior, Choice))})
    for kind, table in scenes.tables.items():
        for name, column in table.columns.items():
            if column.dtype.kind == "f":
                np.testing.assert_allclose(moved.tables[kind][name], column, atol=1e-9)
            else:
                assert np.array_equal(moved.tables[kind][name], column), (kind, name)


@given(st.lists(finite, min_size=8, max_size=8), st.sampled_from(["plain", "tight", "whole", "held", "turn"]))
def test_moves_stay_in_bounds_whatever_they_are(moves: list[float], name: str) -> None:
    scenes = MOVED.sample(0, 8)
    moved, units = MOVED.decode(scenes, {("a", name): np.array(moves)})
    values, unit = moved.tables["a"][name], units["a", name]
    low, high = {"plain": (-3, 11), "tight": (0.1, 0.3), "whole": (2, 6), "held": (0, 4), "turn": (-180, 180)}[name]
    assert np.all((values >= low) & (values <= high)) and np.all((unit.low == low) & (unit.high == high))
    assert np.all((unit.value >= 0) & (unit.value <= 1))
    if name in ("whole", "held"):
        assert values.dtype == np.int64
        span = unit.high - unit.low + 1
        expected = unit.low + np.minimum(np.floor(reflect(unit.value + moves) * span), span - 1)
    elif name == "turn":
        assert np.all(values < 180)
        expected = unit.low + (unit.value + moves) % 1 * (unit.high - unit.low)
        assert np.abs((values - expected + 180) % 360 - 180).max() <= 1e-9
        return
    else:
        expected = unit.low + reflect(unit.value + moves) * (unit.high - unit.low)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


MOVED = Grammar("a", {"a": {"plain": learned(Uniform(-3, 11)), "tight": learned(Normal(0.2, 5), bounds=(0.1, 0.3)),
                            "whole": learned(Integer(2, 6)), "held": learned(stats.poisson(3), bounds=(0, 4)),
                            "turn": learned(Angle(170, 30)), "fixed": learned(4, bounds=(0, 10)),
                            "word": learned(Choice(["x", "yy", "z"]))}})


@given(st.floats(-3, 3))
def test_angles_go_round(move: float) -> None:
    scenes = MOVED.sample(0, 8)
    moved, _ = MOVED.decode(scenes, {("a", "turn"): np.full(8, move)})
    turned = moved.tables["a"]["turn"] - scenes.tables["a"]["turn"] - 360 * move
    assert np.abs((turned + 180) % 360 - 180).max() < 1e-9


@given(st.floats(-20, 20))
def test_fold(x: float) -> None:
    y = reflect(x)
    assert 0 <= y <= 1 and reflect(-x) == pytest.approx(y, abs=1e-9) and reflect(x + 2) == pytest.approx(y, abs=1e-9)
    if 0 <= x <= 1:
        assert y == pytest.approx(x, abs=1e-15)


def test_bounds_hold_before_any_move() -> None:
    """Also whole numbers: Poisson(3) reaches past 4."""
    table = MOVED.sample(0, 2000).tables["a"]
    assert table["held"].max() == 4 and (table["held"] == 4).mean() == pytest.approx(stats.poisson(3).sf(3), abs=0.04)
    assert table["tight"].min() == 0.1 and table["tight"].max() == 0.3
    assert np.all(table["fixed"] == 4)


def test_a_constant_moves() -> None:
    moved, units = MOVED.decode(MOVED.sample(0, 3), {("a", "fixed"): np.array([0.1, -0.2, 0.9])})
    np.testing.assert_allclose(moved.tables["a"]["fixed"], [5, 2, 7], atol=1e-12)
    assert units["a", "fixed"].value.tolist() == [0.4] * 3


def test_a_choice_moves_to_the_chosen_codes() -> None:
    scenes = MOVED.sample(0, 3)
    moved, units = MOVED.decode(scenes, {("a", "word"): np.array([1, 0, 2])})
    assert moved.tables["a"]["word"].tolist() == ["yy", "x", "z"] and ("a", "word") not in units


def test_whole_numbers_move_by_bins() -> None:
    """Over the unit interval every whole number gets an equal share."""
    scenes = MOVED.sample(0, 5000)
    _, units = MOVED.decode(scenes, {})
    assert stats.kstest(units["a", "whole"].value, "uniform").pvalue > 1e-3
    moved, _ = MOVED.decode(scenes, {("a", "whole"): 0.5 - units["a", "whole"].value})
    assert set(moved.tables["a"]["whole"].tolist()) == {4}


def test_children_follow_a_moved_parent(street: Grammar) -> None:
    scenes = street.sample(1, 60)
    n = len(scenes.tables["lane"])
    moved, _ = street.decode(scenes, {("lane", "offset"): np.full(n, 0.3)})
    lanes, cars = scenes.tables["lane"], scenes.tables["car"]
    change = moved.tables["lane"]["offset"] - lanes["offset"]
    assert np.abs(change).min() > 0
    ours = cars.parent_kind == scenes.kinds.index("lane")
    followed = moved.tables["car"]["side"] - cars["side"]
    np.testing.assert_allclose(followed[ours], change[cars.parent_row[ours]], atol=1e-9)
    assert np.array_equal(moved.tables["car"]["side"][~ours], cars["side"][~ours])
    assert np.array_equal(moved.tables["car"]["gap"], cars["gap"])  # does not hang on what moved
    assert np.array_equal(moved.tables["road"]["width"], scenes.tables["road"]["width"])


def test_plain_conditional_attributes_follow_too(street: Grammar) -> None:
    scenes = street.sample(1, 60)
    moved, _ = street.decode(scenes, {("road", "width"): np.full(60, 0.4)})
    width, before = moved.tables["road"]["width"], scenes.tables["road"]["width"]
    of = scenes.tables["car"].scene
    np.testing.assert_allclose(moved.tables["car"]["room"] / width[of], scenes.tables["car"]["room"] / before[of])


def test_decoding_leaves_its_scenes_alone(street: Grammar) -> None:
    scenes = street.sample(1, 10)
    n = {kind: len(table) for kind, table in scenes.tables.items()}
    street.decode(scenes, {a.key: np.full(n[a.kind], 1) for a in street.learned if not a.count})
    assert same_scenes(scenes, street.sample(1, 10))


def test_a_scene_moves_alone_as_in_a_batch(street: Grammar) -> None:
    scenes = street.sample(1, 30)
    move = np.sin(np.arange(len(scenes.tables["car"])))
    whole, _ = street.decode(scenes, {("car", "side"): move})
    some = scenes.take([4, 9])
    kept = np.isin(scenes.tables["car"].scene, [4, 9])
    assert same_scenes(street.decode(some, {("car", "side"): move[kept]})[0], whole.take([4, 9]))


def test_bad_moves(street: Grammar) -> None:
    scenes = street.sample(1, 3)
    n = len(scenes.tables["car"])
    with pytest.raises(ValueError, match=r"^offsets of \('car', 'length'\), which is not a learned attribute; there "
                                         "are"):
        street.decode(scenes, {("car", "length"): np.zeros(n)})
    with pytest.raises(ValueError, match=rf"^offsets of \('car', 'side'\) need {n} finite numbers, one for each node, "
                                         r"got \[0"):
        street.decode(scenes, {("car", "side"): np.zeros(2)})
    with pytest.raises(ValueError, match=r"^offsets of \('car', 'side'\) need \d+ finite numbers, one for each node, "
                                         r"got \[nan"):
        street.decode(scenes, {("car", "side"): np.full(n, np.nan)})


def test_units_are_where_values_stand(street: Grammar) -> None:
    scenes = MOVED.sample(0, 300)
    _, told = MOVED.decode(scenes, {})
    found = MOVED.normalised(scenes)
    for name in ("plain", "tight", "fixed", "turn"):
        np.testing.assert_allclose(found["a", name], told["a", name].value, atol=1e-12)
    np.testing.assert_allclose(found["a", "whole"], (scenes.tables["a"]["whole"] - 1.5) / 5)
    assert ("a", "word") not in found
    counted = street.normalised(street.sample(0, 50))
    assert set(counted) == {a.key for a in street.learned if not isinstance(a.prior, Choice)}
    assert np.all((counted["lane", "n_car"] > 0) & (counted["lane", "n_car"] < 1))
    lanes = street.sample(0, 50)
    offset = np.concatenate([[n.offset / n.parent.width for n in s.of("lane") if n.parent] for s in lanes])
    np.testing.assert_allclose(np.sort(counted["lane", "offset"]), np.sort((offset + 1) / 2), atol=1e-12)


def test_every_learned_number_has_a_unit_even_without_nodes() -> None:
    grammar = Grammar("a", {"a": LEAF, "b": {"x": learned(Uniform(0, 1))}},
                      [Rule("a", []), Rule("a", ["b"], weight=0)])
    _, units = grammar.decode(grammar.sample(0, 3), {})
    assert isinstance(units["b", "x"], NormalisedValues) and len(units["b", "x"].low) == 0


# Conditional priors of one sort

def test_forms_of_attributes() -> None:
    grammar = Grammar("a", {"a": {"x": Uniform(0, 1), "yaw": learned(lambda a: Angle(a["x"], 5)),
                                  "n": learned(lambda a: Integer(0, np.ceil(a["x"] * 9))),
                                  "y": lambda a: Constant(a["x"]), "colour": Choice(["red", "blue"]),
                                  "level": Choice([1, 2]), "name": Constant("a"), "copy": lambda a: Constant(a["name"]),
                                  "either": lambda a: Choice(["x", "yy"]), "twice": lambda a: Constant(2 * a["n"]),
                                  "fixed": Constant(3), "moving": learned(Constant(3), bounds=(0, 9))}})
    forms = {name: a.form for name, a in grammar.attributes["a"].items()}
    assert forms == {"x": "number", "yaw": "angle", "n": "integer", "y": "number", "colour": "choice",
                     "level": "choice", "name": "text", "copy": "text", "either": "text", "twice": "integer",
                     "fixed": "integer", "moving": "number"}
    assert grammar.attributes["a"]["yaw"].circular and not grammar.attributes["a"]["n"].circular
    assert grammar.attributes["a"]["level"].choice == Choice([1, 2])
    with pytest.raises(TypeError, match=r"^a\.either is not a choice but of the form 'text'$"):
        grammar.attributes["a"]["either"].choice  # noqa: B018


def test_learned_priors_of_two_sorts_are_refused() -> None:
    def either(node: View) -> Prior:
        return Angle() if len(node.parent) else Uniform(0, 1)

    text = r"^b\.x: a learned attribute needs priors of one form \(numbers, integers or angles\) for every node$"
    with pytest.raises(ValueError, match=text):
        Grammar("a", {"a": {"width": Constant(2)}, "c": LEAF, "b": {"x": learned(either)}},
                [Rule("a", ["b", "c"]), Rule("c", ["b"])])
