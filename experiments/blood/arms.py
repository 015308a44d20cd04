"""Cells: one arm on one seed and one prior. Its data train the same detector, which is kept, and so are its finds.

An arm's name says where it starts and, after a plus, how many labelled photos follow: "wide", "learned+10", "real+10"
(these photos alone), "real+all". "adapted" and "wide-adapted" are the detectors of "learned" and "wide" that went on
with the photos to match and what they find in them. "look-2" is the fit after two looks; "content" and "appearance"
have one half of the attributes learned; "relabelled" trains on the photos to match themselves, with what the learned
detector finds in them as their labels; "matched" and "rewarded" go on from what was learned, down the distance or by
what 10 labelled photos say of single scenes; "rescaled" and "wide-rescaled" are "adapted" and "wide" with boxes
rescaled by what labelled photos tell; "recounted" is "learned" with as many platelets as labelled photos have, and
"recounted-adapted" its detector gone on as "adapted" does; "structured" is "learned" with a policy for its counts;
"learned-longer" and "wide-longer" go on as "adapted" does, but with renders
alone, "real-longer+10" with the same labelled photos for as long as "wide+10" does, and "wide-many" has as many renders
as a fit and its detector. Legend: S scenes; N photos.
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
from experiments.blood import convention, fits, world
from scenefit.data.boxes import Boxes, make_boxes
from scenefit.files.atomic import content_hash, write_json
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.inference.settings import Settings
from scenefit.metrics.average_precision import average_precision, best_threshold, false_at_recall, match_boxes
from scenefit.nets.augmentation import Augment
from scenefit.nets.centre_network import Detector
from scenefit.renderers.batches import render_with_boxes
from scenefit.scenes.rng import derive_seed
from scenefit.tasks.detection import ROUNDS
from scenes import smear

VALIDATION = 8  # one render for so many that are trained on, to set the threshold
RECALLS = (0.5, 0.7, 0.8, 0.9)
# Files that only tell of cells.
REPORTERS = ("study", "summary", "tables", "measure", "picture", "counting", "mistakes", "sizes")
ANY = ("naive", "real", "real-longer")  # starts that no prior has a part in
ADAPTED = {"adapted": "learned", "wide-adapted": "wide", "recounted-adapted": "recounted"}
LONGER = {"learned-longer": "learned", "wide-longer": "wide"}
GONE_ON = ADAPTED | LONGER
MANY = 14  # times the renders: nearly as many as a fit takes in all
RESCALED = {"rescaled": "adapted", "wide-rescaled": "wide"}
RECOUNTED = ("recounted", "recounted-adapted")
OF_LEARNED = ("content", "appearance", "recounted")  # distributions that are made from the learned one
TOLD = (*RESCALED, *RECOUNTED, "rewarded", "rewarded+10")  # by labels, whatever follows
FIX = "remove it and run the same command again"


@dataclass(frozen=True)
class Cell:
    """data: the data set's folder.  root: where cells are kept.  size: renders that a detector is trained on."""

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
        return self.arm.partition("+")[0]

    @property
    def labels(self) -> str:
        """How many labelled photos: "", a number or "all"."""
        return self.arm.partition("+")[2]

    @property
    def before(self) -> str:
        """The arm that one with labelled photos goes on from, "" if from none."""
        return {"real": "", "real-longer": f"real+{self.labels}"}.get(self.start, self.start)

    @property
    def home(self) -> str:
        """What belongs together: no two processes work on cells of one home at a time."""
        return f"{'any-prior' if self.start in ANY else f'prior-{self.prior:g}'}/seed-{self.seed}"

    @property
    def folder(self) -> Path:
        first = "-first" if self.labels and self.report == "rest" else ""  # there, every seed has the same photos
        steps = "" if self.steps == 400 else f"-{self.steps}-steps"
        return self.root / f"{self.size}-renders{steps}" / self.home / f"{self.arm}{first}"

    @property
    def trained(self) -> "Cell":
        """The one whose detector this one uses: itself, but for finds that are rescaled."""
        return replace(self, arm=RESCALED.get(self.arm, self.arm))

    @property
    def fit(self) -> fits.Fit:
        return fits.Fit(self.data, self.root / "fits" / self.home, self.prior, self.seed, self.settings)

    @property
    def task(self) -> sf.Detect:
        return sf.Detect(world.CLASSES, steps=self.steps, augment=Augment(vertical_flip=True, corruptions=True))


