"""experiments/aerial2d without training: scenes, masks, groups of learned attributes, the target, the other painter."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scenefit as sf
from experiments.aerial2d import misspecified, picture
from experiments.aerial2d.settings import CARS, COUNTS, LANES, PARTS, ROWS
from experiments.aerial2d.table import table
from experiments.aerial2d.world import CLASSES, cars_by_lanes, class_masks, grammar, renderer, target, truth
from experiments.picture_rows import GAP, HEADING

SIDE = 96


@pytest.fixture(scope="module")
def frames() -> sf.Frames:
    return sf.render(renderer(SIDE), target(SIDE, 1, 12))


def test_masks_hold_the_visible_pixels_of_each_class(frames: sf.Frames) -> None:
    masks, objects = class_masks(frames), frames.objects
    assert set(objects.name) == set(CLASSES)
    for number, name in enumerate(CLASSES, start=1):
        pixels = np.bincount(objects.scene[objects.name == name], objects.pixels[objects.name == name], len(frames))
        assert np.array_equal((masks == number).sum((1, 2)), pixels) and pixels.sum() > 0


def test_cars_stand_on_the_road_and_are_hidden_only_by_trees(frames: sf.Frames) -> None:
    cars, masks = frames.scenes.tables["car"], class_masks(frames)
    x, y = (np.asarray(cars[way]) for way in "xy")
    inside = (x > 0) & (x < SIDE) & (y > 0) & (y < SIDE)
    assert inside.mean() >= 0.95
    found = masks[cars.scene[inside], y[inside].astype(int), x[inside].astype(int)]
    assert set(found) <= {1 + CLASSES.index("car"), 1 + CLASSES.index("tree")}
    road = frames.scenes.tables["road"]
    aside = abs(np.asarray(cars["left"])) + np.asarray(cars["width"]) / 2
    assert np.mean(aside <= np.asarray(road["width"])[cars.scene] / 2) >= 0.95
    assert np.array_equal(road.scene, np.arange(len(frames)))  # one road an image, so rows are scenes


def test_images_do_not_depend_on_the_batch(frames: sf.Frames) -> None:
    alone = sf.render(renderer(SIDE), target(SIDE, 1, [7]))
    assert np.array_equal(alone.images[0], frames.images[7])
    assert np.array_equal(alone.instances[0], frames.instances[7])
    image, mask = misspecified.photos(1, [3], SIDE)
    images, masks = misspecified.photos(1, [1, 3], SIDE)
    assert np.array_equal(image[0], images[1]) and np.array_equal(mask[0], masks[1])
    assert not np.array_equal(images[0], images[1])


@pytest.mark.parametrize("setting", ["handmade", "target"])
def test_wide_priors_contain_the_other_settings(setting: str) -> None:
    u = np.linspace(0.0005, 0.9995, 200)
    for rows in (*ROWS.values(), COUNTS):
        for row in rows.values():
            values, wide = row.prior(setting, SIDE).quantile(u), row.prior("wide", SIDE)
            if isinstance(wide, sf.Choice):
                assert set(values) <= set(wide.options)
            elif isinstance(wide, sf.Angle):
                assert np.all(abs((values - wide.mean + 180) % 360 - 180) <= wide.width / 2)
            else:
                assert wide.low <= values.min() and values.max() <= wide.high


def test_groups_say_what_is_learned() -> None:
    before: set[str] = set()
    for groups in PARTS.values():
        names = {f"{kind}.{name}" for kind, rows in ROWS.items() for name, row in rows.items() if row.group in groups}
        names |= {f"road.n_{kind}" for kind, row in COUNTS.items() if row.group in groups}
        assert set(grammar(SIDE, learned=groups).learned_names) == names
        assert before < names
        before = names
    assert set(grammar(SIDE, "wide").learned_names) == before == set(truth(SIDE, 0, 1))
    assert not grammar(SIDE, learned=()).learned_names


def test_cars_of_the_target_follow_the_lanes() -> None:
    found = truth(SIDE, 2, 1500)
    shares = cars_by_lanes()
    assert np.allclose(shares.sum(1), 1)
    for row, lanes in enumerate(LANES):
        cars = found["road.n_car"][found["road.lanes"] == lanes]
        assert (cars.min(), cars.max()) == CARS[lanes]
        assert abs(np.bincount(cars, minlength=shares.shape[1]) / len(cars) - shares[row]).max() < 0.07


def test_target_may_differ_in_some_groups_alone() -> None:
    changed, plain = target(SIDE, 3, 40, ["angle"]), grammar(SIDE).sample(3, 40)
    for kind, rows in ROWS.items():
        for name, row in rows.items():
            same = np.array_equal(changed.tables[kind][name], plain.tables[kind][name])
            assert same == (row.group != "angle")


def test_lengths_scale_with_the_image() -> None:
    small, large = target(SIDE, 4, 20).tables, target(2 * SIDE, 4, 20).tables
    for kind, names in {"road": "xy", "car": ("x", "y", "length"), "house": "xy", "tree": ("x", "radius")}.items():
        assert all(np.allclose(2 * np.asarray(small[kind][name]), large[kind][name]) for name in names)


def test_other_painter_draws_the_classes_where_the_target_has_them(frames: sf.Frames) -> None:
    images, masks = misspecified.photos(1, 4, SIDE)
    assert images.shape == (4, SIDE, SIDE, 3) and images.dtype == masks.dtype == np.uint8
    assert set(np.unique(masks)) == set(range(1 + len(CLASSES)))
    expected = class_masks(frames)[:4]
    for number in range(1, 1 + len(CLASSES)):
        here, there = masks == number, expected == number
        assert 0.7 < here.sum() / there.sum() < 1.4
    road = 1 + CLASSES.index("road")
    assert ((masks == road) & (expected == road)).sum() / ((masks == road) | (expected == road)).sum() > 0.6
    assert not np.array_equal(images, frames.images[:4])


def test_picture_and_table_are_those_of_the_readme() -> None:
    here = Path(__file__).parent
    assert table() in (here / "README.md").read_text()
    width, height = Image.open(here / "world.png").size
    assert width == picture.COLUMNS * (256 + GAP) - GAP
    assert height == 4 * (2 * (256 + GAP) + HEADING)
