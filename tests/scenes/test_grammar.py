"""Grammars: what they accept, in which words they refuse, and what they tell of themselves."""

import json
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from checks import counts, in_processes, likely
from scipy import stats

from scenefit.scenes.grammar import Attribute, Grammar, Rule, repeat
from scenefit.scenes.grammar.domain_randomisation import shrunk
from scenefit.scenes.priors import Angle, Choice, Constant, Integer, Normal, Prior, Uniform, learned

LEAF: dict[str, Any] = {}


# What is refused, and in which words

def endless(*rules: Rule) -> Callable[[], Grammar]:
    return lambda: Grammar("a", {"a": LEAF, "b": LEAF, "c": LEAF}, list(rules))


def coin(**attributes: Any) -> Callable[[], Grammar]:
    return lambda: Grammar("coin", {"coin": attributes})


def several(count: Any, **attributes: Any) -> Callable[[], Grammar]:
    return lambda: Grammar("a", {"a": attributes, "b": LEAF}, [Rule("a", [repeat("b", count)])])


def child(x: Any, deeper: Any = 1.0) -> Callable[[], Grammar]:
    return lambda: Grammar("a", {"a": {"radius": 2.0, "w": 1.0}, "b": {"x": x}, "c": {"x": deeper}},
                           [Rule("a", ["b"]), Rule("b", ["c"])])


class Odd(Prior):
    bounds = (0, 1)

    def quantile(self, u: Any) -> Any:
        return np.full(len(u), np.inf)

    def __repr__(self) -> str:
        return "Odd()"


ONE = Grammar("a", {"a": LEAF})
CALL = "Grammar(start, symbols, rules)"
WHOLE = ("repeat('b', count): the count of a repeat must be whole numbers >= 0, such as 3, or Integer(1, 3) for a "
         "random one")

