"""Labelled photos as a reward of the fit, or for selection? `python -m experiments.task_reward.beside_selection`.

A user with a few labelled photos can let the fit move the distribution (`scenefit fit --labelled`), or let the training
select its images (`scenefit train --labelled`), and fine-tunes on them in any case. The photos are those of the world
`cells` of `experiments.label_policy`. Fits are to 100 unlabelled photos: of the same kind ("same"), or of another
magnification, with objects at 0.6 times their size ("smaller"), so that the learned distribution is wrong.

A cell is one world, number of labels, and draw of them: a fit with default settings and its reward, four detectors, a
selection among three of them, and their AP50 on 2,000 other photos. Its JSON in cells/ is committed and never computed
twice; it takes some 15 CPU minutes.

    python -m experiments.task_reward.beside_selection             # missing cells, then the table, also into README.md
    python -m experiments.task_reward.beside_selection --table     # the table alone
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import scenefit as sf
from experiments.cells import Row, command, markdown, source_hash
from experiments.label_policy.world import TRUE, cells, rendered
from experiments.label_policy.world import __file__ as world_file
from experiments.selection.study import POOL, RENDERS, TASK, TESTED, ap50, tuned_ap50
from experiments.selection.world import DECOY, UNLABELLED, photos
from scenefit.cli.train import CANDIDATES
from scenefit.generation.randomised import RandomisedModel
from scenefit.renderers.batches import render_with_boxes
from scenefit.scenes.rng import derive_seed, generator
from scenefit.tasks.selection import select_steps
from scenefit.tasks.training_stages import TrainingData, train_stages

HERE = Path(__file__).parent
WORLDS, LABELS, SEEDS = {"same": TRUE, "smaller": DECOY}, (10, 25, 50), (0, 1)
LEARNED, REWARDED, SELECTED = "learned", "rewarded", "selected"


def main(arguments: Sequence[str] | None = None) -> None:
    names = [f"{world}-{labels}" for labels in LABELS for world in WORLDS]
    command(__doc__, HERE, names, SEEDS, run, table, arguments)


def run(name: str, seed: int) -> Row:
    """One world, number of labels, and draw of them, which is the seed's."""
    world, labels = name.split("-")
    own, images = cells(), rendered(derive_seed(seed, "unlabelled"), UNLABELLED, WORLDS[world])[0]
    (pool, truth), tested = photos(derive_seed(seed, "pool"), POOL), photos(derive_seed(seed, "tested"), TESTED)
    rows = np.sort(generator(seed, "labelled").choice(POOL, int(labels), replace=False))
    few = sf.Photos(pool[rows], (), (), np.full(len(rows), ""), truth.take(rows))
    models, seconds = dict[str, Any](), dict[str, float]()
    for step in sf.fit_steps(own.grammar, own.renderer, images, few, seed=seed, task=TASK):
        source = REWARDED if REWARDED in models or step.stage == "task-reward" else LEARNED  # it is followed by others
        models[source], seconds[source] = step.model, step.cpu_seconds
    began = time.process_time()
    sources: dict[str, Any] = {name: RandomisedModel(models[LEARNED], frozenset(), prior=share)
                               for name, share in CANDIDATES.items()}
    sources[REWARDED] = models[REWARDED]
    data = {name: TrainingData(render_with_boxes(own.renderer, model.sample(RENDERS)), None, None)
            for name, model in sources.items()}
    with tempfile.TemporaryDirectory() as folder:
        def kept(identity: str) -> Path:
            return Path(folder) / identity

        networks = {name: [*train_stages(TASK, one, seed, kept)][-1].network for name, one in data.items()}
        trained = time.process_time()
        *_, last = select_steps(TASK, {name: data[name] for name in CANDIDATES}, few, seed, kept)
    selecting = time.process_time() - trained + (trained - began) * (len(CANDIDATES) - 1) / len(sources)
    maps = TASK.maps(networks[LEARNED], tested[0])
    before = {name: ap50(TASK.predict_in_maps(network, maps, tested[0].shape[1:3]), tested[1])
              for name, network in networks.items()}
    return {"world": world, "labels": int(labels), "seed": seed, "chosen": last.selection.chosen,
            "AP50 before fine-tuning": before, "AP50": tuned_ap50(networks, few, maps, tested[1], seed),
            "radius": {name: radii(models[name]) for name in (LEARNED, REWARDED)},
            "cpu_seconds of the fit": round(seconds[LEARNED]),
            "of the reward": round(seconds[REWARDED] - seconds[LEARNED]), "of the selection": round(selecting),
            "code": source_hash([*HERE.glob("*.py"), Path(world_file)])}


def radii(model: sf.Model) -> dict[str, float]:
    """Mean radius of each kind of object."""
    tables = model.sample(RENDERS).tables
    return {kind: round(float(np.mean(np.asarray(tables[kind]["radius"]))), 2) for kind in TRUE}


def table(cells: Sequence[Row]) -> str:
    """A row for each world and number of labels: means over draws."""
    head = ["world", "labels", "draws", "AP50 before fine-tuning: learned", REWARDED, SELECTED,
            "after: learned", REWARDED, SELECTED, "reward minus selection, each draw",
            "radius of cells and dots, px: learned", REWARDED, "CPU s of the reward", "of the selection"]
    rows = []
    for world, labels in sorted({(cell["world"], cell["labels"]) for cell in cells}):
        own = [cell for cell in cells if (cell["world"], cell["labels"]) == (world, labels)]
        shown = [[f"{100 * np.mean([cell[when][name or cell['chosen']] for cell in own]):.1f}"
                  for name in (LEARNED, REWARDED, "")] for when in ("AP50 before fine-tuning", "AP50")]
        gains = [f"{100 * (cell['AP50'][REWARDED] - cell['AP50'][cell['chosen']]):+.1f}" for cell in own]
        sizes = [", ".join(f"{np.mean([cell['radius'][name][kind] for cell in own]):.1f}" for kind in TRUE)
                 for name in (LEARNED, REWARDED)]
        costs = [f"{np.mean([cell[name] for cell in own]):.0f}" for name in ("of the reward", "of the selection")]
        rows.append([world, str(labels), str(len(own)), *shown[0], *shown[1], ", ".join(gains), *sizes, *costs])
    return markdown(head, rows)


if __name__ == "__main__":
    main()
