"""Learns a structure policy from unlabelled photos: rules, counts and kinds, given the scene so far.

Each round renders scenes, trains a `StructurePosterior` on them, samples structures from the posterior of each photo,
and maximises the photos' likelihood under the policy. With p0 the distribution that was rendered, a photo's likelihood
under a policy p is, up to a constant, the mean of p(s) / p0(s) over structures s drawn from its posterior: empirical
Bayes by importance sampling (cf. Burda et al., ICLR 2016). What the posterior leaves open stays open, instead of being
counted as a guess. This is forward KL to the photos: it covers all modes, where a reward under the policy's own samples
seeks some. The reward of Meta-Sim2 is in experiments/multi_mnist.

Legend: N photos; k posterior samples of each; S scenes.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scenefit.inference.stages.problem import Problem, Stage, State, moved
from scenefit.inference.stages.setting_types import check_types
from scenefit.nets.attribute_regressor import is_grey
from scenefit.nets.optimise import minimise
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.nets.structure_policy import Decisions, StructurePolicy, decisions
from scenefit.nets.structure_posterior import MAX_SIDE, StructurePosterior, TrainingBatch, join, train
from scenefit.renderers import Renderer
from scenefit.renderers.batches import render_parts
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch

BLOCK = 1024  # scenes sampled at once
MIN_RENDERS = 64  # of a round
NEAR = 0.75  # of the renders of later rounds are of the policy so far; the rest stay broad

Draw = Callable[[StructurePolicy, int, Any], SceneBatch]  # structure, seed, indices -> scenes with all their attributes


@dataclass(frozen=True)
class Structure:
    """The structure policy.

    renders: of each round (some thousands); 0 leaves each count and choice its own probabilities.  rounds: of renders
    and training.  epochs: of the posterior network on them.  samples: of each photo's posterior.  steps, learning_rate:
    of the policy's likelihood.  longest: pixels of the longer side that the network sees.

    ValueError for fewer than 64 renders a round, or anything else not positive.
    """

    renders: int = 0
    rounds: int = 2
    epochs: int = 4
    samples: int = 8
    steps: int = 100
    learning_rate: float = 1e-2
    longest: int = MAX_SIDE

    def __post_init__(self) -> None:
        check_types(self, "structure.")
        if self.renders and self.renders < MIN_RENDERS:
            raise ValueError(f"structure.renders must be 0, or at least {MIN_RENDERS} renders a round, got "
                             f"{self.renders}")
        for name in ("rounds", "epochs", "samples", "steps", "learning_rate", "longest"):
            if not getattr(self, name) > 0:
                raise ValueError(f"structure.{name} must be positive, got {getattr(self, name)}")

    def stages(self, problem: Problem) -> tuple[Stage, ...]:
        """None where the structure is left alone, or nothing of it can be learned."""
        if not self.renders or not decisions(problem.grammar):
            return ()
        return (Stage("structure", 1, self._step, lambda *_: self.rounds * self.renders, 8 * self.renders),)

    def _step(self, problem: Problem, state: State, step: int) -> State:
        """Rules, counts and kinds given the rest of the scene; attributes as they are known so far."""
        *_, last = fit_structure(problem.grammar, problem.renderer, problem.images,
                                 seed=problem.seed_of("structure", step), draw=by_distribution(state.distribution),
                                 start=state.distribution.structure, settings=self, device=problem.device)
        return moved(state, state.distribution.with_structure(last.structure), renders=state.renders + last.renders,
                     trainings=state.trainings + last.of)


@dataclass(frozen=True, eq=False)
class StructureStep:
    """One round done. renders, cpu_seconds: in all so far.  missed: mean negative log-likelihood
    of the renders under the posterior.  gain: mean log-likelihood of a photo under the policy less that under what was
    rendered."""

    done: int
    of: int
    renders: int
    missed: float
    gain: float
    cpu_seconds: float
    structure: StructurePolicy = field(repr=False)
    posterior: StructurePosterior = field(repr=False)


def fit_structure(grammar: Grammar, renderer: Renderer, photos: np.ndarray, *, seed: int = 0,
                  draw: Draw | None = None, start: StructurePolicy | None = None,
                  settings: Structure | None = None, device: str = "cpu") -> Iterator[StructureStep]:
    """Learn counts and kinds: one step a round; the last one's `structure` is the result.

    photos uint8 [N, H, W, 3], no label is read.  draw: scenes of a structure, with attributes as they are known so far
    (`by_distribution`); by default they are the grammar's.  start: the policy to start from, the grammar's own by
    default; it is left as it is.  device: of the posterior network.
    ValueError for a grammar without learned structure or unfit photos; `RenderError` from the renderer.
    """
    settings, began = settings or Structure(renders=16_000), time.process_time()
    if photos.dtype != np.uint8 or photos.ndim != 4 or photos.shape[3] != 3 or len(photos) < 2:
        raise ValueError(f"photos need uint8 [N, H, W, 3], at least 2, got {photos.dtype} {list(photos.shape)}")
    policy = StructurePolicy(grammar, derive_seed(seed, "structure"))
    if start is not None:
        policy.load_state_dict(start.state_dict())
    uniform = StructurePolicy(uniform_randomisation(grammar), derive_seed(seed, "broad structure"))
    size = (photos.shape[1], photos.shape[2])
    posterior = StructurePosterior(grammar, size, is_grey(photos), seed, settings.longest).placed(device)
    draw, rendered = draw or by_grammar, 0
    count = settings.renders
    for number in range(settings.rounds):
        shares: list[tuple[StructurePolicy, int]] = [(uniform, count)]
        if number:
            near = round(NEAR * count)
            shares = [(frozen(policy), near), (uniform, count - near)]
        batches = (batch for part, (structure, n) in enumerate(shares) for batch in _training_batches(
            posterior, renderer, draw, structure, derive_seed(seed, f"structure renders {number} {part}"), n, size))
        rendered += count
        missed = train(posterior, join(batches, count), derive_seed(seed, f"recogniser {number}"), settings.epochs)
        samples = posterior.sample_posterior(photos, settings.samples, derive_seed(seed, f"readings {number}"))
        mixture = [(structure, n / count) for structure, n in shares]
        gain = maximise_likelihood(policy, policy.replay(samples), mixture, settings)
        yield StructureStep(number + 1, settings.rounds, rendered, missed, gain, time.process_time() - began,
                            frozen(policy), posterior)


def by_grammar(structure: StructurePolicy, seed: int, indices: Any) -> SceneBatch:
    """Structure by the policy, all else by the grammar."""
    return structure.sample(seed, indices)


def by_distribution(distribution: SceneDistribution) -> Draw:
    """Structure by the policy, learned numbers by the distribution."""
    def draw(structure: StructurePolicy, seed: int, indices: Any) -> SceneBatch:
        return distribution.with_structure(structure).sample(seed, indices)

    return draw


def frozen(structure: StructurePolicy) -> StructurePolicy:
    """A copy that no longer learns."""
    copy = StructurePolicy(structure.grammar, 0, structure.context)
    copy.load_state_dict(structure.state_dict())
    return copy.requires_grad_(False)


def _training_batches(posterior: StructurePosterior, renderer: Renderer, draw: Draw, structure: StructurePolicy,
                      seed: int, count: int, size: tuple[int, int]) -> Iterator[TrainingBatch]:
    for first in range(0, count, BLOCK):
        scenes = draw(structure, seed, np.arange(first, min(first + BLOCK, count)))
        for frames in render_parts(renderer, scenes, size):
            yield posterior.training_batch(frames)
            del frames  # before the next are drawn


def maximise_likelihood(policy: StructurePolicy, samples: Decisions, rendered: list[tuple[StructurePolicy, float]],
                        settings: Structure) -> float:
    """Maximise the likelihood of the photos. samples: of N * k scenes, the k of a photo side by side.

    rendered: the distributions that the posterior network was trained on, with their shares.  Returns the mean over the
    photos of log p(photo) / p0(photo).
    """
    with torch.no_grad():
        base = torch.logsumexp(torch.stack([structure.log_prob(samples) + float(np.log(share))
                                            for structure, share in rendered]), dim=0)
    losses = (-_gain(policy, samples, base, settings.samples) for _ in range(settings.steps))
    minimise(losses, torch.optim.Adam(policy.parameters(), settings.learning_rate), settings.steps + 1)
    with torch.no_grad():
        return float(_gain(policy, samples, base, settings.samples))


def _gain(policy: StructurePolicy, samples: Decisions, base: Tensor, times: int) -> Tensor:
    ratio = (policy.log_prob(samples) - base).reshape(-1, times)
    return torch.logsumexp(ratio, dim=1).mean() - float(np.log(times))
