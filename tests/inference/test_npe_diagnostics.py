"""Coverage of posterior intervals, modes of posteriors, and objects placed where they were predicted."""

import numpy as np
import pytest

import scenefit as sf
from scenefit.inference.npe.diagnostics import calibration, coverage
from scenefit.inference.npe.infer import DRAWS, held_out_samples, typical
from scenefit.inference.npe.matching import Known, Predictions
from scenefit.inference.npe.reconstruct import MAX_SIDE, chosen_photos, lines_of, placed, reduced
from scenefit.nets.attribute_regressor import regression_targets, targets
from scenefit.nets.object_predictions import no_objects
from scenefit.nets.object_targets import ObjectSpec, TrueObjects


class TestCoverage:
    @pytest.mark.parametrize(("spread", "half", "most"), [(1.0, 0.5, 0.9), (0.25, 0.134, 0.319), (4.0, 0.993, 1.0)])
    def test_of_posteriors_of_known_width(self, spread, half, most):
        """Truth is standard normal; the posterior is right, a quarter as wide, and four times as wide."""
        random = np.random.default_rng(0)
        truth, samples = random.standard_normal(6000), spread * random.standard_normal((6000, DRAWS))
        assert coverage(truth, samples, random) == pytest.approx((half, most), abs=0.03)

    def test_of_equal_values_is_that_of_chance(self):
        whole = np.zeros(8000), np.zeros((8000, DRAWS))
        assert coverage(*whole, np.random.default_rng(0)) == pytest.approx((0.5, 0.9), abs=0.02)

    def test_of_predictions_with_a_known_error(self):
        """A predicted number whose error is normal: the intervals hold what they promise, and are as wide as the error;
        a prediction that says little has intervals nearly as wide as the prior."""
        grammar = sf.Grammar("a", {"a": {"x": sf.learned(sf.Uniform(0, 1)), "y": sf.learned(sf.Uniform(0, 1)),
                                         "n": sf.learned(sf.Integer(0, 9))}}, [])
        scenes, random = grammar.sample(1, 2000), np.random.default_rng(2)
        truth = regression_targets(grammar, targets(grammar), scenes).double().numpy()
        image = (truth + random.standard_normal(truth.shape) * [0.2, 1, 0.1]) * [1, 0.5, 1]
        none = TrueObjects(*[np.zeros(0, int)] * 2, np.zeros((0, 4)), np.zeros((0, 0)))
        held_out = held_out_samples(
            grammar, targets(grammar), ObjectSpec((), (), ("a",)), Predictions(image, no_objects(2000)),
            Known([scenes], truth, none), {("a", name): 1.0 for name in "xyn"}, 0)
        found = calibration(grammar, held_out, {("a", "x")}, 0)
        for name in "xyn":
            assert found[f"cover50:a.{name}"] == pytest.approx(0.5, abs=0.08)
            assert found[f"cover90:a.{name}"] == pytest.approx(0.9, abs=0.05)
        assert found["width90:a.x"] == pytest.approx(3.29 * 0.1 / 0.9, rel=0.25)  # half of [-1, 1]: an error of 0.1
        assert found["width90:a.y"] == pytest.approx(0.85, abs=0.15) and found["width90:a.n"] < 0.4
        assert [found[f"inferred:a.{name}"] for name in "xyn"] == [1, 0, 0]


def test_the_typical_draw():
    assert typical("number", np.array([[1.0, 5.0, 2.0]])).tolist() == [2.0]
    assert typical("choice", np.array([[2.0, 0.0, 2.0, 1.0]])).tolist() == [2.0]
    assert typical("angle", np.array([[0.98, 0.02, 0.01, 0.5]])).tolist() == [0.01], "angles wrap around"
    assert typical("angle", np.array([[0.3]])).tolist() == [0.3]


class TestReconstruct:
    def test_objects_move_to_their_boxes_and_parts_follow(self):
        grammar = sf.Grammar("a", {
            "a": {}, "cell": {"x": sf.Uniform(4, 28), "y": sf.Uniform(4, 28), "radius": sf.learned(sf.Uniform(2, 3))},
            "core": {"x": lambda node: sf.Constant(node.parent["x"] + 1),
                     "y": lambda node: sf.Constant(node.parent["y"]), "radius": 1}},
            [sf.Rule("a", [sf.repeat("cell", 2)]), sf.Rule("cell", ["core"])])
        renderer, scenes = sf.Shapes((32, 32), {"cell": {}, "core": {}}, parts=["core"]), grammar.sample(3, 2)
        lines = lines_of(grammar, [sf.render(renderer, grammar.sample(0, 16))])
        across, down = lines["cell"]
        assert across.name == "x" and down.name == "y" and across.slope == pytest.approx(1, abs=0.03)
        assert abs(across.offset) < 1 and "core" not in lines
        box = np.array([[8.0, 12, 12, 16], [np.nan] * 4, [20, 4, 24, 8], [-100, -100, -90, -90]])
        moved = placed(grammar, scenes, {"cell": box}, lines)
        cell, before, core = moved.tables["cell"], scenes.tables["cell"], moved.tables["core"]
        assert cell["x"][[0, 2]] == pytest.approx([10, 22], abs=0.5) and cell["y"][0] == pytest.approx(14, abs=0.5)
        assert cell["x"][1] == before["x"][1], "an object without a box stays"
        assert cell["x"][3] == pytest.approx(across.low), "no value lies beyond the prior's"
        assert np.allclose(core["x"], cell["x"][core.parent_row] + 1), "what depends on the place follows"
        assert np.allclose(cell["radius"], before["radius"])

    def test_nothing_moves_where_no_attribute_moves_the_box(self):
        grammar = sf.Grammar("a", {"a": {}, "dot": {"along": sf.Uniform(0, 1), "radius": sf.learned(sf.Uniform(2, 3)),
                                                    "x": 16, "y": 16}}, [sf.Rule("a", ["dot"])])
        scenes = grammar.sample(0, 30)
        lines = lines_of(grammar, [sf.render(sf.Shapes((32, 32), {"dot": {}}), scenes)])
        assert lines == {"dot": (None, None)}
        assert placed(grammar, scenes, {"dot": np.zeros((30, 4))}, lines) is scenes

    def test_a_place_that_the_renderer_chose_is_no_attribute(self):
        """As `Sprites` returns x and y for a grammar that has neither."""
        grammar = sf.Grammar("a", {"a": {}, "dot": {"radius": sf.learned(sf.Uniform(2, 3))}}, [sf.Rule("a", ["dot"])])
        place = np.random.default_rng(0).uniform(6, 26, (2, 30))
        scenes = grammar.sample(0, 30)
        drawn = scenes.with_columns({"dot": {"x": place[0], "y": place[1]}})
        frames = sf.render(sf.Shapes((32, 32), {"dot": {}}), drawn)
        assert "x" in frames.scenes.tables["dot"].columns
        lines = lines_of(grammar, [frames])
        assert lines == {"dot": (None, None)}
        assert placed(grammar, scenes, {"dot": np.zeros((30, 4))}, lines) is scenes

    def test_photos_are_spread_and_reduced(self):
        assert chosen_photos(3).tolist() == [0, 1, 2] and chosen_photos(80)[[0, -1]].tolist() == [0, 79]
        large, small = np.zeros((2, 480, 640, 3), np.uint8), np.zeros((2, 8, 9, 3), np.uint8)
        assert reduced(large).shape == (2, 240, MAX_SIDE, 3) and reduced(small) is small
