"""Simultaneous perturbation stochastic approximation (Spall 1992): all learned numbers of a scene change at once, two
more renders a scene.

Each number's slope is the change of the image, signed by the number's own step: unbiased to second order, and noisier
with more numbers.
"""

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
from scenefit.scenes.rng import derive_seed, fold_in, uniform


def spsa(grammar: Grammar, renderer: Renderer, edit: Edit, objective: Objective, seed: int) -> Estimate:
    """For any renderer. seed: of the signs. RenderError from the renderer."""
    count, gradient = len(edit.scenes), image_gradient(renderer, edit.scenes, objective)
    surrogate = score_term(edit, non_differentiable(grammar), gradient.witness)
    signs = {}
    for a in (a for a in grammar.learned if is_differentiable(a)):
        address = fold_in(edit.scenes.tables[a.kind].address, np.uint64(derive_seed(seed, "signs")))
        signs[a.key] = np.where(uniform(address, a.name) < 0.5, -1.0, 1.0)
    if not signs:
        return Estimate(gradient.loss, surrogate, count)
    moves = ({key: way * STEP * sign for key, sign in signs.items()} for way in (1, -1))
    up, down = (image_chunks(renderer, perturbed(grammar, edit, move)) for move in moves)
    change = gradient.along(np.arange(count), up, down) / (2 * STEP)
    for key, sign in signs.items():
        of_node = change[torch.from_numpy(edit.scenes.tables[key[0]].scene)]
        surrogate = surrogate + (of_node * torch.from_numpy(sign).float() * edit.offsets[key]).sum()
    return Estimate(gradient.loss, surrogate, 3 * count)
