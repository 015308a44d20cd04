"""Scene batches as graph tensors."""

import numpy as np
import pytest
import torch
from scipy import stats
from toys import one

from scenefit.nets.graph_encoding import columns, encode
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Angle, Choice, Constant, Integer, Normal, Uniform, learned


def forms(grammar: Grammar, kind: str) -> dict[str, str]:
    return {column.name: column.form for column in columns(grammar)[kind]}


def test_each_form_of_attribute_is_encoded_in_its_own_way(street):
    assert forms(street, "car") == {"side": "number", "length": "number", "gap": "number", "room": "number",
                                    "yaw": "angle", "doors": "number", "colour": "choice"}
    assert forms(street, "road") == {"width": "number", "light": "choice", "n_lane": "number"}


def test_constants_texts_and_empty_kinds_are_not_encoded():
    grammar = Grammar("a", {"a": {"c": Constant(3), "t": Constant("red"), "w": lambda a: Choice(["u", "v"]),
                                  "x": Uniform(0, 1)},
                            "rare": {"q": lambda r: Choice(["u", "v"]), "z": Uniform(0, 1)}},
                      [Rule("a", []), Rule("a", ["rare"], weight=1e-9)])
    assert forms(grammar, "a") == {"x": "number"}
    assert forms(grammar, "rare") == {}  # 256 scenes never held one, so nothing is known of its scale


def test_numbers_are_scaled_by_their_spread_and_clipped():
    grammar = one(x=Normal(100, 7), y=stats.expon(scale=3))
    block = encode(grammar.sample(5, 2000), columns(grammar)).inputs["dot"]
    assert block.dtype == torch.float32 and block.shape == (2000, 3)
    assert torch.equal(block[:, 0], torch.ones(2000))  # so that a kind without attributes has an input too
    np.testing.assert_allclose(block[:, 1:].mean(0), 0, atol=0.15)
    np.testing.assert_allclose(block[:, 1].std(), 1, atol=0.1)
    assert block[:, 2].max() == 5.0


@pytest.mark.parametrize("prior", [Angle(180, 5), lambda node: Angle(180, 5)], ids=["plain", "conditional"])
def test_an_angle_is_encoded_as_sine_and_cosine(prior):
    grammar = one(yaw=learned(prior))
    scenes = grammar.sample(0, 64)
    yaw = scenes.tables["dot"]["yaw"]
    assert yaw.min() < -160 and yaw.max() > 160  # both ends of the scale
    block = encode(scenes, columns(grammar)).inputs["dot"][:, 1:]
    np.testing.assert_allclose(block, np.stack([np.sin(np.deg2rad(yaw)), np.cos(np.deg2rad(yaw))], 1), atol=1e-6)
    assert block.std(0).max() < 0.2  # side by side all the same


def test_choices_are_one_hot():
    grammar = one(colour=Choice(["red", "blue", "any"]), size=Choice([3, 1]))
    scenes = grammar.sample(1, 50)
    block = encode(scenes, columns(grammar)).inputs["dot"].numpy()
    table = scenes.tables["dot"]
    for row in range(50):
        expected = [1, *(table["colour"][row] == c for c in ("red", "blue", "any")),
                    *(table["size"][row] == s for s in (3, 1))]
        assert block[row].tolist() == expected


def test_parents_and_scenes_agree_with_the_scene_graph(street):
    scenes = street.sample(3, 20)
    graph = encode(scenes, columns(street))
    number, names = {}, []
    for kind, table in scenes.tables.items():  # an independent numbering, node by node
        for row in range(len(table)):
            number[int(table.scene[row]), int(table.id[row])] = len(names)
            names.append((kind, row))
    for scene_row, scene in enumerate(scenes):
        for node in scene.nodes:
            at = number[scene_row, node.id]
            assert int(graph.scene[at]) == scene_row
            assert int(graph.parent[at]) == (at if node.parent is None else number[scene_row, node.parent.id])
    assert graph.scenes == 20 and len(graph.parent) == scenes.node_count == sum(map(len, graph.inputs.values()))


def test_kinds_without_nodes_have_empty_inputs():
    grammar = Grammar("a", {"a": {},
                            "b": {"colour": learned(Choice(["x", "y"])), "yaw": Angle(0, 3), "w": Uniform(0, 1)}},
                      [Rule("a", [repeat("b", Integer(0, 1))])])
    empty = next(i for i in range(64) if len(grammar.sample(0, [i]).tables["b"]) == 0)
    graph = encode(grammar.sample(0, [empty]), columns(grammar))
    assert graph.inputs["b"].shape == (0, 6) and graph.parent.tolist() == [0]
