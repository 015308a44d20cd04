"""Reconstruction pre-training, as in the paper (Kar et al. 2019, section 3.2): learn to reproduce the input scene.

Here the edit starts as the identity anyway, because the last layers start at zero. Pre-training gives them random
weights and trains the edit back to the identity, so that the inner layers have seen the scenes; whether that helps is
measured in `benchmarks/`.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from scenefit.inference.stages.problem import NAN, Problem, Stage, State, no_renders
from scenefit.nets.optimise import minimise
from scenefit.nets.scene_distribution import CHUNK, SceneDistribution
from scenefit.scenes.rng import derive_seed

LEARNING_RATE = 3e-3


def pretraining(steps: int) -> Stage:
    """steps: of 64 scenes of the grammar."""
    def run(problem: Problem, state: State, step: int) -> State:
        distribution = pretrained(state.distribution, problem.seed_of("pretrain", step), steps)
        return replace(state, distribution=distribution, distance=NAN, metric=NAN)

    return Stage("pretraining", min(steps, 1), run, no_renders, steps * CHUNK)


def pretrained(distribution: SceneDistribution, seed: int, steps: int) -> SceneDistribution:
    """The distribution after so many steps of 64 scenes of the grammar, minimising the mean squared offset."""
    network = distribution.network
    if len(network.leave) == 0:  # only counts or rules are learned: the network edits nothing
        return distribution
    distribution = distribution.copy()
    network = distribution.network
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "pretrain"))
        for layer in network.leave.values():
            assert isinstance(layer, nn.Linear)
            nn.init.xavier_uniform_(layer.weight)
    losses = (distribution.reconstruction_loss(seed, np.arange(step * CHUNK, (step + 1) * CHUNK))
              for step in range(steps))
    minimise(losses, torch.optim.Adam(network.parameters(), LEARNING_RATE))
    distribution.zero_grad()
    return distribution
