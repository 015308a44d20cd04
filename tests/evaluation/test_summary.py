"""The verdict in words, and a fit of known quality summarised."""

import numpy as np
import pytest
from blobs import TRUTH, make
from test_evaluate import moved

from scenefit.evaluation.summary import MAX_OUTSIDE, N_OUTLIERS, N_SHOWN, find_outliers, summarise, verdict
from scenefit.metrics.features import pixels
from scenefit.metrics.mmd import NoiseFloor
from scenefit.nets.model import Model
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers.scene_file import load_scene

FLOOR = NoiseFloor(mean=0.0, low=-0.01, high=0.01, size=50)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return load_scene(make(tmp_path_factory.mktemp("world")) / "scene.py")


@pytest.mark.parametrize(("prior", "learned", "text"), [
    (0.5, 0.005, "Learned: {}, renders are as close to the photos as photos are to each other (MMD² 0.005, "),
    (0.5, 0.1, "Partly learned: {}, 80% of the distance between grammar and photos is closed (MMD² 0.1, grammar 0.5, "),
    (0.5, 0.49, "Not learned: {}, the renders are not clearly closer to the photos than those of the grammar (MMD² "),
    (0.5, 0.9, "Not learned: "),
    (0.008, 0.0, "Nothing to learn by this test: {}, renders of the grammar are already as close to the photos as ")])
def test_the_verdict_is_plain(prior, learned, text):
    compared = "compared as whole images at 28 x 28 pixels"
    assert verdict(prior, learned, FLOOR, 50, "at 28 x 28 pixels").startswith(text.format(compared))
    assert ("scenefit evaluate" in verdict(prior, learned, FLOOR, 50)) == (learned < 0.2 and prior == 0.5)
    assert verdict(prior, learned, FLOOR, 13) == (
        f"13 photos are too few for a verdict: MMD² {learned:.3g}, grammar {prior:.3g}, noise floor -0.01 to 0.01. "
        "Use a few hundred photos, and look at the images.")


def test_a_fit_is_not_learned_where_photos_lie_outside_all_renders():
    whole = verdict(0.5, 0.005, FLOOR, 50, outside=MAX_OUTSIDE)
    assert whole.startswith("Learned: ")
    assert verdict(0.5, 0.005, FLOOR, 50, outside=0.34).startswith("Partly learned: ")
    assert "but 34 % of the photos are unlike every render" in verdict(0.5, 0.005, FLOOR, 50, outside=0.34)
    assert verdict(0.5, 0.49, FLOOR, 50, outside=0.34).startswith("Not learned: ")


def test_a_summary_needs_no_run_and_tells_a_good_fit_from_none(scene):
    photos = scene.renderer(TRUTH.sample(1, 60)).images
    good, samples = summarise(moved(scene), scene.renderer, photos, pixels(8), 0, 64)
    none, same = summarise(Model(SceneDistribution(scene.grammar)), scene.renderer, photos, pixels(8), 0, 64)
    assert good.learned < 0.2 * good.prior == pytest.approx(0.2 * none.prior) and good.floor == none.floor
    assert none.learned == pytest.approx(none.prior, rel=0.1) and none.verdict.startswith("Not learned")
    assert samples.photos.shape == samples.prior.shape == samples.learned.shape == (N_SHOWN, 16, 16, 3)
    _, reduced = (summarise(moved(scene), scene.renderer, photos, pixels(8), 0, 8, seen=size)[0].verdict
                  for size in (None, (8, 8)))
    assert "whole images at 16 x 16 pixels, " in good.verdict and "reduced from 16 x 16 to 8 x 8 pixels, " in reduced
    assert np.array_equal(same.prior, samples.prior) and not np.array_equal(samples.prior, samples.learned)
    assert samples.outliers is not None and samples.outliers.share_learned <= samples.outliers.share_prior + 0.1


def test_few_renders_have_no_outliers(scene):
    photos = scene.renderer(TRUTH.sample(1, 60)).images
    assert summarise(moved(scene), scene.renderer, photos, pixels(8), 0, 5)[1].outliers is None


def test_outliers_are_the_farthest_photos():
    images = np.random.default_rng(0).integers(90, 110, (300, 16, 16, 3)).astype(np.uint8)
    photos = images[:50].copy()
    photos[[7, 30]] = 255
    found = find_outliers(photos, images[50:150], images[150:])
    assert 2 <= len(found.images) <= N_OUTLIERS and all(image.min() == 255 for image in found.images[:2])
    assert found.score[0] >= found.score[1] > 1 and 0.04 <= found.share_learned <= 0.2
