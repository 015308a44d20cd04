"""Fits and trainings of an experiment, each kept in a folder; what is interrupted resumes from its last step."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

import scenefit as sf
from scenefit.files.atomic import write_json
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.nets.model import load_model
from scenefit.tasks.training_stages import Kept

NONE = {"renders": 0, "trainings": 0, "cpu_seconds": 0.0}  # the cost where nothing is fitted
FIX = "remove its folder and run the same command again"


def make_fit(folder: Path, settings: sf.Settings, code: str, steps: Callable[[Any], Iterator[sf.Step]]) -> None:
    """Fit if that has not been done. code: hash of the code that fits.  steps: those of the fit, which resumes from a
    state. ValueError if the kept fit was made with other settings."""
    path, checkpoint = folder / "fit.json", folder / "state.safetensors"
    if path.exists():
        if read_record(folder)["settings"] != settings.record():
            raise ValueError(f"{folder} was fitted with other settings; remove it and the cells that used it, or "
                             "choose another folder with --work")
        return
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for step in steps(read_tensors(checkpoint, FIX)[0] if checkpoint.exists() else None):
        write_tensors(checkpoint, step.state, {})
        model, facts = step.model, step.record()
    write_tensors(folder / "model.safetensors", model.state(), {})
    write_json(path, {"settings": settings.record(), "code": code,
                      **{name: facts[name] for name in ("renders", "trainings", "cpu_seconds")}})
    checkpoint.unlink(missing_ok=True)


def kept_network(path: Path, task: Any, code: str, train: Callable[[], Any]) -> Any:
    """A task's network in a file, trained if there is none that the same code trained."""
    if path.exists() and (kept := read_tensors(path, FIX))[1].get("code") == code:
        network = task.fresh(0)
        network.load_state_dict(kept[0])
        return network.eval()
    network = train()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, network.state_dict(), {"code": code})
    return network


def kept_in(stages: Path) -> Kept:
    """The files of finished stages of trainings in a folder, which is made."""
    stages.mkdir(parents=True, exist_ok=True)
    return lambda identity: stages / f"{identity}.safetensors"


def last(steps: Iterator[Any]) -> Any:
    """The last of all steps, computed."""
    *_, step = steps
    return step


def read_fit(folder: Path, grammar: sf.Grammar, seed: int) -> sf.Model:
    """The learned distribution of a fit that was made."""
    return load_model(grammar, read_tensors(folder / "model.safetensors", FIX)[0], seed)


def read_record(folder: Path) -> dict[str, Any]:
    """Its settings, cost and code."""
    return json.loads((folder / "fit.json").read_text())
