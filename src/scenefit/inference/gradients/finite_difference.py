"""Central finite differences of the image: two renders for each learned number of each node (Kar et al. 2019, 3.3).

dL/doffset = sum over pixels of dL/dimage * (image(offset + h) - image(offset - h)) / (2 h).
"""

from collections.abc import Iterator

import numpy as np
import torch

from scenefit.inference.gradients.estimate import (
    STEP,
    Estimate,
    image_gradient,
    is_differentiable,
    non_differentiable,
    perturbed,
    score_term,
)
from scenefit.metrics.objective import Objective
from scenefit.nets.edit import Edit
from scenefit.renderers import Renderer
from scenefit.renderers.batches import image_chunks
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.scene import Ints, SceneBatch


def finite_difference(grammar: Grammar, renderer: Renderer, edit: Edit, objective: Objective, seed: int) -> Estimate:
    """For any renderer. RenderError from the renderer."""
    gradient = image_gradient(renderer, edit.scenes, objective)
    surrogate, renders = score_term(edit, non_differentiable(grammar), gradient.witness), len(edit.scenes)
    for a in (a for a in grammar.learned if is_differentiable(a)):
        slope = np.zeros(len(edit.scenes.tables[a.kind]))
        for rows in _one_a_scene(edit.scenes, a.kind):
            step = np.zeros(len(slope))
            step[rows] = STEP
            scene = edit.scenes.tables[a.kind].scene[rows]
            up = image_chunks(renderer, perturbed(grammar, edit, {a.key: step}).take(scene))
            down = image_chunks(renderer, perturbed(grammar, edit, {a.key: -step}).take(scene))
            renders += 2 * len(rows)
            slope[rows] = (gradient.along(scene, up, down) / (2 * STEP)).numpy()
        surrogate = surrogate + (torch.from_numpy(slope).float() * edit.offsets[a.key]).sum()
    return Estimate(gradient.loss, surrogate, renders)


def _one_a_scene(scenes: SceneBatch, kind: str) -> Iterator[Ints]:
    """Partitions the rows of a kind into sets with at most one node of each scene."""
    scene = scenes.tables[kind].scene
    order = np.argsort(scene, kind="stable")
    first = np.searchsorted(scene[order], scene[order])
    rank = np.empty(len(scene), np.int64)
    rank[order] = np.arange(len(scene)) - first
    return (np.flatnonzero(rank == k) for k in range(int(rank.max(initial=-1)) + 1))
