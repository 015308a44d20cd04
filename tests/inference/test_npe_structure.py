"""Rules and counts of nodes without pixels, from where the objects of photos are. Objects are given, not predicted."""

from functools import partial

import numpy as np
import pytest

import scenefit as sf
from scenefit.data.photos import as_photos
from scenefit.inference.npe.cases import Case
from scenefit.inference.npe.places import (
    TRIED,
    Placed,
    find_placed,
    known_placed,
    placed_kinds,
    places_of,
    with_placed,
)
from scenefit.inference.npe.structure import Structure, unknowns
from scenefit.inference.stages.problem import Budget, Problem, start
from scenefit.nets.object_predictions import ObjectPredictions
from scenefit.nets.object_targets import object_spec
from scenefit.scenes.grammar.values import Drawing, draw_scenes

SIZE, ROWS, BAYS = (48, 64), 2, 5
ODDS = np.array([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7]])  # of a car, a van and nothing, by row
KINDS = ("car", "van")


def constant(function):
    return lambda node: sf.Constant(function(node))


VEHICLE = {"aside": sf.Uniform(-1, 1), "x": constant(lambda node: node.parent["x"] + node["aside"]),
           "y": constant(lambda node: node.parent["y"])}
LOT = sf.Grammar("lot", {
    "lot": {"left": sf.learned(sf.Uniform(6, 16))},
    "row": {"y": constant(lambda row: 12 + 24 * row.number)},
    "bay": {"x": constant(lambda bay: bay.parent.parent["left"] + 10 * bay.number),
            "y": constant(lambda bay: bay.parent["y"])},
    "car": VEHICLE, "van": VEHICLE},
    [sf.Rule("lot", [sf.repeat("row", ROWS)]), sf.Rule("row", [sf.repeat("bay", BAYS)]),
     *(sf.Rule("bay", children, learned=True) for children in (["car"], ["van"], []))])
QUEUE = sf.Grammar("lot", {
    "lot": {"left": sf.learned(sf.Uniform(6, 16))}, "row": {"y": constant(lambda row: 12 + 24 * row.number)},
    "car": {"x": constant(lambda car: car.parent.parent["left"] + 10 * car.number),
            "y": constant(lambda car: car.parent["y"])}},
    [sf.Rule("lot", [sf.repeat("row", ROWS)]), sf.Rule("row", [sf.repeat("car", sf.learned(sf.Integer(0, BAYS)))])])
COINS = sf.Grammar("lot", {"lot": {}, "car": {"x": sf.Uniform(4, 60), "y": sf.Uniform(4, 44)}},
                   [sf.Rule("lot", [sf.repeat("car", sf.learned(sf.Integer(1, 6)))])])


def squares(scenes):
    """Cars and vans as squares of 8 and 6 pixels."""
    masks = np.zeros((len(scenes), *SIZE), np.int32)
    for kind, half in zip(KINDS, (4, 3), strict=True):
        table = scenes.tables.get(kind)
        for row in range(0 if table is None else len(table)):
            x, y = round(float(table["x"][row])), round(float(table["y"][row]))
            masks[table.scene[row], max(y - half, 0):y + half, max(x - half, 0):x + half] = table.id[row]
    return sf.make_frames(scenes, (masks > 0) * 0.9, masks)


def structure_of(grammar, kinds=KINDS):
    spec = object_spec(grammar, kinds, ["lot"])
    placed = placed_kinds(grammar, squares, SIZE, spec, 5)
    return Structure(grammar, spec, unknowns(grammar, spec, placed.kinds), placed,
                     partial(places_of, squares, SIZE, spec))


def case(structure, scenes, seed, missed=0.0, error=0.5):
    """Scenes to be found again, from all their objects but those missed, where "left" is predicted with an error; and
    the row of each object in its table."""
    places, random = structure.places(scenes), np.random.default_rng(seed)
    places = places.where(random.random(len(places.row)) >= missed)
    order = random.permutation(len(places.row))
    own, m = places.extents, len(order)
    found = ObjectPredictions(len(scenes), own.image[order], own.kind[order], np.ones(m), own.box[order],
                              np.zeros((m, 0)), np.zeros((len(scenes), 0)))
    left = scenes.tables["lot"]["left"] + random.normal(0, error, len(scenes))
    drawing = Drawing(seed, len(scenes), {("lot", "left"): np.clip((left - 6) / 10, 0, 1)})
    return Case(drawing, np.arange(len(scenes)), found), places.row[order]


def by_row(scenes):
    """Shares of the rules of the bays, by row [rows, rules]."""
    rule = scenes.tables["bay"].rule.reshape(-1, ROWS, BAYS)
    return np.stack([(rule == number).mean((0, 2)) for number in range(3)], 1)


@pytest.fixture(scope="module")
def photos():
    def decide(group):
        row, random = np.arange(len(group)) // BAYS % ROWS, np.random.default_rng(0)
        return {"rule": (ODDS[row].cumsum(1) < random.random((len(group), 1))).sum(1)} if group.kind == "bay" else {}

    return LOT.sample(1, 120, decide=decide)


def test_places_follow_from_the_image_or_are_random():
    assert structure_of(LOT).placed == Placed(KINDS, (LOT.attributes["lot"]["left"],), 3 * TRIED)
    assert structure_of(QUEUE, ("car",)).placed.kinds == ("car",)
    coins = structure_of(COINS, ("car",))
    assert coins.placed == Placed(renders=2 * TRIED) and coins.unknown == ()