REFUSED: dict[str, Callable[[], Any]] = {
    "start 'table' is not among the symbols ['coin']": lambda: Grammar("table", {"coin": LEAF}),
    "rule a -> [x] uses 'x', which is not among the symbols ['a', 'b']; add it to symbols (with {} if it has no "
    "attributes)": lambda: Grammar("a", {"b": LEAF, "a": LEAF}, [Rule("a", ["x"])]),
    "rule a -> [repeat(x)] uses 'x', which is not among the symbols ['a']; add it to symbols (with {} if it has no "
    "attributes)": lambda: Grammar("a", {"a": LEAF}, [Rule("a", [repeat("x", 3)])]),
    "rule x -> [a] uses 'x', which is not among the symbols ['a']; add it to symbols (with {} if it has no attributes)":
        lambda: Grammar("a", {"a": LEAF}, [Rule("x", ["a"])]),
    "rule a -> [b]: its weight must be a finite number >= 0, got -1": lambda: Rule("a", ["b"], weight=-1),
    "rule a -> [b]: its weight must be a finite number >= 0, got nan": lambda: Rule("a", ["b"], weight=np.nan),
    "the rules of a have no positive weight": endless(Rule("a", ["b"], weight=0), Rule("a", ["c"], weight=0)),
    "the grammar never ends: a lead back to themselves with 2 children of their own kind on average, and it must be "
    "below 1; lower the weight of those rules": endless(Rule("a", ["a", "a"])),
    "the grammar never ends: a lead back to themselves with 1 children of their own kind on average, and it must be "
    "below 1; lower the weight of those rules": endless(Rule("a", ["b", "a"])),
    "the grammar never ends: b, c lead back to themselves with 1.225 children of their own kind on average, and it "
    "must be below 1; lower the weight of those rules":
        endless(Rule("a", ["b"]), Rule("b", ["c"]), Rule("c", ["b", "b"], weight=3), Rule("c", [])),
    "the grammar never ends: a lead back to themselves with 1.5 children of their own kind on average, and it must be "
    "below 1; lower the weight of those rules": endless(Rule("a", [repeat("a", Integer(0, 3))])),
    "coin.x: an attribute's name must be a Python name without leading underscore, and none of "
    "['batch', 'id', 'kind', 'node', 'parent', 'rng', 'row', 'rule', 'scene', 'values']": coin(x=1),
    "the conditional prior of coin.x failed: KeyError: coin has no attribute 'y' (yet): a prior may use earlier "
    "attributes of its node, ['a'], and all of node.parent": coin(a=1, x=lambda c: Uniform(0, c["y"]), y=3),
    "the conditional prior of coin.x failed: KeyError: coin is the root: it has no parent":
        coin(x=lambda c: Uniform(0, c.parent["y"])),
    "the conditional prior of coin.x failed: ZeroDivisionError: division by zero": coin(x=lambda c: Uniform(0, 1 / 0)),
    "the conditional prior of coin.x failed: ValueError: Uniform needs low < high, got low=3, high=1":
        coin(x=lambda c: Uniform(3, 1)),
    "the conditional prior of coin.x failed: TypeError: a prior is needed (Uniform, Normal, ..., a number, a frozen "
    "scipy.stats distribution or a function of the node), got None": coin(x=lambda c: None),
    "the conditional prior of coin.x failed: TypeError: a prior is needed (Uniform, Normal, ..., a number, a frozen "
    "scipy.stats distribution or a function of the node), got numbers; for just those values write sf.Constant(...)":
        coin(a=Uniform(0, 1), x=lambda c: 2 * c["a"]),
    "the conditional prior of coin.x failed: ValueError: The truth value of an array with more than one element is "
    "ambiguous. Use a.any() or a.all(); the function sees whole columns: use np.where, not if, and np.minimum, not min":
        coin(a=Uniform(0, 1), x=lambda c: Constant(1 if c["a"] > 0.5 else 2)),
    "the conditional prior of b.x failed: KeyError: a, the parent, has no attribute 'radus': it has ['radius', 'w']; "
    "did you mean 'radius'?": child(lambda b: Constant(b.parent["radus"])),
    "the conditional prior of c.x failed: KeyError: a, the parent of the parent, has no attribute 'h': it has "
    "['radius', 'w']": child(Uniform(0, 1), lambda c: Constant(c.parent.parent["h"])),
    "the conditional prior of coin.x failed: TypeError: it must return a prior, got the function <class 'int'>":
        coin(x=lambda c: int),
    "the conditional prior of coin.x failed: TypeError: a learned choice needs the same options for every node; make "
    "it a plain Choice": coin(x=learned(lambda c: Choice([1, 2]))),
    "the conditional prior of coin.x failed: ValueError: learned(Normal(mean=0, sd=1, low=-inf, high=inf)) has no "
    "finite bounds with low < high; give the range that learning may reach: learned(prior, bounds=(low, high))":
        coin(x=learned(lambda c: Normal(0, 1))),
    "the conditional prior of coin.x failed: ValueError: learned(Angle(mean=0, sd=1, width=360.0)) takes no bounds: a "
    "choice or an angle has its own": coin(x=learned(lambda c: Angle(0, 1), bounds=(0, 1))),
    f"{WHOLE}, got -1": several(-1),
    f"{WHOLE}, got 2.5": several(2.5),
    f"{WHOLE}, got 'many'": several("many"),
    f"{WHOLE}, got '2'": several("2"),
    f"{WHOLE}, got True": several(True),
    f"{WHOLE}, got nan": several(np.nan),
    f"{WHOLE}, got inf": several(np.inf),
    f"{WHOLE}, got Integer(low=-1, high=3)": several(Integer(-1, 3)),
    f"{WHOLE}, got Uniform(low=0, high=3)": several(Uniform(0, 3)),
    f"{WHOLE}, got Choice(options=(1, 3), weights=None)": several(Choice([1, 3])),
    f"{WHOLE}, got Learned(prior=Constant(value=2), bounds=(-1, 5))": several(learned(2, bounds=(-1, 5))),
    f"{WHOLE}, got Learned(prior=Constant(value=2), bounds=(0.5, 5))": several(learned(2, bounds=(0.5, 5))),
    "repeat('b', count): the count of a repeat must be a prior of its own, not a function of the node":
        several(lambda a: Integer(0, 3)),
    "repeat('b', count): b.count: a prior is needed (Uniform, Normal, ..., a number, a frozen scipy.stats distribution "
    "or a function of the node), got None": several(None),
    "repeat('b', count): b.count: Constant needs a text, or a number that a float or a 64-bit integer can hold, got "
    f"value={'1' + '0' * 17}...{'0' * 19}": several(10**400),
    "repeat(child, count): child needs the name of a kind, such as 'coin'; got int 3": lambda: repeat(3, "coin"),
    "Rule(head, children, weight): head needs the name of a kind, such as 'table'; got list ['coin']":
        lambda: Rule(["coin"], "table"),
    "rule a -> [b]: its weight must be a finite number >= 0, got True (learned=True is an argument of its own)":
        lambda: Rule("a", ["b"], True),
    "rule a -> [b]: its weight must be a finite number >= 0, got 'b'": lambda: Rule("a", ["b"], "b"),
    f"rule a -> [b]: its weight must be a finite number >= 0, got {'1' + '0' * 17}...{'0' * 19}":
        lambda: Rule("a", ["b"], 10**400),
    f"{CALL}: start needs the name of the root's kind; got dict {{'a': {{}}}}": lambda: Grammar({"a": LEAF}, "a"),
    f"{CALL}: symbols needs a dictionary from each kind to its attributes, such as {{'coin': {{'x': Uniform(0, 9)}}}}; "
    "got list ['a']": lambda: Grammar("a", ["a"]),
    f"{CALL}: symbols['a'] needs a dictionary from names of attributes to priors, {{}} for none; got None":
        lambda: Grammar("a", {"a": None}),
    f"{CALL}: symbols needs kinds that are texts, without spaces at their ends; got int 3":
        lambda: Grammar("a", {3: {}}),
    f"{CALL}: symbols needs kinds that are texts, without spaces at their ends; got str 'zq7 '":
        lambda: Grammar("a", {"zq7 ": {}}),
    f"{CALL}: symbols needs kinds that are texts, without spaces at their ends; got str ''":
        lambda: Grammar("a", {"a": {}, "": {}}),
    f"{CALL}: rules needs a list of rules, such as [Rule('table', ['coin'])]; got a value of type Rule":
        lambda: Grammar("a", {"a": LEAF, "b": LEAF}, Rule("a", ["b"])),
    f"{CALL}: rules needs a list of rules, such as [Rule('table', ['coin'])]; got tuple ('a', ['b'])":
        lambda: Grammar("a", {"a": LEAF, "b": LEAF}, [("a", ["b"])]),
    "sample(seed, indices): indices needs a number of scenes >= 0, or a list of their indices; got str '5'":
        lambda: ONE.sample(0, "5"),
    "sample(seed, indices): indices needs a number of scenes >= 0, or a list of their indices; got int -3":
        lambda: ONE.sample(0, -3),
    "sample(seed, indices): indices needs a number of scenes >= 0, or a list of their indices; got bool True":
        lambda: ONE.sample(0, True),
    "sample(seed, indices): indices needs a number of scenes >= 0, or a list of their indices; got None":
        lambda: ONE.sample(0, None),
    "scene indices must be integers >= 0, got [9223372036854775808]": lambda: ONE.sample(0, [2**63]),
    "a seed must be an integer in 0..2**64 - 1, got '0'": lambda: ONE.sample("0", 5),
    "uniform_randomisation(grammar), shrunk(grammar): grammar needs a Grammar; got a value of type SceneBatch":
        lambda: shrunk(ONE.sample(0, 1)),
    "coin.x: Constant needs a text, or a number that a float or a 64-bit integer can hold, got value="
    f"{'1' + '0' * 17}...{'0' * 19}": coin(x=10**400),
    "the conditional prior of coin.x failed: ValueError: Uniform needs finite numbers, got high="
    f"{'1' + '0' * 17}...{'0' * 19}": coin(x=lambda c: Uniform(0, 10**400)),
    "the prior of coin.x, Odd(), gives [inf ... inf] of type float64; it has to give texts or numbers, and finite "
    "numbers if it is learned": coin(x=learned(Odd())),
    "rule a -> [repeat(b)]: a already has an attribute n_b; repeats of the same child need the same count":
        several(3, n_b=Uniform(0, 1)),
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str) -> None:
    make = REFUSED[text]
    if text.startswith("coin.x: an attribute's name"):
        for name in ("parent", "_x", "a b", "2x"):
            with pytest.raises(ValueError) as error:
                coin(**{name: 1})()
            assert str(error.value) == text.replace("coin.x", f"coin.{name}")
        return
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value) == text


