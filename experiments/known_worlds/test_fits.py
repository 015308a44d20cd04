"""experiments/known_worlds: fits of a tiny world, posterior samples of its photos, and the tables of their figures."""

from typing import Any

import numpy as np
import pytest

import scenefit as sf
from experiments.known_worlds import discs_photos, fitting, posterior, tables, uncorrected
from experiments.known_worlds.coverage import choice_scores, coverage
from experiments.known_worlds.score import Target, of_scenes, of_truth
from experiments.known_worlds.truth import as_truth, draw_photos
from experiments.known_worlds.world import PAINTED, World, rendered_truth, targets_of
from scenefit.inference.npe.posterior import PosteriorSamples
from scenefit.inference.settings import changed

SIDE = 64


def light_and_dots(light: tuple[float, float], radius: tuple[float, float]) -> sf.Grammar:
    return sf.Grammar("image", {
        "image": {name: sf.learned(sf.Uniform(*light)) if name == "red" else lambda node: sf.Constant(node["red"])
                  for name in ("red", "green", "blue")},
        "dot": {"x": sf.Uniform(8, SIDE - 8), "y": sf.Uniform(8, SIDE - 8), "radius": sf.learned(sf.Uniform(*radius)),
                "red": 0.0, "green": 0.0, "blue": 0.0},
    }, [sf.Rule("image", [sf.repeat("dot", sf.Integer(2, 4))])])


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> World:
    """Dots of radius 5 to 6 px under a light of 0.6 to 0.8, where 2 to 8 px and 0.3 to 1 are thought possible."""
    for name, count in (("SCENES", 200), ("TRUE_SCENES", 200)):
        monkeypatch.setattr(fitting, name, count)
    for name, count in (("REGRESSED", 60), ("COMPARED", 60)):
        monkeypatch.setattr(posterior, name, count)
    tree, true = light_and_dots((0.3, 1), (2, 8)), light_and_dots((0.6, 0.8), (5, 6))
    renderer = sf.Shapes((SIDE, SIDE), {"dot": {}})

    def photos(seed: int, count: int) -> tuple[Any, Any]:
        scenes = true.sample(seed, count)
        return sf.render(renderer, scenes).images, scenes

    return World("tiny", tree, renderer, photos, lambda seed, count: of_scenes(true.sample(seed, count)),
                 targets_of(tree))


@pytest.mark.filterwarnings("ignore:Only 24 photos")
@pytest.mark.parametrize("method", ["npe", uncorrected.NAME])
def test_fit_has_a_trace_and_posterior_samples_that_follow_each_photo(tiny: World, method: str) -> None:
    images, scenes = tiny.photos(7, 24)
    settings = changed(sf.Settings(method="npe"), {"method.rounds": 1, "method.renders": 64, "method.steps": 20,
                                                   "validation_renders": 16, "regressor.epochs": 2})
    done = fitting.fitted(tiny, method, settings, images, 0)
    assert done.trace[0]["renders"] >= 64 and done.trace[0]["median"] < 0.9
    found = posterior.figures(tiny, method, done.last, images, of_scenes(scenes), settings, 0)["image.red"]
    assert found["values"] == 24 and 0.01 < found["width 90"] < 0.6
    if method == "npe":
        assert found["log score"] < found["prior log score"]
    else:  # plain predictions may all be too high or too low, but they rise with the truth
        drawn = np.asarray(done.last.samples(5, np.arange(24)).scenes.tables["image"]["red"]).reshape(24, 5)
        assert np.corrcoef(drawn.mean(1), scenes.tables["image"]["red"])[0, 1] > 0.5
    measured = posterior.of_renders(fitting.diagnostics(done.last), ["image.red"])
    assert (measured.keys() == {"image.red"}) == (method == "npe")


