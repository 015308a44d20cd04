"""The fits, each with default settings, by the default method or by the paper's own. Each is kept with its cost; an
interrupted fit resumes from its last step.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import scenefit as sf
from experiments import kept_fits
from experiments.blood import world
from experiments.cells import source_hash
from experiments.kept_fits import make_fit, read_fit, read_record
from scenes import smear

UNCORRECTED = "uncorrected"
# The paper's chain has 50 steps of 64 renders in place of 400 of 128, which would take three CPU hours, features from
# 1,024 renders, and a reward that trains smaller detectors than the default, so that a fit takes some 15 CPU minutes.
PAPER = sf.Settings("meta-sim", regressor=sf.Regressor(renders=1024), descent=sf.Descent(steps=50, batch=64))
SETTINGS = {**dict.fromkeys(("learned", UNCORRECTED), sf.Settings()), "meta-sim": PAPER,
            "meta-sim-task": replace(PAPER, task=sf.TaskReward(steps=5, renders=256))}
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
    return read_fit(fit.folder, world.wide(fit.prior), fit.seed)


def record(fit: Fit) -> dict[str, Any]:
    """Settings, cost and code of the fit, computed if necessary."""
    make(fit)
    return read_record(fit.folder)


def make(fit: Fit) -> None:
    """Fit to the photos if that has not been done. ValueError as of `make_fit`."""
    def steps(state: Any) -> Iterator[sf.Step]:
        setting = world.Setting(clean=fit.name != UNCORRECTED)
        more: dict[str, Any] = {}
        if fit.name == "meta-sim-task":
            more = {"labelled": world.labelled(fit.data, REWARDED, fit.seed, setting), "task": REWARDING}
        return sf.fit_steps(world.wide(fit.prior), setting.renderer, world.unlabelled(fit.data, setting),
                            seed=fit.seed, settings=SETTINGS[fit.name], state=state, **more)

    make_fit(fit.folder, SETTINGS[fit.name], code(), steps)


@cache
def code() -> str:
    """Hash of all source files that a fit may depend on, to detect fits made by other code."""
    here = Path(__file__).parent
    return source_hash([here / "fits.py", here / "world.py", Path(kept_fits.__file__), Path(smear.__file__)])