def test_columns_are_not_printed_in_full() -> None:
    for make in (coin(x=lambda node: Constant(np.arange(20.0))),
                 coin(a=Uniform(0, 1), x=learned(lambda node: Normal(node["a"], 1))),
                 coin(a=Uniform(0, 1), x=lambda node: node["a"])):
        with pytest.raises(ValueError) as error:
            make()
        assert len(str(error.value)) < 300 and "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"can be converted to Python scalars; the function sees whole columns"):
        coin(a=Uniform(0, 1), x=lambda node: Constant(math.sin(node["a"])))()


@pytest.mark.parametrize("prior", [Constant, lambda value: Uniform(value, 99)])
def test_a_prior_of_other_nodes(prior: Any) -> None:
    with pytest.raises(ValueError, match=r"the prior of coin\.x is not of these \d+ nodes: .*; a conditional prior's"):
        coin(x=lambda node: prior(np.array([3.0, 6.0, 9.0])))()


def test_what_is_no_prior_or_no_list_of_children() -> None:
    with pytest.raises(TypeError, match=r"^coin\.x: a prior is needed .* got None$"):
        Grammar("coin", {"coin": {"x": None}})
    text = r"^rule a: its children must be a list of kinds and repeats, got 'coin'; write \['coin'\]$"
    with pytest.raises(TypeError, match=text):
        Rule("a", "coin")
    for children in (None, {"b"}, {"b": 2}, b"coin"):
        with pytest.raises(TypeError, match=r"^rule a: its children must be a list of kinds and repeats, got "):
            Rule("a", children)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^rule a: its children must be a list of kinds and repeats, got \[3\]$"):
        Rule("a", [3])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="its children must be a list of kinds and repeats, got Repeat"):
        Rule("a", repeat("b", 2))  # type: ignore[arg-type]


