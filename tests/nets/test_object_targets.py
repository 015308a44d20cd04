"""Which attributes describe an object, and their true values: those of its own kind, of its parts, of its ancestors."""

import numpy as np
import pytest

from scenefit.nets.object_targets import (
    TrueObjects,
    object_kinds,
    object_spec,
    related_rows,
    rows_of_objects,
    single_kinds,
    true_values,
)
from scenefit.renderers import render
from scenefit.renderers.shapes import Shapes
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Angle, Choice, Integer, Uniform, learned

CAR_PARK = Grammar("place", {
    "place": {"shade": learned(Uniform(0, 1))},
    "row": {"heading": learned(Angle(0, 20)), "y": Uniform(4, 28)},
    "car": {"x": learned(Uniform(0, 32)), "y": lambda car: Uniform(car.parent["y"], car.parent["y"] + 1),
            "radius": Uniform(2, 3), "colour": learned(Choice(["red", "blue"]))},
    "roof": {"open": learned(Choice([0, 1])), "size": Uniform(0, 1)},
    "wheel": {"turn": learned(Integer(0, 4))}},
    [Rule("place", [repeat("row", Integer(1, 3))]), Rule("row", [repeat("car", learned(Integer(0, 4)))]),
     Rule("car", ["roof", repeat("wheel", Integer(1, 3))]), Rule("car", [])])


def test_an_object_is_described_by_itself_its_parts_and_its_ancestors():
    spec = object_spec(CAR_PARK, ["car"], ["place"])
    assert [one.attribute.key for one in spec.attributes] == [
        ("car", "x"), ("car", "colour"), ("row", "heading"), ("row", "n_car"), ("roof", "open"), ("wheel", "turn")]
    assert [one.width for one in spec.attributes] == [2, 2, 4, 2, 2, 2] and spec.outputs == 14
    assert [one.outputs for one in spec.attributes][2:4] == [slice(4, 8), slice(8, 10)]
    assert [one.column for one in spec.attributes] == list(range(6))


def test_parts_that_are_objects_themselves_and_single_kinds_are_left_out():
    spec = object_spec(CAR_PARK, ["car", "wheel"], ["place", "row"])
    assert [one.attribute.key for one in spec.of("car")] == [("car", "x"), ("car", "colour"), ("roof", "open")]
    assert [one.attribute.key for one in spec.of("wheel")] == [("wheel", "turn")]


def test_each_node_has_the_values_of_its_relations_and_nan_where_it_has_none_or_several():
    spec, scenes = object_spec(CAR_PARK, ["car"], ["place"]), CAR_PARK.sample(3, 40)
    values = true_values(spec, CAR_PARK, scenes)["car"]
    column = {one.attribute.key: values[:, one.column] for one in spec.attributes}
    found = {key: [] for key in column}
    for scene in scenes:
        for car in scene.of("car"):
            roofs, wheels = ([part for part in scene.of(kind) if part.parent.id == car.id]
                             for kind in ("roof", "wheel"))
            found["car", "x"].append(car.x / 32)
            found["car", "colour"].append(["red", "blue"].index(car.colour))
            found["row", "heading"].append(car.parent.heading / 360 + 0.5)
            found["row", "n_car"].append((car.parent.n_car + 0.5) / 5)
            found["roof", "open"].append(roofs[0].open if roofs else np.nan)
            found["wheel", "turn"].append((wheels[0].turn + 0.5) / 5 if len(wheels) == 1 else np.nan)
    assert np.isnan(found["roof", "open"]).any() and 0.1 < np.isfinite(found["wheel", "turn"]).mean() < 0.5
    table = scenes.tables["car"]
    order = np.lexsort((table.id, table.scene))  # rows of the table as scenes list them
    for key, expected in found.items():
        np.testing.assert_allclose(column[key][order], expected, atol=1e-9, err_msg=str(key))


def test_rows_of_relations_that_do_not_exist():
    scenes = CAR_PARK.sample(3, 20)
    assert np.all(related_rows(scenes, "row", "roof") == -1)  # neither part nor ancestor
    np.testing.assert_array_equal(related_rows(scenes, "row", "row"), np.arange(len(scenes.tables["row"])))
    assert np.all(related_rows(scenes, "car", "place") == scenes.tables["car"].scene)
    none = Grammar("a", {"a": {}, "b": {"x": learned(Uniform(0, 1))}, "c": {}},
                   [Rule("a", [repeat("b", Integer(0, 0))]), Rule("b", ["c"])]).sample(0, 5)
    assert len(related_rows(none, "b", "c")) == 0 and len(related_rows(none, "c", "b")) == 0


def test_a_kind_of_objects_is_one_that_shows_and_rows_are_those_of_its_nodes():
    shapes = Shapes((32, 32), {"car": {}})
    frames = render(shapes, CAR_PARK.sample(3, 12))
    assert object_kinds(frames) == ("car",)
    code, row = rows_of_objects(frames)
    table = frames.scenes.tables["car"]
    assert np.all(code == CAR_PARK.kinds.index("car"))
    np.testing.assert_array_equal(table.scene[row], frames.objects.scene)
    np.testing.assert_array_equal(table.id[row], frames.objects.id)
    assert len(frames.objects.id) > 20
    hidden = Shapes((32, 32), {"car": {"opacity": 0}})
    assert object_kinds(render(hidden, CAR_PARK.sample(3, 12))) == ()


@pytest.mark.parametrize("count, single", [(Integer(1, 1), True), (Integer(0, 2), False)])
def test_kinds_of_which_each_scene_holds_one(count, single):
    grammar = Grammar("a", {"a": {}, "b": {"x": learned(Uniform(0, 1))}}, [Rule("a", [repeat("b", count)])])
    assert single_kinds(grammar, grammar.sample(0, 64)) == (("a", "b") if single else ("a",))


def test_objects_of_some_images_are_numbered_anew():
    objects = TrueObjects(np.array([0, 0, 2, 5, 5]), np.arange(5), np.zeros((5, 4)), np.arange(5.0)[:, None])
    part = objects.of(np.array([2, 3, 5]))
    np.testing.assert_array_equal(part.image, [0, 2, 2])
    np.testing.assert_array_equal(part.kind, [2, 3, 4])
    assert part.rows(1) == slice(1, 1) and part.rows(2) == slice(1, 3)
