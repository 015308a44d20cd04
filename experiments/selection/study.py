"""Does selection by a few labelled photos find the better training set? `python -m experiments.selection`.

A cell is one world, number of labelled photos, and seed. Its training sets (learned, half wide, wide) train one
detector each. Then, for each of 20 draws of labelled photos: `select_steps` selects; and all three are fine-tuned on
the draw and scored by AP50 on 2,000 other photos, which tells the regret of the selected one. Beside it, a selection by
the detectors before fine-tuning. Its JSON in cells/ is committed and never computed twice; it takes up to 22 CPU
minutes.

    python -m experiments.selection                     # missing cells, then the table, also into README.md
    python -m experiments.selection --table             # the table alone
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import scenefit as sf
from experiments.cells import Row, command, markdown, source_hash
from experiments.label_policy.world import CLASSES
from experiments.label_policy.world import __file__ as world_file
from experiments.selection.world import photos, training_sets
from scenefit.data.boxes import Boxes
from scenefit.metrics.resampled_precision import DetectionScore, resampled_precision
from scenefit.nets.augmentation import Augment
from scenefit.scenes.rng import derive_seed, generator
from scenefit.tasks.selection import Selection, select, select_steps
from scenefit.tasks.training_stages import TrainingData, train_stages

HERE = Path(__file__).parent
WORLDS, LABELS, SEEDS = ("better", "equal", "worse"), (25, 10, 50), (0,)
RENDERS, STEPS, COPIES = 400, 240, 200
POOL, TESTED, DRAWS = 400, 2000, 20  # photos that labelled ones are drawn from; others to score on
TASK = sf.Detect(tuple(CLASSES["cells"]), steps=STEPS, augmented_copies=COPIES,
                 augment=Augment(vertical_flip=True, corruptions=True))


def main(arguments: Sequence[str] | None = None) -> None:
    names = [f"{world}-{labels}" for labels in LABELS for world in WORLDS]
    command(__doc__, HERE, names, SEEDS, run, table, arguments)


def run(name: str, seed: int) -> Row:
    """All draws of one world and number of labelled photos."""
    began, (world, labels) = time.process_time(), name.split("-")
    candidates = {name: TrainingData(rendered, None, None)
                  for name, rendered in training_sets(world, seed, RENDERS).items()}
    (images, truth), tested = photos(derive_seed(seed, "pool"), POOL), photos(derive_seed(seed, "tested"), TESTED)
    with tempfile.TemporaryDirectory() as folder:
        def kept(identity: str) -> Path:
            return Path(folder) / identity

        networks = {name: [*train_stages(TASK, data, seed, kept)][-1].network for name, data in candidates.items()}
        maps = TASK.maps(networks["learned"], tested[0])
        before = {name: TASK.predict(network, images) for name, network in networks.items()}
        draws = []
        for draw in range(DRAWS):
            rows = np.sort(generator(seed, f"draw {draw}").choice(POOL, int(labels), replace=False))
            labelled = sf.Photos(images[rows], (), (), np.full(len(rows), ""), truth.take(rows))
            *_, last = select_steps(TASK, candidates, labelled, seed, kept)
            untuned = select({name: DetectionScore(boxes.take(rows), truth.take(rows))
                              for name, boxes in before.items()}, seed)
            draws.append({"by folds": _row(last.selection), "untuned": _row(untuned),
                          "AP50": tuned_ap50(networks, labelled, maps, tested[1], seed)})
    return {"world": world, "labels": int(labels), "seed": seed, "draws": draws,
            "AP50 before fine-tuning": {name: ap50(TASK.predict_in_maps(network, maps, images.shape[1:3]), tested[1])
                                        for name, network in networks.items()},
            "cpu_seconds": round(time.process_time() - began),
            "code": source_hash([*HERE.glob("*.py"), Path(world_file)])}


def _row(selection: Selection | None) -> dict[str, Any]:
    assert selection is not None
    return {"chosen": selection.chosen, "scores": {name: round(value, 4) for name, value in selection.scores.items()},
            "gains": {name: [round(value, 4) for value in pair] for name, pair in selection.gains.items()}}


def tuned_ap50(networks: dict[str, Any], labelled: sf.Photos, maps: list[torch.Tensor], truth: Boxes,
           seed: int) -> dict[str, float]:
    """AP50 on the tested photos of each network, fine-tuned as `scenefit train` does."""
    assert labelled.boxes is not None
    own, prepared, found = derive_seed(seed, "tune"), None, {}
    for name, network in networks.items():
        prepared = prepared or TASK.prepare(network, labelled.images, labelled.boxes, own)
        *_, last = TASK.train_steps(labelled.images, labelled.boxes, own, network, prepared=prepared)
        found[name] = ap50(TASK.predict_in_maps(last.network, maps, labelled.images.shape[1:3]), truth)
    return found


def ap50(found: Boxes, truth: Boxes) -> float:
    return round(float(resampled_precision(found, truth, np.ones((1, truth.count)), [0.5])[0]), 4)


def table(cells: Sequence[Row]) -> str:
    """A row for each cell: AP50 of the candidates, what was chosen, and regrets."""
    if not cells:
        return "No cell is computed yet."
    names = list(cells[0]["AP50 before fine-tuning"])
    head = ["world", "labels", "AP50 before fine-tuning", "after", "chosen", "regret", "regret of always learned",
            "chosen without fine-tuning", "regret"]
    rows = []
    for cell in sorted(cells, key=lambda cell: (WORLDS.index(cell["world"]), cell["labels"], cell["seed"])):
        tuned = np.array([[draw["AP50"][name] for name in names] for draw in cell["draws"]])
        columns = [part for way in ("by folds", "untuned") for part in _choice(cell["draws"], tuned, names, way)]
        always = 100 * (tuned.max(1) - tuned[:, 0]).mean()
        rows.append([cell["world"], str(cell["labels"]),
                     " / ".join(f"{100 * cell['AP50 before fine-tuning'][name]:.1f}" for name in names),
                     " / ".join(f"{100 * value:.1f}" for value in tuned.mean(0)),
                     *columns[:2], f"{always:.2f}", *columns[2:]])
    return markdown(head, rows)


def _choice(draws: Sequence[Row], tuned: np.ndarray, names: Sequence[str], way: str) -> tuple[str, str]:
    """How often each candidate was chosen, and the mean regret in points of AP50."""
    chosen = [names.index(draw[way]["chosen"]) for draw in draws]
    regret = 100 * (tuned.max(1) - tuned[np.arange(len(draws)), chosen]).mean()
    return " / ".join(str(chosen.count(number)) for number in range(len(names))), f"{regret:.2f}"


if __name__ == "__main__":
    main()
