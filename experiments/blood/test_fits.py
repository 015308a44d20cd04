"""experiments/blood without its data: fits and their resumption, stages that continue them, and searches."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import scenefit as sf
from experiments.blood import arms, fits, search, summary, world
from scenefit.inference.npe import update
from scenefit.inference.npe.method import Npe
from scenefit.inference.settings import Settings, changed
from scenefit.inference.stages.mmd_descent import Descent
from scenefit.inference.stages.regressor import Regressor
from scenefit.inference.stages.structure import Structure
from scenefit.nets.centre_network import SmallMaps
from scenefit.nets.maximum_likelihood import fit_distribution
from scenes import smear

SMALLER = 5


def test_a_fit_with_other_settings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fit.json").write_text('{"settings": {"rounds": 3}}')
    with pytest.raises(ValueError, match="fitted with other settings; remove it"):
        fits.load(fits.Fit(tmp_path, tmp_path, 1.0, 0, Settings()), "learned")


def test_an_interrupted_fit_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = fits.Fit(tmp_path, tmp_path / "fit", 1.0, 0, Settings(Npe(2)))
    plan = [("npe", 1), ("npe", 2), ("keep-best", 1), ("validate", 1)]
    begun: list[int] = []

    def steps(*args: Any, state: Any, stop: int = 3, **more: Any) -> Iterator[Any]:
        begun.append(0 if state is None else int(state["piece"]) + 1)
        for number, (stage, done) in list(enumerate(plan))[begun[-1]:]:
            if number == stop:
                raise KeyboardInterrupt
            facts = {"renders": 10 * (number + 1), "trainings": 1, "cpu_seconds": 1.0, "number": number}
            yield SimpleNamespace(
                stage=stage, done=done, record=lambda facts=facts: facts,
                model=SimpleNamespace(state=lambda number=number: {"at": torch.tensor(number)}),
                state={"piece": torch.tensor(number), "reader:weight": torch.tensor(7.0)})

    monkeypatch.setattr(world, "unlabelled", lambda data: None)
    monkeypatch.setattr(sf, "fit_steps", steps)
    with pytest.raises(KeyboardInterrupt):
        fits.learned(fit)
    monkeypatch.setattr(sf, "fit_steps", partial(steps, stop=99))
    assert fits.cost(fit, "learned")["renders"] == 40 and begun == [0, 3]
    assert fits.cost(fit, "round-1")["renders"] == 10 and fits.cost(fit, "reader")["renders"] == 20
    assert [one["number"] for one in fits.record(fit)["trace"]] == [0, 1, 2, 3]
    message = "a fit with 2 rounds has no distribution 'round-3'; choose from learned, random"
    with pytest.raises(ValueError, match=message):
        fits.cost(fit, "round-3")
    assert begun == [0, 3], "a finished fit is not started again"


@contextmanager
def smaller(factor: int) -> Iterator[pytest.MonkeyPatch]:
    """Images whose sides, and the sizes of cells in the grammar, are divided by factor."""
    with pytest.MonkeyPatch.context() as now:
        height, width = (side // factor for side in smear.SIZE)
        for name, value in {"HEIGHT": height, "WIDTH": width}.items():
            now.setattr(smear, name, value)
        now.setattr(world, "SIZE", (height, width))
        now.setattr(world, "renderer", replace(smear.renderer, size=(height, width)))
        yield now


@pytest.fixture(scope="module")
def small_fit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fits.Fit]:
    """A fit with few renders to 8 small photos, which are renders of the naive grammar."""
    settings = Settings(Npe(1, 64, 2, 1), Regressor(epochs=1),
                        descent=Descent(0, 64, gradient="score-function"), validation_renders=8)
    with smaller(SMALLER) as now:
        images, labels = arms.rendered(world.naive(5, 8))
        photos = sf.Photos(images, tuple(Path(f"{n}.jpg") for n in range(8)), (), np.full(8, ""), labels)
        now.setattr(update, "fit_distribution", partial(fit_distribution, steps=2))
        now.setattr(world, "unlabelled", lambda data: replace(photos, boxes=None))
        now.setattr(world, "labelled", lambda data, label, report, draw: photos)
        yield fits.Fit(Path("data"), tmp_path_factory.mktemp("fit"), 1.0, 0, settings)


@pytest.mark.parametrize("name", fits.SEARCHES)
def test_a_search_has_at_least_as_many_renders_as_the_fit(small_fit: fits.Fit, monkeypatch: pytest.MonkeyPatch,
                                                          name: str) -> None:
    """The renders of the regressor's training come on top."""
    monkeypatch.setattr(search, "N_IMAGES", 32)
    read, whole, drawn = fits.cost(small_fit, "reader"), fits.cost(small_fit, "learned"), []
    render = sf.Shapes.__call__
    monkeypatch.setattr(sf.Shapes, "__call__", lambda own, scenes: (drawn.append(len(scenes)), render(own, scenes))[1])
    spent = fits.cost(small_fit, name)
    assert sum(drawn) >= whole["renders"] > read["renders"] > 0
    assert spent["renders"] == read["renders"] + sum(drawn) and spent["trainings"] == read["trainings"]


