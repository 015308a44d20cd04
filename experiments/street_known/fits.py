"""The fits of the wide grammar to 200 photos of a target without labels, each kept with its cost. An interrupted fit
resumes.

`sf.Settings()` are the defaults. The paper's own chain starts from the wide grammar too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import scenefit as sf
from experiments import kept_fits
from experiments.arm_study import slug
from experiments.cells import source_hash
from experiments.kept_fits import make_fit, read_fit, read_record
from experiments.street_known import town, world
from scenefit.scenes.rng import derive_seed

PHOTOS = 200  # without labels
LEARNED, META_SIM = "learned", "meta-sim"
# As the paper does it, with 50 steps in place of 400, and fewer renders that its features are trained on, so that a fit
# takes at most 20 CPU minutes.
SETTINGS = {LEARNED: sf.Settings(),
            META_SIM: sf.Settings(META_SIM, regressor=sf.Regressor(renders=1024), descent=sf.Descent(steps=50))}


@dataclass(frozen=True)
class Fit:
    """root: folder that cells share.  name: an arm, of `SETTINGS` where it is fitted.  target: one of `world.TARGETS`.
    size: of images, (height, width) in pixels."""

    root: Path
    name: str
    target: str
    seed: int
    size: tuple[int, int] = world.SIZE

    @property
    def folder(self) -> Path:
        return self.root / "fits" / slug(self.name) / f"{self.target}--seed-{self.seed}"


def photos(target: str, purpose: str, seed: int, count: int, size: tuple[int, int] = world.SIZE) -> sf.Photos:
    """Photos of a target with boxes and class masks of cars; other ones for each purpose and seed."""
    scenes = town.grammar(target).sample(derive_seed(seed, purpose), count)
    return world.labelled(world.renderer(target, size), scenes)


def load(fit: Fit) -> sf.Model:
    """The learned distribution, computed if necessary."""
    make(fit)
    return read_fit(fit.folder, world.wide(), fit.seed)


def record(fit: Fit) -> dict[str, Any]:
    """Settings, cost and code of the fit, computed if necessary."""
    make(fit)
    return read_record(fit.folder)


def make(fit: Fit) -> None:
    """Fit to the photos if that has not been done. ValueError as of `make_fit`."""
    def steps(state: Any) -> Iterator[sf.Step]:
        unlabelled = photos(fit.target, "unlabelled", fit.seed, PHOTOS, fit.size).images
        return sf.fit_steps(world.wide(), world.renderer("wide", fit.size), unlabelled, seed=fit.seed,
                            settings=SETTINGS[fit.name], state=state)

    make_fit(fit.folder, SETTINGS[fit.name], code(), steps)


@cache
def code() -> str:
    """Hash of all source files that a fit may depend on, to detect fits made by other code."""
    here = Path(__file__).parent
    names = ("fits", "town", "town_models", "world")
    return source_hash([*(here / f"{name}.py" for name in names), *world.FILES, Path(kept_fits.__file__)])
