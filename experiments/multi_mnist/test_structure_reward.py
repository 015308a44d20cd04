"""The policy gradient of Meta-Sim2: its density-ratio reward, and that a policy trained with it matches the photos."""

import numpy as np
import torch
from toys import bars

import scenefit as sf
from experiments.multi_mnist.structure_reward import density_ratio, follow_reward
from scenefit.nets.structure_policy import StructurePolicy
from scenefit.scenes.attributes import NodeGroup


def shares(scenes: sf.SceneBatch) -> np.ndarray:
    return np.bincount(scenes.tables["scene"]["n_dot"], minlength=3) / len(scenes)


def test_the_density_ratio_is_that_of_two_normals() -> None:
    draw = torch.Generator().manual_seed(0)
    renders, photos = torch.randn(3000, 1, generator=draw), 0.7 + torch.randn(3000, 1, generator=draw)
    found, wanted = density_ratio(renders, photos), 0.7 * renders[:, 0] - 0.7**2 / 2
    near = renders[:, 0].abs() < 1.5
    assert float((found - wanted)[near].abs().mean()) < 0.12
    few = torch.randn(40, 5, generator=draw)  # far apart: counting each point itself would overestimate the density
    same = torch.stack([density_ratio(few, torch.randn(40, 5, generator=draw)).median() for _ in range(20)])
    assert abs(float(same.mean())) < 0.4


def test_the_reward_moves_a_policy_to_the_photos() -> None:
    """Photos have no dots (0.3) or two standing ones (0.7)."""
    def decide(group: NodeGroup) -> dict[str, np.ndarray]:
        if group.kind == "scene":
            return {"n_dot": np.where(np.arange(len(group)) % 10 < 3, 0, 2)}
        return {"sprite": np.ones(len(group), np.int64)}

    place = sf.Uniform(4, 12)
    dot = {"sprite": sf.learned(sf.Choice([0, 1])), "x": place, "y": place}
    grammar = sf.Grammar("scene", {"scene": {}, "dot": dot},
                         [sf.Rule("scene", [sf.repeat("dot", sf.learned(sf.Integer(0, 2)))])])
    photos, policy = bars()(grammar.sample(99, 300, decide=decide)).images, StructurePolicy(grammar)

    def bright(images: torch.Tensor) -> torch.Tensor:
        return images.mean((1, 2, 3))[:, None]

    before = shares(policy.sample(0, 1000))
    assert follow_reward(policy, bright, bars(), photos, steps=40, batch=128) == 40 * 128
    after = shares(policy.sample(0, 1000))
    assert np.abs(after - [0.3, 0, 0.7]).sum() < 0.6 * np.abs(before - [0.3, 0, 0.7]).sum()
