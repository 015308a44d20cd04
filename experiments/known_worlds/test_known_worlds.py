"""experiments/known_worlds without fits: photos, their truth as scenes of the grammar, scores and tables."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import scenefit as sf
from experiments.known_worlds import car_park_photos, digits, discs_photos, fitting, study, tables, visibility
from experiments.known_worlds.coverage import coverage, matched
from experiments.known_worlds.score import Samples, Target, dependence, difference, of_scenes, of_truth, score, summary
from experiments.known_worlds.world import PAINTED, World, rendered_truth

HERE = Path(__file__).parent


@pytest.fixture(params=PAINTED)
def world(request: pytest.FixtureRequest) -> World:
    return PAINTED[request.param](None, 0)


@pytest.mark.parametrize("name", ["discs_photos", "car_park_photos", "photography", "truth"])
def test_photos_are_painted_without_scenefit(name: str) -> None:
    for node in ast.walk(ast.parse((HERE / f"{name}.py").read_text())):
        modules = [node.module] if isinstance(node, ast.ImportFrom) else \
            [one.name for one in node.names] if isinstance(node, ast.Import) else []
        assert not any(module.split(".")[0] in ("scenefit", "torch") for module in modules)
        allowed = ("experiments.known_worlds.photography", "experiments.known_worlds.truth")
        assert all(module in allowed for module in modules if module.startswith("experiments"))


def test_first_photos_are_the_same_for_every_count(world: World) -> None:
    few, truth = world.photos(3, 1)
    more, all_true = world.photos(3, 2)
    assert np.array_equal(few, more[:1]) and not np.array_equal(more[0], more[1])
    for kind, columns in all_true.first(1).columns.items():
        assert all(np.array_equal(values, truth.columns[kind][name]) for name, values in columns.items())


def test_grammar_places_and_draws_true_scenes_as_the_photos_show_them(world: World) -> None:
    images, truth = world.photos(5, 2)
    bare = replace(truth, columns={kind: {name: values for name, values in columns.items() if name not in "xy"}
                                   if kind in car_park_photos.WIDTH else columns
                                   for kind, columns in truth.columns.items()})
    scenes = rendered_truth(world, bare, 0)
    for kind in set(truth.columns) & {"car", "van"}:
        assert all(np.allclose(scenes.tables[kind][name], truth.columns[kind][name]) for name in "xy")
    renders = sf.render(world.renderer, scenes).images
    for photo, render in zip(images, renders, strict=True):
        assert np.corrcoef(photo.ravel(), render.ravel())[0, 1] > 0.89


def test_truth_that_is_not_sorted_as_the_grammar_derives_it_is_refused() -> None:
    world = PAINTED["discs"](None, 0)
    truth = discs_photos.true_scenes(1, 3)
    with pytest.raises(ValueError, match="sort them by photo"):
        rendered_truth(world, replace(truth, photo={**truth.photo, "bead": truth.photo["bead"][::-1]}), 0)


def test_true_values_lie_within_the_bounds_that_are_learned(world: World) -> None:
    scenes = of_truth({"discs": discs_photos, "car_park": car_park_photos}[world.name].true_scenes(2, 200))
    for a in world.grammar.learned:
        if a.form == "number" and not a.conditional:
            low, high = a.bounds or a.prior.bounds
            values = scenes.values[f"{a.kind}.{a.name}"]
            assert low <= values.min() and values.max() <= high, a.name


def test_counts_have_two_peaks_and_rows_their_own_kinds() -> None:
    dish = discs_photos.true_scenes(0, 400).columns["dish"]
    total = np.histogram(dish["n_disc"] + dish["n_bead"], [5, 20, 35, 60])[0]
    assert min(total[0], total[2]) > 10 * max(total[1], 1)
    bays = car_park_photos.true_scenes(0, 100).columns["bay"]
    vans = [(bays["rule"][bays["row"] == row] == 1).mean() for row in (0, 3)]
    assert vans[0] < 0.15 < 0.35 < vans[1]


def samples(**values: list[float]) -> Samples:
    """One object in each scene."""
    count = len(next(iter(values.values())))
    return Samples({f"dot.{name}": np.asarray(column) for name, column in values.items()}, {"dot": np.arange(count)},
                   count)


def test_score_gives_the_known_distance_floor_and_spread() -> None:
    true, prior = samples(size=[4, 5, 6]), samples(size=[0, 5, 10])
    row = score([Target("dot", "size")], {"dot.size": False}, samples(size=[5, 6, 7]), prior, true,
                [samples(size=[4, 5, 6.5]), samples(size=[4, 5, 7.5])])["dot.size"]
    assert row["distance"] == 1 and row["prior"] == pytest.approx(8 / 3, abs=1e-3) and row["floor"] == 0.3333
    assert row["ratio"] == pytest.approx(3 / 8, abs=1e-3) and row["spread"] == 0.2 and row["visible"] == 0
    assert summary({"dot.size": row})["spread"] == pytest.approx(0.8)


def test_half_a_turn_is_no_error_of_an_axis_and_the_whole_error_of_an_angle() -> None:
    a, b = np.array([10.0, 20.0]), np.array([-170.0, 200.0])
    assert difference(Target("dot", "angle", "angle", 180), a, b) == pytest.approx(0, abs=1e-9)
    assert difference(Target("dot", "angle", "angle"), a[:1], b[:1]) == pytest.approx(180)


def test_choices_given_their_row_are_told_from_those_that_ignore_it() -> None:
    true = samples(kind=["a", "a", "b", "b"], row=[0, 0, 1, 1])
    mixed = samples(kind=["a", "b", "a", "b"], row=[0, 0, 1, 1])
    alone, joint = Target("dot", "kind", "choice"), Target("dot", "kind", "choice", given="dot.row")
    rows = score([alone, joint], {}, mixed, mixed, true, [true])
    assert rows["dot.kind"]["distance"] == 0 and rows["dot.kind given dot.row"]["distance"] == 0.5


def test_counts_are_scored_in_floors_and_in_bins() -> None:
    def counted(*numbers: int) -> Samples:
        return Samples({}, {"dot": np.repeat(np.arange(len(numbers)), numbers)}, len(numbers))

    row = score([Target("image", "n_dot", "count")], {}, counted(4, 6), counted(0, 12), counted(4, 4), [counted(4, 5)])
    assert row["image.n_dot"]["distance"] == 1 and row["image.n_dot"]["floors"] == 2
    assert (row["image.n_dot"]["bins"], row["image.n_dot"]["prior bins"]) == (0.5, 0.5)
    assert summary(row)["count floors"] == 2 and np.isnan(summary(row)["median"])


def test_dependence_is_the_correlation_with_the_own_image() -> None:
    both = Samples({"dot.size": np.array([1.0, 3.0, 2.0]), "image.light": np.array([10.0, 20.0, 30.0])},
                   {"dot": np.array([0, 1, 2]), "image": np.array([0, 2, 1])}, 3)
    assert dependence([("dot.size", "image.light")], both) == {"dot.size with image.light": 1.0}


def test_bays_of_scenes_know_their_row(world: World) -> None:
    scenes = world.grammar.sample(0, 2)
    values = of_scenes(scenes, world.more(scenes)).values
    if world.name == "car_park":
        over = scenes.tables["row"]["over"][scenes.tables["bay"].parent_row]
        assert np.all(np.diff(over[:32]) <= 0) and np.array_equal(values["bay.row"][:32], np.repeat(range(4), 8))
        assert (values["bay.rule"] == 0).sum() == len(scenes.tables["car"])


def test_no_lot_of_the_grammar_has_its_rows_in_reverse_order() -> None:
    park = PAINTED["car_park"](None, 0)
    target = next(t for t in park.targets if t.key == "lot.angle")
    low, high = park.grammar.attributes["lot"]["angle"].prior.bounds  # type: ignore[union-attr]
    assert target.form == "number" and -90 < low < high < 90


def test_visibility_is_that_of_a_regression_on_held_out_rows() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(50, 2))
    assert visibility.explained(truth, truth) == 1 and visibility.explained(truth, truth * 0 + truth.mean(0)) == 0
    angle = visibility.encoded(Target("dot", "angle", "angle", 180), np.array([0.0, 180.0, 90.0]))
    assert np.allclose(angle[0], angle[1]) and np.allclose(angle[2], [-1, 0])


def test_a_cell_is_computed_once_and_appears_in_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "CELLS", tmp_path)
    for module, name, count in ((fitting, "SCENES", 100), (fitting, "TRUE_SCENES", 300), (study, "DRAWS", 2)):
        monkeypatch.setattr(module, name, count)
    cell = study.Cell("discs", "prior", 3, changes=("max_renders=2000",))
    assert cell.path.name == "discs--prior--max_renders=2000--200-photos--seed-3.json"
    assert replace(cell, method="meta-sim").settings.max_renders == 2000
    small = replace(cell, method="prior", photos=20, irrelevant=True)
    result = study.run(small, None)
    images, own = study.photos_of(PAINTED["discs"](None, 0), small)
    assert images.shape == (20, 128, 128, 3) and own is not None and own.size == 18
    row = result["attributes"]["dish.lamp"]
    assert row["floor"] < row["photos"] < row["prior"]  # of 18 photos, of 200, of no photo
    assert result["stopped"] == "" and result["summary"]["worst"] == pytest.approx(1, abs=0.3)
    text = tables.overview([result, {**result, "seed": 4, "cpu_seconds": 3000}])
    assert "| discs | prior, max_renders=2000, 20 photos, 10 % irrelevant | 2 |" in text and "1,500" in text


@pytest.mark.parametrize(("wide", "cover"), [(1.0, (0.5, 0.9)), (0.5, (0.26, 0.59)), (2.0, (0.82, 0.999))])
def test_coverage_is_that_of_normal_posteriors(wide: float, cover: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    truth, prior = rng.normal(0, 5, 2000), rng.normal(0, 5, 1000)
    samples = (truth + rng.normal(0, 1, 2000))[:, None] + wide * rng.normal(0, 1, (2000, 100))
    found = coverage(Target("dot", "size"), samples, truth, prior)
    assert (found["cover 50"], found["cover 90"]) == pytest.approx(cover, abs=0.04)
    assert found["width 90"] == pytest.approx(wide / 5, rel=0.1)
    assert found["log score"] < found["prior log score"] == pytest.approx(0.5 * np.log(2 * np.pi * np.e * 25), abs=0.1)
    turned = coverage(Target("dot", "angle", "angle"), samples + 179, truth + 179 - 360, prior)
    assert turned["cover 90"] == found["cover 90"]


def test_objects_are_matched_to_the_nearest_true_ones_within_the_radius() -> None:
    found, true = np.array([[0, 0], [10, 0], [50, 50.0]]), np.array([[11, 0], [1, 0], [90, 90.0]])
    rows, columns = matched(found, true, 3)
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [1, 0])
    assert matched(found[:0], true, 3)[0].size == 0


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """A folder with digits of noise in MNIST's layout."""
    rng = np.random.default_rng(0)
    parts = {name: rng.integers(0, 255, (1200, 28, 28), dtype=np.uint8) for name in ("train_images", "test_images")}
    labels = {name: np.arange(1200) % 10 for name in ("train_labels", "test_labels")}
    np.savez(tmp_path / "mnist_full.npz", **parts, **labels)
    return tmp_path


def test_worlds_of_digits_have_photos_and_a_truth_that_their_targets_name(mnist: Path) -> None:
    for name in ("rotation_translation", "several_digits"):
        world = digits.BUILDERS[name](mnist, 0)
        assert np.array_equal(world.photos(1, 5)[0][:2], world.photos(1, 2)[0])
        truth, prior = world.true_scenes(1, 300), of_scenes(scenes := world.grammar.sample(0, 300), world.more(scenes))
        rows = score(world.targets, world.visible, truth, prior, truth, [truth])
        assert all(row["distance"] == 0 < row["prior"] for row in rows.values())
    assert set(rows) == {"image.n_digit", "digit.digit", "digit.digit given digit.among"}
    assert rows["digit.digit given digit.among"]["prior"] > rows["digit.digit"]["prior"]
    with pytest.raises(ValueError, match="1000 photos, got count=2000"):
        digits.BUILDERS["rotation"](mnist, 0).photos(1, 2000)
    with pytest.raises(SystemExit, match="--data"):
        digits.BUILDERS["several_digits"](None, 0)
