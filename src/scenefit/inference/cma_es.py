"""Warm start by search: a shift and a stretch of every learned number, by CMA-ES on the distance itself.

Far apart the distance has no gradient, but it still tells better from worse. Each candidate is a distribution, judged
by few renders of the same scenes, so that candidates differ by what was changed alone (Hansen 2016, arXiv 1604.00772).
Legend: D dimensions: a shift and a stretch for each learned number; K knots.
"""

from collections.abc import Iterator

import cma
import numpy as np
import torch

from scenefit.metrics.features import to_tensor
from scenefit.metrics.objective import Objective
from scenefit.nets.quantile_offsets import KNOTS, MASS, prior_at_knots
from scenefit.nets.scene_distribution import SIGMA_FLOOR, SceneDistribution
from scenefit.renderers import Renderer, render
from scenefit.scenes.rng import derive_seed

IMAGES = 64  # rendered for each candidate
FIRST_STEP = 0.5  # 0.25 is stuck near the prior in one run of four
STRETCH = 3.0  # candidates are between 1 / exp(STRETCH) and exp(STRETCH) times as wide as the prior
LEAST_WIDTH = 0.05  # of the bounds: the width that a constant prior is taken to have


def search(distribution: SceneDistribution, renderer: Renderer, objective: Objective, seed: int,
           rounds: int = 12) -> Iterator[float]:
    """Search, yielding the best distance after each round; the transformer ends at the best.

    Each round takes `cost(transformer)` renders.
    """
    numbers = distribution.numbers
    if not numbers:
        return
    scenes = distribution.grammar.sample(derive_seed(seed, "search"), IMAGES)
    priors = {a.key: prior_at_knots(distribution.grammar, a, scenes) for a in numbers}
    start = np.zeros(2 * len(numbers))
    rng = np.random.default_rng(derive_seed(seed, "search steps"))  # numpy's global numbers belong to the user
    strategy = cma.CMAEvolutionStrategy(start, FIRST_STEP, {"seed": np.nan, "randn": lambda *n: rng.standard_normal(n),
                                                      "popsize": _candidates(distribution), "verbose": -9,
                                                      "bounds": [-1, 1]})
    best, best_at = np.inf, start
    for _ in range(rounds):
        candidates = strategy.ask()
        losses = []
        for candidate in candidates:
            place(distribution, priors, candidate)
            drawn = render(renderer, distribution.sample(derive_seed(seed, "search"), IMAGES))
            with torch.no_grad():
                losses.append(float(objective.loss(to_tensor(drawn.images))))
        strategy.tell(candidates, losses)
        if min(losses) < best:
            best, best_at = min(losses), candidates[int(np.argmin(losses))]
        place(distribution, priors, best_at)
        yield best


def cost(distribution: SceneDistribution) -> int:
    """Renders of one round."""
    return IMAGES * _candidates(distribution) if distribution.numbers else 0


def _candidates(distribution: SceneDistribution) -> int:
    """Of one round, as many as Hansen 2016 advises."""
    return 4 + int(3 * np.log(2 * len(distribution.numbers)))


def place(distribution: SceneDistribution, priors: dict[tuple[str, str], np.ndarray], candidate: np.ndarray) -> None:
    """Give every learned number its shift and stretch from candidate [D], each in -1..1."""
    for a, (shift, stretch) in zip(distribution.numbers, candidate.reshape(-1, 2), strict=True):
        prior = priors[a.key]
        centre = float(MASS @ prior)
        width = np.sqrt(float(MASS @ (prior - centre) ** 2))
        form = (prior - centre) / width if width > 2 * SIGMA_FLOOR else KNOTS
        width = max(width, LEAST_WIDTH) * np.exp(STRETCH * stretch)
        reach = 0.5 if a.circular else 1.0
        distribution.set_offsets(a, centre + reach * shift + width * form - prior)
