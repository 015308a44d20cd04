"""Correction of predictions by predictions on renders, on predictors whose errors are known."""

import numpy as np
import pytest
from scipy import special, stats

from scenefit.metrics.prediction_correction import (
    ANGLE_BINS,
    FLAT_SLOPE,
    LEVELS,
    angle_of,
    angle_posteriors,
    choice_posteriors,
    count_posteriors,
    draw_rows,
    match_quantiles,
    normal_scores,
    posterior_means,
    response,
    sample_numbers,
)

N = 4000


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# ---------------------------------------------------------------------------------------------- numbers

@pytest.mark.parametrize("noise, rounds, slack", [(0.0, 1, 0.02), (0.05, 6, 0.03)])
@pytest.mark.parametrize("mean, sd", [(0.7, 0.05), (0.5, 0.15), (0.25, 0.1)], ids=["narrower", "wider", "moved"])
def test_quantile_matching_recovers_a_shifted_and_stretched_truth_from_biased_predictions(mean, sd, noise, rounds,
                                                                                          slack):
    """Without noise at once; with noise, which hides a part of the spread, in some rounds."""
    def predict(truth, seed):
        return 0.3 + 0.5 * truth + noise * rng(seed).standard_normal(len(truth))

    q, truth = rng(1).normal(0.4, 0.1, N), rng(2).normal(mean, sd, N)
    photos = predict(truth, 3)
    for number in range(rounds):
        renders = predict(q, 4 + number)
        gain, correlation = response(renders, q)
        assert abs(gain - 2) < 0.3
        assert abs(correlation - q.std() / np.hypot(q.std(), 2 * noise)) < 0.05
        found = match_quantiles(photos, renders, q, gain)
        q = sample_numbers(photos, found, correlation, rng(20 + number).standard_normal(N))
    assert np.abs(found - np.quantile(truth, LEVELS)).max() < slack
    assert np.abs(np.quantile(photos, LEVELS) - np.quantile(truth, LEVELS)).max() > 0.05


def test_predictions_equal_to_those_of_renders_leave_the_distribution_as_it_is():
    q, renders = rng(1).random(N), rng(2).random(N)
    np.testing.assert_array_equal(match_quantiles(renders, renders, q, 2.5), np.quantile(q, LEVELS))


def test_matched_quantiles_never_fall():
    photos, renders, q = rng(1).normal(0, 0.01, 500), rng(2).normal(0, 1, 500), rng(3).normal(0, 0.1, 500)
    found = match_quantiles(photos, renders, q, 4.0)
    assert np.all(np.diff(found) >= 0)
    photos_mean, renders_mean, mean = (np.quantile(values, LEVELS).mean() for values in (photos, renders, q))
    assert found.mean() == pytest.approx(mean + 4 * (photos_mean - renders_mean)), "though they would cross"


@pytest.mark.parametrize("mean, sd", [(0.7, 0.05), (0.5, 0.15)], ids=["narrower", "wider"])
def test_the_aggregate_posterior_comes_nearer_to_the_truth_round_by_round(mean, sd):
    def predict(truth, seed):
        return 0.1 + 0.8 * truth + 0.05 * rng(seed).standard_normal(len(truth))

    q, truth, off = rng(1).normal(0.4, 0.1, N), rng(2).normal(mean, sd, N), []
    photos = predict(truth, 3)
    for number in range(12):
        means, errors = posterior_means(photos, predict(q, 4 + number), q)
        q = means + rng(20 + number).permutation(errors)
        off.append(np.abs(np.quantile(q, LEVELS) - np.quantile(truth, LEVELS)).max())
    assert off[-1] < 0.02 and off[0] > 0.05


def test_the_aggregate_posterior_of_photos_that_are_all_alike_is_as_wide_as_their_predictions_err():
    """Their common error cannot be told from a difference of the truth: that of 50 photos is no smaller than of one."""
    q = rng(1).random(N)
    renders = q + 0.2 * rng(2).standard_normal(N)  # errors by whatever else renders differ in, and photos do not
    means, errors = posterior_means(np.full(50, 0.6), renders, q)
    assert np.ptp(means) == 0 and abs(errors.mean()) < 1e-9
    assert abs(errors.std() - q.std() * np.sqrt(1 - np.corrcoef(renders, q)[0, 1] ** 2)) < 1e-3
    assert abs(means[0] - 0.6) < 0.02, "their mean is not drawn towards the renders'"
    assert posterior_means(np.full(50, 40.0), renders, q)[0][0] == 1, "within the bounds"
    same = posterior_means(np.array([0.4, 0.6]), np.full(20, 0.5), q[:20])
    assert np.ptp(same[0]) == 0 and np.allclose(same[1], q[:20] - q[:20].mean()), "predictions that tell nothing"


