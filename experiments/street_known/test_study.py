"""experiments/street_known with renders: labels, cells with trainings of two steps, arms with labelled photos."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from experiments.few_labels import ALONE, SELECTED
from experiments.few_labels import WIDE as WIDE_LABELLED
from experiments.picture_rows import GAP, HEADING
from experiments.street_known import arms, distances, few_labels, fits, picture, report, tables, town, world
from experiments.street_known.fits import Fit
from scenefit.nets.augmentation import NO_CHANGE
from scenefit.nets.pyramid.network import SmallMaps

SIZE = 72, 96


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    small = {name: replace(task, steps=2, batch=2, backbone=SmallMaps, augment=NO_CHANGE)
             for name, task in arms.TASKS.items()}
    monkeypatch.setattr(arms, "TASKS", small)
    for name in ("IMAGES", "HELD", "TESTED"):
        monkeypatch.setattr(arms, name, 4)
    monkeypatch.setattr(distances, "SCENES", 20)
    for kept in (distances.truth, distances.of_naive, arms.images_of):
        kept.cache_clear()
    yield
    for kept in (distances.truth, distances.of_naive, arms.images_of):
        kept.cache_clear()


@pytest.mark.usefixtures("quick")
def test_cells_hold_the_figures_of_the_tables(tmp_path: Path) -> None:
    cell = arms.cell(tmp_path, "naive", town.TARGET, 0, SIZE)
    assert cell["cost"]["trainings"] == 2 and set(cell["distances"]) == set(distances.attributes())
    assert cell[arms.DETECTION]["objects"] > 4 and 0 <= cell[arms.SEGMENTATION]["IoU"]["car"] <= 1
    arms.trained(Fit(tmp_path, "naive", town.MISSPECIFIED, 0, SIZE), arms.DETECTION)
    assert len(list((tmp_path / "networks" / arms.DETECTION).iterdir())) == 1  # the same network for both targets
    assert "| naive | 2 |" in tables.markdown([{**cell, "seed": seed} for seed in range(2)])


@pytest.mark.usefixtures("quick")
def test_the_oracle_trains_on_other_photos_of_its_target(tmp_path: Path) -> None:
    rendered = arms.images_of(Fit(tmp_path, arms.ORACLE, town.MISSPECIFIED, 0, SIZE), "train", 3)
    tested = fits.photos(town.MISSPECIFIED, "tested", 0, 3, SIZE)
    assert rendered.images.shape == tested.images.shape == (3, *SIZE, 3)
    assert (rendered.images != tested.images).any()
    assert rendered.boxes is not None and set(rendered.boxes.name) <= {world.CAR}


def test_masks_show_the_cars_that_have_boxes() -> None:
    photos = fits.photos(town.TARGET, "tested", 1, 6, SIZE)
    assert photos.boxes is not None and photos.masks is not None and len(photos.boxes) > 6
    for image, (x0, y0, x1, y1) in zip(photos.boxes.image, photos.boxes.box.astype(int), strict=True):
        assert (photos.masks.masks[image, y0:y1, x0:x1] == 1).sum() >= world.POLICY.min_pixels
    assert not (photos.masks.masks == 1)[np.setdiff1d(range(6), photos.boxes.image)].any()


@pytest.mark.usefixtures("quick")
def test_arms_with_labels_are_selected_and_tuned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one task, without a fit: naive renders in place of the learned ones."""
    monkeypatch.setattr(arms, "TASKS", {arms.DETECTION: arms.TASKS[arms.DETECTION]})
    monkeypatch.setattr(few_labels, "CANDIDATES", {"naive": 0.0, "wide": 1.0})
    monkeypatch.setattr(fits, "record", lambda fit: {"renders": 7, "trainings": 5, "cpu_seconds": 60.0})
    found: dict[str, Any] = {arm: few_labels.cell(tmp_path, arm, town.TARGET, 0, SIZE)
                             for arm in (SELECTED, WIDE_LABELLED, ALONE)}
    assert {arm: (cell["cost"]["renders"], cell["cost"]["trainings"]) for arm, cell in found.items()} == {
        SELECTED: (7 + 8, 5 + 2 * 4 + 1), WIDE_LABELLED: (4, 2), ALONE: (0, 1)}
    for name in arms.TASKS:
        chosen = found[SELECTED][name]["selection"]["chosen"]
        assert chosen in ("naive", "wide")
        if chosen == "wide":
            assert found[SELECTED][name] == found[WIDE_LABELLED][name] | {
                key: found[SELECTED][name][key] for key in ("selection", "CPU seconds of the selection")}


@pytest.mark.usefixtures("quick")
def test_the_report_shows_renders_and_what_networks_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With untrained networks, and renders of the oracle in place of the learned ones."""
    photos = fits.photos(town.TARGET, "train", 0, picture.COLUMNS)
    monkeypatch.setattr(report, "TASKS", arms.TASKS)
    monkeypatch.setattr(report, "images_of", lambda fit, purpose, count: photos)
    monkeypatch.setattr(report, "trained", lambda fit, name: arms.TASKS[name].fresh(0).eval())
    image = np.asarray(Image.open(io.BytesIO(report.picture(tmp_path))).convert("RGB"))
    rows = 1 + len(report.RENDERED) + len(report.SHOWN)
    assert image.shape == (rows * (world.SIZE[0] + GAP + HEADING), picture.COLUMNS * (world.SIZE[1] + GAP) - GAP, 3)
