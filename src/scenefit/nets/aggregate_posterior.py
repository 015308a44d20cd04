"""The aggregate posterior: a joint distribution of the attributes of the whole image, made of each photo's posterior
(Makhzani et al. 2015, Hoffman and Johnson 2016).

The attributes of one photo are correlated (a strong stain is strong in every cell), which offsets of single attributes
cannot express. Legend: N photos; M residuals; A attributes; S scenes.
"""

import numpy as np
import torch
from torch import Tensor, nn

from scenefit.scenes.attributes import Attribute, draw, reflect
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.priors import Prior
from scenefit.scenes.rng import uniform

MARGIN = 1e-9  # between normalised values and the ends of their bounds


class AggregatePosterior(nn.Module):
    """Samples a photo uniformly and adds bootstrapped regression residuals to its posterior mean.

    centre [N, A]: the posterior means.  error [M, A]: the residuals. Both in units of the bounds of
    `image_attributes(grammar)`; samples beyond the bounds are reflected.
    """

    centre: Tensor
    error: Tensor

    def __init__(self, centre: Tensor, error: Tensor):
        super().__init__()
        self.register_buffer("centre", centre.float())
        self.register_buffer("error", error.float())

    def sample(self, address: np.ndarray) -> np.ndarray:
        """Normalised attributes [S, A], 0..1, of roots with these addresses [S]."""
        photo = np.minimum(uniform(address, "cloud photo") * len(self.centre), len(self.centre) - 1).astype(int)
        place = self.centre.double().numpy().clip(0, 1)[photo] + self._residuals(address)
        return np.clip(reflect(place), MARGIN, 1 - MARGIN)

    def _residuals(self, address: np.ndarray) -> np.ndarray:
        """Mixtures [S, A] of two residuals each: of the residuals' mean and covariance, but hardly ever the same twice.

        A regression trained on the scenes would learn repeated residuals by heart.
        """
        error, turn = self.error.double().numpy(), 2 * np.pi * uniform(address, "cloud mix")
        mean = mixed = error.mean(axis=0)
        for name, weight in (("cloud error", np.cos(turn)), ("cloud other error", np.sin(turn))):
            row = np.minimum(uniform(address, name) * len(error), len(error) - 1).astype(int)
            mixed = mixed + weight[:, None] * (error[row] - mean)
        return mixed

    def offsets(self, attributes: tuple[Attribute, ...], address: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
        """Offsets from the prior's values to samples: (kind, name) -> [S], in units of the bounds."""
        place = self.sample(address)
        return {a.key: place[:, number] - _prior(a, address) for number, a in enumerate(attributes)}


def image_attributes(grammar: Grammar) -> tuple[Attribute, ...]:
    """The attributes of an aggregate posterior: learned numbers of the root with unconditional priors; no angles."""
    return tuple(a for a in grammar.learned if a.kind == grammar.start and isinstance(a.prior, Prior)
                 and a.form not in ("choice", "angle"))


def empty_aggregate_posterior(grammar: Grammar, photos: int, errors: int) -> AggregatePosterior:
    """Zeros of these sizes, to be filled from a saved state."""
    count = len(image_attributes(grammar))
    return AggregatePosterior(torch.zeros(photos, count), torch.zeros(errors, count))


def _prior(a: Attribute, address: np.ndarray) -> np.ndarray:
    unit = draw(a, None, uniform(address, a.name))[1]  # type: ignore[arg-type]
    assert unit is not None
    return np.asarray(unit.value)
