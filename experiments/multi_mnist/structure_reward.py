"""Meta-Sim2's way to learn a structure policy: a reward for each render of the policy's own scenes.

A scene's reward is the log ratio of the densities of the photos' features and of the renders' at its own image, by
kernel density estimation; the policy gradient follows it, with the mean of the other scenes' rewards as baseline
(Devaranjan et al., ECCV 2020, section 3.3). It needs many renders more than `structure_fit` and ends further from the
truth (experiments/multi_mnist); it is kept for where a recogniser cannot be believed.

Legend: S scenes; N photos; F features.
"""

import numpy as np
import torch
from torch import Tensor

from scenefit.inference.gradients.estimate import leave_one_out
from scenefit.inference.stages.structure import Draw, by_grammar
from scenefit.metrics.features import Extractor, compute
from scenefit.metrics.mmd import median_heuristic, squared_distances
from scenefit.nets.optimise import minimise
from scenefit.nets.structure_policy import StructurePolicy
from scenefit.renderers import Renderer, render
from scenefit.scenes.rng import derive_seed

WIDTH = 0.1  # of the median squared distance between photos: the kernel's


def density_ratio(renders: Tensor, photos: Tensor) -> Tensor:
    """log p_photos / p_renders at each render [S], of features [S, F] and [N, F]; a render does not count itself."""
    width = WIDTH * median_heuristic(photos)
    own = (-squared_distances(renders, renders) / width).fill_diagonal_(-float("inf"))
    real = -squared_distances(renders, photos) / width
    logs = torch.logsumexp(real, dim=1) - torch.logsumexp(own, dim=1)
    return logs - float(np.log(len(photos) / (len(renders) - 1)))


def follow_reward(policy: StructurePolicy, extractor: Extractor, renderer: Renderer, photos: np.ndarray, *,
                  seed: int = 0,
                  draw: Draw = by_grammar, steps: int = 150, batch: int = 256, rate: float = 2e-2) -> int:
    """Move a policy by the reward. photos uint8 [N, H, W, 3]; returns the images rendered."""
    features = compute(extractor, photos)
    mean, spread = features.mean(dim=0), features.std(dim=0).clamp(min=1e-3)
    features = (features - mean) / spread

    def loss(step: int) -> Tensor:
        scenes = draw(policy, derive_seed(seed, f"reward {step}"), batch)
        rendered = (compute(extractor, render(renderer, scenes).images) - mean) / spread
        return -(leave_one_out(density_ratio(rendered, features)) * policy.log_prob(scenes)).mean()

    minimise(map(loss, range(steps)), torch.optim.Adam(policy.parameters(), rate), steps + 1, warm_up=0.1)
    return steps * batch
