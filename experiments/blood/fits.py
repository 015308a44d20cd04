"""The fits, each with default settings, by the default method or by the paper's own. Each is kept with its cost; an
interrupted fit resumes from its last step.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

import scenefit as sf
from experiments.blood import world
from experiments.cells import source_hash
from scenefit.files.atomic import write_json
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.nets.model import load_model
from scenes import smear

FIX = "remove its folder and run the same command again"
UNCORRECTED = "uncorrected"
# The reward of "meta-sim-task" trains smaller detectors than the default, so that the fit takes at most 20 CPU minutes.
SETTINGS = {**dict.fromkeys(("learned", UNCORRECTED), sf.Settings()), "meta-sim": sf.Settings("meta-sim"),
            "meta-sim-task": sf.Settings("meta-sim", task=sf.TaskReward(steps=5, renders=256))}
REWARDING, REWARDED = sf.Detect(world.CLASSES, steps=200, augmented_copies=256), 10


@dataclass(frozen=True)
class Fit:
    """data: folder of the data set.  root: of all cells.  name: one of `SETTINGS`.  prior: factor of all size ranges.

    `UNCORRECTED`: to the photos as they are.  "meta-sim-task": with 10 labelled photos as reward.
    """

    data: Path
    root: Path
    name: str
    prior: float
    seed: int

    @property
    def folder(self) -> Path:
        return self.root / "fits" / self.name / f"prior-{self.prior:g}" / f"seed-{self.seed}"


def load(fit: Fit) -> sf.Model:
    """The learned distribution, computed if necessary."""
    make(fit)
    return load_model(world.wide(fit.prior), read_tensors(fit.folder / "model.safetensors", FIX)[0], fit.seed)


def record(fit: Fit) -> dict[str, Any]:
    """Settings, cost and code of the fit, computed if necessary."""
    make(fit)
    return json.loads((fit.folder / "fit.json").read_text())


def make(fit: Fit) -> None:
    """Fit to the photos if that has not been done. ValueError if the kept fit was made with other settings."""
    path, checkpoint = fit.folder / "fit.json", fit.folder / "state.safetensors"
    settings = SETTINGS[fit.name]
    if path.exists():
        if json.loads(path.read_text())["settings"] != settings.record():
            raise ValueError(f"{fit.folder} was fitted with other settings; remove it and the cells that used it, or "
                             "choose another folder with --work")
        return
    torch.set_num_threads(1)
    fit.folder.mkdir(parents=True, exist_ok=True)
    setting = world.Setting(clean=fit.name != UNCORRECTED)
    more: dict[str, Any] = {}
    if fit.name == "meta-sim-task":
        more = {"labelled": world.labelled(fit.data, REWARDED, fit.seed, setting), "task": REWARDING}
    state = read_tensors(checkpoint, FIX)[0] if checkpoint.exists() else None
    for step in sf.fit_steps(world.wide(fit.prior), setting.renderer, world.unlabelled(fit.data, setting),
                             seed=fit.seed, settings=settings, state=state, **more):
        write_tensors(checkpoint, step.state, {})
        model, facts = step.model, step.record()
    write_tensors(fit.folder / "model.safetensors", model.state(), {})
    write_json(path, {"settings": settings.record(), "code": code(),
                      **{name: facts[name] for name in ("renders", "trainings", "cpu_seconds")}})
    checkpoint.unlink(missing_ok=True)


@cache
def code() -> str:
    """Hash of all source files that a fit may depend on, to detect fits made by other code."""
    here = Path(__file__).parent
    return source_hash([here / "fits.py", here / "world.py", Path(smear.__file__)])
