"""A joint distribution of what belongs to the whole image: what was found in each photo, and how wrong that may be.

A photo's attributes hang together (a strong stain is strong in every cell), which curves of single attributes cannot
say. Legend: N photos; M errors; A attributes; S scenes.
"""

import numpy as np
import torch
from torch import Tensor, nn

from scenefit.scenes.attributes import Attribute, draw, reflect
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.priors import Prior
from scenefit.scenes.rng import uniform

INSIDE = 1e-9  # keeps a place within its bounds off their very end


class AggregatePosterior(nn.Module):
    """A photo by lot, at what was found in it, plus errors by lot.

    centre [N, A], error [M, A]: in units of the bounds of `places(grammar)`; what leaves them is folded back.
    """

    centre: Tensor
    error: Tensor

    def __init__(self, centre: Tensor, error: Tensor):
        super().__init__()
        self.register_buffer("centre", centre.float())
        self.register_buffer("error", error.float())

    def at(self, address: np.ndarray) -> np.ndarray:
        """Where the attributes of roots with these addresses [S] stand in their bounds [S, A], 0..1."""
        photo = np.minimum(uniform(address, "cloud photo") * len(self.centre), len(self.centre) - 1).astype(int)
        place = self.centre.double().numpy().clip(0, 1)[photo] + self._errors(address)
        return np.clip(reflect(place), INSIDE, 1 - INSIDE)

    def _errors(self, address: np.ndarray) -> np.ndarray:
        """Two errors mixed: of the same mean and covariance, but hardly one twice [S, A].

        A regression would know again errors that come often, and believe that its summary tells what goes with them.
        """
        error, turn = self.error.double().numpy(), 2 * np.pi * uniform(address, "cloud mix")
        mean = mixed = error.mean(axis=0)
        for name, weight in (("cloud error", np.cos(turn)), ("cloud other error", np.sin(turn))):
            row = np.minimum(uniform(address, name) * len(error), len(error) - 1).astype(int)
            mixed = mixed + weight[:, None] * (error[row] - mean)
        return mixed

    def offsets(self, attributes: tuple[Attribute, ...], address: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
        """What takes the prior's own values there: (kind, name) -> [S], in units of the bounds."""
        place = self.at(address)
        return {a.key: place[:, number] - _prior(a, address) for number, a in enumerate(attributes)}


def image_attributes(grammar: Grammar) -> tuple[Attribute, ...]:
    """The attributes that a cloud may hold: learned numbers of the root, each with a prior of its own; no angles."""
    return tuple(a for a in grammar.learned if a.kind == grammar.start and isinstance(a.prior, Prior)
                 and a.form not in ("choice", "angle"))


def empty_aggregate_posterior(grammar: Grammar, photos: int, errors: int) -> AggregatePosterior:
    """To be filled from a saved state."""
    count = len(image_attributes(grammar))
    return AggregatePosterior(torch.zeros(photos, count), torch.zeros(errors, count))


def _prior(a: Attribute, address: np.ndarray) -> np.ndarray:
    unit = draw(a, None, uniform(address, a.name))[1]  # type: ignore[arg-type]
    assert unit is not None
    return np.asarray(unit.unit)
