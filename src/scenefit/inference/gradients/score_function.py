"""The score-function estimator (REINFORCE, Williams 1992): each scene's witness of the MMD is its reward.

One render a scene, any renderer; works for numbers, integers, choices, counts and rules alike.
"""

import torch

from scenefit.inference.gradients.estimate import Estimate, score_term
from scenefit.metrics.features import features_of_chunks
from scenefit.metrics.objective import Objective
from scenefit.nets.edit import Edit
from scenefit.renderers import Renderer
from scenefit.renderers.batches import image_chunks
from scenefit.scenes.grammar import Grammar


def score_function(grammar: Grammar, renderer: Renderer, edit: Edit, objective: Objective, seed: int) -> Estimate:
    """RenderError from the renderer."""
    (features,) = features_of_chunks(image_chunks(renderer, edit.scenes), objective.extractor)
    with torch.no_grad():
        loss, witness = float(objective.loss_of(features)), objective.witness_of(features)
    return Estimate(loss, score_term(edit, list(edit.log_probs), witness), len(features))
