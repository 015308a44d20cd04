"""The arms: one network each, trained on as many images and steps, evaluated on held-out photos of a target.

Legend: S scenes; N photos.
"""

import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import scenefit as sf
from experiments import kept_fits
from experiments.aerial2d import distances, fits, world
from experiments.aerial2d.fits import TASK, Fit, slug
from experiments.cells import source_hash
from experiments.kept_fits import FIX
from scenefit.data.class_masks import ClassMasks
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.scenes.rng import derive_seed
from scenefit.tasks.rendering import render_labelled

IMAGES, HELD, TESTED = 300, 60, 200  # to train on; renders that thresholds are set on; photos to evaluate on
GRAMMARS = ("hand-made", "wide", "shrunk")
ORACLE = "oracle"
Images = tuple[np.ndarray, ClassMasks]


def cell(root: Path, arm: str, target: str, seed: int, side: int = world.SIZE) -> dict[str, Any]:
    """An arm's figures on the photos of a target."""
    fit = Fit(root, arm, target, seed, side)
    cost_of_fit = fits.record(fit) if arm in fits.SETTINGS else fits.NONE
    started = time.process_time()
    network = trained(fit)
    photos = fits.photos(target, "tested", seed, TESTED, side)
    result = {"arm": arm, "target": target, "seed": seed, "side": side,
              **figures(network, images_of(fit, "held", HELD), photos),
              "cost": cost(cost_of_fit, IMAGES + HELD, 1, started), "code": code()}
    if arm != ORACLE or target == "target":
        scenes = sampler(fit)(derive_seed(seed, "distances"), distances.SCENES)
        result |= {"distances": distances.distances(scenes, side),
                   "cars and lanes": distances.cars_and_lanes(scenes, side, fits.PHOTOS)}
    return result


def figures(network: Any, held: Images, photos: sf.Photos) -> dict[str, Any]:
    """What a network scores on photos. held: images on which its thresholds are set."""
    assert photos.masks is not None
    thresholds = TASK.score(network, *held).best_thresholds()
    counts = TASK.score(network, photos.images, photos.masks)
    equal = counts.equal_area_thresholds()
    false, missed = counts.false_and_missed(equal)
    area = counts.confusion.sum((0, 2))[1:]

    def each(values: Any) -> dict[str, float]:
        return {name: round(float(value), 4) for name, value in zip(world.CLASSES, values, strict=True)}

    return {"photos": len(photos), "IoU": each(counts.iou()), "pixel AP": each(counts.average_precision()),
            "IoU at thresholds of renders": each(counts.iou_at(thresholds)),
            "IoU at equal area": each(counts.iou_at(equal)),
            "false + missed at equal area": each((false + missed) / area)}


def cost(fit: Mapping[str, Any], renders: int, trainings: int, started: float) -> dict[str, Any]:
    """What an arm cost: of its fit, and more renders and trainings. started: CPU seconds when these began."""
    return {"renders": fit["renders"] + renders, "trainings": fit["trainings"] + trainings,
            "fit CPU seconds": round(fit["cpu_seconds"]), "CPU seconds": round(time.process_time() - started)}


def trained(fit: Fit) -> Any:
    """The network of an arm, kept in a file; all arms of a seed have the same first weights and order of images."""
    of = [] if fit.name in GRAMMARS else [fit.target]  # these are the same for all targets
    path = fit.root / "networks" / f"{'--'.join([slug(fit.name), *of])}--seed-{fit.seed}.safetensors"
    if path.exists() and (kept := read_tensors(path, FIX))[1].get("code") == code():
        network = TASK.fresh(0)
        network.load_state_dict(kept[0])
        return network.eval()
    network = TASK.train(*images_of(fit, "train", IMAGES), derive_seed(fit.seed, "network"))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, network.state_dict(), {"code": code()})
    return network


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
    wide = world.grammar(fit.side, "wide")
    return {"hand-made": world.grammar(fit.side), "wide": wide, "shrunk": sf.shrunk(wide)}[fit.name].sample


@cache
def code() -> str:
    """Hash of all source files that a cell may depend on, to detect cells made by other code."""
    here = Path(__file__).parent
    names = ("arms", "distances", "few_labels", "fits", "misspecified", "settings", "world")
    return source_hash([*(here / f"{name}.py" for name in names), Path(kept_fits.__file__)])
