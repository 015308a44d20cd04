"""How long should a detector be trained, and does self-training help at equal length?
`python -m experiments.training_length`.

A cell is one world and seed: a fit with default settings to 100 unlabelled photos, the same for all seeds, then
detectors from 400 renders of the learned scenes, scored by AP50 on 300 other photos of known truth. Its JSON in cells/
is committed and never computed twice; it takes about ten CPU minutes.

    python -m experiments.training_length             # missing cells, then the tables, also into README.md
    python -m experiments.training_length --table     # the tables alone
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import scenefit as sf
from experiments.cells import Row, command, markdown, source_hash
from experiments.label_policy.world import CLASSES, WORLDS, labels, learned
from experiments.label_policy.world import __file__ as world_file
from experiments.training_length.self_training import Average, SelfTraining
from scenefit.data.boxes import Boxes
from scenefit.data.corruptions import corrupt
from scenefit.nets.augmentation import Augment
from scenefit.nets.centre_network import Detector
from scenefit.nets.model import PriorModel
from scenefit.renderers.batches import render_with_boxes
from scenefit.scenes.rng import derive_seed
from scenefit.tasks.training.dense_prediction import FINE_TUNE_DIVISOR, ROUNDS

HERE = Path(__file__).parent
PHOTOS, TESTED, LABELLED = 100, 300, 25  # for the fit; to score detectors on; to fine-tune on
RENDERS, HELD_OUT, FIRST_HELD_OUT = 400, 100, 50_000
FIT_SEED, SEEDS = 0, (0, 1)
LENGTHS, USUAL = (200, 400, 1200), 400  # steps of a training
FEWER, COPIES = 400, (400, 1600)  # augmented copies of the renders, each of which is seen again and again
TUNED = (67, 134, 268)  # steps of fine-tuning
PART = -(-USUAL // FINE_TUNE_DIVISOR)  # steps of a round of self-training
SIGNS = ("held-out renders", "corrupted renders of the prior")  # that need no label of a photo
Images = np.ndarray
Labelled = tuple[Images, Boxes]


@dataclass(frozen=True, eq=False)
class World:
    """What a cell is given. task: with as many copies that a third of them, which a trained network is trained further
    on, are `FEWER`.  model, prior: of scenes.  photos: unlabelled.  few: labelled, to fine-tune on.  tested: to
    score detectors on."""

    task: sf.Detect
    render: Callable[[Any, range], Labelled]
    model: Any
    prior: Any
    photos: Images
    few: Labelled
    tested: Labelled
    seed: int

    def ap(self, network: Detector, labelled: Labelled) -> float:
        return round(self.task.evaluate(network, *labelled)["mAP50"], 4)


def main(arguments: Sequence[str] | None = None) -> None:
    command(__doc__, HERE, WORLDS, SEEDS, run, table, arguments)


def run(name: str, seed: int) -> Row:
    """All trainings of one world and seed."""
    own = WORLDS[name]()
    fit, fitted = learned(own, FIT_SEED, PHOTOS)
    began, model = time.process_time(), sf.Model(fit.distribution, seed)
    photos, _ = own.photos(derive_seed(FIT_SEED, "unlabelled"), PHOTOS)
    few, tested = (own.photos(derive_seed(seed, part), count) for part, count in (
        ("few", LABELLED), ("tested", TESTED)))
    policy = sf.LabelPolicy()
    task = sf.Detect(CLASSES[name], steps=USUAL, augmented_copies=FEWER * FINE_TUNE_DIVISOR,
                     augment=Augment(vertical_flip=True, corruptions=True))
    world = World(task,
                  lambda model, rows: render_with_boxes(own.renderer, model.sample(np.arange(rows.start, rows.stop))),
                  model, PriorModel(own.grammar, seed), photos, (few[0], labels(few[1], policy)),
                  (tested[0], labels(tested[1], policy)), seed)
    return {"world": name, "seed": seed, "cpu_seconds_of_the_fit": fitted, **measured(world),
            "cpu_seconds": round(time.process_time() - began),
            "code": source_hash([*HERE.glob("*.py"), Path(world_file)])}


def measured(world: World) -> Row:
    """AP50 of all trainings of a cell, 0..1."""
    renders = world.render(world.model, range(RENDERS))
    usual, rows = lengths(world, renders)
    return {"lengths": rows, "self-training": self_trained(world, renders, usual),
            "fine-tuning": fine_tuned(world, usual)}


def lengths(world: World, renders: Labelled) -> tuple[Detector, dict[str, dict[str, float]]]:
    """Of each length and number of copies, AP50 on photos of the last weights and of their mean over the last half, and
    the signs that need no label; and the network of the usual length and fewer copies."""
    held_out = range(FIRST_HELD_OUT, FIRST_HELD_OUT + HELD_OUT)
    own, (images, boxes) = world.render(world.model, held_out), world.render(world.prior, held_out)
    wide = corrupt(images, derive_seed(world.seed, "corrupted")), boxes
    rows, usual = {}, None
    for copies in COPIES:
        for steps in LENGTHS:
            network, mean = trained(world, renders, steps, 0, copies)
            usual = network if (steps, copies) == (USUAL, FEWER) else usual
            found = {"photos": world.ap(network, world.tested), "photos, mean weights": world.ap(mean, world.tested)}
            rows[f"{steps} steps, {copies} copies"] = found | {
                sign: world.ap(network, one) for sign, one in zip(SIGNS, (own, wide), strict=True)}
    assert usual is not None
    return usual, rows


def trained(world: World, renders: Labelled, steps: int, number: int, copies: int) -> tuple[Detector, Detector]:
    """A detector trained for so many steps, and the mean of its weights over the last half of them. number: of its
    initial weights."""
    mean, task = Average(), replace(world.task, steps=steps, augmented_copies=copies)
    for step in task.train_steps(*renders, derive_seed(world.seed, f"detector {number}"), parts=steps):
        if step.done > steps // 2:
            mean.add(step.network)
    return step.network, mean.network(step.network)


def self_trained(world: World, renders: Labelled, start: Detector) -> dict[str, float]:
    """AP50 on photos of a detector of the usual length, and of ways to train it for two more rounds' steps."""
    steps, seed = ROUNDS * PART, derive_seed(world.seed, "adapt")
    own, longer = SelfTraining(world.task, world.photos, *renders, seed), start
    for number in range(ROUNDS):
        longer = world.task.train(*renders, derive_seed(seed, f"turn {number}"), longer)
    voted = own.voted([start, *(trained(world, renders, USUAL, number, FEWER)[0] for number in (1, 2))])
    networks = {"before": start, "renders": longer,
                "rounds": world.task.self_train(start, world.photos, seed, *renders),
                "three heads": own.train(steps, voted, start),
                "mean teacher": own.train(steps, own.balanced(start), start, own.balanced)}
    return {name: world.ap(network, world.tested) for name, network in networks.items()}


