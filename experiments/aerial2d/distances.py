"""How far each attribute of sampled scenes lies from the target's, and whether cars depend on lanes as there.

Legend: S scenes; n values.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

import scenefit as sf
from experiments.aerial2d import world
from experiments.aerial2d.settings import COUNTS, LANES, ROWS
from experiments.known_worlds.score import Target, difference, total_variation
from experiments.known_worlds.truth import Array

SCENES, TRUE_SCENES, TRUE_SEED = 2000, 8000, 2**20
BIN = 3  # cars in a bin
DRAWS = 20  # sets of true scenes for the floor


def targets() -> list[Target]:
    """All learned attributes but the counts."""
    forms = {sf.Angle: "angle", sf.Choice: "choice"}
    return [Target(kind, name, forms.get(type(row.target), "number")) for kind, rows in ROWS.items()
            for name, row in rows.items()]


def distances(scenes: sf.SceneBatch, side: int) -> dict[str, float]:
    """"kind.attribute" -> distance to the target over that of the hand-made prior: Wasserstein-1 of numbers and angles,
    total variation of choices; 1 is as far away as the hand-made grammar, 0 is the truth."""
    true, before, found = truth(side), columns(world.grammar(side).sample(TRUE_SEED + 1, SCENES)), columns(scenes)
    every = [*targets(), *(Target("road", f"n_{kind}") for kind in COUNTS)]
    rows = {}
    for one in every:
        own, prior = (difference(one, some[one.attribute], true[one.attribute]) for some in (found, before))
        rows[one.attribute] = round(own / prior, 4) if prior > 1e-9 else None
    return rows


def cars_and_lanes(scenes: sf.SceneBatch, side: int, photos: int) -> dict[str, float]:
    """Total variation, in bins of 3 cars, of cars and lanes together from the target's; and the mean of that of so many
    true scenes, the floor that as many photos leave."""
    true = joint(truth(side))
    floor = [total_variation(joint(columns(world.target(side, TRUE_SEED + 2 + draw, photos))), true)
             for draw in range(DRAWS)]
    return {"tv": round(total_variation(joint(columns(scenes)), true), 4), "floor": round(float(np.mean(floor)), 4)}


def columns(scenes: sf.SceneBatch) -> dict[str, Array]:
    """"kind.attribute" -> values [n]."""
    return {f"{kind}.{name}": np.asarray(column) for kind, table in scenes.tables.items()
            for name, column in table.columns.items()}


def joint(values: Mapping[str, Any]) -> Array:
    """Shares of scenes by lanes and bin of cars, flat."""
    lanes, cars = np.asarray(values["road.lanes"], int), np.asarray(values["road.n_car"], int) // BIN
    table = np.zeros((len(LANES), int(COUNTS["car"].wide.bounds[1]) // BIN + 1))
    np.add.at(table, (np.searchsorted(LANES, lanes), cars), 1 / len(lanes))
    return table.ravel()


@cache
def truth(side: int) -> dict[str, Array]:
    return world.truth(side, TRUE_SEED, TRUE_SCENES)
