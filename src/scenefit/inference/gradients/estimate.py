"""What every gradient estimator takes and returns. Each is one function:

    estimator(grammar, renderer, edit, objective, seed) -> Estimate

Legend: S scenes; n nodes of a kind.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scenefit.metrics.features import to_tensor
from scenefit.metrics.objective import Objective
from scenefit.nets.edit import Edit
from scenefit.renderers import Renderer, render
from scenefit.scenes.attributes import Attribute, Key
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.scene import SceneBatch

STEP = 0.01  # of finite differences, of the bounds (3.6 degrees): small for the content, large against 8-bit rounding


@dataclass(frozen=True, eq=False)
class Estimate:
    """loss: the distance of the rendered images.  surrogate: a scalar whose backward() gives the estimated gradient.

    renders: images rendered for it.
    """

    loss: float
    surrogate: Tensor
    renders: int


Estimator = Callable[[Grammar, Renderer, Edit, Objective, int], Estimate]


def is_differentiable(a: Attribute) -> bool:
    """Whether an image changes little when the attribute does: real numbers and angles."""
    return a.form in ("number", "angle")


def non_differentiable(grammar: Grammar) -> list[Key]:
    """Keys of what is learned and has no gradient through an image: choices, integers, counts, rules."""
    return [a.key for a in grammar.learned if not is_differentiable(a)] + [(kind, "rule")
                                                                           for kind in grammar.learned_heads]


def score_term(edit: Edit, keys: list[Key], witness: Tensor) -> Tensor:
    """Score-function surrogate for the attributes of keys: the mean over scenes of (witness - leave-one-out mean) times
    their log-probability. witness [S]."""
    if not keys:
        return torch.zeros(())
    return (leave_one_out(witness) * edit.log_prob(keys)).mean()


def leave_one_out(reward: Tensor) -> Tensor:
    """Each reward less the mean of the others [S], without gradient (Kool, van Hoof and Welling 2019)."""
    reward = reward.detach()
    return reward - (reward.sum() - reward) / max(len(reward) - 1, 1)


def perturbed(grammar: Grammar, edit: Edit, change: Mapping[Key, Any]) -> SceneBatch:
    """The edit's scenes with some offsets changed. change: (kind, name) -> what is added [n]."""
    offsets: dict[Key, Any] = {key: value.detach().numpy().astype(np.float64) for key, value in edit.offsets.items()}
    for key, added in change.items():
        offsets[key] = offsets[key] + added
    return grammar.decode(edit.scenes, {**offsets, **edit.codes})[0]


def images_of(renderer: Renderer, scenes: SceneBatch) -> Tensor:
    """Renders of the scenes [S, 3, H, W] in 0..1."""
    return to_tensor(render(renderer, scenes).images)


def image_gradient(objective: Objective, images: Tensor) -> tuple[float, Tensor, Tensor]:
    """The loss, its gradient by each pixel [S, 3, H, W], and the witness [S]."""
    leaf = images.clone().requires_grad_(True)
    loss = objective.loss(leaf)
    (gradient,) = torch.autograd.grad(loss, leaf)
    with torch.no_grad():
        witness = objective.witness(images)
    return float(loss.detach()), gradient, witness
