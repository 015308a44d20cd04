"""experiments/aerial2d: a cell with a training of two steps, distances, tables and the plan of cells."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.aerial2d import arms, distances, few_labels, fits, study, tables, world
from experiments.aerial2d.fits import Fit
from experiments.arm_study import BEGIN, END, Study
from experiments.cells import compute
from experiments.few_labels import ALONE, SELECTED, WIDE
from experiments.few_labels import ARMS as LABELLED
from scenefit.nets.augmentation import NO_CHANGE
from scenefit.nets.pyramid.network import SmallMaps

SIDE = 96


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    task = replace(fits.TASK, steps=2, batch=2, backbone=SmallMaps, augment=NO_CHANGE)
    for module in (arms, few_labels, fits):
        monkeypatch.setattr(module, "TASK", task)
    for name, value in {"IMAGES": 4, "HELD": 4, "TESTED": 4}.items():
        monkeypatch.setattr(arms, name, value)
    for name, value in {"SCENES": 40, "TRUE_SCENES": 80, "DRAWS": 2}.items():
        monkeypatch.setattr(distances, name, value)
    distances.truth.cache_clear()


@pytest.mark.usefixtures("quick")
def test_cells_hold_the_figures_of_the_tables(tmp_path: Path) -> None:
    cell = arms.cell(tmp_path, "hand-made", "target", 0, SIDE)
    assert cell["cost"]["trainings"] == 1 and set(cell["IoU"]) == set(world.CLASSES)
    car = {"hand-made": (0.30, 0.34), "learned, all": (0.79, 0.82), "oracle": (0.80, 0.84)}
    text = tables.markdown([{**cell, "arm": arm, "seed": seed, "IoU": {**cell["IoU"], "car": value}}
                            for arm, values in car.items() for seed, value in enumerate(values)])
    for part in ("| hand-made | 2 | 32.0 (", "| **learned, all** | 2 | 80.5 (", "| 97.0 (84.3 to 109.7) |",
                 "| road.angle | angle |", "below the oracle | 50.0 (50.0 to 50.0) | yes |",
                 "gap closed at least 95 % | 97.0 (84.3 to 109.7) | yes |",
                 "above 90 % | 97.0 (84.3 to 109.7) | **no** |"):
        assert part in text
    distances.truth.cache_clear()


@pytest.mark.usefixtures("quick")
def test_the_oracle_trains_on_other_photos_of_its_target(tmp_path: Path) -> None:
    fit = Fit(tmp_path, "oracle", "misspecified", 0, SIDE)
    images, masks = arms.images_of(fit, "train", 3)
    tested = fits.photos("misspecified", "tested", 0, 3, SIDE)
    assert masks.classes == world.CLASSES and images.shape == tested.images.shape == (3, SIDE, SIDE, 3)
    assert (images != tested.images).any()
    distances.truth.cache_clear()


@pytest.mark.usefixtures("quick")
def test_arms_with_labels_are_tuned_on_the_same_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few_labels, "LABELS", 4)
    monkeypatch.setattr(few_labels, "CANDIDATES", ("hand-made", "wide"))
    monkeypatch.setattr(fits, "record", lambda fit: {"renders": 7, "trainings": 5, "cpu_seconds": 60.0})
    found = {arm: few_labels.cell(tmp_path, arm, "misspecified", 0, SIDE) for arm in LABELLED}
    assert {arm: (cell["cost"]["renders"], cell["cost"]["trainings"]) for arm, cell in found.items()} == {
        SELECTED: (7 + 8, 5 + 2 + 2 * 3 + 1), WIDE: (4, 2), ALONE: (0, 1)}
    chosen = found[SELECTED]["selection"]["chosen"]
    assert chosen in ("hand-made", "wide")
    assert (chosen == "wide") == (found[SELECTED]["pixel AP"] == found[WIDE]["pixel AP"])
    text = tables.markdown([{**cell, "seed": seed} for cell in found.values() for seed in range(2)])
    assert f"Car IoU of {SELECTED} minus that of {ALONE}: " in text


def test_the_truth_lies_at_no_distance_and_the_hand_made_grammar_at_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "TRUE_SCENES", 800)
    monkeypatch.setattr(distances, "SCENES", 400)
    monkeypatch.setattr(distances, "DRAWS", 3)
    distances.truth.cache_clear()
    true = distances.distances(world.target(SIDE, 5, 800), SIDE)
    known = {name: value for name, value in true.items() if name != "road.lanes"}  # the same in all settings
    assert max(known.values()) < 0.3 and set(true) == set(world.truth(SIDE, 0, 1))
    own = distances.distances(world.grammar(SIDE).sample(7, 800), SIDE)
    assert np.allclose([own[name] for name in known], 1, atol=0.25)
    cars = distances.cars_and_lanes(world.target(SIDE, 6, 800), SIDE, 100)
    assert cars["tv"] < cars["floor"] < 0.25
    assert distances.cars_and_lanes(world.grammar(SIDE, "wide").sample(6, 800), SIDE, 100)["tv"] > 0.3
    distances.truth.cache_clear()


def test_learned_attributes_start_wide_and_the_others_hand_made() -> None:
    grammar = Fit(Path(), "learned, angle", "target", 0, SIDE).grammar
    scenes, wide, made = (one.sample(0, 60).tables for one in (grammar, world.grammar(SIDE, "wide"),
                                                              world.grammar(SIDE)))
    assert np.array_equal(scenes["road"]["angle"], wide["road"]["angle"])
    assert np.array_equal(scenes["road"]["shade"], made["road"]["shade"])
    assert set(grammar.learned_names) == {"road.angle", "car.heading"}
    start = Fit(Path(), "meta-sim", "target", 0, SIDE).grammar.sample(0, 60).tables
    assert np.array_equal(start["road"]["angle"], made["road"]["angle"])


def test_two_seeds_of_all_arms_are_planned_before_the_rest() -> None:
    cells = list(study.plan(tables.ARMS, fits.TARGETS, range(5)))
    assert len(cells) == len({cell.name for cell in cells})
    assert {cell.arm for cell in cells if cell.target == "misspecified"} == set(study.MISSPECIFIED)
    assert {cell.arm for cell in cells if cell.target == "target"} == set(tables.ARMS)
    first = len(cells) * 2 // 5
    assert {cell.seed for cell in cells[:first]} == {0, 1} and {cell.seed for cell in cells[first:]} == {2, 3, 4}


def test_cells_that_share_files_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both targets' cells of a grammar train one network."""
    running: list[study.Cell] = []
    together: set[tuple[str, ...]] = set()

    def fake(cell: study.Cell) -> dict[str, object]:
        running.append(cell)
        time.sleep(0.05)
        together.add(tuple(sorted(one.name for one in running)))
        running.remove(cell)
        return {"arm": cell.arm}

    monkeypatch.setattr("experiments.cells.ProcessPoolExecutor", lambda jobs, *_, **more: ThreadPoolExecutor(jobs))
    cells = [study.Cell(arm, target, 0) for arm in ("wide", "oracle") for target in fits.TARGETS]
    compute(cells, 2, tmp_path / "cells", fake, (), lambda result: result["arm"])
    assert len(list((tmp_path / "cells").iterdir())) == 4
    assert not any(sum(name.startswith("wide") for name in names) > 1 for names in together)