def test_counts_and_children_of_any_type_that_fits() -> None:
    assert Rule("a", (kind for kind in "bc")).children == ("b", "c")  # type: ignore[arg-type]
    for count in (2, 2.0, np.int64(2), np.uint8(2), np.float32(2), Integer(2, 2)):
        scenes = Grammar("a", {"a": LEAF, "b": LEAF}, [Rule("a", [repeat("b", count)])]).sample(0, 3)
        assert len(scenes.tables["b"]) == 6, count


def test_the_first_of_several_mistakes_is_named_whatever_the_hash_seed() -> None:
    code = ("from scenefit.scenes.grammar import *\n"
            "try: Grammar('a', {k: {} for k in 'abcdefgh'}, [Rule(k, [], weight=0) for k in 'hgfedcba'])\n"
            "except ValueError as error: print(error)")
    assert set(in_processes(code)) == {"the rules of a have no positive weight"}


@pytest.mark.parametrize("seed", [-1, 0.5, None])
def test_bad_seeds(coins: Grammar, seed: Any) -> None:
    with pytest.raises(ValueError, match="a seed must be an integer"):
        coins.sample(seed, 1)


@pytest.mark.parametrize("indices", [[-1], [0.5], [[1, 2]], ["a"]])
def test_bad_indices(coins: Grammar, indices: Any) -> None:
    with pytest.raises(ValueError, match="scene indices must be integers >= 0, got"):
        coins.sample(0, indices)


