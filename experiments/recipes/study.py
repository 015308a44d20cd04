"""How much wider than the learned distribution should training images be? `python -m experiments.recipes`.

A cell is some recipes of one world, and one seed: a fit with default settings to 100 unlabelled photos, then one
detector for each recipe, all with as many renders and steps and the same label policy, scored by AP50 on 300 other
photos of known truth. Its JSON in cells/ is committed and never computed twice; it takes four to seven CPU minutes.

    python -m experiments.recipes                     # missing cells, then the table, also into README.md
    python -m experiments.recipes --table             # the table alone
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import scenefit as sf
from experiments.cells import Row, command, markdown, source_hash
from experiments.known_worlds.discs_photos import __file__ as photos_file
from experiments.label_policy import world as known
from experiments.label_policy.world import labels, learned
from experiments.recipes import foreign
from scenefit.nets.augmentation import Augment
from scenefit.nets.model import PriorModel
from scenefit.renderers.batches import render_with_boxes
from scenefit.scenes.rng import derive_seed

HERE = Path(__file__).parent
PHOTOS, TESTED = 100, 300  # for the fit; to score detectors on
RENDERS, STEPS = 400, 300
SEEDS = (0, 1)
WORLDS = {**known.WORLDS, "foreign": lambda: known.painted(foreign.paint)}
CLASSES = {**known.CLASSES, "foreign": known.CLASSES["discs"]}


class Recipe(NamedTuple):
    """Shares of the training images: with the prior's appearance, wholly of the prior, with foreign objects."""

    appearance: float = 0.0
    prior: float = 0.0
    clutter: float = 0.0


FIRST = {"prior": Recipe(prior=1.0), "learned": Recipe(), "appearance 0.25": Recipe(appearance=0.25),
         "appearance 0.5": Recipe(appearance=0.5), "scenes 0.1": Recipe(prior=0.1), "scenes 0.5": Recipe(prior=0.5),
         "appearance 0.25, scenes 0.1": Recipe(0.25, 0.1)}
CLUTTER = {"clutter 0.25": Recipe(clutter=0.25), "clutter 0.5": Recipe(clutter=0.5)}
RECIPES = {**FIRST, **CLUTTER}
AGAIN = {"learned": FIRST["learned"], **CLUTTER}  # of worlds whose other cells are older than the clutter
CELLS: dict[str, tuple[str, dict[str, Recipe]]] = {  # name -> world and recipes
    "cells": ("cells", FIRST), "discs": ("discs", FIRST), "cells-clutter": ("cells", AGAIN),
    "discs-clutter": ("discs", AGAIN), "foreign": ("foreign", RECIPES)}


def main(arguments: Sequence[str] | None = None) -> None:
    command(__doc__, HERE, CELLS, SEEDS, run, table, arguments)


def run(cell: str, seed: int) -> Row:
    """The recipes of one cell, with one seed."""
    world, recipes = CELLS[cell]
    own = WORLDS[world]()
    model, fitted = learned(own, seed, PHOTOS)
    began = time.process_time()
    keys = sf.find_appearance(own.grammar, own.renderer)
    images, objects = own.photos(derive_seed(seed, "tested"), TESTED)
    truth = labels(objects, sf.LabelPolicy())

    def score(name: str, recipe: Recipe) -> float:
        """AP50 of a detector trained by the recipe."""
        wider = sf.RandomisedModel(model, keys, recipe.appearance, recipe.prior)
        scenes = (PriorModel(own.grammar, seed) if name == "prior" else wider).sample(RENDERS)
        renders, boxes = render_with_boxes(sf.cluttered(own.renderer, recipe.clutter), scenes)
        task = sf.Detect(CLASSES[world], steps=STEPS, augment=Augment(vertical_flip=True, corruptions=True))
        network = task.train(renders, boxes, derive_seed(seed, "detector"))
        return round(task.evaluate(network, images, truth)["mAP50"], 4)

    scores = {name: score(name, recipe) for name, recipe in recipes.items()}
    return {"world": world, "seed": seed, "cpu_seconds_of_the_fit": fitted,
            "cpu_seconds": round(time.process_time() - began), "AP50": scores,
            "code": source_hash([*HERE.glob("*.py"), Path(known.__file__), Path(photos_file)])}


def table(cells: Sequence[Row]) -> str:
    """AP50 of each recipe: a column for each world and seed whose recipes are all computed, the mean, the mean rank."""
    found: dict[str, dict[str, float]] = {}
    for cell in cells:
        column = found.setdefault(f"{cell['world']}, seed {cell['seed']}", {})
        for name, value in cell["AP50"].items():
            column.setdefault(name, value)  # "learned" of worlds with two cells: of the first
    columns = {head: column for head, column in found.items() if set(column) == set(RECIPES)}
    if not columns:
        return "No cell is computed yet."
    scores = np.array([[column[name] for column in columns.values()] for name in RECIPES])
    ranks = (-scores).argsort(0).argsort(0) + 1
    head = ["recipe", *columns, "mean", "mean rank"]
    rows = [[name, *(f"{100 * value:.1f}" for value in own), f"{100 * own.mean():.1f}", f"{rank.mean():.1f}"]
            for name, own, rank in zip(RECIPES, scores, ranks, strict=True)]
    return markdown(head, rows)


if __name__ == "__main__":
    main()
