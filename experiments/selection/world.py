"""Three worlds in which the learned distribution is better than the prior, equal to it, and worse.

All have the photos of the world `cells` of `experiments.label_policy`. better: what a fit with default settings
learns, beside its prior.  equal: all training sets are of the true ranges, so they differ by chance alone.  worse: a
decoy in the learned distribution's place: the true ranges but for sizes, of which it draws only those much too small.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

import scenefit as sf
from experiments.label_policy.world import TRUE, cells, cells_grammar, labels, learned
from scenefit.data.boxes import Boxes, join_boxes
from scenefit.nets.model import PriorModel
from scenefit.renderers.batches import render_with_boxes
from scenefit.scenes.rng import derive_seed

UNLABELLED = 100  # photos that a fit learns from
DECOY_SIZES = {"cell": (5, 8), "dot": (2, 3)}  # radii, px
DECOY = {kind: {**TRUE[kind], "radius": DECOY_SIZES[kind]} for kind in TRUE}
Rendered = tuple[np.ndarray, Boxes]


def models(world: str, seed: int) -> tuple[Any, Any]:
    """The distribution in the learned one's place, and the wide one."""
    own = cells()
    if world == "better":
        return learned(own, seed, UNLABELLED)[0], PriorModel(own.grammar, seed)
    first, second = (derive_seed(seed, name) for name in ("learned", "wide"))
    if world == "equal":
        return PriorModel(cells_grammar(True), first), PriorModel(cells_grammar(True), second)
    return PriorModel(cells_grammar(True, DECOY), first), PriorModel(own.grammar, second)


def training_sets(world: str, seed: int, count: int) -> Mapping[str, Rendered]:
    """Renders of each candidate: the default first, half of each, the wide one."""
    renderer = cells().renderer
    narrow, wide = (render_with_boxes(renderer, model.sample(count)) for model in models(world, seed))
    half = count // 2
    mixed = (np.concatenate([images[:half] for images, _ in (narrow, wide)]),
             join_boxes([boxes.take(np.arange(half)) for _, boxes in (narrow, wide)]))
    return {"learned": narrow, "half wide": mixed, "wide": wide}


def photos(seed: int, count: int) -> Rendered:
    """Photos and the boxes that annotators with the default label policy draw."""
    images, objects = cells().photos(seed, count)
    return images, labels(objects, sf.LabelPolicy())