def run(cell: Cell) -> dict[str, Any]:
    """What the arm's detector is worth on the report's photos; made once, then read."""
    kept_at = cell.folder / f"{cell.report}.json"
    if kept_at.exists():
        return json.loads(kept_at.read_text())
    if cell.labels or cell.arm in TOLD:
        world.check_labels(convention.LABELLED if cell.arm in TOLD else cell.labels, cell.report)
    torch.set_num_threads(1)
    network, facts = detector(cell)
    photos = world.reported(cell.data, cell.report)
    assert photos.boxes is not None
    found = cell.task.predict(network, photos.images)
    if cell.arm in RESCALED:
        few = world.labelled(cell.data, convention.LABELLED, cell.report, 0)
        found = convention.rescaled(found, convention.factors(cell.task, network, few))
    write_finds(cell.folder / f"{cell.report}.safetensors", found)
    match = match_boxes(found, photos.boxes)
    believed = match_boxes(found.where(found.score >= facts["threshold"]), photos.boxes)
    result = {**average_precision(found, photos.boxes, world.CLASSES),
              "counts": dict(zip(("true", "false", "missed"), believed.counts(-np.inf), strict=True)),
              "false at recall": {str(recall): false_at_recall(match, recall) for recall in RECALLS}, **facts}
    write_json(kept_at, result)
    return result


def detector(cell: Cell) -> tuple[Detector, dict[str, Any]]:
    """The arm's detector, kept without the backbone that all share, with its threshold and all that it cost."""
    cell = cell.trained
    if (cell.folder / "detector.safetensors").exists():
        tensors, facts = kept(cell)
        network = cell.task.fresh(0)
        left_out = network.load_state_dict(tensors, strict=False)
        assert not left_out.unexpected_keys and all(key.startswith("backbone.") for key in left_out.missing_keys)
        return network.eval(), facts
    network, threshold, cost = train(cell)
    facts = {"threshold": threshold, "cost": cost, "code": code()}
    head = {name: value for name, value in network.state_dict().items() if not name.startswith("backbone.")}
    write_tensors(cell.folder / "detector.safetensors", head, facts)
    return network, facts


@cache
def code() -> str:
    """Hash of all source that a cell may depend on: what was made by other code is told apart."""
    own = [file for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith(("test_", *REPORTERS))]
    files = sorted([*Path(sf.__file__).parent.rglob("*.py"), *own, Path(smear.__file__)])
    return content_hash("\n".join(content_hash(file.read_bytes()) for file in files).encode())


def kept(cell: Cell) -> tuple[dict[str, Any], dict[str, Any]]:
    """The weights of a detector that was trained before, and its facts."""
    return read_tensors(cell.trained.folder / "detector.safetensors", FIX)


def train(cell: Cell) -> tuple[Detector, float, dict[str, float]]:
    """The detector, its threshold, and the cost with that of all that it was made from."""
    if cell.arm == "relabelled":
        return relabelled(cell)
    if cell.arm in GONE_ON:
        return gone_on(cell)
    start: Detector | None = None
    before = {"renders": 0, "trainings": 0, "cpu_seconds": 0.0}
    if cell.labels and cell.before:
        start, facts = detector(replace(cell, arm=cell.before))
        before = facts["cost"]
    elif not cell.labels:
        before = made(cell)
    began, task, seed = time.process_time(), cell.task, derive_seed(cell.seed,
                                                                    "task")  # the same first weights in all arms
    if cell.labels:
        few = world.labelled(cell.data, cell.labels, cell.report, cell.seed)
        assert few.boxes is not None
        if cell.start == "real-longer":
            seed = derive_seed(cell.seed, "adapt")  # the photos in another order than before
        network = (task.train(few.images, few.boxes, seed) if start is None
                   else task.fine_tune(start, few.images, few.boxes, seed))
        # No photo to spare for the threshold: those that it learned from have to do.
        threshold = best_threshold(match_boxes(task.predict(network, few.images), few.boxes))
        return network, threshold, spent(before, 0, began)
    size = cell.size * (MANY if cell.arm == "wide-many" else 1)
    network = task.train(*rendered(sampler(cell)(derive_seed(cell.seed, "train"), size)), seed)
    return network, validated(cell, network), spent(before, size + validation(cell), began)


