"""Cells: one arm with one seed and one prior. Each trains a detector; the detector and its predictions are kept.

The name of an arm is its distribution of scenes and, after a plus, the number of labelled photos that the detector is
then fine-tuned on: "wide", "learned+10".

* "real+10", "real+all": labelled photos alone. "real-longer+10": trained on them for as long as "wide+10".
* "adapted", "wide-adapted": the detectors of "learned" and "wide", self-trained on the matched photos.
* "learned-longer", "wide-longer": trained as long as "adapted", on renders alone.
* "round-2": the distribution after two rounds of ABC.
* "content", "appearance": one half of the attributes as learned, the other half wide.
* "relabelled": the matched photos, with the predictions of the detector of "learned" as labels.
* "matched", "rewarded": "learned", continued with MMD descent or with task reward from 10 labelled photos.
* "rescaled", "wide-rescaled": predictions of "adapted" and "wide", boxes rescaled by factors from labelled photos.
* "recounted", "recounted-adapted": "learned" with platelet counts of labelled photos; its detector, self-trained.
* "structured": "learned" with a structure policy for its counts.
* "wide-many": "wide" with nearly as many renders as a fit and its detector.

Legend: S scenes; N photos.
"""

import json
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

import scenefit as sf
from experiments.blood import fits, rescaling, world
from experiments.cells import source_hash
from scenefit.data.boxes import Boxes, make_boxes
from scenefit.files.atomic import write_json
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.inference.settings import Settings
from scenefit.metrics.average_precision import average_precision, best_threshold, false_at_recall, match_boxes
from scenefit.nets.augmentation import Augment
from scenefit.nets.centre_network import Detector
from scenefit.renderers.batches import render_with_boxes
from scenefit.scenes.rng import derive_seed
from scenefit.tasks.detection import ROUNDS
from scenes import smear

VALIDATION = 8  # training renders per validation render; the latter set the threshold
RECALLS = (0.5, 0.7, 0.8, 0.9)
# Files that only report on cells.
REPORTERS = ("study", "summary", "tables", "bootstrap", "picture", "counting", "error_types", "box_sizes")
ANY = ("naive", "real", "real-longer")  # starts that do not depend on the prior
ADAPTED = {"adapted": "learned", "wide-adapted": "wide", "recounted-adapted": "recounted"}
LONGER = {"learned-longer": "learned", "wide-longer": "wide"}
CONTINUED = ADAPTED | LONGER
MANY = 14  # factor of the renders of "wide-many": nearly as many as a whole fit
RESCALED = {"rescaled": "adapted", "wide-rescaled": "wide"}
RECOUNTED = ("recounted", "recounted-adapted")
OF_LEARNED = ("content", "appearance", "recounted")  # distributions derived from the learned one
USE_LABELS = (*RESCALED, *RECOUNTED, "rewarded", "rewarded+10")  # arms that read the labels of `few.txt`
FIX = "remove it and run the same command again"


@dataclass(frozen=True)
class Cell:
    """data: folder of the data set.  root: folder of all cells.  size: training renders of a detector.  prior: factor
    of all size ranges.  steps: of a detector's training."""

    data: Path
    root: Path
    size: int
    prior: float
    seed: int
    arm: str
    report: str
    settings: Settings
    steps: int = 400

    @property
    def start(self) -> str:
        """The distribution of scenes: the arm's name without its labelled photos."""
        return self.arm.partition("+")[0]

    @property
    def labels(self) -> str:
        """Number of labelled photos as text: "", a number or "all"."""
        return self.arm.partition("+")[2]

    @property
    def before(self) -> str:
        """The arm whose detector is fine-tuned on the labelled photos, "" if there is none."""
        return {"real": "", "real-longer": f"real+{self.labels}"}.get(self.start, self.start)

    @property
    def home(self) -> str:
        """Group of cells that share files: only one process works on a home at a time."""
        return f"{'any-prior' if self.start in ANY else f'prior-{self.prior:g}'}/seed-{self.seed}"

    @property
    def folder(self) -> Path:
        """Folder of this cell's files."""
        first = "-first" if self.labels and self.report == "rest" else ""  # here all seeds have the same photos
        steps = "" if self.steps == 400 else f"-{self.steps}-steps"
        return self.root / f"{self.size}-renders{steps}" / self.home / f"{self.arm}{first}"

    @property
    def trained(self) -> "Cell":
        """The cell whose detector this one uses: another one if boxes are rescaled, else itself."""
        return replace(self, arm=RESCALED.get(self.arm, self.arm))

    @property
    def fit(self) -> fits.Fit:
        """The fit with this cell's prior, seed and settings."""
        return fits.Fit(self.data, self.root / "fits" / self.home, self.prior, self.seed, self.settings)

    @property
    def task(self) -> sf.Detect:
        """The detection task of all arms."""
        return sf.Detect(world.CLASSES, steps=self.steps, augment=Augment(vertical_flip=True, corruptions=True))


