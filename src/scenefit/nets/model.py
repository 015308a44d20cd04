"""The result of a fit: a learned distribution of scenes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.nets.structure_policy import StructurePolicy
from scenefit.scenes.attributes import Attribute
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch

MARGIN = 0.05  # of the bounds: a value is at a bound if it is closer than this
MIN_SHARE = 0.2  # of an attribute's values at a bound, for it to be reported


@dataclass(frozen=True, eq=False)
class Model:
    """A grammar's learned distribution. seed: of the fit; scenes sampled from the model have another seed."""

    distribution: SceneDistribution
    seed: int = 0

    @property
    def grammar(self) -> Grammar:
        return self.distribution.grammar

    @property
    def structure(self) -> StructurePolicy | None:
        """The policy that decides rules, counts and choices, if one was learned."""
        return self.distribution.structure

    def sample(self, indices: Any, seed: int | None = None) -> SceneBatch:
        """Scenes of the learned distribution: indices [S], or how many. A scene is the same in any batch."""
        return self.distribution.sample(derive_seed(self.seed, "model") if seed is None else seed, indices)

    def copy(self) -> "Model":
        """A copy that further learning does not change."""
        return Model(self.distribution.copy(), self.seed)

    def state(self) -> dict[str, Tensor]:
        """All that `load_model` needs besides the grammar: tensors by name."""
        return {name: value.detach().clone() for name, value in self.distribution.state_dict().items()}


@dataclass(frozen=True, eq=False)
class PriorModel:
    """A grammar in a model's place: its prior is the baseline of what was learned."""

    grammar: Grammar
    seed: int = 0

    def sample(self, indices: Any, seed: int | None = None) -> SceneBatch:
        """As `Model.sample`, of the prior."""
        return self.grammar.sample(derive_seed(self.seed, "model") if seed is None else seed, indices)

    def state(self) -> dict[str, Tensor]:
        return {}


def load_model(grammar: Grammar, state: Mapping[str, Tensor], seed: int) -> Model:
    """A model from `Model.state()`. ValueError if it does not fit the grammar or holds NaN."""
    distribution = SceneDistribution(grammar).with_parts_of(state)
    fill(distribution, state, "model")
    return Model(distribution, seed)


def load_structure(grammar: Grammar, state: Mapping[str, Tensor]) -> StructurePolicy:
    """A policy from its `state_dict()`. ValueError if it does not fit the grammar or holds NaN."""
    structure = StructurePolicy(grammar)
    fill(structure, state, "structure")
    return structure


def fill(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Load a saved state into a network. ValueError, naming what it is of, if it does not fit or holds NaN."""
    wanted = network.state_dict()
    for name, value in wanted.items():
        if name not in state or state[name].shape != value.shape:
            raise ValueError(f"the saved {what} does not fit the grammar: {name} should be {list(value.shape)}, got "
                             f"{list(state[name].shape) if name in state else 'nothing'}")
        if not bool(state[name].isfinite().all()):
            raise ValueError(f"the saved {what} is damaged: {name} holds NaN or infinite numbers")
    extra = sorted(set(state) - set(wanted))
    if extra:
        raise ValueError(f"the saved {what} does not fit the grammar: it has {extra}")
    network.load_state_dict(dict(state))


def at_bounds(model: Model, scenes: SceneBatch) -> dict[tuple[str, str], str]:
    """Learned numbers of which many values lie at an end of their bounds: (kind, name) -> "low" or "high".

    More than a fifth of the values in scenes, and more than twice as many as in the prior.
    """
    found = {}
    units = model.grammar.normalised(scenes)
    prior = model.grammar.normalised(model.grammar.sample(scenes.seed, len(scenes)))
    for a in model.grammar.learned:
        if a.form in ("choice", "angle") or len(units[a.key]) == 0:
            continue
        margin = _margin(a)
        for side, now, before in (("low", units[a.key] < margin, prior[a.key] < margin),
                                  ("high", units[a.key] > 1 - margin, prior[a.key] > 1 - margin)):
            if now.mean() > max(MIN_SHARE, 2 * before.mean() if len(before) else 0.0):
                found[a.key] = side
    return found


def _margin(a: Attribute) -> float:
    """How close to an end a value counts as at the bound, in units of the bounds: of integers, the last one does."""
    if a.form != "integer" or a.conditional:
        return MARGIN
    low, high = a.bounds or a.prior.bounds  # type: ignore[union-attr]
    return max(MARGIN, 0.75 / (high - low + 1))