def test_the_final_distances_of_arms(small_fit: fits.Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first candidate of a random search is the prior, whose distance is that of the wide grammar."""
    monkeypatch.setattr(search, "N_IMAGES", 32)
    cells = [SimpleNamespace(arm=arm, fit=small_fit) for arm in ("wide", "learned", *fits.SEARCHES)]
    distances = summary.distances(cells)
    assert set(distances) == {"wide", "learned", "random", "cma", "photos"}
    assert distances["random"] <= distances["wide"]
    assert distances["photos"] < distances["wide"]
    assert distances["learned"] == fits.record(small_fit)["trace"][-1]["distance"]
    assert distances["wide"] == fits.facts_of(small_fit, "random")["trace"][0]


def test_a_stage_continues_the_fit(small_fit: fits.Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is that of one fit with all stages, also after an interruption."""
    name = "rewarded"
    monkeypatch.setattr(fits, "REFINED", {name: {"task.steps": 1, "task.renders": 8}})
    monkeypatch.setattr(fits, "REWARDING", sf.Detect(world.CLASSES, steps=8, augmented_copies=4, batch=2,
                                                     backbone=SmallMaps))
    more = {"labelled": world.labelled(Path(), "10", "val", 0), "task": fits.REWARDING, "label_policy": world.KEEP}
    *_, whole = sf.fit_steps(world.wide(1.0), world.renderer, world.unlabelled(Path()), seed=0,
                             settings=changed(small_fit.settings, fits.REFINED[name]), **more)
    steps = sf.fit_steps

    def stopped(*given: Any, **more: Any) -> Iterator[sf.Step]:
        for number, step in enumerate(steps(*given, **more)):
            if number == 1:
                raise KeyboardInterrupt
            yield step

    fits.learned(small_fit)
    monkeypatch.setattr(sf, "fit_steps", stopped)
    with pytest.raises(KeyboardInterrupt):
        fits.load(small_fit, name)
    monkeypatch.setattr(sf, "fit_steps", steps)
    ours, theirs = fits.load(small_fit, name).state(), whole.model.state()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    before = fits.load(small_fit, "learned").state()
    assert any(not torch.equal(ours[key], value) for key, value in before.items())
    assert fits.cost(small_fit, name)["renders"] == whole.renders


def test_a_structure_policy_continues_the_counts(small_fit: fits.Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits, "POLICY", Structure(64, 1, epochs=1, samples=2, steps=2))
    model = fits.load(small_fit, fits.STRUCTURED)
    assert model.structure is not None and fits.load(small_fit, "learned").structure is None
    spent, before = (fits.cost(small_fit, name) for name in (fits.STRUCTURED, "learned"))
    assert [spent[name] - before[name] for name in ("renders", "trainings")] == [64, 1]
    ours, theirs = (fits.load(small_fit, name).sample(4, 0).tables["image"] for name in (fits.STRUCTURED, "learned"))
    assert np.array_equal(ours["red"], theirs["red"]), "attributes other than counts keep their distribution"
