"""Which attribute moves an object's place, before a photo's reconstruction is placed."""

import warnings

import numpy as np
import pytest

from scenefit.inference.npe.reconstruct import _line


def test_the_attribute_that_moves_a_place_is_found_without_complaints_about_constant_ones():
    x = np.random.default_rng(0).uniform(0, 60, 100)
    nearly = 0.1 + 1e-17 * np.arange(100) + np.where(np.arange(100) % 2, 1.4e-17, 0)  # equal up to rounding
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = _line({"radius": [nearly], "zero": [np.zeros(100)], "x": [x[:50], x[50:]]}, 2 * x + 3)
        assert _line({"radius": [nearly]}, 2 * x + 3) is None and _line({"x": [x]}, np.full(100, 3.0)) is None
    assert found is not None and found.name == "x"
    assert (found.slope, found.offset) == pytest.approx((2, 3))
