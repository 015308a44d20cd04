"""Scene batches and the views of them."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from checks import same_scenes
from hypothesis import given
from hypothesis import strategies as st

from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Choice, Constant, Integer, Uniform
from scenefit.scenes.scene import Node, Scene, SceneBatch, row_numbers


@pytest.fixture
def scenes(street: Grammar) -> SceneBatch:
    return street.sample(5, 20)


# The tree

def test_ids_are_0_to_n_and_parents_come_first(scenes: SceneBatch) -> None:
    assert len({len(scene.nodes) for scene in scenes}) > 3
    for scene in scenes:
        assert [node.id for node in scene.nodes] == list(range(len(scene.nodes)))
        assert scene.root.id == 0 and scene.root.parent is None
        for node in scene.nodes[1:]:
            assert node.parent is not None and node.parent.id < node.id
            assert scene.nodes[node.parent.id] == node.parent


def test_ids_are_by_depth_in_whatever_order_the_kinds_are_given() -> None:
    """Children before their parents in the grammar, and kinds that stand at several depths."""
    grammar = Grammar("wood", {kind: TREES.symbols[kind] for kind in ("bird", "tree", "wood")}, TREES.rules)
    scenes = grammar.sample(2, 12)
    rows = scenes.rows()
    assert np.array_equal(np.lexsort((rows["node"], rows["scene"])), np.arange(scenes.node_count))
    for scene in scenes:
        depth = [_depth(node) for node in scene.nodes]
        assert depth == sorted(depth) and [node.id for node in scene.nodes] == list(range(len(scene.nodes)))
        own = rows["kind"][rows["scene"] == scene.index].tolist()
        assert own == [node.kind for node in scene.nodes]
    assert {scene.index: sorted(map(str, (n.values for n in scene.nodes))) for scene in scenes} == \
           {scene.index: sorted(map(str, (n.values for n in scene.nodes))) for scene in WHOLE}


def _depth(node: Node) -> int:
    return 0 if node.parent is None else 1 + _depth(node.parent)


def test_kinds_stand_where_the_rules_put_them(scenes: SceneBatch) -> None:
    parents = {(node.kind, node.parent.kind if node.parent else None) for scene in scenes for node in scene.nodes}
    assert parents == {("road", None), ("lane", "road"), ("verge", "road"), ("car", "lane"), ("car", "verge")}


def test_parent_ids_are_the_parents_ids(scenes: SceneBatch) -> None:
    for kind, table in scenes.tables.items():
        told = scenes.parent_ids(kind)
        for row in range(len(table)):
            parent = Node(scenes, kind, row).parent
            assert told[row] == (-1 if parent is None else parent.id)
    with pytest.raises(KeyError, match=r"no kind 'bus' in these scenes; there are \['road', 'lane', 'verge', 'car'\]"):
        scenes.parent_ids("bus")


def test_views(scenes: SceneBatch) -> None:
    scene = scenes[3]
    assert (scene.seed, scene.index, len(scenes), len(list(scenes))) == (5, 3, 20, 20)
    assert [node.id for kind in scenes.kinds for node in scene.of(kind)] != []
    assert sorted(node.id for kind in scenes.kinds for node in scene.of(kind)) == [n.id for n in scene.nodes]
    car = next(node for scene in scenes for node in scene.of("car"))
    assert car.kind == "car" and car["yaw"] == car.yaw == car.values["yaw"] == scenes.tables["car"]["yaw"][car.row]
    assert set(car.values) == {"side", "length", "gap", "room", "yaw", "doors", "colour"}
    assert type(car.yaw) is float and type(car.doors) is int and type(car.colour) is str
    assert scenes[-1] == scenes[19] and scenes[-1].index == 19
    assert scenes.node_count == sum(len(scene.nodes) for scene in scenes)


def test_what_is_not_there(scenes: SceneBatch) -> None:
    for row in (20, -21):
        with pytest.raises(IndexError, match=f"scene {row} of a batch of 20"):
            _ = scenes[row]
    with pytest.raises(KeyError, match="no kind 'bus' in these scenes"):
        scenes[0].of("bus")
    with pytest.raises(AttributeError, match=r"^road: no attribute 'size' here; there are \['light', 'n_lane', 'wid"):
        _ = scenes[0].root.size
    with pytest.raises(KeyError, match="no attribute 'size' here"):
        _ = scenes[0].root["size"]
    assert not hasattr(scenes[0].root, "size") and not hasattr(scenes[0].root, "__array__")


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))],
                         ids=["copy", "deepcopy", "pickle"])
def test_batches_scenes_and_nodes_can_be_copied_and_pickled(scenes: SceneBatch, again: Any) -> None:
    assert same_scenes(again(scenes), scenes)
    scene = again(scenes[3])
    assert isinstance(scene, Scene) and scene.index == 3
    assert [n.values for n in scene.nodes] == [n.values for n in scenes[3].nodes]
    node = again(scenes[3].nodes[-1])
    assert isinstance(node, Node) and node.values == scenes[3].nodes[-1].values


def test_texts_stay_short(scenes: SceneBatch) -> None:
    assert repr(scenes) == f"SceneBatch(seed=5, 20 scenes, {scenes.node_count} nodes)"
    root = scenes[0].root
    assert repr(root) == f"Node('road', id=0, width={root.width:.4g}, light={root.light!r}, n_lane={root.n_lane})"
    assert repr(scenes.tables["road"]) == "Table(20 nodes, ['width', 'light', 'n_lane'])"
    assert repr(scenes[0]).startswith("Scene(0 of seed 5, 1 road, ") and len(repr(scenes[0])) < 100
    wide = Grammar("a", {"a": {f"x{i}": float(i) for i in range(1000)}}).sample(0, 2)
    assert repr(wide.tables["a"]).endswith("'x11'] and 988 more)") and repr(wide[0].root).endswith("x11=11, 988 more)")


def test_completion_lists_attributes(scenes: SceneBatch) -> None:
    table, node = scenes.tables["road"], scenes[0].root
    for names in (list(table), table._ipython_key_completions_(), node._ipython_key_completions_()):
        assert names == ["width", "light", "n_lane"]
    assert "width" in table and "zq7" not in table
    assert dir(node) == ["id", "kind", "light", "n_lane", "parent", "rng", "values", "width"]


def test_frozen(scenes: SceneBatch) -> None:
    for thing in (scenes, scenes[0], scenes[0].root, scenes.tables["car"]):
        with pytest.raises(AttributeError):
            thing.row = 3  # type: ignore[union-attr]


def test_random_numbers_belong_to_a_scene_or_node(scenes: SceneBatch, street: Grammar) -> None:
    alone = street.sample(5, [3])
    assert alone[0].rng("noise").random() == scenes[3].rng("noise").random()
    assert alone[0].nodes[-1].rng("noise").random() == scenes[3].nodes[-1].rng("noise").random()
    draws = [scenes[3].rng("noise"), scenes[3].rng("blur"), scenes[4].rng("noise"), scenes[3].root.rng("noise"),
             scenes[3].nodes[1].rng("noise"), street.sample(6, 4)[3].rng("noise")]
    assert len({rng.random() for rng in draws}) == len(draws)


# Parts of a batch

@given(st.lists(st.integers(0, 11), unique=True))
def test_take_is_sampling_those_alone(indices: list[int]) -> None:
    taken = WHOLE.take(indices)
    for row, index in enumerate(indices):
        assert taken[row].index == index
        assert [(n.kind, n.id, n.values, n.parent and n.parent.id) for n in taken[row].nodes] == \
               [(n.kind, n.id, n.values, n.parent and n.parent.id) for n in WHOLE[index].nodes]
        assert taken[row].rng("x").random() == WHOLE[index].rng("x").random()
    assert taken.node_count == sum(len(WHOLE[index].nodes) for index in indices)
    if indices == sorted(indices):
        assert same_scenes(taken, TREES.sample(2, indices))


TREES = Grammar("wood", {"wood": {}, "tree": {"height": Uniform(1, 9)}, "bird": {"song": Choice(["a", "bb"])}},
                [Rule("wood", [repeat("tree", Integer(0, 3)), "bird"]), Rule("tree", [repeat("bird", Integer(0, 2))]),
                 Rule("tree", ["tree"], weight=0.5)])
WHOLE = TREES.sample(2, 12)


def test_take_of_some_of_some_of_some(scenes: SceneBatch) -> None:
    assert same_scenes(scenes.take([7, 3, 9, 1]).take([2, 0]), scenes.take([9, 7]))
    assert same_scenes(scenes.take(range(20)), scenes)


def test_take_with_a_mask_or_from_the_end(scenes: SceneBatch) -> None:
    mask = np.zeros(20, bool)
    mask[[2, 5]] = True
    assert same_scenes(scenes.take(mask), scenes.take([2, 5]))
    assert same_scenes(scenes.take([-1]), scenes.take([19]))


def test_take_of_what_cannot_be_taken(scenes: SceneBatch) -> None:
    for rows in ([1, 1], [19, -1]):
        with pytest.raises(ValueError, match="take needs each row at most once"):
            scenes.take(rows)
    for wrong in ([20], [-21], [True, False], [0.5]):
        with pytest.raises(IndexError):
            scenes.take(wrong)  # type: ignore[arg-type]
    assert len(scenes.take([])) == 0
    assert row_numbers([], 3).dtype.kind == "i"


def test_with_columns(scenes: SceneBatch) -> None:
    n = len(scenes.tables["car"])
    changed = scenes.with_columns({"car": {"yaw": np.zeros(n), "new": np.ones(n)}})
    assert changed.tables["car"]["yaw"].sum() == 0 and changed.tables["car"]["new"].sum() == n
    assert np.array_equal(changed.tables["car"]["side"], scenes.tables["car"]["side"])
    assert scenes.tables["car"]["yaw"].any() and "new" not in scenes.tables["car"].columns
    with pytest.raises(ValueError, match=f"column yaw of car needs {n} values, one for each node, got 3"):
        scenes.with_columns({"car": {"yaw": np.zeros(3)}})
    with pytest.raises(KeyError, match="no kind 'bus' in these scenes"):
        scenes.with_columns({"bus": {"yaw": np.zeros(3)}})


# Rows

def test_rows_hold_every_node_and_value(scenes: SceneBatch) -> None:
    rows = scenes.take([4, 2, 11]).rows()
    assert list(rows)[:4] == ["scene", "node", "parent", "kind"]
    assert {len(column) for column in rows.values()} == {scenes.take([4, 2, 11]).node_count}
    told = [{name: rows[name][i] for name in rows} for i in range(len(rows["scene"]))]
    expected = [node for index in (2, 4, 11) for node in scenes[index].nodes]
    for row, node in zip(told, expected, strict=True):
        scene = next(s for s in scenes if node in s.nodes)
        assert (row["scene"], row["node"], row["kind"]) == (scene.index, node.id, node.kind)
        assert row["parent"] == (-1 if node.parent is None else node.parent.id)
        for name in set(rows) - {"scene", "node", "parent", "kind"}:
            absent = "" if rows[name].dtype.kind == "U" else np.nan
            np.testing.assert_equal(row[name], node.values.get(name, absent))


def test_types_of_rows() -> None:
    grammar = Grammar("a", {"a": {"word": Constant("w"), "n": Constant(1), "some": Constant(2)},
                            "b": {"word": Constant("longer"), "n": Constant(2), "x": Constant(0.5)}},
                      [Rule("a", ["b"])])
    rows = grammar.sample(0, 2).rows()
    assert rows["word"].tolist() == ["w", "longer"] * 2
    assert rows["n"].dtype == np.int64 and rows["n"].tolist() == [1, 2, 1, 2]
    assert rows["some"].dtype == np.float64
    np.testing.assert_array_equal(rows["x"], [np.nan, 0.5, np.nan, 0.5])
    assert {name: column.ndim for name, column in rows.items()} == dict.fromkeys(rows, 1)
    assert len({len(column) for column in grammar.sample(0, 0).rows().values()}) == 1
