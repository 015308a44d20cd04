"""The fits: to 200 photos of a target without labels, each kept with its cost. An interrupted fit resumes.

`sf.Settings()` are the defaults. What is learned has the wide prior; what is not, the hand-made one. The paper's own
method starts from the hand-made grammar, as it does there, and may reach the wide bounds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import scenefit as sf
from experiments import kept_fits
from experiments.aerial2d import misspecified, settings, world
from experiments.arm_study import slug
from experiments.cells import source_hash
from experiments.kept_fits import make_fit, read_fit, read_record
from scenefit.data.class_masks import ClassMasks
from scenefit.scenes.rng import derive_seed
from scenefit.tasks.rendering import render_labelled

TARGETS = ("target", "misspecified")
PHOTOS, REWARDED = 200, 10  # without labels; with, for the paper's task reward
LEARNED = {f"learned, {part}": part for part in settings.PARTS}
# As the paper does it, with 100 steps in place of 400 and short trainings for the reward, so that a fit takes at most
# 20 CPU minutes.
DESCENT = sf.Descent(steps=100)
META_SIM = {"meta-sim": sf.Settings("meta-sim", descent=DESCENT),
            "meta-sim, task": sf.Settings("meta-sim", descent=DESCENT, task=sf.TaskReward(steps=5, renders=200))}
SETTINGS = {**dict.fromkeys(LEARNED, sf.Settings()), **META_SIM}
TASK = sf.Segment(world.CLASSES, steps=200, batch=8, augmented_copies=1)


@dataclass(frozen=True)
class Fit:
    """root: folder that cells share.  name: one of `SETTINGS`.  target: one of `TARGETS`.  side: of images, px."""

    root: Path
    name: str
    target: str
    seed: int
    side: int = world.SIZE

    @property
    def folder(self) -> Path:
        return self.root / "fits" / slug(self.name) / f"{self.target}--seed-{self.seed}"

    @property
    def grammar(self) -> sf.Grammar:
        if self.name in META_SIM:
            return world.grammar(self.side, "handmade")
        return world.grammar(self.side, "wide", settings.PARTS[LEARNED[self.name]], others="handmade")


def photos(target: str, purpose: str, seed: int, count: int, side: int = world.SIZE) -> sf.Photos:
    """Photos of a target with class masks; other ones for each purpose and seed."""
    own = derive_seed(seed, purpose)
    if target == "misspecified":
        images, masks = misspecified.photos(own, count, side)
        return sf.Photos(images, masks=ClassMasks(world.CLASSES, masks))
    images, labels = render_labelled(TASK, world.renderer(side), world.target(side, own, count))
    return sf.Photos(images, masks=labels)


def load(fit: Fit) -> sf.Model:
    """The learned distribution, computed if necessary."""
    make(fit)
    return read_fit(fit.folder, fit.grammar, fit.seed)


def record(fit: Fit) -> dict[str, Any]:
    """Settings, cost and code of the fit, computed if necessary."""
    make(fit)
    return read_record(fit.folder)


def make(fit: Fit) -> None:
    """Fit to the photos if that has not been done. ValueError as of `make_fit`."""
    def steps(state: Any) -> Iterator[sf.Step]:
        more: dict[str, Any] = {}
        if fit.name == "meta-sim, task":
            more = {"labelled": photos(fit.target, "labelled", fit.seed, REWARDED, fit.side),
                    "task": replace(TASK, steps=100)}
        unlabelled = photos(fit.target, "unlabelled", fit.seed, PHOTOS, fit.side).images
        return sf.fit_steps(fit.grammar, world.renderer(fit.side), unlabelled, seed=fit.seed,
                            settings=SETTINGS[fit.name], state=state, **more)

    make_fit(fit.folder, SETTINGS[fit.name], code(), steps)


@cache
def code() -> str:
    """Hash of all source files that a fit may depend on, to detect fits made by other code."""
    here = Path(__file__).parent
    names = ("fits", "misspecified", "settings", "world")
    return source_hash([*(here / f"{name}.py" for name in names), Path(kept_fits.__file__)])