def fine_tuned(world: World, start: Detector) -> dict[str, float]:
    """AP50 on photos after fine-tuning for each of `TUNED` steps, and for as many as are best on a held-out fifth."""
    images, boxes = world.few
    seed, fifth = derive_seed(world.seed, "tune"), np.arange(len(images)) % 5 == 0
    rest, fifth = np.flatnonzero(~fifth), np.flatnonzero(fifth)

    def tuned(steps: int, rows: np.ndarray) -> Detector:
        task = replace(world.task, steps=steps * FINE_TUNE_DIVISOR)
        return task.fine_tune(start, images[rows], boxes.take(rows), seed)

    held_out = {steps: world.ap(tuned(steps, rest), (images[fifth], boxes.take(fifth))) for steps in TUNED}
    found = {str(steps): world.ap(tuned(steps, np.arange(len(images))), world.tested) for steps in TUNED}
    return found | {"by a held-out fifth": found[str(max(TUNED, key=held_out.__getitem__))]}


def table(cells: Sequence[Row]) -> str:
    """Three tables of AP50 (%), a column for each world and seed, and the mean."""
    if not cells:
        return "No cell is computed yet."
    parts = [("training", {f"{length}: {sign}": [cell["lengths"][length][sign] for cell in cells]
                           for sign in ("photos", "photos, mean weights", *SIGNS) for length in cells[0]["lengths"]}),
             (f"{USUAL} steps, then {ROUNDS * PART} on", _rows(cells, "self-training")),
             (f"steps of fine-tuning on {LABELLED} labelled photos", _rows(cells, "fine-tuning"))]
    return "\n\n".join(_table(title, rows, cells) for title, rows in parts)


def _rows(cells: Sequence[Row], part: str) -> dict[str, list[float]]:
    """What each cell has measured; some have more."""
    return {name: [cell[part][name] for cell in cells] for name in cells[0][part]
            if all(name in cell[part] for cell in cells)}


def _table(title: str, rows: Mapping[str, Sequence[float]], cells: Sequence[Row]) -> str:
    head = [title, *(f"{cell['world']}, seed {cell['seed']}" for cell in cells), "mean"]
    return markdown(head, [[name, *(f"{100 * value:.1f}" for value in values), f"{100 * np.mean(values):.1f}"]
                           for name, values in rows.items()])


if __name__ == "__main__":
    main()
