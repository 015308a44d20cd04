"""Box sizes: of people's labels, of renders of the prior and of renders of the learned distribution."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from experiments.blood import arms, world
from scenefit.data.boxes import Boxes
from scenefit.scenes.rng import derive_seed

SCENES = 128


def box_sizes(cells: Sequence[arms.Cell], names: Sequence[str] = ("wide", "learned")) -> dict[str, Any]:
    """Source -> class -> median side of the boxes in pixels, for the labels of `few.txt` and the renders of each arm.

    Arms have the mean over cells, the lowest ("low") and the highest ("high"). The labels are read for this comparison
    only.
    """
    few = world.with_boxes(cells[0].data, world.FEW).boxes
    assert few is not None
    result: dict[str, Any] = {"labels": {name: {"mean": median_side(few, name)} for name in world.CLASSES}}
    for arm in names:
        rendered = [arms.rendered(arms.sampler(replace(cell, arm=arm))(derive_seed(cell.seed, "sizes"), SCENES))[1]
                    for cell in cells]
        each = {name: [median_side(boxes, name) for boxes in rendered] for name in world.CLASSES}
        result[arm] = {name: {"mean": float(np.mean(values)), "low": min(values), "high": max(values)}
                       for name, values in each.items()}
    return result


def median_side(boxes: Boxes, name: str) -> float:
    """Median of the sides of a class's boxes in pixels; 0 if it has none."""
    own = boxes.box[boxes.name == name]
    return float(np.median(own[:, 2:] - own[:, :2])) if len(own) else 0.0
