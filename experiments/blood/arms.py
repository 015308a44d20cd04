"""Arms without labelled photos, and labelled photos alone: one detector each, with its detections in held-out photos.

They are what a user gets with default settings, as `scenefit train` trains them, but for those of `OTHER_SETTINGS` and
"meta-sim-task" (fits.py). Arms with renders and a few labelled photos are in few_labels.py.
Legend: S scenes; N photos.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

import scenefit as sf
from experiments import kept_fits
from experiments.blood import fits, world
from experiments.blood.fits import Fit
from experiments.cells import source_hash
from experiments.kept_fits import kept_in, last
from scenefit.cli.train import IMAGES
from scenefit.data.boxes import Boxes
from scenefit.metrics.average_precision import best_threshold, match_boxes
from scenefit.nets.augmentation import Augment
from scenefit.nets.centre_network import Detector
from scenefit.nets.model import PriorModel
from scenefit.renderers.batches import render_with_boxes
from scenefit.scenes.rng import derive_seed
from scenefit.tasks.training.dense_prediction import ROUNDS
from scenefit.tasks.training_data import VALIDATION
from scenefit.tasks.training_stages import TrainingData, train_stages
from scenes import smear

SELF_TRAINING, LONGER = "self-training", "longer"
TASK = sf.Detect(world.CLASSES)


@dataclass(frozen=True)
class Arm:
    """scenes: what renders are drawn from: "naive", "wide", "shrunk", or a fit of `fits.SETTINGS`; "" for none.

    labels: number of labelled photos, without renders.  then: what the detector goes on with, for two thirds of its
    first steps: `SELF_TRAINING` on the matched photos, or `LONGER` on the same images.  images, task: renders, and the
    detector.
    """

    scenes: str = ""
    labels: int = 0
    setting: world.Setting = world.DEFAULT
    then: str = ""
    images: int = IMAGES
    task: sf.Detect = TASK


@dataclass(frozen=True)
class Detections:
    """An arm's detector at work. found: all detections in the N held-out photos.  cost: of all that the arm needs."""

    found: Boxes
    threshold: float
    cost: dict[str, float]


# What the experiment had before: as many steps on renders as self-training would take.
FORMER = Arm("learned", setting=world.HAND, then=LONGER, images=500, task=sf.Detect(
    world.CLASSES, augmented_copies=400, augment=Augment(vertical_flip=True)))
UNCORRECTED = "photos uncorrected"
SETTINGS = {"hand-set label policy": world.HAND,
            "solid 0.2": world.Setting(renderer=replace(smear.renderer, solid=0.2)),
            UNCORRECTED: world.Setting(clean=False)}
OTHER_SETTINGS: dict[str, Arm] = {
    **{f"{scenes}, {name}": Arm(fits.UNCORRECTED if (scenes, name) == ("learned", UNCORRECTED) else scenes,
                                setting=setting)
       for scenes in ("wide", "learned") for name, setting in SETTINGS.items()},
    f"all labels, {UNCORRECTED}": Arm(labels=world.ALL, setting=SETTINGS[UNCORRECTED]), "former": FORMER}
ARMS: dict[str, Arm] = {
    **{scenes: Arm(scenes) for scenes in ("naive", "wide", "shrunk", "learned", "meta-sim", "meta-sim-task")},
    **{f"{scenes}, {then}": Arm(scenes, then=then) for scenes in ("wide", "learned")
       for then in (SELF_TRAINING, LONGER)},
    "all labels": Arm(labels=world.ALL), "10 labels": Arm(labels=10), "50 labels": Arm(labels=50), **OTHER_SETTINGS}
NO_PRIOR = ("naive", *(name for name, arm in ARMS.items() if not arm.scenes))  # the same for every prior