def test_predictions_that_tell_nothing_do_not_move_the_truth():
    truth = rng(1).random(N)
    gain, correlation = response(rng(2).random(N), truth)
    assert 0 <= gain < 0.5 and abs(correlation) < 0.05
    assert response(-truth, truth) == (0.0, 0.0)
    steep, flat = (response(slope * truth, truth)[0] for slope in (FLAT_SLOPE, 0.5 * FLAT_SLOPE))
    assert steep == pytest.approx(1 / FLAT_SLOPE, rel=0.05) and flat == pytest.approx(steep / 2, rel=0.1)
    assert response(truth, truth)[1] == 0.999  # never certain
    for few in (truth[:7], np.full(50, 0.3)):  # too few values, or one
        assert response(few, few) == (1.0, 0.0)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.999])
def test_the_copula_keeps_the_marginal_and_the_dependence(correlation):
    photos = rng(1).exponential(1, N)  # only ranks count
    quantiles = stats.beta(2, 5).ppf(LEVELS)
    drawn = sample_numbers(photos, quantiles, correlation, rng(2).standard_normal(N))
    assert np.abs(np.quantile(drawn, LEVELS) - quantiles).max() < 0.02
    assert abs(np.corrcoef(normal_scores(photos), normal_scores(drawn))[0, 1] - correlation) < 0.03


def test_the_marginal_of_the_copula_is_exact_at_the_levels_and_has_tails():
    quantiles = 3 + 2 * special.ndtri(LEVELS)
    drawn = sample_numbers(np.zeros(N), quantiles, 0.0, special.ndtri((np.arange(N) + 0.5) / N))
    np.testing.assert_allclose(np.quantile(drawn, LEVELS), quantiles, atol=5e-3)
    np.testing.assert_allclose(np.quantile(drawn, [0.002, 0.998]), 3 + 2 * special.ndtri([0.002, 0.998]), atol=0.05)


# ---------------------------------------------------------------------------------------------- counts

def test_counts_with_two_peaks_are_recovered_from_predictions_that_miss_objects():
    share = np.zeros(13)
    share[[2, 3, 9, 10]] = [0.3, 0.25, 0.25, 0.2]

    def predict(count, seed):  # a fifth of the objects are missed, half an object too much is found
        return 0.5 + 0.8 * count + rng(seed).normal(0, 0.45, len(count))

    truth, drawn = rng(1).integers(0, 13, 400), rng(2).choice(13, 600, p=share)
    odds = count_posteriors(predict(drawn, 3), predict(truth, 4), truth, 13)
    np.testing.assert_allclose(odds.sum(1), 1)
    assert 0.5 * np.abs(odds.mean(0) - np.bincount(drawn, minlength=13) / 600).sum() < 0.12
    rounded = np.bincount(np.rint(predict(drawn, 3)).astype(int), minlength=13) / 600
    assert 0.5 * np.abs(rounded - np.bincount(drawn, minlength=13) / 600).sum() > 0.35
    assert abs((odds * np.arange(13)).sum(1) - drawn).mean() < 0.5  # each photo's own, too


def test_counts_that_predictions_hardly_depend_on_stay_near_those_of_the_renders():
    """A slope of a tenth is not inverted: photos whose predictions lie 1 higher do not have ten more."""
    truth, share = rng(1).integers(0, 9, 300), np.full(9, 1 / 9)
    odds = count_posteriors(rng(2).normal(6, 1, 50), rng(3).normal(4, 1, 300), truth, 9)
    assert np.abs(odds.mean(0) - share).max() < 0.06, "photos differ, but not by their counts"
    odds = count_posteriors(rng(2).normal(5, 0.3, 50), 4 + 0.1 * truth + rng(3).normal(0, 0.3, 300), truth, 9)
    mean = (odds * np.arange(9)).sum(1).mean()
    assert truth.mean() + 1 < mean < 7.5, "one step towards the photos"


