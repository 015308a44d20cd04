"""Where the parts of a scene distribution are computed."""

import torch
from torch import nn

from scenefit.nets.scene_distribution import SceneDistribution

NETWORKS = "network", "conditional"


def networks_on(distribution: SceneDistribution, device: str | torch.device) -> SceneDistribution:
    """The distribution with its graph network and conditional densities on a device; a copy unless they are there.

    Random numbers and tables of scenes stay on the CPU, and so do the few coefficients that meet them (quantile
    offsets, noise, logits, the aggregate posterior) and the structure policy, which decides node after node.
    """
    if next(distribution.network.parameters()).device == torch.empty(0, device=device).device:
        return distribution
    placed = distribution.copy()
    for name in NETWORKS:
        part = placed._modules.get(name)
        if isinstance(part, nn.Module):
            part.to(device)
    return placed