# What ends and what does not

def test_just_below_critical_is_fine_and_its_size_is_right() -> None:
    grammar = Grammar("a", {"a": LEAF}, [Rule("a", ["a"], weight=0.9), Rule("a", [], weight=0.1)])
    sizes = counts(grammar, "a")
    assert likely([(sizes == 1).sum(), (sizes == 2).sum(), (sizes > 2).sum()], [0.1, 0.09, 0.81])
    assert sizes.mean() == pytest.approx(10, rel=0.1)
    Grammar("a", {"a": LEAF}, [Rule("a", ["a", "a"], weight=0.499), Rule("a", [], weight=0.501)])


def test_a_chain_of_many_children_ends() -> None:
    """Great means without a cycle: eigenvalues of such a matrix are numerically far from the 0 they should be."""
    kinds = [f"k{i}" for i in range(12)]
    rules = [Rule(a, [repeat(b, 40)], weight=1e-3) for a, b in pairwise(kinds)] + [
        Rule(a, [b]) for a, b in pairwise(kinds)]
    grammar = Grammar("k0", dict.fromkeys(kinds, LEAF), rules)
    assert grammar.sample(0, 3).tables["k11"].depth.max() == 11


def test_mutual_recursion() -> None:
    grammar = Grammar("a", {"a": LEAF, "b": LEAF, "c": LEAF},
                      [Rule("a", ["b", "b"], weight=0.5), Rule("a", ["c"], weight=0.5),
                       Rule("b", ["a"], weight=0.5), Rule("b", [], weight=0.5)])
    scenes = grammar.sample(0, 500)
    for scene in scenes:
        for node in scene.nodes[1:]:
            assert node.parent is not None
            assert (node.parent.kind, node.kind) in {("a", "b"), ("a", "c"), ("b", "a")}
    assert scenes.tables["a"].depth.max() > 4


def test_the_mean_of_learned_and_scipy_counts() -> None:
    """Poisson(0.9) ends, Poisson(1.1) does not; bounds that hold a count down count."""
    Grammar("a", {"a": LEAF}, [Rule("a", [repeat("a", stats.poisson(0.9))])])
    Grammar("a", {"a": LEAF}, [Rule("a", [repeat("a", learned(stats.poisson(0.9), bounds=(0, 9)))])])
    with pytest.raises(ValueError, match=r"with 1\.1 children of their own kind"):
        Grammar("a", {"a": LEAF}, [Rule("a", [repeat("a", stats.poisson(1.1))])])
    with pytest.raises(ValueError, match=r"with 2\.064 children of their own kind"):
        Grammar("a", {"a": LEAF}, [Rule("a", [repeat("a", learned(stats.binom(5, 0.2), bounds=(2, 5)))])])


def test_a_heavy_tail_is_caught_when_sampled() -> None:
    """Fine in the mean, but some scenes hold too much; the same scene is refused alone and in a batch."""
    grammar = Grammar("a", {"a": LEAF, "b": LEAF}, [Rule("a", ["b"])])
    heavy = Grammar("a", {"a": LEAF, "b": LEAF}, [Rule("a", ["b"], weight=1e6), Rule("a", [repeat("b", 200_000)])])
    text = (r"^scene 7 of seed 3 grew to 200001 nodes at depth 1 without an end \(100000 nodes and depth 200 are "
            r"allowed\); lower the counts, or the weight of the rules that lead back to their own head$")
    for indices in ([7], [7, 8]):
        with pytest.raises(ValueError, match=text):
            heavy.sample(3, indices, odds={"a": np.array([0.0, 1.0])})
    assert heavy.sample(3, 50).node_count == grammar.sample(3, 50).node_count