def detections(data: Path, work: Path, name: str, prior: float, seed: int, photos: sf.Photos) -> dict[str, Detections]:
    """Of each detector of an arm in the photos, which are as its setting has them: {name: ...}, and of labelled photos
    alone also of the detector trained on, as long as one of renders that is fine-tuned."""
    arm = ARMS[name]
    if not arm.scenes:
        return labels_alone(data, arm, name, seed, photos)
    fit = Fit(data, work, arm.scenes, prior, seed)
    cost = fits.record(fit) if arm.scenes in fits.SETTINGS else {"renders": 0, "trainings": 0, "cpu_seconds": 0.0}
    sample, began = sampler(fit), time.process_time()
    images, labels = rendered(sample, arm.setting, np.arange(arm.images))
    held, truth = rendered(sample, arm.setting, np.arange(arm.images, arm.images + arm.images // VALIDATION))
    unlabelled = world.unlabelled(data, arm.setting).images if arm.then == SELF_TRAINING else None
    network = train(arm.task, TrainingData((images, labels), unlabelled, None), seed, work / "stages")
    if arm.then == LONGER:
        for turn in range(ROUNDS):
            network = arm.task.train(images, labels, derive_seed(seed, f"longer {turn}"), network)
    threshold = best_threshold(match_boxes(arm.task.predict(network, held), truth))
    return {name: Detections(arm.task.predict(network, photos.images), threshold, {
        "renders": cost["renders"] + len(images) + len(held),
        "trainings": cost["trainings"] + 1 + (ROUNDS if arm.then else 0),
        "cpu_seconds": round(cost["cpu_seconds"] + time.process_time() - began)})}


def labels_alone(data: Path, arm: Arm, name: str, seed: int, photos: sf.Photos) -> dict[str, Detections]:
    """Detectors of labelled photos alone: of the default steps, and as many as renders with fine-tuning have."""
    few = world.labelled(data, arm.labels, seed, arm.setting)
    assert few.boxes is not None
    began, result = time.process_time(), {}
    network = arm.task.train(few.images, few.boxes, derive_seed(seed, "train"))
    for turn, own in enumerate((name, f"{name}, {LONGER}")):
        if turn:
            network = arm.task.fine_tune(network, few.images, few.boxes, derive_seed(seed, "tune"))
        # All labelled photos are needed for training, so the threshold is set on the same ones.
        threshold = best_threshold(match_boxes(arm.task.predict(network, few.images), few.boxes))
        result[own] = Detections(arm.task.predict(network, photos.images), threshold, {
            "renders": 0, "trainings": 1 + turn, "cpu_seconds": round(time.process_time() - began)})
    return result


def sampler(fit: Fit) -> Callable[[np.ndarray], sf.SceneBatch]:
    """The distribution of a fit's name as a function of the indices of scenes [S]."""
    if fit.name in fits.SETTINGS:
        return fits.load(fit).sample
    if fit.name == "naive":
        return lambda rows: world.naive(derive_seed(fit.seed, "naive"), rows)
    tree = world.wide(fit.prior)
    return PriorModel(sf.shrunk(tree) if fit.name == "shrunk" else tree, fit.seed).sample


def rendered(sample: Callable[[np.ndarray], sf.SceneBatch], setting: world.Setting,
             rows: np.ndarray) -> tuple[np.ndarray, Boxes]:
    """Images uint8 [S, H, W, 3] and the boxes that the setting's label policy gives their objects."""
    return render_with_boxes(setting.renderer, sample(rows), setting.policy)


def train(task: sf.Detect, data: TrainingData, seed: int, stages: Path) -> Detector:
    """The detector that `scenefit train` trains. stages: folder of finished stages."""
    steps = last(train_stages(task, data, seed, kept_in(stages)))
    assert steps.network is not None
    return steps.network


@cache
def code() -> str:
    """Hash of all source files that a cell may depend on, to detect cells made by other code."""
    names = ("arms", "few_labels", "figures", "fits", "world")
    files = (Path(__file__).parent / f"{name}.py" for name in names)
    return source_hash([*files, Path(kept_fits.__file__), Path(smear.__file__)])
