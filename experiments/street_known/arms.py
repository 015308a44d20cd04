"""The arms: a detector and a segmentation network each, trained on as many images and steps, evaluated on held-out
photos of a target. Legend: S scenes; N photos.
"""

import time
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import scenefit as sf
from experiments import detection_figures, kept_fits, segmentation_figures
from experiments import few_labels as shared
from experiments.arm_study import slug
from experiments.arms import cost
from experiments.cells import source_hash
from experiments.kept_fits import NONE, kept_network
from experiments.street_known import distances, fits, town, world
from experiments.street_known.fits import Fit
from experiments.street_known.world import CAR
from scenefit.cli.train import CANDIDATES
from scenefit.generation.randomised import RandomisedModel
from scenefit.scenes.rng import derive_seed

IMAGES, HELD, TESTED = 300, 60, 200  # to train on; renders that thresholds are set on; photos to evaluate on
DETECTION, SEGMENTATION = "detection", "segmentation"
TASKS: dict[str, Any] = {DETECTION: sf.Detect((CAR,), steps=300, batch=8, augmented_copies=1),
                         SEGMENTATION: sf.Segment((CAR,), steps=300, batch=8, augmented_copies=1)}
FIGURES: dict[str, Any] = {DETECTION: detection_figures.figures, SEGMENTATION: segmentation_figures.figures}
SHRUNK = {"shrunk 1/2": 0.5, "shrunk 1/4": 0.25}  # arm -> what is left of the range of each attribute
NAIVE, WIDE, HALF_WIDE, ORACLE = "naive", "wide", "half wide", "oracle"
GRAMMARS = (NAIVE, WIDE, *SHRUNK)
FITTED = {fits.LEARNED: fits.LEARNED, HALF_WIDE: fits.LEARNED, fits.META_SIM: fits.META_SIM}  # arm -> its fit


def cell(root: Path, arm: str, target: str, seed: int, size: tuple[int, int] = world.SIZE) -> dict[str, Any]:
    """An arm's figures on the photos of a target."""
    fit = Fit(root, arm, target, seed, size)
    cost_of_fit = fits.record(of(fit)) if arm in FITTED else NONE
    started = time.process_time()
    photos, held = fits.photos(target, "tested", seed, TESTED, size), images_of(fit, "held", HELD)
    result = {"arm": arm, "target": target, "seed": seed, "size": list(size)}
    for name, task in TASKS.items():
        result[name] = FIGURES[name](task, trained(fit, name), labels(task, held), labels(task, photos))
    scenes = (sampled(fit, derive_seed(seed, "distances"), rows) for rows in distances.chunks())
    result["distances"] = distances.distances(distances.visible(renderer(fit), scenes), size)
    return {**result, "cost": cost(cost_of_fit, IMAGES + HELD, len(TASKS), started), "code": code()}


def labels(task: Any, images: sf.Photos) -> tuple[Any, Any]:
    """Images and their labels for a task."""
    return images.images, task.of_photos(images)


def trained(fit: Fit, name: str) -> Any:
    """The network of an arm for a task, kept in a file; all arms of a seed have the same first weights and order of
    images."""
    task, target = TASKS[name], [] if fit.name in GRAMMARS else [fit.target]  # grammars are the same for all targets
    path = fit.root / "networks" / name / f"{'--'.join([slug(fit.name), *target])}--seed-{fit.seed}.safetensors"
    return kept_network(path, task, code(), lambda: task.train(*labels(task, images_of(fit, "train", IMAGES)),
                                                               derive_seed(fit.seed, "network")))


@lru_cache(maxsize=3)
def images_of(fit: Fit, purpose: str, count: int) -> sf.Photos:
    """Renders of an arm, labelled; both tasks have the same."""
    return world.labelled(renderer(fit), sampled(fit, derive_seed(fit.seed, purpose), count))


def renderer(fit: Fit) -> Any:
    if fit.name == ORACLE:
        return world.renderer(fit.target, fit.size)
    return world.renderer(NAIVE if fit.name == NAIVE else WIDE, fit.size)


def sampled(fit: Fit, seed: int, indices: Any) -> sf.SceneBatch:
    """Scenes of an arm's distribution. indices: their numbers, or how many."""
    if fit.name in FITTED:
        model = model_of(of(fit))
        if fit.name == HALF_WIDE:
            return RandomisedModel(model, frozenset(), prior=CANDIDATES[HALF_WIDE]).sample(indices, seed)
        return model.sample(indices, seed)
    return grammar(fit).sample(seed, indices)


def grammar(fit: Fit) -> sf.Grammar:
    """Of an arm without a fit."""
    if fit.name in SHRUNK:
        return sf.shrunk(world.wide(), SHRUNK[fit.name])
    return {NAIVE: world.naive, WIDE: world.wide, ORACLE: lambda: town.grammar(fit.target)}[fit.name]()


def of(fit: Fit) -> Fit:
    """The fit that an arm uses."""
    return Fit(fit.root, FITTED[fit.name], fit.target, fit.seed, fit.size)


@lru_cache(maxsize=2)
def model_of(fit: Fit) -> sf.Model:
    return fits.load(fit)


@cache
def code() -> str:
    """Hash of all source files that a cell may depend on, to detect cells made by other code."""
    here = Path(__file__).parent
    names = ("arms", "distances", "few_labels", "fits", "town", "town_models", "world")
    more = (kept_fits, shared, detection_figures, segmentation_figures)
    return source_hash([*(here / f"{name}.py" for name in names), *world.FILES,
                        *(Path(str(one.__file__)) for one in more)])
