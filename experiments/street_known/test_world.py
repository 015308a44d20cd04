"""experiments/street_known without renders: what the targets show, what is compared, tables and the plan of cells."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import scenefit as sf
from experiments.few_labels import ARMS as LABELLED
from experiments.picture_rows import GAP, HEADING
from experiments.street_known import arms, distances, picture, study, tables, town, world
from experiments.street_known.fits import LEARNED, Fit
from experiments.street_known.table import truth

SIZE = 72, 96
SCENES = 200


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "SCENES", SCENES)
    distances.truth.cache_clear()
    distances.of_naive.cache_clear()


@pytest.fixture(scope="module")
def scenes() -> sf.SceneBatch:
    return town.grammar().sample(1, 60)


def there(scenes: sf.SceneBatch, kind: str) -> dict[str, Any]:
    """Columns of the things of a kind that are drawn."""
    table = scenes.tables[kind]
    drawn = np.asarray(table["there"]) > 0
    return {"scene": table.scene[drawn], **{name: np.asarray(column)[drawn] for name, column in table.columns.items()}}


def test_vehicles_of_a_queue_stand_one_behind_the_other_on_the_asphalt(scenes: sf.SceneBatch) -> None:
    cars, root = there(scenes, "car"), scenes.tables["town"]
    half = (np.asarray(root["lane"]) + np.asarray(root["parking"]))[cars["scene"]]
    assert len(cars["scene"]) > 10 * len(scenes)
    assert np.all(np.abs(cars["t"]) + cars["width"] / 2 < half + 0.4)
    places = scenes.tables["place"]
    follows = places.parent_row[1:] == places.parent_row[:-1]
    apart = np.diff(np.asarray(places["middle"]))[follows]
    longest = max(length for kind in ("car", "van") for length, _, _ in town.sizes(kind).values())
    assert apart.min() >= town.ROOM + 0.6 > longest


def test_houses_of_a_row_leave_gaps_and_keep_off_the_pavement(scenes: sf.SceneBatch) -> None:
    houses, root = scenes.tables["house"], scenes.tables["town"]
    kerb = (np.asarray(root["lane"]) + np.asarray(root["parking"]) + np.asarray(root["pavement"]))[houses.scene]
    assert np.all(np.abs(houses["t"]) - np.asarray(houses["width"]) / 2 > kerb)
    follows = houses.parent_row[1:] == houses.parent_row[:-1]
    ends = [np.asarray(houses["s"]) + way * np.asarray(houses["length"]) / 2 for way in (-1, 1)]
    assert np.all((ends[0][1:] - ends[1][:-1])[follows] >= -1e-9)


def test_the_meshes_of_the_targets_are_not_those_of_the_wide_grammar() -> None:
    own, standard = town.models(), world.renderer("wide").meshes()
    for kind in ("car", "pedestrian", "house", "tree"):
        known = {mesh.points.tobytes() for mesh in standard[kind].values()}
        assert not known & {mesh.points.tobytes() for mesh in own[kind].values()}
    used = world.scene("street").sizes
    assert not set(own["sign"]) & set(used.SIGNS) and not set(own["pole"]) & set(used.POLES)
    assert not set(own["furniture"]) & set(used.FURNITURE)


def test_the_wide_grammar_reaches_the_camera_and_the_light_of_the_target() -> None:
    found = world.wide().sample(2, 200).tables["street"]
    for name, prior in town.ROOT.items():
        if name in found.columns and name not in ("lane", "sun_azimuth"):
            low, high = (float(np.min(found[name])), float(np.max(found[name])))
            middle = prior.quantile(np.array([0.5]))[0]
            assert low < middle < high, name


def test_the_misspecified_target_parks_cars_at_an_angle_and_has_what_the_grammar_lacks() -> None:
    scenes = town.grammar(town.MISSPECIFIED).sample(1, 20)
    cars, places = scenes.tables["car"], scenes.tables["place"]
    parks = np.asarray(places["parks"], bool)[cars.parent_row]
    turned = np.asarray(cars["heading"]) - np.asarray(places["heading"])[cars.parent_row]
    assert np.all(np.abs(turned[parks] + town.ECHELON) < 5) and np.all(np.abs(turned[~parks]) < 5)
    assert len(scenes.tables["trailer"]) and len(scenes.tables["bonnet"]) == len(scenes)
    assert not {"trailer", "bonnet"} & set(world.wide().kinds)


def test_the_lens_darkens_corners_alone() -> None:
    images = np.full((1, *SIZE, 3), 200, np.uint8)
    seen = town.through_lens(images)[0, ..., 0].astype(int)
    assert abs(seen[SIZE[0] // 2, SIZE[1] // 2] - 200) <= 1 and np.all(seen[[0, -1], [0, -1]] < 0.6 * 200)


@pytest.mark.usefixtures("few")
def test_the_truth_lies_at_no_distance_and_the_naive_grammar_at_one() -> None:
    own = distances.distances(distances.truth(SIZE, 3), SIZE)
    assert set(own) == set(distances.attributes())
    known = {name: value for name, value in own.items() if value is not None}
    assert len(known) > 35 and np.median(list(known.values())) < 0.1 and max(known.values()) < 0.5
    other = distances.visible(world.renderer("naive", SIZE), [world.naive().sample(9, SCENES)])
    naive = distances.distances(other, SIZE)
    assert [naive[name] for name in known] == pytest.approx([1] * len(known), abs=0.4)
    distances.truth.cache_clear()
    distances.of_naive.cache_clear()


def test_a_thing_is_visible_where_the_camera_points() -> None:
    def seen(**root: Any) -> distances.Visible:
        one = sf.Grammar("street", {"street": {"camera_height": 1.5, **root},
                                    "car": {"s": 20.0, "t": 0.0, "heading": 370.0, "red": 0.9, "green": 0.3,
                                            "blue": 0.3, "length": 4.0}}, [sf.Rule("street", ["car"])])
        return distances.visible(world.renderer("wide", SIZE), [one.sample(0, 1)])

    ahead = seen()
    assert ahead.counts["cars"].tolist() == [1] and ahead.kinds.sum() == 1
    assert np.allclose([ahead.values[f"car.{name}"][0] for name in ("distance", "heading", "length", "lightness",
                                                                   "colour")], [20, 10, 4, 0.5, 0.6])
    assert 1 < ahead.values["car.height"][0] < 2
    assert seen(camera_yaw=60.0).counts["cars"].tolist() == [0]
    assert seen(camera_t=30.0).counts["cars"].tolist() == [0]


def cell(arm: str, seed: int, value: float) -> dict[str, Any]:
    apart = dict.fromkeys(distances.attributes(), value)
    return {"arm": arm, "target": town.TARGET, "seed": seed, "distances": apart, "cost": {"fit CPU seconds": 60.0},
            arms.DETECTION: {"AP50": value, "AP": value, "missed at 1": 0.5},
            arms.SEGMENTATION: {"IoU": {"car": value}, "IoU at equal area": {"car": value}, "pixel AP": {"car": value}}}


def test_tables_hold_gaps_goals_and_distances() -> None:
    values = {"naive": (0.30, 0.34), LEARNED: (0.79, 0.82), "oracle": (0.80, 0.84)}
    text = tables.markdown([cell(arm, seed, value) for arm, own in values.items() for seed, value in enumerate(own)])
    for part in ("| naive | 2 | 32.0 (", "| **learned** | 2 | 80.5 (", "| 97.0 (84.3 to 109.7) |",
                 "| gap of car AP50 closed at least 80 % | 97.0 (84.3 to 109.7) | yes |",
                 "Car IoU of learned minus that of naive: 48.5 (", "| car.heading | car | 0.80 | 0.82 |",
                 "| median of all |  | 0.80 | 0.82 |"):
        assert part in text
    assert tables.markdown([]) == "No cell is computed yet."


def test_two_seeds_of_all_arms_are_planned_before_the_rest() -> None:
    cells = list(study.plan(tables.ARMS, world.TARGETS, range(5)))
    assert len(cells) == len({cell.name for cell in cells})
    assert {cell.arm for cell in cells if cell.target == town.MISSPECIFIED} == set(study.MISSPECIFIED)
    assert {cell.arm for cell in cells if cell.target == town.TARGET} == set(tables.ARMS) == set(study.QUICK)
    first = len(cells) * 2 // 5
    assert {cell.seed for cell in cells[:first]} == {0, 1} and {cell.seed for cell in cells[first:]} == {2, 3, 4}
    homes = {study.Cell(arm, town.TARGET, 0).home for arm in (LEARNED, arms.HALF_WIDE, *LABELLED)}
    assert len(homes) == 1


def test_ranges_of_shrunk_arms_are_a_share_of_the_wide_ones() -> None:
    spread = {arm: np.ptp(np.asarray(arms.grammar(Fit(Path(), arm, town.TARGET, 0)).sample(0, 8)
                                     .tables["street"]["camera_height"])) for arm in ("wide", *arms.SHRUNK)}
    assert [spread[arm] / spread["wide"] for arm in arms.SHRUNK] == pytest.approx(list(arms.SHRUNK.values()))


def test_picture_and_table_are_those_of_the_readme() -> None:
    here = Path(__file__).parent
    assert truth() in (here / "README.md").read_text()
    width, height = Image.open(here / "world.png").size
    assert width == picture.COLUMNS * (world.SIZE[1] + GAP) - GAP
    assert height == len(picture.TITLES) * (world.SIZE[0] + GAP + HEADING)
