"""Gradients through a renderer, side by side behind one choice."""

from scenefit.gradients.estimate import Estimate, Estimator
from scenefit.gradients.exact import exact
from scenefit.gradients.finite_difference import finite_difference
from scenefit.gradients.score_function import score_function
from scenefit.gradients.simultaneous import simultaneous

GRADIENTS: dict[str, Estimator] = {"exact": exact, "finite": finite_difference, "simultaneous": simultaneous,
                                   "score": score_function}

__all__ = ["GRADIENTS", "Estimate", "Estimator", "exact", "finite_difference", "score_function", "simultaneous"]
