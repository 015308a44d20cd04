"""What a fit ends in: a learned distribution of scenes."""

import copy
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

PRESSED = 0.05  # of the bounds: closer to an end stands a value that presses against it
PRESSED_SHARE = 0.2  # of the values


@dataclass(frozen=True, eq=False)
class Model:
    """A grammar with its learned edits. seed: of the fit; scenes drawn from the model have seeds of their own."""

    distribution: SceneDistribution
    seed: int = 0

    @property
    def grammar(self) -> Grammar:
        return self.distribution.grammar

    @property
    def structure(self) -> StructurePolicy | None:
        """The policy that decides rules, counts and choices, where one was learned."""
        return self.distribution.structure

    def sample(self, indices: Any, seed: int | None = None) -> SceneBatch:
        """Scenes of the learned distribution: indices [S], or how many. The same for any batch they are asked in."""
        return self.distribution.sample(derive_seed(self.seed, "model") if seed is None else seed, indices)

    def copy(self) -> "Model":
        """The same, to keep: what is learned later does not change it."""
        t = self.distribution
        shared = {id(part): part for part in (t.grammar, t.columns, t.numbers, t.choices, t.image_attributes)}
        return Model(copy.deepcopy(t, shared), self.seed)

    def state(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.distribution.state_dict().items()}


@dataclass(frozen=True, eq=False)
class PriorModel:
    """A grammar as it stands, in a model's place: data of the prior alone are the baseline of what was learned."""

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
    _fill(distribution, state, "model")
    return Model(distribution, seed)


def load_structure(grammar: Grammar, state: Mapping[str, Tensor]) -> StructurePolicy:
    """A policy from its `state_dict()`. ValueError if it does not fit the grammar or holds NaN."""
    structure = StructurePolicy(grammar)
    _fill(structure, state, "structure")
    return structure


def _fill(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
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
    """Learned numbers that press against an end of their bounds: (kind, name) -> "low" or "high"."""
    found = {}
    units = model.grammar.units(scenes)
    prior = model.grammar.units(model.grammar.sample(scenes.seed, len(scenes)))
    for a in model.grammar.learned:
        if a.form in ("choice", "angle") or len(units[a.key]) == 0:
            continue
        edge = _edge(a)
        for side, now, before in (("low", units[a.key] < edge, prior[a.key] < edge),
                                  ("high", units[a.key] > 1 - edge, prior[a.key] > 1 - edge)):
            if now.mean() > max(PRESSED_SHARE, 2 * before.mean() if len(before) else 0.0):
                found[a.key] = side
    return found


def _edge(a: Attribute) -> float:
    """How close to an end, in units of the bounds, a value presses: of whole numbers, the last one does."""
    if a.form != "integer" or a.conditional:
        return PRESSED
    low, high = a.bounds or a.prior.bounds  # type: ignore[union-attr]
    return max(PRESSED, 0.75 / (high - low + 1))
