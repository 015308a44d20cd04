"""The arms: one network each, trained on as many images and steps, evaluated on held-out photos of a target.

Legend: S scenes; N photos.
"""

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import scenefit as sf
from experiments import few_labels as shared
from experiments import kept_fits, segmentation_figures
from experiments.aerial2d import distances, fits, world
from experiments.aerial2d.fits import TASK, Fit
from experiments.arm_study import slug
from experiments.arms import cost
from experiments.cells import source_hash
from experiments.kept_fits import NONE, kept_network
from experiments.segmentation_figures import Images, figures
from scenefit.scenes.rng import derive_seed
from scenefit.tasks.rendering import render_labelled

IMAGES, HELD, TESTED = 300, 60, 200  # to train on; renders that thresholds are set on; photos to evaluate on
GRAMMARS = ("hand-made", "wide", "shrunk")
ORACLE = "oracle"
# Groups that have the target's distribution, the others the hand-made one: what a perfect fit of these would buy.
TRUE = {"true angle": ("angle",), "true but for the angle": ("place", "counts", "look")}


def cell(root: Path, arm: str, target: str, seed: int, side: int = world.SIZE) -> dict[str, Any]:
    """An arm's figures on the photos of a target."""
    fit = Fit(root, arm, target, seed, side)
    cost_of_fit = fits.record(fit) if arm in fits.SETTINGS else NONE
    started = time.process_time()
    network = trained(fit)
    photos = fits.photos(target, "tested", seed, TESTED, side)
    assert photos.masks is not None
    result = {"arm": arm, "target": target, "seed": seed, "side": side,
              **figures(TASK, network, images_of(fit, "held", HELD), (photos.images, photos.masks)),
              "cost": cost(cost_of_fit, IMAGES + HELD, 1, started), "code": code()}
    if arm != ORACLE or target == "target":
        scenes = sampler(fit)(derive_seed(seed, "distances"), distances.SCENES)
        result |= {"distances": distances.distances(scenes, side),
                   "cars and lanes": distances.cars_and_lanes(scenes, side, fits.PHOTOS)}
    return result


def trained(fit: Fit) -> Any:
    """The network of an arm, kept in a file; all arms of a seed have the same first weights and order of images."""
    of = [] if fit.name in GRAMMARS else [fit.target]  # these are the same for all targets
    path = fit.root / "networks" / f"{'--'.join([slug(fit.name), *of])}--seed-{fit.seed}.safetensors"
    return kept_network(path, TASK, code(), lambda: TASK.train(*images_of(fit, "train", IMAGES),
                                                               derive_seed(fit.seed, "network")))


def images_of(fit: Fit, purpose: str, count: int) -> Images:
    """Training images of an arm with class masks: renders, or for the oracle more photos of the target."""
    if fit.name == ORACLE:
        photos = fits.photos(fit.target, purpose, fit.seed, count, fit.side)
        assert photos.masks is not None
        return photos.images, photos.masks
    return render_labelled(TASK, world.renderer(fit.side), sampler(fit)(derive_seed(fit.seed, purpose), count))


def sampler(fit: Fit) -> Callable[[int, int], sf.SceneBatch]:
    """Samples of an arm's distribution: of a seed, and how many."""
    if fit.name in fits.SETTINGS:
        model = fits.load(fit)
        return lambda seed, count: model.sample(count, seed)
    if fit.name == ORACLE:
        return lambda seed, count: world.target(fit.side, seed, count)
    if fit.name in TRUE:
        return lambda seed, count: world.target(fit.side, seed, count, TRUE[fit.name])
    wide = world.grammar(fit.side, "wide")
    return {"hand-made": world.grammar(fit.side), "wide": wide, "shrunk": sf.shrunk(wide)}[fit.name].sample


@cache
def code() -> str:
    """Hash of all source files that a cell may depend on, to detect cells made by other code."""
    here = Path(__file__).parent
    names = ("arms", "distances", "few_labels", "fits", "misspecified", "settings", "world")
    more = (Path(str(one.__file__)) for one in (kept_fits, segmentation_figures, shared))
    return source_hash([*(here / f"{name}.py" for name in names), *more])
