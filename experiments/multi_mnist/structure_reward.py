"""The policy gradient of Meta-Sim2 for a structure policy (Devaranjan et al., ECCV 2020, section 3.3).

The reward of a sampled scene is the log ratio of two kernel density estimates at its render's features: that of the
photos and that of the renders. The baseline is the mean reward of the other scenes. This method needs many more
renders than the stage `structure` and ends further from the truth (README.md beside this file); it is kept for
comparison.

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

WIDTH = 0.1  # of the kernel, as a share of the median squared distance between photos


def density_ratio(renders: Tensor, photos: Tensor) -> Tensor:
    """log p_photos / p_renders at each render [S], from features [S, F] and [N, F]. The density of the renders leaves
    out the render itself."""
    width = WIDTH * median_heuristic(photos)
    to_renders = (-squared_distances(renders, renders) / width).fill_diagonal_(-float("inf"))
    to_photos = -squared_distances(renders, photos) / width
    log_ratio = torch.logsumexp(to_photos, dim=1) - torch.logsumexp(to_renders, dim=1)
    return log_ratio - float(np.log(len(photos) / (len(renders) - 1)))


def follow_reward(policy: StructurePolicy, extractor: Extractor, renderer: Renderer, photos: np.ndarray, *,
                  seed: int = 0, draw: Draw = by_grammar, steps: int = 150, batch: int = 256,
                  rate: float = 2e-2) -> int:
    """Train policy in place with the reward on photos uint8 [N, H, W, 3]; returns the number of renders."""
    features = compute(extractor, photos)
    mean, spread = features.mean(dim=0), features.std(dim=0).clamp(min=1e-3)
    features = (features - mean) / spread

    def loss(step: int) -> Tensor:
        scenes = draw(policy, derive_seed(seed, f"reward {step}"), batch)
        rendered = (compute(extractor, render(renderer, scenes).images) - mean) / spread
        return -(leave_one_out(density_ratio(rendered, features)) * policy.log_prob(scenes)).mean()

    minimise(map(loss, range(steps)), torch.optim.Adam(policy.parameters(), rate), steps + 1, warm_up=0.1)
    return steps * batch
