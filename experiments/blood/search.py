"""The control of the fit: a shift and a stretch of every learned number, by CMA-ES on the distance itself.

Each candidate is a distribution, judged by few renders of the same scenes, so that candidates differ by what was
changed alone (Hansen 2016, arXiv 1604.00772). Legend: D dimensions, a shift and a stretch for each learned number; K
knots.
"""

from collections.abc import Sequence

import cma
import numpy as np
from scipy import special

from scenefit.metrics.features import features_of_chunks
from scenefit.metrics.objective import Objective
from scenefit.nets.quantile_offsets import KNOTS, normal_score
from scenefit.nets.scene_distribution import SIGMA_FLOOR, SceneDistribution
from scenefit.renderers import Renderer
from scenefit.renderers.batches import render_parts
from scenefit.scenes.attributes import Attribute, draw
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.priors import Prior
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch

N_IMAGES = 64  # rendered for each candidate
FIRST_STEP = 0.5  # 0.25 is stuck near the prior in one run of four
STRETCH = 3.0  # candidates are between 1 / exp(STRETCH) and exp(STRETCH) times as wide as the prior
MIN_WIDTH = 0.05  # of the bounds: the width that a constant prior is taken to have
MASS = np.exp(-(KNOTS**2) / 2) / np.exp(-(KNOTS**2) / 2).sum()  # of a standard normal at the knots [K]


class Search:
    """CMA-ES over candidates [D] in -1..1. least: the lowest loss so far.  candidate: the one that has it."""

    def __init__(self, distribution: SceneDistribution, seed: int):
        self.distribution, self.seed = distribution, derive_seed(seed, "search")
        scenes = distribution.grammar.sample(self.seed, N_IMAGES)
        self.priors = {a.key: prior_at_knots(distribution.grammar, a, scenes) for a in distribution.numbers}
        self.least, self.candidate = np.inf, np.zeros(2 * len(distribution.numbers))
        rng = np.random.default_rng(derive_seed(seed, "search steps"))  # numpy's global numbers stay as they are
        self.strategy = cma.CMAEvolutionStrategy(self.candidate, FIRST_STEP, {
            "seed": np.nan, "randn": lambda *n: rng.standard_normal(n), "popsize": population(distribution),
            "verbose": -9, "bounds": [-1, 1]})

    def generation(self, renderer: Renderer, objective: Objective) -> None:
        """Render and judge the next candidates."""
        candidates: Sequence[np.ndarray] = self.strategy.ask()
        losses = []
        for candidate in candidates:
            frames = render_parts(renderer, self.apply(candidate).sample(self.seed, N_IMAGES))
            (features,) = features_of_chunks((part.images for part in frames), objective.extractor)
            losses.append(float(objective.loss_of(features)))
        self.strategy.tell(candidates, losses)
        if min(losses) < self.least:
            self.least, self.candidate = min(losses), candidates[int(np.argmin(losses))]

    def best(self) -> SceneDistribution:
        return self.apply(self.candidate)

    def apply(self, candidate: np.ndarray) -> SceneDistribution:
        """The distribution with the shift and stretch of every learned number from candidate [D]."""
        changed = self.distribution.copy()
        for a, (shift, stretch) in zip(changed.numbers, candidate.reshape(-1, 2), strict=True):
            prior = self.priors[a.key]
            centre = float(MASS @ prior)
            width = np.sqrt(float(MASS @ (prior - centre) ** 2))
            form = (prior - centre) / width if width > 2 * SIGMA_FLOOR else KNOTS
            width = max(width, MIN_WIDTH) * np.exp(STRETCH * stretch)
            reach = 0.5 if a.circular else 1.0
            changed.set_offsets(a, centre + reach * shift + width * form - prior)
        return changed


def prior_at_knots(grammar: Grammar, a: Attribute, scenes: SceneBatch) -> np.ndarray:
    """The prior's quantile function at the knots [K], in units of the bounds; of a conditional prior, its mean over
    scenes, which are of the grammar."""
    if isinstance(a.prior, Prior):
        unit = draw(a, None, special.ndtr(KNOTS))[1]  # type: ignore[arg-type]
        assert unit is not None
        return np.unwrap(unit.value, period=1.0) if a.circular else unit.value
    table = scenes.tables[a.kind]
    return at_knots(normal_score(table.address, a.name), grammar.normalised(grammar.decode(scenes, {})[0])[a.key],
                    a.circular)


def at_knots(z: np.ndarray, values: np.ndarray, circular: bool = False) -> np.ndarray:
    """values [n], a noisy function of z [n], at the knots [K]: running means, linear beyond the data.

    circular: values are angles, in turns.
    """
    order = np.argsort(z)
    parts = np.array_split(order, max(2, min(64, len(z) // 4)))
    middle = np.array([z[part].mean() for part in parts])
    if circular:
        level = np.unwrap([np.angle(np.exp(2j * np.pi * values[part]).mean()) for part in parts]) / (2 * np.pi)
    else:
        level = np.array([values[part].mean() for part in parts])
    out = np.interp(KNOTS, middle, level)
    for outside, end, inner in ((middle[0] > KNOTS, 0, 1), (middle[-1] < KNOTS, -1, -2)):
        slope = (level[end] - level[inner]) / (middle[end] - middle[inner])
        out[outside] = level[end] + slope * (KNOTS[outside] - middle[end])
    return out


def cost(distribution: SceneDistribution) -> int:
    """Renders of one generation."""
    return N_IMAGES * population(distribution)


def population(distribution: SceneDistribution) -> int:
    """Candidates of a generation, as many as Hansen 2016 advises."""
    return 4 + int(3 * np.log(2 * len(distribution.numbers)))
