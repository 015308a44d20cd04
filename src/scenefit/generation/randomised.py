"""A learned distribution made wider for training: some scenes have the appearance of the prior, some are wholly of it.

A detector that is trained on the appearance of the learned scenes alone relies on it, where photos may differ; random
appearance makes it look at shapes (domain randomisation: Tobin et al. 2017). Legend: S scenes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from scenefit.nets.model import Model, PriorModel
from scenefit.scenes.attributes import Key
from scenefit.scenes.grammar import Grammar, scene_indices
from scenefit.scenes.grammar.values import learned_values, scenes_with
from scenefit.scenes.join import join_scenes
from scenefit.scenes.rng import derive_seed, scene_address, uniform
from scenefit.scenes.scene import SceneBatch


@dataclass(frozen=True, eq=False)
class RandomisedModel:
    """A model's scenes, some of them randomised; it takes the model's place in `generate` and the like.

    keys: of the attributes that are appearance, as `find_appearance` finds them.  appearance: share of the scenes whose
    appearance is drawn from the prior, all else as learned.  prior: share of the scenes drawn wholly from the prior.
    ValueError for shares outside 0..1, or of more than 1 together.
    """

    model: Model | PriorModel
    keys: frozenset[Key]
    appearance: float = 0.0
    prior: float = 0.0

    def __post_init__(self) -> None:
        for name in ("appearance", "prior"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"RandomisedModel({name}) is a share in 0..1, got {getattr(self, name)}")
        if self.appearance + self.prior > 1:
            raise ValueError(f"appearance={self.appearance} and prior={self.prior} are shares of the same scenes, and "
                             "may be 1 together at most")

    @property
    def grammar(self) -> Grammar:
        return self.model.grammar

    @property
    def seed(self) -> int:
        return self.model.seed

    def sample(self, indices: Any, seed: int | None = None) -> SceneBatch:
        """As `Model.sample`; which scenes are randomised depends on their index alone."""
        index, own = scene_indices(indices), derive_seed(self.seed, "model") if seed is None else seed
        chance = uniform(scene_address(own, index), "randomised")
        wholly = chance < self.prior
        partly = ~wholly & (chance < self.prior + self.appearance)
        scenes = self.model.sample(index[~wholly], own)
        parts = [scenes.take(np.flatnonzero(~partly[~wholly])), PriorModel(self.grammar).sample(index[wholly], own)]
        if partly.any():
            some = scenes.take(np.flatnonzero(partly[~wholly]))
            parts.append(with_appearance_of_prior(self.grammar, some, self.keys))
        return join_scenes(parts).take(np.argsort(np.argsort(index)))

    def state(self) -> dict[str, Tensor]:
        return self.model.state()

    def settings(self) -> Mapping[str, Any]:
        """What provenance records."""
        return {"appearance": self.appearance, "prior": self.prior,
                "attributes": sorted(f"{kind}.{name}" for kind, name in self.keys)}


def with_appearance_of_prior(grammar: Grammar, scenes: SceneBatch, keys: Collection[Key]) -> SceneBatch:
    """The same scenes, their learned attributes `keys` drawn from the prior given all others."""
    counts = {a.key for a in grammar.learned if a.count}
    return scenes_with(grammar, scenes, {key: value for key, value in learned_values(grammar, scenes).items()
                                         if key not in keys and key not in counts})
