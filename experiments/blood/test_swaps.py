"""experiments/blood/swaps.py without its data."""

from pathlib import Path

import numpy as np
import pytest

from experiments.blood import arms, fits, swaps, world
from experiments.blood.test_counts import boxes

TREE, ROWS = world.wide(1.0), np.arange(12)
SAMPLE = arms.sampler(fits.Fit(Path(), Path(), "wide", 1.0, 0))


def images(sample: swaps.Sampler) -> dict[str, np.ndarray]:
    return {name: np.asarray(values) for name, values in sample(ROWS).tables["image"].columns.items()}


def test_counts_of_white_cells_and_platelets_are_those_of_labelled_photos() -> None:
    labelled = np.array([[10, 1, 2], [12, 0, 99], [9, 2, 4]])
    before, after = images(SAMPLE), images(swaps.with_counts(TREE, SAMPLE, labelled, 0))
    pairs = set(zip(after["n_white"].tolist(), after["n_platelet"].tolist(), strict=True))
    assert pairs == {(1, 2), (0, 20), (2, 4)}  # the scene has 20 platelets at most
    assert (after["n_red"] == before["n_red"]).all() and after["red_size"] == pytest.approx(before["red_size"])


def test_sizes_of_each_class_are_multiplied_within_the_prior() -> None:
    before = images(SAMPLE)
    after = images(swaps.with_sizes(TREE, SAMPLE, {"RBC": 1.1, "WBC": 1.1, "Platelets": 0.55}))
    assert after["red_size"] == pytest.approx(np.minimum(1.1 * before["red_size"], 96))
    assert after["white_ratio"] == pytest.approx(before["white_ratio"])
    assert after["platelet_ratio"] == pytest.approx(np.maximum(before["platelet_ratio"] / 2, 0.1))
    assert (after["n_red"] == before["n_red"]).all() and after["red_r"] == pytest.approx(before["red_r"])


def test_sizes_are_compared_by_the_median_side() -> None:
    assert swaps.size_factors(boxes([3, 4], 33), boxes([5], 30)) == {"RBC": 1.1, "WBC": 1.0, "Platelets": 1.0}


def test_table_has_a_row_for_each_kind_of_scenes() -> None:
    one = {"AP50": 0.7, "AP50 RBC": 0.6, "AP50 WBC": 0.9, "AP50 Platelets": 0.6, "AP": 0.35}
    cells = [{"row": "learned, sizes", "seed": 0, **one}, {"row": "wide", "seed": 0, **one},
             {"row": "wide", "seed": 1, **one, "AP50": 0.5}]
    assert swaps.table(cells).splitlines()[2:] == ["| wide | 70.0 50.0 | 60.0 | 60.0 | 90.0 | 60.0 | 35.0 |",
                                                   "| learned, sizes | 70.0 | 70.0 | 60.0 | 90.0 | 60.0 | 35.0 |"]