def test_odds_that_make_a_grammar_endless_are_caught() -> None:
    grammar = Grammar("a", {"a": LEAF}, [Rule("a", ["a"], weight=0.1, learned=True), Rule("a", [], learned=True)])
    with pytest.raises(ValueError, match="scene 0 of seed 0 grew to 202 nodes at depth 201 without an end"):
        grammar.sample(0, 2, odds={"a": [1.0, 0.0]})
    assert grammar.sample(0, 2, odds={"a": [0.0, 1.0]}).node_count == 2


# What a grammar tells of itself

def test_attributes_and_what_is_learned(street: Grammar) -> None:
    assert [a.key for a in street.learned] == [
        ("road", "width"), ("lane", "offset"), ("lane", "n_car"), ("car", "side"), ("car", "yaw"), ("car", "doors"),
        ("car", "colour")]
    assert street.learned_heads == ("lane",) and street.kinds == ("road", "lane", "verge", "car")
    assert street.attributes["road"]["n_lane"] == Attribute("road", "n_lane", Integer(1, 3), False, None,
                                                             count=True, form="integer")
    car = street.attributes["car"]
    assert car["side"].conditional and not car["yaw"].conditional
    assert car["yaw"].circular and not car["side"].circular
    assert [car[name].form for name in ("yaw", "doors", "colour", "side")] == ["angle", "integer", "choice", "number"]
    assert str(street.rules[0]) == "road -> [repeat(lane), verge]"


def test_grammars_are_frozen(coins: Grammar) -> None:
    with pytest.raises(AttributeError):
        coins.start = "coin"  # type: ignore[misc]


CHANGES: dict[str, Any] = {
    "prior": lambda: described(x=Uniform(0, 2)), "bound": lambda: described(y=learned(3, bounds=(0, 8))),
    "learned": lambda: described(x=learned(Uniform(0, 1))), "weight": lambda: described(weight=1.0000001),
    "rule learned": lambda: described(rule_learned=True), "count": lambda: described(count=3),
    "scipy's parameter": lambda: described(z=stats.gamma(2, scale=3.0001)),
    "code": lambda: described(w=lambda n: Uniform(0, n["x"] + 2)),
    "order": lambda: described(order=True), "name": lambda: described(new=1),
}


def described(weight: float = 1, rule_learned: bool = False, count: Any = 2, order: bool = False,
              **changed: Any) -> Any:
    own: dict[str, Any] = {"x": Uniform(0, 1), "y": learned(3, bounds=(0, 9)), "z": stats.gamma(2, scale=3),
                           "w": lambda n: Uniform(0, n["x"] + 1), **changed}
    if order:
        own = {"y": own["y"], "x": own["x"], "z": own["z"], "w": own["w"]}
    return Grammar("a", {"a": own, "b": LEAF}, [Rule("a", [repeat("b", count)], weight, learned=rule_learned),
                                                Rule("a", [])]).describe()


@pytest.mark.parametrize("change", CHANGES)
def test_a_description_changes_with_the_grammar(change: str) -> None:
    assert CHANGES[change]() != described()


def test_a_description_does_not_change_without_a_change() -> None:
    assert described() == described()
    assert json.loads(json.dumps(described())) == described()
    assert described()["symbols"]["a"]["y"] == "learned Constant(value=3) in (0, 9)"
    assert described()["rules"] == ["a -> [repeat(b)] (weight 1)", "a -> [] (weight 1.0)"]


def test_a_grammar_is_printed_in_a_line() -> None:
    grammar = Grammar("table", {"table": {"shade": learned(Uniform(0, 1))}, "coin": {"x": Uniform(0, 1)}},
                      [Rule("table", ["coin"], learned=True), Rule("table", [repeat("coin", learned(Integer(0, 3)))])])
    assert repr(grammar) == ("Grammar('table', kinds: table, coin; learned: table.shade, table.n_coin, rules of table)")
    assert repr(ONE) == "Grammar('a', kinds: a; learned: nothing)"
    many = Grammar("a", {"a": {f"x{i}": learned(Uniform(0, 1)) for i in range(1000)}})
    assert repr(many).endswith("a.x7 and 992 more)") and len(repr(many)) < 120
