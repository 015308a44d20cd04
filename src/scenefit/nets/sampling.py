"""Samples with their log-probabilities, and the parameters that they are drawn from.

Legend: n samples; C options of a choice.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from scenefit.scenes.priors import pick

MIN_PROBABILITY = 1e-6  # keeps logarithms finite


def log_probabilities(probabilities: Any) -> Tensor:
    """Logits [C] of probabilities [C]."""
    return torch.from_numpy(np.log(np.maximum(probabilities, MIN_PROBABILITY))).float()


def probabilities(logits: Tensor) -> np.ndarray:
    """Probabilities [C] of logits [C], float64, without gradient."""
    return torch.softmax(logits.detach().double(), 0).numpy()


def sample_choices(logits: Tensor, quantiles: np.ndarray) -> tuple[np.ndarray, Tensor]:
    """Options [n] by logits [n, C] at uniform quantiles [n], and their log-probabilities [n], with gradient."""
    log_probs = torch.log_softmax(logits, dim=1)
    shares = log_probs.detach().double().exp().numpy()
    codes = pick(shares / shares.sum(axis=1, keepdims=True), quantiles)
    return codes, log_probs.gather(1, torch.from_numpy(codes)[:, None])[:, 0]


def sample_normal(mean: Tensor, sigma: Tensor, normal: np.ndarray) -> tuple[Tensor, Tensor]:
    """mean + sigma * normal [n], with a reparametrised gradient, and the log-probabilities [n] of these values."""
    value = mean + sigma * torch.from_numpy(normal.astype(np.float32))
    # Detached: a log-probability of a sample that still follows its mean has no gradient at all.
    return value, _normal_log_prob(value.detach(), mean, sigma)


def _normal_log_prob(value: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
    return -0.5 * ((value - mean) / sigma) ** 2 - sigma.log() - 0.5 * float(np.log(2 * np.pi))