def test_samples_of_objects_are_compared_with_the_true_objects_at_their_places() -> None:
    world = PAINTED["discs"](None, 0)
    photos = draw_photos(discs_photos.draw, 3, 12)
    truth = as_truth(photos)
    scenes = rendered_truth(world, as_truth([one for one in photos for _ in range(posterior.DRAWN)]), 0)
    photo = np.repeat(np.arange(12), posterior.DRAWN)

    def found(shift: float) -> dict[str, dict[str, float]]:
        tables = {kind: scenes.tables[kind] for kind in ("disc", "bead")}
        box = {kind: np.stack([table["x"] - 2 + shift, table["y"] - 2, table["x"] + 2 + shift, table["y"] + 2], 1)
               for kind, table in tables.items()}
        return posterior.calibrated(world, PosteriorSamples(scenes, photo, frozenset(), box), of_truth(truth), 0)

    exact = found(1.0)
    assert exact["disc.radius"]["values"] == len(truth.photo["disc"])
    for name in ("disc.radius", "bead.brightness", "disc.angle", "dish.lamp"):
        assert exact[name]["cover 50"] == 1 and exact[name]["width 90"] == 0
        assert exact[name]["log score"] < exact[name]["prior log score"]
    assert exact["dish.n_disc"]["width 90"] < 0.1 and "disc.edge" not in exact
    assert found(1000.0).keys() == {name for name in exact if name.startswith("dish.")}


def test_few_samples_cover_as_many_truths_as_they_should() -> None:
    values = np.random.default_rng(1).normal(0, 1, (4000, posterior.DRAWN + 1))
    found = coverage(Target("dot", "size"), values[:, 1:], values[:, 0], values[:, 0])
    assert (found["cover 50"], found["cover 90"]) == pytest.approx((0.5, 0.9), abs=0.02)


def test_choices_score_better_than_the_prior_where_samples_know_the_option() -> None:
    true, prior = np.array(["a", "b"]), np.array(["a", "a", "b", "b"])
    found = choice_scores(np.array([["a"] * 9, ["b"] * 9]), true, prior)
    assert found == {"log score": pytest.approx(-np.log(9.5 / 10)), "prior log score": pytest.approx(np.log(2))}


def test_plain_predictions_keep_their_own_level_and_get_the_errors_of_renders() -> None:
    renders, truth = np.array([0.1, 0.5]), np.array([0.2, np.nan])
    found = uncorrected.plain_numbers(np.array([0.5, 0.5, 0.95]), renders, truth, np.array([0, 1, 0]))
    assert found.tolist() == pytest.approx([0.6, 0.5, 1.0])
    turn = np.array([[np.sin(a), np.cos(a), np.sin(2 * a), np.cos(2 * a)] for a in (-3.0, 3.0)])
    ahead = uncorrected.plain_angles(turn[1:], turn[:1], np.array([(0.1 - 3.0) / (2 * np.pi) + 0.5]), np.array([0]))
    assert ahead == pytest.approx(((3.1 / (2 * np.pi)) + 0.5) % 1)


def cell(method: str = "npe", median: float = 0.2, **changes: Any) -> dict[str, Any]:
    figures = {"median": median, "worst": 2 * median, "count floors": None, "count bins": None, "spread": None}
    return {"world": "discs", "method": method, "seed": 0, "photos": 200, "irrelevant": False, "changes": [],
            "cpu_seconds": 10, "renders": 100, "peak_MiB": 5, "summary": figures,
            "attributes": {"dish.lamp": {"ratio": median, "floor": 1, "prior": 10, "visible": 1.0}}, **changes}


def test_other_photos_and_equal_renders_have_tables_of_their_own() -> None:
    limit = {"changes": ["max_renders=2000"]}
    cells = [cell(), cell("abc"), cell(photos=20), cell(irrelevant=True), cell(**limit), cell("abc", 0.4, **limit),
             cell(changes=["max_photos=9"])]
    photos, irrelevant, other = tables.variants(cells)
    assert "| discs | npe, 20 photos |" in photos and "| discs | npe |" in photos and "abc" not in photos
    assert "| discs | npe, 10 % irrelevant |" in irrelevant and "max_photos=9" in other and "20 photos" not in other
    assert "| discs | 2,000 | 1 | 0.20 / 0.40 | 0.40 / 0.80 |" in tables.at_equal_renders(cells)
    assert tables.variants([cell()]) == ["", "", ""] and tables.at_equal_renders([cell()]) == ""


def test_coverage_has_a_row_for_each_attribute_and_cells_without_it_are_left_out() -> None:
    known = {"renders": {"dish.lamp": {"cover 50": 0.5}}, "photos": {"dish.lamp": {"cover 50": 0.4, "log score": 1.5}}}
    text = tables.coverage("discs", [cell(), cell(seed=1, coverage=known)])
    assert "| dish.lamp | npe | 0.50 |  |  | 0.40 |  |  | 1.50 |  |" in text
    assert tables.coverage("discs", [cell()]) == ""
