"""The regression of image attributes on summary statistics, in a world where all answers are known.

Two targets z ~ N(0, 1); statistics z0 + N(0, 1/4), once more the same, z1 + N(0, 1), and a constant. Samples have
these means and covariances exactly, so that few are enough.
"""

import numpy as np
import pytest
import torch

from scenefit.inference.npe.predictor import chosen_sets
from scenefit.inference.npe.statistics import (
    count_statistics,
    fit_image_regression,
    object_colours,
    object_statistics,
    of_all_kinds,
    of_one_kind,
    variance_within,
)
from scenefit.nets.object_predictions import ObjectPredictions
from scenefit.nets.object_targets import ObjectSpec

N = 400
HELD = np.arange(N) % 5 == 0
BOTH, ONE, WEAK = 1 / (1 + 0.25 / 2), 1 / 1.25, 1 / 2  # R2 of z0 from both of its statistics and from one, R2 of z1


def drawn(count, seed, shift=0.0):
    """Statistics [N, 4] and targets [N, 2]. shift: of the second statistic."""
    held, values = np.arange(count) % 5 == 0, np.random.default_rng(seed).normal(size=(count, 5))
    for rows in (held, ~held):
        apart = values[rows] - values[rows].mean(0)
        values[rows] = apart @ np.linalg.inv(np.linalg.cholesky(np.cov(apart.T, bias=True))).T
    z, noise = values[:, :2], values[:, 2:]
    return np.stack([z[:, 0] + 0.5 * noise[:, 0], z[:, 0] + 0.5 * noise[:, 1] + shift, z[:, 1] + noise[:, 2],
                     np.full(count, 3.0)], 1), z


