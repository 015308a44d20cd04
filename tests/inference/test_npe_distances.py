"""Distances between predictions on photos and on renders."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from scenefit.inference.npe.distances import distance_by_chance, distance_of_predictions
from scenefit.inference.npe.matching import Predictions
from scenefit.nets.object_predictions import no_objects
from scenefit.nets.object_targets import ObjectSpec

SPEC = ObjectSpec((), (), ())


def predictions(seed, shift=0.0, count=200):
    return Predictions(np.random.default_rng(seed).normal(shift, 1, (count, 20)), no_objects(count))


def test_samples_of_one_distribution_are_as_far_apart_as_a_random_split_of_both():
    photos, renders = predictions(0), predictions(1)
    chance = distance_by_chance(photos, renders, SPEC, 0)
    x = np.linspace(-6, 6, 1001)
    below = stats.norm.cdf(x)  # the difference of two empirical ones is about normal, of variance (1/n + 1/m) F (1 - F)
    expected = np.trapezoid(np.sqrt(2 / np.pi * (2 / 200) * below * (1 - below)), x)
    assert chance == pytest.approx(expected, rel=0.05)
    assert distance_of_predictions(photos, renders, SPEC) == pytest.approx(chance, rel=0.15)


def test_a_difference_is_in_standard_deviations_and_not_in_a_random_split():
    photos, renders = predictions(0), predictions(1, 1.0)
    both = np.sqrt(1 + 0.25)  # spread of both together
    assert distance_of_predictions(photos, renders, SPEC) == pytest.approx(1 / both, rel=0.05)
    assert distance_by_chance(photos, renders, SPEC, 0) < 0.2
    scaled = (replace(part, image=7 * part.image - 3) for part in (photos, renders))
    assert distance_of_predictions(*scaled, SPEC) == pytest.approx(1 / both, rel=0.05)