def gone_on(cell: Cell) -> tuple[Detector, float, dict[str, float]]:
    """Of another arm, gone on with the photos to match, of which no label is read; or with renders alone."""
    network, facts = detector(replace(cell, arm=GONE_ON[cell.arm]))
    began, seed = time.process_time(), derive_seed(cell.seed, "adapt")
    images, boxes = rendered(sampler(cell)(derive_seed(cell.seed, "train"), cell.size))
    if cell.arm in ADAPTED:
        network = cell.task.self_train(network, world.unlabelled(cell.data).images, seed, images, boxes)
    else:
        for turn in range(ROUNDS):
            network = cell.task.train(images, boxes, derive_seed(seed, f"turn {turn}"), network)
    threshold = validated(cell, network)
    return network, threshold, {**spent(facts["cost"], 0, began), "trainings": facts["cost"]["trainings"] + ROUNDS}


def validated(cell: Cell, network: Detector) -> float:
    """The threshold that maximises F1 on renders of the arm that no detector was trained on."""
    images, boxes = rendered(sampler(cell)(derive_seed(cell.seed, "validation"), validation(cell)))
    return best_threshold(match_boxes(cell.task.predict(network, images), boxes))


def validation(cell: Cell) -> int:
    return max(cell.size // VALIDATION, 8)


def relabelled(cell: Cell) -> tuple[Detector, float, dict[str, float]]:
    """Real content and look, but boxes by the convention of renders, and with the learned detector's errors."""
    teacher, facts = detector(replace(cell, arm="learned"))
    began, photos = time.process_time(), world.unlabelled(cell.data).images
    found = cell.task.predict(teacher, photos)
    network = cell.task.train(photos, found.where(found.score >= facts["threshold"]), derive_seed(cell.seed, "task"))
    threshold = validated(replace(cell, arm="learned"), network)
    return network, threshold, spent(facts["cost"], 0, began)


def spent(before: dict[str, Any], renders: int, began: float) -> dict[str, float]:
    """The cost of what came before, and of this training with its renders."""
    return {"renders": before["renders"] + renders, "trainings": before["trainings"] + 1,
            "cpu_seconds": round(before["cpu_seconds"] + time.process_time() - began, 1)}


def made(cell: Cell) -> dict[str, Any]:
    """What the arm's distribution cost; it is learned now, if it has not been."""
    if cell.start in ("naive", "wide", "wide-many", "shrunk"):
        return {"renders": 0, "trainings": 0, "cpu_seconds": 0.0}
    return fits.cost(cell.fit, "learned" if cell.start in OF_LEARNED else cell.start)


def sampler(cell: Cell) -> world.Sampler:
    """The arm's distribution: seed, how many -> scenes. ValueError for a name that is none."""
    tree, start = world.wide(cell.prior), GONE_ON.get(cell.start, cell.start)
    if start == "naive":
        return world.naive
    if start in ("wide", "wide-many", "shrunk"):
        return (sf.shrunk(tree) if start == "shrunk" else tree).sample
    model = fits.load(cell.fit, "learned" if start in OF_LEARNED else start)
    learned: world.Sampler = lambda seed, count: model.sample(count, seed)  # noqa: E731
    if start == "recounted":
        few = world.labelled(cell.data, convention.LABELLED, cell.report, 0).boxes
        assert few is not None
        return world.recounted(tree, learned, "n_platelet", world.count(few)[:, world.CLASSES.index("Platelets")])
    return learned if start not in OF_LEARNED else world.swapped(tree, learned, start == "content")


def rendered(scenes: sf.SceneBatch) -> tuple[np.ndarray, Boxes]:
    """Images uint8 [S, H, W, 3] and the boxes of what becomes a label."""
    return render_with_boxes(world.renderer, scenes, world.KEEP)


def write_finds(path: Path, found: Boxes) -> None:
    """Detections as they are; float32 holds them without loss, for that is what the network says."""
    code = world.codes(found)
    write_tensors(path, {"image": torch.from_numpy(found.image), "box": torch.from_numpy(found.box.astype(np.float32)),
                         "score": torch.from_numpy(found.score.astype(np.float32)), "code": torch.from_numpy(code)},
                  {"count": found.count})


def finds(cell: Cell) -> tuple[Boxes, float]:
    """What a cell that has run found in the report's photos, and the score from which it is believed."""
    return read_finds(cell.folder / f"{cell.report}.safetensors"), kept(cell)[1]["threshold"]


def read_finds(path: Path) -> Boxes:
    tensors, facts = read_tensors(path, FIX)
    image, box, score, code = (tensors[name].numpy() for name in ("image", "box", "score", "code"))
    return make_boxes(facts["count"], image, box, np.array(world.CLASSES)[code], score)