def fitted(photos, truth=None, statistics=None, near=True):
    x, z = drawn(N, 0)
    return fit_image_regression(x if statistics is None else statistics,
                                torch.from_numpy(z if truth is None else truth), HELD, photos,
                                (np.arange(N) >= N // 2).astype(int), near)


def test_weights_and_r2_are_those_of_linear_regression():
    photos, truth = drawn(1000, 1)
    found = fitted(photos)
    assert found.used.tolist() == [True, True, True, False]
    per_unit = (found.weight / found.scale[:, None]).numpy()
    assert per_unit == pytest.approx(np.array([[1 / 2.25, 0], [1 / 2.25, 0], [0, 0.5]]), abs=0.03)
    assert found.r2.numpy() == pytest.approx([BOTH, WEAK], abs=0.04)
    rest = ((found(photos) - truth) ** 2).mean(0)
    assert rest == pytest.approx([1 - BOTH, 1 - WEAK], rel=0.15), "on images that it was not fitted to"


@pytest.mark.parametrize("shift", [5.0, 100.0])
def test_a_statistic_in_which_photos_lie_outside_of_the_renders_loses_its_weight(shift):
    photos, truth = drawn(200, 1, shift=shift)
    found = fitted(photos)
    assert abs(found.weight[1, 0]) < 0.02 * found.weight[0, 0]
    assert found.r2.numpy() == pytest.approx([ONE, WEAK], abs=0.04), "the other statistics keep theirs"
    assert np.abs((found(photos) - truth).mean(0)).max() < 0.2
    assert np.abs((fitted(photos, near=False)(photos) - truth).mean(0)).max() < 0.3, "far outside, near or not"


def test_before_renders_are_near_photos_may_lie_anywhere_in_their_range():
    photos, truth = drawn(200, 1, shift=2.0)
    assert fitted(photos).r2[0] < BOTH - 0.05
    trusting = fitted(photos, near=False)
    assert trusting.r2[0] == pytest.approx(BOTH, abs=0.04)
    assert (trusting(photos) - truth).mean(0)[0] == pytest.approx(2 / 2.25, abs=0.1)


def test_which_part_of_the_proposal_a_render_is_of_tells_no_attribute():
    """A narrow part far from a wide one: the mean of each part is no prediction."""
    part = np.arange(N) % 2
    _, z = drawn(N, 0)
    z[part == 0] = 5 + 0.1 * z[part == 0]
    told = fit_image_regression(part[:, None] + 0.0, torch.from_numpy(z), HELD, np.zeros((100, 1)), part, True)
    assert np.abs(told.r2.numpy()).max() < 0.05
    assert float(variance_within(torch.from_numpy(z), part)[0]) == pytest.approx((1 + 0.01) / 2, rel=0.15)


def test_r2_is_that_of_held_out_renders():
    """What networks know by heart of the renders they were trained on is worth nothing on others."""
    x, z = drawn(N, 0)
    x[~HELD, :2] = z[~HELD, :1]
    x[HELD, :2] = np.random.default_rng(4).normal(size=(HELD.sum(), 2))
    assert fitted(drawn(200, 1)[0], statistics=x).r2[0] < 0.05


def test_more_statistics_than_renders_tell_nothing_if_they_are_noise():
    random, rows = np.random.default_rng(2), 200
    found = fit_image_regression(random.normal(size=(rows, 900)), torch.from_numpy(random.normal(size=(rows, 3))),
                                 np.arange(rows) % 2 == 0, random.normal(size=(50, 900)), np.zeros(rows, int), False)
    assert found.r2.max() < 0.1


def test_scenes_without_a_target_count_as_its_mean():
    _, truth = drawn(N, 0)
    truth[:, 1] += 7
    truth[np.random.default_rng(5).random(N) < 0.5, 1] = np.nan
    found = fitted(drawn(200, 1)[0], truth)
    assert found.r2.numpy() == pytest.approx([BOTH, WEAK / 2], abs=0.05)
    assert found(drawn(1000, 6)[0])[:, 1].mean() == pytest.approx(7, abs=0.1)


def test_the_smallest_set_of_statistics_that_predicts_nearly_as_well_is_chosen():
    r2 = np.array([[0.02, 0.7, 0.9, -0.2], [0.16, 0.6, 0.95, -0.1], [0.2, 0.9, 0.99, -0.3]])
    assert chosen_sets(r2, 0).tolist() == [1, 0, 0, 1], "of a small R2, a set with none of it is not nearly as good"
    of_kinds = np.array([[0.1, 0.95, 0.98, np.nan], [0.3, -np.inf, 0.1, 0.1]])
    assert chosen_sets(np.concatenate([r2, of_kinds]), 2).tolist() == [4, 3, 0, 4], "of one kind only where better"
    assert chosen_sets(np.full((3, 2), np.nan), 1).tolist() == [0, 0]


def test_colours_of_objects_are_those_inside_at_the_rim_and_outside_of_their_boxes():
    """Two images of a green ground with one red box of 8x16 px each, blue within; the second of half the light."""
    images = np.zeros((3, 32, 40, 3), np.uint8)
    images[..., 1] = 200
    for image in range(2):
        images[image, 8:24, 12:20] = 200, 0, 0
        images[image, 11:21, 13:19] = 0, 0, 100
    images[1] //= 2
    box, kind = np.array([[12.0, 8, 20, 24]] * 2), np.zeros(2, np.int64)
    found = ObjectPredictions(3, np.arange(2), kind, np.full(2, 0.9), box, np.zeros((2, 0)), np.zeros((3, 0)))
    colours = of_all_kinds(object_colours(ObjectSpec(("cell", "none"), (), ()), found, images), 3)
    mean, spread = np.moveaxis(colours.reshape(3, 2, 11, 2), 3, 0)
    inside, rim, outside, contrast, square = np.split(mean[:2, 0], [3, 6, 9, 10], axis=1)
    assert inside * 255 == pytest.approx(np.array([[0, 0, 100], [0, 0, 50]])) and not contrast.any()
    assert rim[:, 0] * 255 == pytest.approx([200, 100], rel=0.4) and not rim[:, 1].any()
    assert outside * 255 == pytest.approx(np.array([[0, 200, 0], [0, 100, 0]]))
    assert square == pytest.approx(np.log(2)) and not spread[:2].any(), "one object varies in nothing"
    assert mean[2] == pytest.approx(mean[:2].mean(0)), "without objects, those of the other images"


def test_images_without_the_statistics_are_left_out_of_the_regression_and_predicted_as_the_mean():
    """As those are in which no object of a kind is predicted: their attributes are noise to the others."""
    x, z = drawn(N, 0)
    seen = np.arange(N) % 2 == 0
    photos, truth = drawn(100, 1)
    statistics, own = np.where(seen[:, None], x, np.nan), z.copy()
    own[~seen] = np.random.default_rng(2).normal(0, 9, (N // 2, 2))
    model = fitted(photos, own, statistics)
    alone = fit_image_regression(x[seen], torch.from_numpy(z[seen]), HELD[seen], photos,
                                 (np.arange(N) >= N // 2).astype(int)[seen], True)
    np.testing.assert_array_equal(model(photos), alone(photos))
    assert model.r2[0] == pytest.approx(BOTH, abs=0.1) and np.corrcoef(model(photos)[:, 0], truth[:, 0])[0, 1] > 0.9
    some = np.where(np.arange(100)[:, None] % 2 == 0, photos, np.nan)
    model = fitted(some, own, statistics)
    np.testing.assert_array_equal(model(some)[::2], fitted(photos[::2], own, statistics)(photos)[::2])
    assert np.abs(model(some)[1::2] - z[seen].mean(0)).max() < 0.05


@pytest.mark.parametrize("renders, photos", [(0.05, 1.0), (0.9, 0.3), (1.0, 0.3), (1.0, 0.0)])
def test_statistics_that_few_images_have_are_no_set_to_predict_from(renders, photos):
    x, z = drawn(N, 0)
    shown, _ = drawn(100, 1)
    model = fitted(np.where((np.arange(100) < 100 * photos)[:, None], shown, np.nan), None,
                   np.where((np.arange(N) % 100 < 100 * renders)[:, None], x, np.nan))
    assert not torch.isfinite(model.r2).any() and np.allclose(model(shown), z.mean(0))
    assert chosen_sets(np.stack([np.array([-0.3, 0.2]), model.r2.numpy()]), 1).tolist() == [0, 0]


def test_statistics_of_one_kind_are_of_images_where_it_is_predicted():
    random, images = np.random.default_rng(0), np.random.default_rng(1).integers(0, 255, (4, 32, 40, 3), np.uint8)
    image, kind = np.array([0, 0, 1, 2, 3]), np.array([0, 1, 0, 1, 0])
    found = ObjectPredictions(4, image, kind, np.array([0.9, 0.9, 0.6, 0.9, 0.3]), random.uniform(0, 16, (5, 4)),
                              np.zeros((5, 0)), np.zeros((4, 0)))
    spec = ObjectSpec(("cell", "dot"), (), ())
    def of_kind(found, code):
        return of_one_kind(code, found, count_statistics(spec, found), object_statistics(spec, found),
                           object_colours(spec, found, images))

    cells, dots = (of_kind(found, code) for code in range(2))
    assert np.isfinite(cells).all(1).tolist() == [True, True, False, False], "too unsure in the last"
    assert np.isfinite(dots).all(1).tolist() == [True, False, True, False] and not np.isfinite(dots[1]).any()
    np.testing.assert_array_equal(cells, of_kind(found.where(found.kind == 0), 0))
    assert cells.shape[1] == dots.shape[1] == 2 * (4 + 1 + 11), "of this kind alone"
    assert of_all_kinds([], 3).shape == (3, 0)
