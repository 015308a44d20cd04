"""The scene file scenes/aerial.py: sizes, places and labels of its cars."""

import numpy as np
import pytest

import scenefit as sf
from scenefit.renderers.scene_checks import _labels, _unused
from scenes import aerial

SCENES = 12


@pytest.fixture(scope="module")
def scenes():
    return aerial.grammar.sample(4, SCENES)


@pytest.fixture(scope="module")
def frames(scenes):
    return aerial.renderer(scenes)


def present(scenes):
    """Rows of the cars that are there."""
    return np.flatnonzero(scenes.tables["car"]["opacity"] > 0)


def parents(scenes, rows, kind):
    """Those of these cars that stand on a place of this kind, and its rows."""
    cars = scenes.tables["car"]
    mine = rows[cars.parent_kind[rows] == scenes.kinds.index(kind)]
    return mine, cars.parent_row[mine]


def test_sizes_follow_the_scale_of_the_image(scenes):
    cars, scale = scenes.tables["car"], scenes.tables["image"]["scale"]
    rows = present(scenes)
    metres = cars["length"][rows] / scale[cars.scene[rows]], cars["width"][rows] / scale[cars.scene[rows]]
    small = cars["van"][rows] == 0
    for length, low, high in zip(metres, (3.5, 1.6), (5.3, 2.0), strict=True):
        assert low <= length[small].min() < length[small].max() <= high
    assert len(np.unique(cars.scene[rows])) > SCENES / 2
    scale = aerial.grammar.sample(0, 100).tables["image"]["scale"] * 4.5
    assert scale.min() < 9 and scale.max() > 54, "pixels of a car"


def test_cars_of_a_lot_stand_in_its_bays(scenes):
    cars, lots, image = (scenes.tables[kind] for kind in ("car", "lot", "image"))
    rows, bay = parents(scenes, present(scenes), "bay")
    assert len(rows) > 50
    scene = cars.scene[rows]
    turn = cars["angle"][rows] - image["direction"][scene]
    off = np.minimum(*(np.abs((turn - sign * image["slant"][scene] + 90) % 180 - 90) for sign in (1, -1)))
    assert off.max() < 2.01, "degrees from the slant of the bays, either way round"
    lot = scenes.tables["bay"].parent_row[bay]
    u, v = aerial.back({name: image[name][scene] for name in ("scale", "direction", "x0", "y0")}, cars["x"][rows],
                       cars["y"][rows])
    assert np.all(np.abs(u - lots["u"][lot]) < lots["length"][lot] / 2)
    assert np.all(np.abs(v - lots["v"][lot]) < lots["depth"][lot] / 2)


def test_cars_keep_to_the_right_and_off_the_crossing():
    scenes = aerial.grammar.sample(1, 60)
    cars, image, lanes = (scenes.tables[kind] for kind in ("car", "image", "lane"))
    rows, lane = parents(scenes, present(scenes), "lane")
    road = scenes.tables["road"]["number"][lanes.parent_row[lane]]
    left = np.where(road == 0, lanes["v"][lane], -lanes["u"][lane])
    heading = lanes["heading"][lane] - 90 * road
    wide = image["lanes"][cars.scene[rows]] > 1
    assert np.array_equal(np.abs(heading[wide]) < 90, left[wide] < 0) and 0 < (left[wide] < 0).mean() < 1
    both = image["n_road"][cars.scene[rows]] == 2
    ahead = np.abs(np.where(road == 0, lanes["u"][lane], lanes["v"][lane]))
    half = image["lanes"] * image["lane_width"] / 2
    assert both.any() and np.all(ahead[both] > half[cars.scene[rows]][both])


def test_shadows_do_not_part_from_their_cars(scenes):
    cars, image = scenes.tables["car"], scenes.tables["image"]
    rows = present(scenes)
    scene = cars.scene[rows]
    widths, low = cars["height"][rows] / cars["width"][rows], image["sun"][scene] > 1.55
    assert widths.max() < 1.001 and np.allclose(widths[low], 1)
    assert 0 < low.sum() < len(rows) and widths[~low].min() < 0.5


def test_boxes_are_those_of_visible_cars(scenes, frames):
    rows, cars, boxes = present(scenes), scenes.tables["car"], sf.label_boxes(frames)
    there = set(zip(cars.scene[rows].tolist(), cars.id[rows].tolist(), strict=True))
    objects = frames.objects
    named = objects.name == "car"
    assert set(zip(objects.scene[named].tolist(), objects.id[named].tolist(), strict=True)) <= there
    assert set(objects.name.tolist()) == {"car", ""} and set(boxes.name.tolist()) == {"car"}
    assert 0 < len(boxes) <= len(rows)
    covered = named & (objects.visibility < 0.99) & (objects.pixels > 0)
    assert covered.any(), "trees hide parts of cars"


def test_an_empty_place_has_no_object_and_ground_has_none_either(scenes, frames):
    cars = scenes.tables["car"]
    empty = cars["opacity"] == 0
    assert empty.sum() > 500 and not frames.area["car"][empty].any()
    assert aerial.ground(scenes.take([0, 1])).instances.max() == 0


def test_the_same_scene_has_the_same_bytes_alone(scenes, frames):
    alone = aerial.renderer(aerial.grammar.sample(4, [5]))
    assert np.array_equal(alone.images[0], frames.images[5])
    assert np.array_equal(alone.instances[0], frames.instances[5])


def test_all_that_is_learned_belongs_to_the_image(scenes, frames):
    assert {a.kind for a in aerial.grammar.learned} == {"image"} and len(aerial.grammar.learned) > 20
    assert not list(_unused(aerial.grammar, aerial.renderer, scenes, frames))
    assert [f.mode for f in _labels(aerial.grammar, aerial.renderer, scenes, frames)] == ["ok"]
    assert aerial.renderer.info.size == aerial.SIZE