def run(cell: Cell) -> dict[str, Any]:
    """Evaluation of the arm's detector on the report's photos. Computed once, then read.

    ValueError if the report does not allow the labels that the arm uses.
    """
    path = cell.folder / f"{cell.report}.json"
    if path.exists():
        return json.loads(path.read_text())
    if cell.labels or cell.arm in USE_LABELS:
        world.check_labels(rescaling.LABELLED if cell.arm in USE_LABELS else cell.labels, cell.report)
    torch.set_num_threads(1)
    network, facts = detector(cell)
    photos = world.reported(cell.data, cell.report)
    assert photos.boxes is not None
    predicted = cell.task.predict(network, photos.images)
    if cell.arm in RESCALED:
        few = world.labelled(cell.data, rescaling.LABELLED, cell.report, 0)
        predicted = rescaling.rescaled(predicted, rescaling.factors(cell.task, network, few))
    write_predictions(cell.folder / f"{cell.report}.safetensors", predicted)
    match = match_boxes(predicted, photos.boxes)
    confident = match_boxes(predicted.where(predicted.score >= facts["threshold"]), photos.boxes)
    result = {**average_precision(predicted, photos.boxes, world.CLASSES),
              "counts": dict(zip(("true", "false", "missed"), confident.counts(-np.inf), strict=True)),
              "false at recall": {str(recall): false_at_recall(match, recall) for recall in RECALLS}, **facts}
    write_json(path, result)
    return result


def detector(cell: Cell) -> tuple[Detector, dict[str, Any]]:
    """The arm's detector with its threshold and cost, trained if necessary. It is kept without the frozen backbone that
    all arms share."""
    cell = cell.trained
    if (cell.folder / "detector.safetensors").exists():
        tensors, facts = kept(cell)
        network = cell.task.fresh(0)
        differing = network.load_state_dict(tensors, strict=False)
        assert not differing.unexpected_keys and all(key.startswith("backbone.") for key in differing.missing_keys)
        return network.eval(), facts
    network, threshold, cost = train(cell)
    facts = {"threshold": threshold, "cost": cost, "code": code()}
    head = {name: value for name, value in network.state_dict().items() if not name.startswith("backbone.")}
    write_tensors(cell.folder / "detector.safetensors", head, facts)
    return network, facts


@cache
def code() -> str:
    """Hash of all source files that a cell may depend on, to detect cells made by other code."""
    own = [file for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith(("test_", *REPORTERS))]
    return source_hash([*own, Path(smear.__file__)])


def kept(cell: Cell) -> tuple[dict[str, Any], dict[str, Any]]:
    """Weights of a detector that was trained before, and its threshold, cost and code."""
    return read_tensors(cell.trained.folder / "detector.safetensors", FIX)


def train(cell: Cell) -> tuple[Detector, float, dict[str, float]]:
    """Train the arm's detector: the network, its threshold, and its cost with that of its distribution and start."""
    if cell.arm == "relabelled":
        return relabelled(cell)
    if cell.arm in CONTINUED:
        return continued(cell)
    start: Detector | None = None
    before = {"renders": 0, "trainings": 0, "cpu_seconds": 0.0}
    if cell.labels and cell.before:
        start, facts = detector(replace(cell, arm=cell.before))
        before = facts["cost"]
    elif not cell.labels:
        before = cost_of_distribution(cell)
    began, task = time.process_time(), cell.task
    seed = derive_seed(cell.seed, "task")  # the same initial weights in all arms
    if cell.labels:
        few = world.labelled(cell.data, cell.labels, cell.report, cell.seed)
        assert few.boxes is not None
        if cell.start == "real-longer":
            seed = derive_seed(cell.seed, "adapt")  # another order of the photos than in the first training
        network = (task.train(few.images, few.boxes, seed) if start is None
                   else task.fine_tune(start, few.images, few.boxes, seed))
        # All labelled photos are needed for training, so the threshold is set on the same ones.
        threshold = best_threshold(match_boxes(task.predict(network, few.images), few.boxes))
        return network, threshold, spent(before, 0, began)
    size = cell.size * (MANY if cell.arm == "wide-many" else 1)
    network = task.train(*rendered(sampler(cell)(derive_seed(cell.seed, "train"), size)), seed)
    return network, choose_threshold(cell, network), spent(before, size + validation_renders(cell), began)


