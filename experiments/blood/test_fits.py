"""experiments/blood without its data: fits, and their resumption."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import scenefit as sf
from experiments.blood import fits, world
from scenefit.nets.model import load_model
from scenefit.nets.scene_distribution import SceneDistribution


def test_a_fit_with_other_settings_is_refused(tmp_path: Path) -> None:
    fit = fits.Fit(tmp_path, tmp_path, "learned", 1.0, 0)
    fit.folder.mkdir(parents=True)
    (fit.folder / "fit.json").write_text('{"settings": {"rounds": 3}}')
    with pytest.raises(ValueError, match="fitted with other settings; remove it"):
        fits.load(fit)


def test_an_interrupted_fit_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    model = sf.Model(SceneDistribution(world.wide(1.6), 0), 0)

    def steps(*args: Any, state: Any, stop: int = 2, **more: Any) -> Iterator[Any]:
        begun.append(0 if state is None else int(state["piece"]) + 1)
        for number in range(begun[-1], 4):
            if number == stop:
                raise KeyboardInterrupt
            yield SimpleNamespace(model=model, state={"piece": torch.tensor(number)}, record=lambda number=number: {
                "renders": 10 * (number + 1), "trainings": 1, "cpu_seconds": 1.0, "distance": 0.3})

    fit = fits.Fit(tmp_path, tmp_path, "learned", 1.6, 3)
    monkeypatch.setattr(world, "unlabelled", lambda data, setting: None)
    monkeypatch.setattr(sf, "fit_steps", steps)
    with pytest.raises(KeyboardInterrupt):
        fits.make(fit)
    monkeypatch.setattr(sf, "fit_steps", partial(steps, stop=99))
    assert fits.record(fit)["renders"] == 40 and begun == [0, 2]
    ours, theirs = fits.load(fit), load_model(world.wide(1.6), model.state(), 3)
    assert ours.seed == 3 and all(torch.equal(value, theirs.state()[name]) for name, value in ours.state().items())
    assert begun == [0, 2], "a finished fit is not started again"
    assert sorted(path.name for path in fit.folder.iterdir()) == ["fit.json", "model.safetensors"]


def test_the_papers_reward_has_labelled_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def steps(*args: Any, **more: Any) -> Iterator[Any]:
        given.update(more)
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(world, "unlabelled", lambda data, setting: None)
    monkeypatch.setattr(world, "labelled", lambda data, count, draw, setting: (count, draw))
    monkeypatch.setattr(sf, "fit_steps", steps)
    with pytest.raises(KeyboardInterrupt):
        fits.make(fits.Fit(tmp_path, tmp_path, "meta-sim-task", 1.0, 2))
    assert given["labelled"] == (10, 2) and given["task"] == fits.REWARDING
    assert given["settings"].chosen.name == "meta-sim"