@pytest.mark.parametrize("bias", [0.0, 2.0, -1.5])
@pytest.mark.parametrize("truth", [np.full(200, 3), np.repeat([3, 2], [190, 10]), np.repeat([3, 2], 100)],
                         ids=["one", "nearly one", "two"])
def test_counts_where_renders_have_hardly_more_than_one(truth, bias):
    """The bias is that of these renders all the same; it once was ignored."""
    odds = count_posteriors(np.full(40, 5.0) + bias, truth + bias + rng(1).normal(0, 0.3, 200), truth, 9)
    assert np.all(odds.argmax(1) == 5)


# ---------------------------------------------------------------------------------------------- angles and choices

def outputs_of(turns, once=1.0, twice=1.0):
    """As the networks are trained to predict angles."""
    angle = 2 * np.pi * turns - np.pi
    return np.stack([once * np.sin(angle), once * np.cos(angle), twice * np.sin(2 * angle), twice * np.cos(2 * angle)],
                    1)


@pytest.mark.parametrize("once", [1.0, 0.05])
def test_an_angle_from_its_direction_and_its_axis(once):
    turns = rng(1).random(500)
    away = (angle_of(outputs_of(turns, once)) - turns + 0.5) % 1 - 0.5
    assert np.abs(away).max() < 1e-9


def test_angles_whose_direction_is_often_wrong_are_deconvolved():
    """Three predictions of ten point the wrong way: the truth has one peak, the predictions two."""
    def predict(turns, seed):
        wrong = rng(seed).random(len(turns)) < 0.3
        return (turns + 0.5 * wrong + rng(seed + 1).normal(0, 0.01, len(turns))) % 1.0

    q, truth = rng(1).random(N), (rng(2).normal(0.98, 0.02, N)) % 1.0  # across the seam
    photos = predict(truth, 5)
    odds = angle_posteriors(photos, predict(q, 7), q)
    near = np.abs(((np.arange(ANGLE_BINS) + 0.5) / ANGLE_BINS - 0.98 + 0.5) % 1 - 0.5) < 0.1
    np.testing.assert_allclose(odds.sum(1), 1)
    assert odds.mean(0)[near].sum() > 0.93
    assert np.mean(np.abs((photos - 0.98 + 0.5) % 1 - 0.5) < 0.1) < 0.75


def test_a_constant_error_of_angles_is_taken_away():
    q, truth = rng(1).random(N), rng(2).normal(0.3, 0.02, N)
    odds = angle_posteriors((truth + 0.2) % 1, (q + 0.2) % 1, q).mean(0)
    assert abs((odds * (np.arange(ANGLE_BINS) + 0.5) / ANGLE_BINS).sum() - 0.3) < 0.02


def test_shares_of_options_are_recovered_from_a_known_confusion():
    confusion = np.array([[0.7, 0.3, 0.0], [0.1, 0.6, 0.3], [0.2, 0.0, 0.8]])

    def predict(truth, seed):
        code = (confusion[truth].cumsum(1) < rng(seed).random(len(truth))[:, None]).sum(1)
        return np.eye(3)[code] * 0.8 + 0.1

    share = np.array([0.05, 0.65, 0.3])
    truth, drawn = rng(1).integers(0, 3, N), rng(2).choice(3, N, p=share)
    odds = choice_posteriors(predict(drawn, 3), predict(truth, 4), truth)
    assert np.abs(odds.mean(0) - share).max() < 0.03
    assert np.abs(np.bincount(predict(drawn, 3).argmax(1)) / N - share).max() > 0.15


def test_an_option_that_renders_never_have_is_still_possible():
    truth = np.zeros(100, int)
    odds = choice_posteriors(np.tile([0.1, 0.9], (50, 1)), np.tile([0.9, 0.1], (100, 1)), truth)
    assert odds[:, 1].min() > 0.5  # predicted in the photos, never in renders, all of which are of the other


def test_rows_are_drawn_with_their_probabilities():
    odds = np.tile([0.5, 0.0, 1.5], (N, 1))  # they need not sum to 1
    drawn = draw_rows(odds, rng(1).random(N))
    assert set(drawn) == {0, 2} and abs(np.mean(drawn == 2) - 0.75) < 0.03
    same = np.full((1, 72), 0.1)  # whose cumulative sum rounds to less than its sum
    assert draw_rows(same, np.array([np.nextafter(1, 0)]))[0] == 71
