"""Influence of training images on a loss elsewhere, from gradients at the last layer.

Legend: S images; F entries of a gradient.
"""

import torch
from torch import Tensor

DAMPING = 0.1  # of the mean second moment


def damped_influence(own: Tensor, direction: Tensor) -> Tensor:
    """Dot products [S] of the images' gradients own [S, F] with direction [F], the damped inverse of the gradients'
    second moments between them (influence functions: Koh and Liang 2017)."""
    moments = own.T @ own / len(own)
    damping = (DAMPING * moments.trace() / len(direction)).clamp(min=1e-12)
    return own @ torch.linalg.solve(moments + damping * torch.eye(len(direction), dtype=own.dtype), direction)


def unit_spread(values: Tensor) -> Tensor:
    """Values scaled to standard deviation 1."""
    return values / values.std().clamp(min=1e-9)
