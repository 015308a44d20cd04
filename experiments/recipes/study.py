"""How much wider than the learned distribution should training images be? `python -m experiments.recipes`.

A cell is one world and seed: a fit with default settings to 100 unlabelled photos, then one detector for each recipe,
all with as many renders and steps and the same label policy, scored by AP50 on 300 other photos of known truth. Its
JSON in cells/ is committed and never computed twice; it takes about five CPU minutes.

    python -m experiments.recipes                     # missing cells, then the table, also into README.md
    python -m experiments.recipes --table             # the table alone
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import scenefit as sf
from experiments.cells import Row, command, source_hash
from experiments.label_policy.world import CLASSES, WORLDS, labels, learned
from experiments.label_policy.world import __file__ as world_file
from scenefit.nets.augmentation import Augment
from scenefit.nets.model import PriorModel
from scenefit.renderers.batches import render_with_boxes
from scenefit.scenes.rng import derive_seed

HERE = Path(__file__).parent
PHOTOS, TESTED = 100, 300  # for the fit; to score detectors on
RENDERS, STEPS = 400, 300
SEEDS = (0, 1)
RECIPES = {"prior": (0.0, 1.0), "learned": (0.0, 0.0), "appearance 0.25": (0.25, 0.0), "appearance 0.5": (0.5, 0.0),
           "scenes 0.1": (0.0, 0.1), "scenes 0.5": (0.0, 0.5), "appearance 0.25, scenes 0.1": (0.25, 0.1)}


def main(arguments: Sequence[str] | None = None) -> None:
    command(__doc__, HERE, WORLDS, SEEDS, run, table, arguments)


def run(world: str, seed: int) -> Row:
    """All recipes of one world and seed."""
    torch.set_num_threads(1)
    own = WORLDS[world]()
    model, fitted = learned(own, seed, PHOTOS)
    began = time.process_time()
    keys = sf.find_appearance(own.grammar, own.renderer)
    images, objects = own.photos(derive_seed(seed, "tested"), TESTED)
    truth = labels(objects, sf.LabelPolicy())
    scores = {name: _score(own.renderer, sf.RandomisedModel(model, keys, *shares) if name != "prior" else
                           PriorModel(own.grammar, seed), images, truth, CLASSES[world], seed)
              for name, shares in RECIPES.items()}
    return {"world": world, "seed": seed, "cpu_seconds_of_the_fit": fitted,
            "cpu_seconds": round(time.process_time() - began), "AP50": scores,
            "code": source_hash([*HERE.glob("*.py"), Path(world_file)])}


def _score(renderer: sf.Shapes, model: Any, images: np.ndarray, truth: sf.Boxes, classes: Sequence[str],
           seed: int) -> float:
    """AP50 on the photos of a detector trained on renders of the model's scenes."""
    renders, boxes = render_with_boxes(renderer, model.sample(RENDERS))
    task = sf.Detect(tuple(classes), steps=STEPS, augment=Augment(vertical_flip=True, corruptions=True))
    network = task.train(renders, boxes, derive_seed(seed, "detector"))
    return round(task.evaluate(network, images, truth)["mAP50"], 4)


def table(cells: Sequence[Row]) -> str:
    """AP50 of each recipe: a column for each world and seed, the mean, and the mean rank."""
    if not cells:
        return "No cell is computed yet."
    columns = [f"{cell['world']}, seed {cell['seed']}" for cell in cells]
    scores = np.array([[cell["AP50"][name] for cell in cells] for name in RECIPES])
    ranks = (-scores).argsort(0).argsort(0) + 1
    rows = [["recipe", *columns, "mean", "mean rank"], ["---"] * (len(columns) + 3)]
    rows += [[name, *(f"{100 * value:.1f}" for value in own), f"{100 * own.mean():.1f}", f"{rank.mean():.1f}"]
             for name, own, rank in zip(RECIPES, scores, ranks, strict=True)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
