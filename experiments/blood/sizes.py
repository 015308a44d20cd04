"""How large the cells are: in labels of people, in scenes of the prior, and in what was learned without labels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from experiments.blood import arms, world
from scenefit.data.boxes import Boxes
from scenefit.scenes.rng import derive_seed

SCENES = 128


def sizes(cells: Sequence[arms.Cell], names: Sequence[str] = ("wide", "learned")) -> dict[str, Any]:
    """Of labels of `few.txt` and of each arm's renders: class -> the boxes' median side in pixels; of the arms the mean
    of the cells, and the least and most. Labels are read for this comparison only."""
    few = world.with_boxes(cells[0].data, world.FEW).boxes
    assert few is not None
    found: dict[str, Any] = {"labels": {name: {"mean": side(few, name)} for name in world.CLASSES}}
    for arm in names:
        drawn = [arms.rendered(arms.sampler(replace(cell, arm=arm))(derive_seed(cell.seed, "sizes"), SCENES))[1]
                 for cell in cells]
        each = {name: [side(boxes, name) for boxes in drawn] for name in world.CLASSES}
        found[arm] = {name: {"mean": float(np.mean(values)), "low": min(values), "high": max(values)}
                      for name, values in each.items()}
    return found


def side(boxes: Boxes, name: str) -> float:
    """Median of the sides of a class's boxes; 0 where there is none."""
    own = boxes.box[boxes.name == name]
    return float(np.median(own[:, 2:] - own[:, :2])) if len(own) else 0.0