def continued(cell: Cell) -> tuple[Detector, float, dict[str, float]]:
    """Self-train another arm's detector on the matched photos (no label is read), or continue it on renders alone."""
    network, facts = detector(replace(cell, arm=CONTINUED[cell.arm]))
    began, seed = time.process_time(), derive_seed(cell.seed, "adapt")
    images, boxes = rendered(sampler(cell)(derive_seed(cell.seed, "train"), cell.size))
    if cell.arm in ADAPTED:
        network = cell.task.self_train(network, world.unlabelled(cell.data).images, seed, images, boxes)
    else:
        for turn in range(ROUNDS):
            network = cell.task.train(images, boxes, derive_seed(seed, f"turn {turn}"), network)
    threshold = choose_threshold(cell, network)
    return network, threshold, {**spent(facts["cost"], 0, began), "trainings": facts["cost"]["trainings"] + ROUNDS}


def choose_threshold(cell: Cell, network: Detector) -> float:
    """The confidence threshold that maximises F1 on held-out renders of the arm."""
    images, boxes = rendered(sampler(cell)(derive_seed(cell.seed, "validation"), validation_renders(cell)))
    return best_threshold(match_boxes(cell.task.predict(network, images), boxes))


def validation_renders(cell: Cell) -> int:
    """Number of validation renders."""
    return max(cell.size // VALIDATION, 8)


def relabelled(cell: Cell) -> tuple[Detector, float, dict[str, float]]:
    """Train on the matched photos with the predictions of the detector of "learned" as labels: real images, but with
    the box convention of renders and that detector's errors."""
    teacher, facts = detector(replace(cell, arm="learned"))
    began, photos = time.process_time(), world.unlabelled(cell.data).images
    labels = cell.task.predict(teacher, photos)
    labels = labels.where(labels.score >= facts["threshold"])
    network = cell.task.train(photos, labels, derive_seed(cell.seed, "task"))
    threshold = choose_threshold(replace(cell, arm="learned"), network)
    return network, threshold, spent(facts["cost"], 0, began)


def spent(before: dict[str, Any], renders: int, began: float) -> dict[str, float]:
    """Cost before, plus that of this training and its renders."""
    return {"renders": before["renders"] + renders, "trainings": before["trainings"] + 1,
            "cpu_seconds": round(before["cpu_seconds"] + time.process_time() - began, 1)}


def cost_of_distribution(cell: Cell) -> dict[str, Any]:
    """Cost of the arm's distribution, which is learned if necessary."""
    if cell.start in ("naive", "wide", "wide-many", "shrunk"):
        return {"renders": 0, "trainings": 0, "cpu_seconds": 0.0}
    return fits.cost(cell.fit, "learned" if cell.start in OF_LEARNED else cell.start)


def sampler(cell: Cell) -> world.Sampler:
    """The arm's distribution as a function: seed, number of scenes -> scenes. ValueError for an unknown arm."""
    tree, start = world.wide(cell.prior), CONTINUED.get(cell.start, cell.start)
    if start == "naive":
        return world.naive
    if start in ("wide", "wide-many", "shrunk"):
        return (sf.shrunk(tree) if start == "shrunk" else tree).sample
    model = fits.load(cell.fit, "learned" if start in OF_LEARNED else start)
    learned: world.Sampler = lambda seed, count: model.sample(count, seed)  # noqa: E731
    if start == "recounted":
        few = world.labelled(cell.data, rescaling.LABELLED, cell.report, 0).boxes
        assert few is not None
        return world.recounted(tree, learned, "n_platelet", world.count(few)[:, world.CLASSES.index("Platelets")])
    return learned if start not in OF_LEARNED else world.swapped(tree, learned, start == "content")


def rendered(scenes: sf.SceneBatch) -> tuple[np.ndarray, Boxes]:
    """Images uint8 [S, H, W, 3] and the boxes that the label policy gives their objects."""
    return render_with_boxes(world.renderer, scenes, world.KEEP)


def write_predictions(path: Path, predicted: Boxes) -> None:
    """Write detections. float32 is lossless, because it is what the network computes."""
    tensors = {"image": predicted.image, "box": predicted.box.astype(np.float32),
               "score": predicted.score.astype(np.float32), "code": world.codes(predicted)}
    write_tensors(path, {name: torch.from_numpy(value) for name, value in tensors.items()}, {"count": predicted.count})


def predictions(cell: Cell) -> tuple[Boxes, float]:
    """Detections of a finished cell in the report's photos, and its confidence threshold."""
    return read_predictions(cell.folder / f"{cell.report}.safetensors"), kept(cell)[1]["threshold"]


def read_predictions(path: Path) -> Boxes:
    """Detections as `write_predictions` wrote them."""
    tensors, facts = read_tensors(path, FIX)
    image, box, score, code = (tensors[name].numpy() for name in ("image", "box", "score", "code"))
    return make_boxes(facts["count"], image, box, np.array(world.CLASSES)[code], score)