@pytest.mark.parametrize("code, said", [("of another time", True), ("of now", False)])
def test_cells_of_earlier_code_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str,
                                           said: bool) -> None:
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells/a--target--seed-0.json").write_text(json.dumps({"arm": "a", "code": code}))
    (tmp_path / "README.md").write_text(f"{BEGIN}\n{END}\n")
    Study("", tmp_path, tmp_path, ["a"], ["target"], lambda *_: [], lambda *_: {}, str, lambda _: b"",
          lambda cells: "the table", lambda: "of now").main(["--table"])
    out = capsys.readouterr().out
    assert "the table" in out and ("1 of 1 cells are of earlier code" in out) == said


def test_each_cell_is_written_under_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(cell: study.Cell, root: Path) -> dict[str, object]:
        return {"arm": cell.arm, "seed": cell.seed, "IoU": {"car": 0.5}}

    monkeypatch.setattr("experiments.cells.ProcessPoolExecutor", lambda jobs, *_, **more: ThreadPoolExecutor(jobs))
    cells = [study.Cell(arm, "target", seed) for seed in range(2) for arm in ("wide", "oracle")]
    compute(cells, 2, tmp_path / "cells", fake, (tmp_path,), lambda result: result["arm"])
    found = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "cells").glob("*.json")}
    assert {name: (one["arm"], one["seed"]) for name, one in found.items()} == {
        cell.name: (cell.arm, cell.seed) for cell in cells}
