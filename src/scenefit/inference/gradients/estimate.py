"""What every gradient estimator takes and returns. Each is one function:

    estimator(grammar, renderer, edit, objective, seed) -> Estimate

Legend: S scenes; n nodes of a kind; k scenes of a step; H, W pixels.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.files.scratch import collect_arrays, release
from scenefit.metrics.features import features_of_chunks, in_steps, tensor_parts, to_tensor
from scenefit.metrics.objective import Objective
from scenefit.nets.edit import Edit
from scenefit.renderers import Renderer
from scenefit.renderers.batches import image_chunks
from scenefit.scenes.attributes import Attribute, Key
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.scene import Ints, SceneBatch

Images = NDArray[np.uint8]
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


@dataclass(frozen=True, eq=False)
class ImageGradient:
    """The distance of images and its derivatives, by single pixels for some images at a time.

    images: uint8 [S, H, W, 3].  loss: the distance.  witness [S]: of each image.  reduce: the extractor's first step.
    by_input: the loss's gradient by what that makes of each image [S, ...].
    """

    images: Images
    loss: float
    witness: Tensor
    reduce: Callable[[Tensor], Tensor]
    by_input: Tensor

    def along(self, scene: Ints, up: Iterator[Images], down: Iterator[Images]) -> Tensor:
        """Change of the loss [k] from the images down to the images up of these scenes [k], to first order."""
        found, at = [], 0
        for high, low in zip(up, down, strict=True):
            for more, less in zip(tensor_parts(high), tensor_parts(low), strict=True):
                rows = scene[at:at + len(more)]
                leaf = to_tensor(self.images[rows]).requires_grad_(True)
                (gradient,) = torch.autograd.grad(self.reduce(leaf), leaf, self.by_input[torch.from_numpy(rows)])
                found.append(((more - less) * gradient).sum((1, 2, 3)))
                at += len(more)
            release(self.images)
        return torch.cat(found)


def image_gradient(renderer: Renderer, scenes: SceneBatch, objective: Objective) -> ImageGradient:
    """Of renders of the scenes."""
    images = collect_arrays(image_chunks(renderer, scenes), len(scenes))
    step = in_steps(objective.extractor)
    (inputs,) = features_of_chunks([images], step.reduce)
    leaf = inputs.requires_grad_(True)
    features = step.rest(leaf)
    loss = objective.loss_of(features)
    (by_input,) = torch.autograd.grad(loss, leaf)
    return ImageGradient(images, float(loss.detach()), objective.witness_of(features.detach()), step.reduce, by_input)
