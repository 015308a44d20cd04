"""The score-function estimator (REINFORCE, Williams 1992): each scene's witness of the MMD is its reward.

One render a scene, any renderer; works for numbers, integers, choices, counts and rules alike.
"""

import torch

from scenefit.inference.gradients.estimate import Estimate, images_of, score_term
from scenefit.metrics.objective import Objective
from scenefit.nets.edit import Edit
from scenefit.renderers import Renderer
from scenefit.scenes.grammar import Grammar


def score_function(grammar: Grammar, renderer: Renderer, edit: Edit, objective: Objective, seed: int) -> Estimate:
    """RenderError from the renderer."""
    images = images_of(renderer, edit.scenes)
    with torch.no_grad():
        loss, witness = float(objective.loss(images)), objective.witness(images)
    return Estimate(loss, score_term(edit, list(edit.log_probs), witness), len(images))
