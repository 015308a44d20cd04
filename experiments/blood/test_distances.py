"""experiments/blood/distances.py without its data."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.blood import arms, distances, world


def noise(seed: int, level: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, level, (12, 64, 64, 3), np.uint8)


def test_renders_are_nearer_to_photos_like_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arms, "rendered", lambda sample, setting, rows: (noise(0, 255), None))
    rows = []
    for photos in (noise(1, 255), noise(1, 64)):
        monkeypatch.setattr(world, "unlabelled", lambda data, setting, photos=photos: SimpleNamespace(images=photos))
        rows.append(distances.run("wide", 0, Path(), Path()))
    same, dark = rows
    assert same["kid"] + 3 * same["error"] < dark["kid"] and same["outliers"] < dark["outliers"] == 1


def test_table_has_a_row_for_each_source_and_seed() -> None:
    cells = [{"source": source, "seed": seed, "kid": 0.3, "error": 0.01, "outliers": 0.124}
             for source, seed in (("learned", 1), ("learned", 0), ("wide", 0))]
    rows = distances.table(cells).splitlines()[2:]
    assert rows == ["| wide, seed 0 | 0.300 ± 0.010 | 12 |", "| learned, seed 0 | 0.300 ± 0.010 | 12 |",
                    "| learned, seed 1 | 0.300 ± 0.010 | 12 |"]
