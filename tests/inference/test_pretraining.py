"""Reconstruction pre-training."""

import numpy as np
import torch
from toys import one

from scenefit.inference.stages.pretraining import pretrained
from scenefit.nets.scene_distribution import CHUNK, SceneDistribution
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Integer, Normal, learned


def outputs(distribution: SceneDistribution) -> float:
    with torch.no_grad():
        return float(distribution.reconstruction_loss(1234, np.arange(4 * CHUNK)))


def test_it_ends_near_the_identity_with_weights_that_have_seen_scenes(street):
    short, long = (pretrained(SceneDistribution(street), 0, steps) for steps in (1, 30))
    assert 0 < outputs(long) < 0.1 * outputs(short)
    assert all(float(layer.weight.detach().abs().max()) > 0 for layer in long.network.leave.values())
    plain = SceneDistribution(street)
    assert not torch.equal(long.network.rounds[0][0].weight, plain.network.rounds[0][0].weight)
    assert all(torch.equal(a, b) for a, b in zip(long.curves.values(), plain.curves.values(), strict=True))


def test_it_is_the_same_each_time_and_leaves_torchs_numbers_alone(street):
    state, found = torch.random.get_rng_state(), []
    for seed in (0, 0, 1):
        distribution = pretrained(SceneDistribution(street), seed, 3)
        found.append(torch.cat([value.detach().flatten() for value in distribution.parameters()]))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_network_without_outputs_has_nothing_to_learn():
    grammar = Grammar("s", {"s": {}, "dot": {"x": Normal(0, 1)}}, [Rule("s", [repeat("dot", learned(Integer(0, 3)))])])
    distribution = pretrained(SceneDistribution(grammar), 0, 2)
    assert not any(distribution.network.leave.parameters())
    assert len(one(x=1.0).learned) == 0