def test_rules_of_bays_and_the_object_of_each_node(photos):
    """Objects are all seen: every bay has its true rule, and every vehicle its own object."""
    structure = structure_of(LOT)
    (found, rows), (known, _) = case(structure, photos, 2), case(structure, LOT.sample(7, 60), 3)
    derived = structure(found, known, LOT.sample(7, 60), np.random.default_rng(9))
    assert (derived.scenes.tables["bay"].rule == photos.tables["bay"].rule).mean() > 0.98
    assert derived.inferred == {("bay", "rule"), ("lot", "left")}
    assert derived.renders == structure.renders(120, 60) - 120 == 3 * 180, "nothing is drawn for the empty bays"
    for code, kind in enumerate(KINDS):
        at = derived.objects[kind]
        assert (at >= 0).mean() > 0.97 and np.all(found.objects.kind[at[at >= 0]] == code)
        apart = derived.scenes.tables[kind]["x"][at >= 0] - photos.tables[kind]["x"][rows[at[at >= 0]]]
        assert np.abs(apart).max() < 5, "half of a bay"


def test_shares_are_corrected_by_what_is_missed_in_renders(photos):
    """Three of ten objects are missed, in photos as in renders."""
    structure = structure_of(LOT)
    (found, _), (known, _) = case(structure, photos, 2, 0.3), case(structure, LOT.sample(7, 60), 3, 0.3)
    derived = structure(found, known, LOT.sample(7, 60), np.random.default_rng(9))
    right, true = by_row(derived.scenes), by_row(photos)
    assert np.abs(right.mean(0) - true.mean(0)).max() < 0.07, "uncorrected, 0.17 too many are empty"
    assert np.abs(right - true).max() < 0.13, "rows differ as they should"
    assert (derived.objects["car"] < 0).mean() > 0.1, "a car that was missed is no object"


def test_rules_that_no_object_tells_keep_their_prior(photos):
    structure = structure_of(LOT)
    (found, _), (known, _) = case(structure, photos, 2), case(structure, LOT.sample(7, 60), 3, 1.0)
    derived = structure(found, known, LOT.sample(7, 60), np.random.default_rng(9))
    assert derived.inferred == {("lot", "left")} and np.allclose(by_row(derived.scenes), 1 / 3, atol=0.06)


@pytest.mark.parametrize("missed", [0.0, 0.3])
def test_counts_of_rows(missed):
    truth = QUEUE.sample(1, 150, decide=lambda group: {"n_car": np.tile([1, 4], len(group) // 2)}
                         if group.kind == "row" else {})
    structure, renders = structure_of(QUEUE, ("car",)), QUEUE.sample(7, 100)
    (found, _), (known, _) = case(structure, truth, 2, missed), case(structure, renders, 3, missed)
    derived = structure(found, known, renders, np.random.default_rng(9))
    counts = derived.scenes.tables["row"]["n_car"].reshape(-1, 2)
    assert ("row", "n_car") in derived.inferred and np.abs(counts.mean(0) - [1, 4]).max() < 0.4
    assert len(derived.scenes.tables["car"]) == counts.sum()


def test_scenes_are_drawn_with_a_given_structure(photos):
    rules = photos.tables["bay"].rule
    again = draw_scenes(LOT, Drawing(9, 120, {("lot", "left"): np.full(120, 0.5)}, by_node={("bay", "rule"): rules}))
    assert np.array_equal(again.tables["bay"].rule, rules) and np.allclose(again.tables["lot"]["left"], 11)
    assert np.allclose(again.tables["bay"]["x"].reshape(-1, BAYS), 11 + 10 * np.arange(BAYS))


def test_image_attributes_that_move_the_objects_are_told_by_their_places(photos):
    structure = structure_of(LOT)
    (found, _), (known, _) = case(structure, photos, 2, error=4.0), case(structure, LOT.sample(7, 60), 3, error=4.0)
    derived = structure(found, known, LOT.sample(7, 60), np.random.default_rng(9))
    left, true = derived.scenes.tables["lot"]["left"], photos.tables["lot"]["left"]
    before = 6 + 10 * found.drawing.values["lot", "left"]
    assert np.abs(before - true).mean() > 2 and np.abs(left - true).mean() < 1.3
    assert np.allclose(left, 6 + 10 * derived.values["lot", "left"])
    assert (derived.scenes.tables["bay"].rule == photos.tables["bay"].rule).mean() > 0.85


def test_images_without_objects_keep_what_was_predicted(photos):
    structure = structure_of(LOT)
    (found, _), (known, _) = case(structure, photos, 2, missed=1.0), case(structure, LOT.sample(7, 60), 3)
    derived = structure(found, known, LOT.sample(7, 60), np.random.default_rng(9))
    assert np.allclose(derived.values["lot", "left"], found.drawing.values["lot", "left"])


def test_later_rounds_know_what_has_places():
    problem = Problem(LOT, squares, as_photos(squares(LOT.sample(1, 4)).images, SIZE), None, None, None, None,
                      Budget(), 0)
    spec = object_spec(LOT, KINDS, ["lot"])
    state, placed = start(problem), find_placed(problem, spec)
    after = with_placed(problem, spec, state, placed)
    assert known_placed(problem, spec, state) is None and after.renders == state.renders + 3 * TRIED
    later = known_placed(problem, spec, after)
    assert (later.kinds, later.moving, later.renders) == (KINDS, placed.moving, 0)
    assert with_placed(problem, spec, after, later).renders == after.renders
