"""`benchmarks.gradients`: its worlds, the distance to their truth, which learning rate is taken, and its table."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gradient_worlds, gradients
from benchmarks.gradient_worlds import WORLDS, distance_to_truth
from benchmarks.gradients import (
    TRIAL_SEED,
    Case,
    arrival,
    best_rate,
    cases,
    computed,
    found,
    steps_within,
    table,
    trial,
    trials,
)
from scenefit.nets.model import PriorModel


def row(case: Case, *trace: tuple[int, float, float]) -> dict[str, Any]:
    points = [dict(zip(("renders", "mean", "median"), point, strict=True)) for point in trace]
    return {**asdict(case), "cpu_seconds": 9.0, "end": points[-1], "trace": points}


def test_as_many_attributes_are_learned_as_the_page_says() -> None:
    assert {name: (world.learned, len(world.prior().learned)) for name, world in WORLDS.items()} == {
        "shapes": (100, 100), "street": (10, 10)}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_the_prior_is_its_own_distance_from_the_truth_and_the_truth_none(world: Any) -> None:
    distance = distance_to_truth(world, 0)
    for model, expected in ((PriorModel(world.prior(), 5), 1.0), (PriorModel(world.truth(0), 5), 0.0)):
        assert distance(model) == pytest.approx((expected, expected), abs=0.06)
    assert distance(PriorModel(world.truth(1), 5))[0] > 0.3  # another seed, another truth


def test_the_learning_rate_is_that_of_the_best_trial() -> None:
    world = WORLDS["street"]
    rows = [row(case, (9, 0.5 if case.rate == 0.15 else 0.6, 0.5)) for case in trials(world)]
    assert {best_rate(world, name, rows) for name in ("spsa", "finite-difference")} == {0.15}
    assert {case.rate for case in cases(world, rows)} == {0.0, 0.15}
    shapes = trial(WORLDS["shapes"], "finite-difference", 0.3)
    assert shapes.method == "pathwise" and shapes.steps == steps_within(WORLDS["shapes"], "finite-difference", 500_000)
    assert found(rows, Case("street", "npe", 0)) is None and found(rows, trial(world, "spsa", 0.15)) is not None


def test_trials_come_first_and_nothing_is_computed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Case] = []

    def pretended(case: Case) -> dict[str, Any]:
        done.append(case)
        return row(case, (9, 0.4 if case.rate == 0.05 else 0.5, 0.5))

    monkeypatch.setattr(gradients, "computed", pretended)
    monkeypatch.setattr(gradients, "RESULTS", tmp_path / "gradients.json")
    monkeypatch.setattr(gradients, "HERE", tmp_path)
    (tmp_path / "README.md").write_text(f"before\n{gradients.START}\n{gradients.END}\nafter\n")
    gradients.main(["--worlds", "street"])
    assert [case.seed for case in done] == [TRIAL_SEED] * 6 + [0] * 4
    assert {case.rate for case in done[6:]} == {0.0, 0.05}
    gradients.main(["--worlds", "street"])
    assert len(done) == 10 and len(gradients.RESULTS.read_text().splitlines()) == 12
    page = (tmp_path / "README.md").read_text()
    assert page.startswith("before\n") and page.endswith("after\n") and page.count("| street | spsa |") == 1


def test_the_table_counts_what_does_not_arrive_as_the_cap() -> None:
    npe = [row(Case("shapes", "npe", seed), (2_000, 0.6, 0.6), (renders, 0.2, 0.08))
           for seed, renders in enumerate((4_000, 6_000))]
    slow = [row(Case("shapes", "finite-difference", seed, 0.5, 500_000, 0, "pixels"), (100_000, 0.4, 0.4),
                (500_000, end, 0.2)) for seed, end in enumerate((0.3, 0.25))]
    assert arrival(npe[0], "mean", 0.25) == 4_000 and arrival(npe[0], "mean", 0.1) is None
    lines = table([*npe, *slow, row(Case("shapes", "spsa", TRIAL_SEED, 0.1), (9, 0.1, 0.1))]).splitlines()
    assert lines[2].startswith("| shapes | npe |  | 4,000; 6,000 | 4,000; 6,000 | -; - | 4,000; 6,000 | 0.20, 0.08; ")
    assert lines[3].startswith("| shapes | finite-difference | 0.5 | 100,000; 100,000 | -; 500,000 | -; - | -; - |")
    assert lines[4:] == ["| shapes | finite differences / npe |  | 20.0 | 100.0 | 1.0 | 100.0 |  |  |"]


def test_a_row_has_the_renders_and_distances_of_its_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "MEASURED", 4)
    monkeypatch.setattr(gradient_worlds, "SAMPLED", 200)
    monkeypatch.setattr(gradient_worlds, "TRUE_SCENES", 200)
    case = Case("shapes", "spsa", 0, 0.3, steps=1, features="pixels")
    done = computed(case, photos=50)
    assert found([done], case) is done
    assert [point["renders"] for point in done["trace"]] == [3 * 64, 3 * 64 + 8, 3 * 64 + 12]
    assert done["end"] == done["trace"][-1] and 0.5 < done["end"]["mean"] < 1.05
