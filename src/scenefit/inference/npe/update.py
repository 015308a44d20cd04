"""Step 5 of a round: the distribution of scenes from the photos' posterior samples.

Image attributes are kept jointly, as the samples themselves (the aggregate posterior); all else is fitted by maximum
likelihood, given the image and the parent.
"""

import numpy as np
import torch

from scenefit.inference.npe.posterior import PosteriorSamples
from scenefit.nets.aggregate_posterior import AggregatePosterior
from scenefit.nets.maximum_likelihood import fit_distribution
from scenefit.nets.scene_distribution import SceneDistribution

SMOOTH = 0.1  # of the samples' spread: kernel of the aggregate posterior, so that no sample comes twice
N_ERRORS = 64


def update(distribution: SceneDistribution, samples: PosteriorSamples, seed: int) -> SceneDistribution:
    """The distribution fitted to the samples; what photos did not tell is the prior's."""
    grammar, attributes = distribution.grammar, distribution.image_attributes
    if attributes and any(a.key in samples.inferred for a in attributes):
        units = grammar.normalised(samples.scenes)
        centre = np.stack([units[a.key] for a in attributes], 1)
        scale = SMOOTH * centre.std(0) * np.array([a.form != "integer" for a in attributes])
        error = np.random.default_rng(seed).standard_normal((N_ERRORS, len(attributes))) * scale
        distribution = distribution.with_aggregate_posterior(
            AggregatePosterior(torch.from_numpy(centre), torch.from_numpy(error - error.mean(0))))
    keys = {key for key in samples.inferred if not any(a.key == key for a in attributes)}
    return fit_distribution(distribution, samples.scenes, keys, seed, photo=samples.photo) if keys else distribution
